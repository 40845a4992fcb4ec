#include "store/packing.h"

#include <utility>

namespace weir::store {
namespace {

// Of the packs that have places.
constexpr size_t ListOf(Pack pack) {
  return pack == Pack::kRequestHistograms ? kArrays : static_cast<size_t>(pack) - static_cast<size_t>(Pack::kSums);
}

constexpr bool HasPlace(Pack pack) { return pack != Pack::kNone && pack != Pack::kOwn && pack != Pack::kHistogram; }

}  // namespace

Packing::Packing(Names names) : names_(std::move(names)) {
  for (size_t i = 0; i < places_.size(); ++i) {
    const model::Column& column = model::kColumns[i];
    Place& place = places_[i];
    place.pack = PackOf(column);
    if (!HasPlace(place.pack)) continue;
    std::vector<std::string>& list = names_[ListOf(place.pack)];
    const auto found = std::find(list.begin(), list.end(), column.name);
    place.index = static_cast<uint16_t>(found - list.begin());
    if (found == list.end()) list.emplace_back(column.name);
  }
}

size_t Packing::request_histogram_places() const {
  return (names_[kArrays].size() + kBlockHistograms - 1) / kBlockHistograms * kBlockPlaces;
}

}  // namespace weir::store

// Which measures have a column of their own in the tables, and where in a row the others are.
//
// A column costs ClickHouse much the same whatever is in it, and most measures of most rows are 0. So only what is
// nearly always set has its own column; the rest stands packed in a few arrays per row, each measure at its place,
// without the zeros at the end: an array of nothing but zeros is empty. Histograms are arrays of counts, in the same
// way. See docs/adr/0007.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/columns.h"
#include "model/histogram.h"

namespace weir::store {

enum class Pack : uint8_t {
  kOwn,            // a column of the table, named as the measure; also times
  kSums,           // an element of `sums`
  kMaxima,         // an element of `maxima`
  kRequestSums,    // what only rows about requests have
  kRequestMaxima,  //
  kHistogram,      // an array of the table, named as the histogram: the count of each bucket, without zeros at the end
  kRequestHistograms,  // all of a row in `request_histograms`, at RequestHistogramPlace()
  kNone,               // no measure: a dimension, or derived
};

inline constexpr size_t kArrays = 4;
// Names of the arrays, in the order of Pack from kSums on.
inline constexpr std::array<std::string_view, kArrays> kArrayNames{"sums", "maxima", "request_sums", "request_maxima"};
inline constexpr std::string_view kRequestHistogramsName = "request_histograms";

// What has places: the arrays, and the histograms about requests.
inline constexpr size_t kPlaceLists = kArrays + 1;
inline constexpr std::array<std::string_view, kPlaceLists> kPlaceListNames{
    kArrayNames[0], kArrayNames[1], kArrayNames[2], kArrayNames[3], kRequestHistogramsName};

struct Place {
  Pack pack = Pack::kNone;
  uint16_t index = 0;  // from 0; of a histogram about requests: its number
};

// Set in most rows about a TCP connection.
inline constexpr auto kOwnMeasures = std::to_array<std::string_view>({
    "client_reports",     "server_reports",     "bytes_to_server",         "bytes_to_client",
    "segments_to_server", "segments_to_client", "retransmits_to_server",   "retransmits_to_client",
    "busy_us_to_server",  "busy_us_to_client",  "delivery_rate_to_server", "delivery_rate_to_client",
    "connections_opened", "connections_closed", "connections_failed",      "connections_open",
    "connect_count",      "connect_sum_us",     "connect_max_us",          "client_rtt_count",
    "client_rtt_sum_us",  "client_rtt_min_us",  "client_rtt_max_us",       "server_rtt_count",
    "server_rtt_sum_us",  "server_rtt_min_us",  "server_rtt_max_us",
});

constexpr bool IsAboutRequests(std::string_view column) {
  if (column.starts_with("requests")) return true;
#define WEIR_STEM(stem) \
  if (column.starts_with(#stem "_")) return true;
  WEIR_REQUEST_TIMES(WEIR_STEM)
#undef WEIR_STEM
  return false;
}

constexpr Pack PackOf(const model::Column& column) {
  using model::ColumnKind;
  const bool own = std::find(kOwnMeasures.begin(), kOwnMeasures.end(), column.name) != kOwnMeasures.end();
  switch (column.kind) {
    case ColumnKind::kTime: return Pack::kOwn;
    case ColumnKind::kMin: return Pack::kOwn;  // the smallest of packed numbers would need another aggregate
    case ColumnKind::kSum: return own ? Pack::kOwn : IsAboutRequests(column.name) ? Pack::kRequestSums : Pack::kSums;
    case ColumnKind::kMax:
      return own ? Pack::kOwn : IsAboutRequests(column.name) ? Pack::kRequestMaxima : Pack::kMaxima;
    case ColumnKind::kHistogram: return IsAboutRequests(column.name) ? Pack::kRequestHistograms : Pack::kHistogram;
    default: return Pack::kNone;
  }
}

// The place of each measure, as a directory has it. A directory tells places by the measures' names, so that measures
// may come, go and change their order in the column table; one that moves to another list needs a new kSchemaVersion.
// Immutable.
class Packing {
 public:
  // The measures at the places of each list, in the order of kPlaceListNames. "" = nothing stands there.
  using Names = std::array<std::vector<std::string>, kPlaceLists>;

  // Of a directory that tells these. What it does not tell gets the next places, in the order of the column table.
  explicit Packing(Names names = {});

  Place Of(const model::Column& column) const { return places_[static_cast<size_t>(&column - model::kColumns.data())]; }
  const Names& names() const { return names_; }
  // How many numbers `request_histograms` has at most.
  size_t request_histogram_places() const;

 private:
  Names names_;
  std::array<Place, model::kColumns.size()> places_{};
};

// They stand there in blocks of four histograms, bucket after bucket: small buckets of all four come first, so that the
// zeros at the end are many. Further histograms are further blocks, and what was written before stays valid.
inline constexpr size_t kBlockHistograms = 4;
inline constexpr size_t kBlockPlaces = kBlockHistograms * model::kHistogramBuckets;

// From 0.
constexpr size_t RequestHistogramPlace(size_t histogram, size_t bucket) {
  return histogram / kBlockHistograms * kBlockPlaces + bucket * kBlockHistograms + histogram % kBlockHistograms;
}

}  // namespace weir::store

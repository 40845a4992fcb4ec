#define XXH_INLINE_ALL
#include <xxhash.h>

#include "agent/source/local_addresses.h"

#include <algorithm>

namespace weir::agent::source {
namespace {

constexpr Nanos kSecond = 1'000'000'000;
constexpr Nanos kRefreshPeriod = 30 * kSecond;
constexpr Nanos kForgetAfter = 300 * kSecond;
constexpr size_t kMaxAddresses = 16'384;

}  // namespace

size_t LocalAddresses::Hash::operator()(const model::Address& address) const {
  return XXH3_64bits(address.bytes.data(), address.bytes.size());
}

void LocalAddresses::Add(Nanos now, const model::Address& address) {
  if (address.is_loopback() || address.is_unspecified()) return;
  if (seen_.size() < kMaxAddresses || seen_.contains(address)) seen_[address] = now;
}

void LocalAddresses::Learn(Nanos now, const std::vector<model::SideReport>& reports) {
  for (const model::SideReport& report : reports) {
    const bool client = report.ends.side == model::Side::kClient;
    Add(now, client ? report.ends.client_address : report.ends.server_address);
  }
  if (now < next_refresh_) return;
  next_refresh_ = now + kRefreshPeriod;
  for (const model::Address& address : interfaces_()) Add(now, address);
  for (auto item = seen_.begin(); item != seen_.end();) {
    item = now - item->second > kForgetAfter ? seen_.erase(item) : std::next(item);
  }
}

std::vector<model::Address> LocalAddresses::List() const {
  std::vector<model::Address> addresses;
  addresses.reserve(seen_.size());
  for (const auto& [address, seen] : seen_) addresses.push_back(address);
  std::sort(addresses.begin(), addresses.end());
  return addresses;
}

}  // namespace weir::agent::source

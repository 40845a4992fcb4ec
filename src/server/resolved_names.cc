#include "server/resolved_names.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>

#include "base/metrics.h"

namespace weir::server {

uint64_t AskerOf(std::string_view pod_uid, std::string_view node, uint32_t netns) {
  const std::string key = pod_uid.empty() ? fmt::format("netns {} {}", netns, node) : fmt::format("pod {}", pod_uid);
  return std::max<uint64_t>(XXH3_64bits(key.data(), key.size()), 1);
}

size_t ResolvedNames::Hash::operator()(const Key& key) const { return XXH3_64bits(&key, sizeof(key)); }

void ResolvedNames::Put(uint64_t asker, const model::ResolvedName& resolved, UnixMillis time) {
  const Key key{asker, resolved.address};
  if (names_.size() >= kMaxAddresses && !names_.contains(key)) DropOldest();
  std::vector<ResolvedAs>& all = names_[key];
  auto known = std::find_if(all.begin(), all.end(), [&](const ResolvedAs& as) { return as.name == resolved.name; });
  if (known == all.end()) {
    if (all.size() >= kMaxNames) all.erase(all.begin());
    known = all.insert(all.end(), ResolvedAs{resolved.name, "", time, 0, 0});
  }
  known->canonical = resolved.canonical;
  const int64_t ttl_ms = std::min<int64_t>(int64_t{resolved.ttl_s} * 1'000, kMaxTtlMs);
  known->first = std::min(known->first, time);
  known->last = std::max(known->last, time);
  known->until = std::max(known->until, time + ttl_ms + kGraceMs);
  std::rotate(known, known + 1, all.end());  // the newest is the last
}

std::vector<const ResolvedAs*> ResolvedNames::Find(uint64_t asker, const model::Address& address, UnixMillis start,
                                                   UnixMillis end) const {
  std::vector<const ResolvedAs*> found;
  const auto known = names_.find(Key{asker, address});
  if (known == names_.end()) return found;
  for (auto as = known->second.rbegin(); as != known->second.rend(); ++as) {
    if (as->first < end && as->until > start) found.push_back(&*as);
  }
  return found;
}

// A tenth of them, those that hold the shortest.
void ResolvedNames::DropOldest() {
  std::vector<UnixMillis> ends;
  ends.reserve(names_.size());
  const auto end_of = [](const std::vector<ResolvedAs>& all) { return all.empty() ? 0 : all.back().until; };
  for (const auto& [key, all] : names_) ends.push_back(end_of(all));
  const auto tenth = ends.begin() + static_cast<std::ptrdiff_t>(ends.size() / 10);
  std::nth_element(ends.begin(), tenth, ends.end());
  const UnixMillis limit = *tenth;
  size_t dropped = 0;
  for (auto item = names_.begin(); item != names_.end();) {
    const bool drop = end_of(item->second) <= limit && dropped <= ends.size() / 10;
    dropped += drop ? 1 : 0;
    item = drop ? names_.erase(item) : std::next(item);
  }
  Count(Metric::server_names_full, dropped);
}

void ResolvedNames::Expire(UnixMillis now) {
  for (auto item = names_.begin(); item != names_.end();) {
    std::erase_if(item.value(), [now](const ResolvedAs& as) { return as.until < now; });
    item = item->second.empty() ? names_.erase(item) : std::next(item);
  }
  SetGauge(Metric::server_names_resolved, names_.size());
}

}  // namespace weir::server

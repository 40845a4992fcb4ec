// TopTable: totals for the busiest keys, and one "other" for the rest, in bounded memory.
//
// A key is kept while there is room. Once there is none, what a new key adds goes to the other, and its recent weight
// is remembered among the candidates. Sweep() halves all recent weights, forgets keys that were silent for the time to
// live, and lets a candidate take the place of the lightest kept key when it was twice as heavy: with a new total of
// its own, as after a restart. Thread: one at a time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace weir::server {

template <typename Totals>
class TopTable {
 public:
  struct Entry {
    Totals totals;
    UnixMillis created = 0;
    UnixMillis heard = 0;
    double recent = 0;  // weight, halved with every sweep
  };

  explicit TopTable(size_t limit) : limit_(limit) {}

  // What to add to for `key`; valid until the next call. `folded` becomes whether it is the other's.
  Totals& At(const std::string& key, double weight, UnixMillis now, bool* folded = nullptr) {
    auto found = kept_.find(key);
    if (found == kept_.end() && kept_.size() < limit_) found = kept_.emplace(key, Entry{Totals{}, now, now, 0}).first;
    if (folded != nullptr) *folded = found == kept_.end();
    if (found == kept_.end()) {
      AddCandidate(key, weight);
      if (other_.created == 0) other_.created = now;
      return other_.totals;
    }
    found->second.heard = now;
    found->second.recent += weight;
    return found->second.totals;
  }

  void Sweep(UnixMillis now, int64_t time_to_live_ms) {
    std::erase_if(kept_, [&](const auto& item) { return now - item.second.heard > time_to_live_ms; });
    Promote(now);
    for (auto& [key, entry] : kept_) entry.recent /= 2;
    for (auto& [key, weight] : candidates_) weight /= 2;
    std::erase_if(candidates_, [](const auto& item) { return item.second < 1; });
  }

  // Calls visit(key, entry) for each that is kept.
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (const auto& [key, entry] : kept_) visit(key, entry);
  }
  const Entry& other() const { return other_; }
  bool has_other() const { return other_.created != 0; }
  size_t size() const { return kept_.size(); }
  size_t candidates() const { return candidates_.size(); }

 private:
  void AddCandidate(const std::string& key, double weight) {
    if (const auto found = candidates_.find(key); found != candidates_.end()) {
      found->second += weight;
    } else if (candidates_.size() < 4 * limit_) {
      candidates_.emplace(key, weight);
    }
  }

  void Promote(UnixMillis now) {
    std::vector<std::pair<double, std::string>> waiting;
    for (const auto& [key, weight] : candidates_) waiting.emplace_back(weight, key);
    std::sort(waiting.rbegin(), waiting.rend());
    for (const auto& [weight, key] : waiting) {
      if (kept_.size() >= limit_) {
        const auto lightest = std::min_element(
            kept_.begin(), kept_.end(), [](const auto& a, const auto& b) { return a.second.recent < b.second.recent; });
        if (lightest == kept_.end() || weight < 2 * lightest->second.recent) return;
        kept_.erase(lightest);
      }
      kept_.emplace(key, Entry{Totals{}, now, now, weight});
      candidates_.erase(key);
    }
  }

  const size_t limit_;
  std::unordered_map<std::string, Entry> kept_;
  std::unordered_map<std::string, double> candidates_;  // recent weight; at most four times as many as are kept
  Entry other_;
};

}  // namespace weir::server

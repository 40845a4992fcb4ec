// FindingBook: the findings that are open, and which of them changed. Detectors report while a condition holds; the
// book opens, joins, updates and closes, so that one trouble is one finding however often it is reported.
//
// Not thread-safe. Bounds: kMaxOpen open findings; beyond, new ones are refused and counted in refused().
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "diagnose/finding.h"

namespace weir::diagnose {

inline constexpr size_t kMaxOpen = 10'000;
inline constexpr size_t kMaxListed = 50;  // evidence, culprits, victims, each

class FindingBook {
 public:
  explicit FindingBook(const Thresholds& thresholds) : thresholds_(thresholds) {}

  // The condition holds at `now`. `draft.start` is when it began, `draft.points` the sum of its evidence. Below the
  // lowest level nothing is opened. Returns the finding's id; 0 when there is none.
  uint64_t Report(Finding draft, UnixMillis now);
  // An event that is over: stored at once, closed.
  uint64_t Record(Finding draft, UnixMillis now);
  // A closed finding of which more is known now; its id and times stay.
  void Amend(Finding finding, UnixMillis now);
  // Ends an open finding with its final content.
  void Close(Finding draft, std::string_view because, UnixMillis now);

  // Closes what was not reported for long enough. `blind` says that a node gives no readings now.
  void Tick(UnixMillis now, const std::function<bool(const std::string& node)>& blind);

  // Findings that were opened, changed or closed since the last call, each once, in its latest state.
  std::vector<Finding> TakeChanges();
  std::vector<Finding> Open() const;
  // Open, or closed less than merge_gap_s ago. nullptr: neither. Valid until the next call that is not const.
  const Finding* Find(Detector detector, uint64_t subject_key, uint64_t peer_key = 0, uint64_t variant = 0) const;
  // The same whatever its peer and variant; an open one before one that is over.
  const Finding* FindAny(Detector detector, uint64_t subject_key) const;
  // Takes over what was open when an earlier process ended. Silence counts from `heard` on, which may be later than
  // now.
  void Restore(const std::vector<Finding>& open, UnixMillis now, UnixMillis heard);
  uint64_t refused() const { return refused_; }

 private:
  struct Key {
    Detector detector;
    uint64_t subject;
    uint64_t peer;
    uint64_t variant;
    auto operator<=>(const Key&) const = default;
  };
  struct Entry {
    Finding finding;
    UnixMillis reported = 0;  // last
    UnixMillis stored = 0;    // change last taken
    bool changed = false;
    bool urgent = false;  // the change must not wait
  };

  static Key KeyOf(const Finding& finding);
  void Update(Entry& entry, Finding draft, UnixMillis now);
  void End(Entry& entry, std::string_view because, UnixMillis now);

  const Thresholds& thresholds_;
  std::map<Key, Entry> entries_;
  std::vector<Finding> recorded_;
  UnixMillis now_ = 0;
  uint64_t refused_ = 0;
};

}  // namespace weir::diagnose

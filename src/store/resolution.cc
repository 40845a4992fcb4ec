#include "store/resolution.h"

#include <algorithm>

namespace weir::store {
namespace {

// Longest range read from each level while it holds the range.
constexpr std::array<int64_t, kLevels> kLongestRangeMs{3600 * kSecond, 6 * 3600 * kSecond, 7 * 24 * 3600 * kSecond,
                                                       7 * 24 * 3600 * kSecond, INT64_MAX};
// Far beyond any clock, and far from the ends of an int64_t in whatever unit.
constexpr UnixMillis kEndOfTime = int64_t{1} << 50;

constexpr int64_t kStepsWorthSplitting = 2;  // a coarse step stands for 5 to 12 finer ones

}  // namespace

size_t ChooseLevel(const TimeRange& range, int64_t bucket_ms, const HeldSince& held_since) {
  const auto fits = [&](size_t level) { return bucket_ms % kLevelTable[level].step_ms == 0; };
  size_t level = 0;
  const auto longest = [](size_t at) { return kLongestRangeMs[at] + kLongestRangeMs[at] / kStepsInLength; };
  while (level + 1 < kLevels && range.to - range.from > longest(level)) ++level;
  while (!fits(level)) --level;  // every bucket is a multiple of the raw step

  size_t best = level;
  for (size_t coarser = level + 1; coarser < kLevels && held_since[best] > range.from; ++coarser) {
    if (fits(coarser) && held_since[coarser] < held_since[best]) best = coarser;
  }
  return best;
}

TimeRange AlignRange(const TimeRange& range, size_t level) {
  const int64_t step = kLevelTable[level].step_ms;
  const UnixMillis from = std::clamp<UnixMillis>(range.from, 0, kEndOfTime);
  const UnixMillis to = std::clamp<UnixMillis>(range.to, 0, kEndOfTime);
  return {from / step * step, (to + step - 1) / step * step};
}

Spans SpansOf(const TimeRange& range, size_t base, int64_t bucket_ms, bool split, const HeldSince& held_since) {
  Spans spans{};
  spans[base] = range;
  if (!split) return spans;
  for (size_t level = base + 1; level < kLevels; ++level) {
    const int64_t step = kLevelTable[level].step_ms;
    const TimeRange& outer = spans[level - 1];
    const TimeRange inner{(outer.from + step - 1) / step * step, outer.to / step * step};
    const bool worth = inner.to - inner.from >= kStepsWorthSplitting * step;
    if (!worth || bucket_ms % step != 0 || held_since[level] > inner.from) break;
    spans[level] = inner;
  }
  return spans;
}

}  // namespace weir::store

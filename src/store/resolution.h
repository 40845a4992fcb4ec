// Which table answers a question.
#pragma once

#include <array>
#include <cstdint>

#include "store/query.h"
#include "store/schema.h"

namespace weir::store {

// For each level, the time (Unix ms) since which everything is held; 0 = nothing was ever dropped.
using HeldSince = std::array<UnixMillis, kLevels>;

// The longest step of a level of which a range of this length (ms) holds at least kStepsInLength: 1 when none is so
// short. A range "of the last 15 minutes" that begins with such a step leaves no rows in front of it to be read one by
// one.
constexpr int64_t kStepsInLength = 60;
constexpr int64_t StepOfLength(int64_t length_ms) {
  int64_t step = 1;
  for (const Level& level : kLevelTable) {
    if (level.step_ms * kStepsInLength <= length_ms) step = level.step_ms;
  }
  return step;
}

// The level that costs least for the length of the range, or, when it no longer holds the start of the range,
// the finest that does (or reaches back furthest). With a bucket, only levels whose step divides it.
size_t ChooseLevel(const TimeRange& range, int64_t bucket_ms, const HeldSince& held_since);

// The range widened to whole steps of the level, so that an answer does not depend on what has been rolled
// up.
TimeRange AlignRange(const TimeRange& range, size_t level);

// The part of a range that is read from each level, outermost first: spans[base] is the whole range, coarser
// ones lie within finer ones and begin and end at whole steps; an empty span (from == to) is not read. Levels
// below `base` have no span of their own. What an answer adds up to does not depend on it.
using Spans = std::array<TimeRange, kLevels>;

// Without `split`, or for a short range, `base` is read alone; otherwise the middle of the range comes from
// coarser levels that hold it, whose steps divide the bucket, with only the edges from finer ones.
Spans SpansOf(const TimeRange& range, size_t base, int64_t bucket_ms, bool split, const HeldSince& held_since);

}  // namespace weir::store

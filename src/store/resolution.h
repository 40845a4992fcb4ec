// Which table answers a question.
#pragma once

#include <array>
#include <cstdint>

#include "store/query.h"
#include "store/schema.h"

namespace weir::store {

// For each level, the time (Unix ms) since which everything is held; 0 = nothing was ever dropped.
using HeldSince = std::array<UnixMillis, kLevels>;

// The level that costs least for the length of the range, or, when it no longer holds the start of the range,
// the finest that does (or reaches back furthest). With a bucket, only levels whose step divides it.
size_t ChooseLevel(const TimeRange& range, int64_t bucket_ms, const HeldSince& held_since);

// The range widened to whole steps of the level, so that an answer does not depend on what has been rolled
// up.
TimeRange AlignRange(const TimeRange& range, size_t level);

}  // namespace weir::store

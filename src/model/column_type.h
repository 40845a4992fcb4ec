// What a column holds and how its values add up. See columns.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weir::model {

enum class ColumnType : uint8_t {
  kTime,      // Unix milliseconds, shown as RFC 3339 UTC
  kAddress,   // 16 bytes, see Address
  kString,    // UTF-8, at most kMaxStringBytes
  kUint,      // unsigned integer
  kFloat,     // derived columns only
  kHistogram  // sparse (bucket index, count) pairs, see histogram.h
};

enum class ColumnKind : uint8_t {
  kTime,       // interval bounds
  kDimension,  // identifies the flow; can be grouped by
  kSum,        // adds up over rows
  kMin,        // smallest non-zero value; 0 means no sample
  kMax,        // largest value
  kHistogram,  // adds up bucket by bucket
  kDerived,    // computed from aggregates
};

inline constexpr size_t kMaxStringBytes = 256;

}  // namespace weir::model

// Values over time: the store's buckets put on a grid without gaps.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "model/columns.h"
#include "store/query.h"

namespace weir::api {

inline constexpr int64_t kDefaultPoints = 300;
inline constexpr int64_t kMaxPoints = 5'000;

// The smallest round step that gives at most kDefaultPoints over the range.
int64_t DefaultStep(const store::TimeRange& range);
// How many steps the range touches.
int64_t StepsOf(const store::TimeRange& range, int64_t step_ms);

// The measures and, so that unknown can be told from 0, the counters behind them.
std::vector<const model::Column*> WithSamples(const std::vector<const model::Column*>& measures);

struct SeriesOptions {
  store::TimeRange range;
  int64_t step_ms = 1'000;
  std::vector<const model::Column*> group_by;
  std::vector<const model::Column*> measures;
  size_t limit = 20;
};

struct SeriesText {
  std::string times;  // JSON arrays
  std::string series;
  uint64_t groups_left_out = 0;
};
// `result` has one row per group and bucket. The largest series, by the first measure, come first.
SeriesText BuildSeries(const store::FlowResult& result, const SeriesOptions& options);

}  // namespace weir::api

// Columns as SQL over the rows of a group. The same arithmetic stands in model/flow_row.cc for rows in
// memory; a test holds the two against each other.
#pragma once

#include <string>

#include "model/columns.h"

namespace weir::store {

// How a stored column adds up: sum(x), max(x), the smallest non-zero x, min(start), max(end).
// REQUIRES: stored, neither dimension nor histogram.
std::string AggregateSql(const model::Column& column);

// How a histogram adds up, as its two arrays.
struct HistogramSql {
  std::string buckets;
  std::string counts;
};
HistogramSql AggregateHistogramSql(const model::Column& column);

// The column in an answer: a dimension by its name, a stored measure aggregated, a derived column computed
// from aggregates. Evaluates to 0 (or '') without samples. REQUIRES: not a histogram.
std::string ColumnSql(const model::Column& column);

}  // namespace weir::store

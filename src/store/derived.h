// Columns as SQL over the rows of a group, packed measures (packing.h) included. The same arithmetic stands in
// model/flow_row.cc for rows in memory; a test holds the two against each other.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/columns.h"
#include "store/packing.h"

namespace weir::store {

// How a stored column adds up: sum(x), max(x), the smallest non-zero x, min(start), max(end).
// REQUIRES: stored, neither dimension nor histogram.
std::string AggregateSql(const model::Column& column, const Packing& packing);

// How a column of a table that is no dimension adds up, by its name: start, end, a measure of its own, an array of
// packing.h. Over the answers of these all the others here answer the same as over the rows themselves.
std::string AggregateOfTableColumn(std::string_view name);
// Whether an address, an expression, is a public one: model::Address::is_public.
std::string IsPublicSql(std::string_view address);
// A computed dimension over the others, and those it is computed from.
std::string ComputedSql(const model::Column& column);
std::vector<const model::Column*> PartsOf(const model::Column& column);

// The column in an answer: a dimension by its name, a stored measure aggregated, a derived column computed
// from aggregates. Evaluates to 0 (or '') without samples. REQUIRES: not a histogram.
std::string ColumnSql(const model::Column& column, const Packing& packing);

}  // namespace weir::store

// A FlowQuery as SQL.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "store/answer_shape.h"
#include "store/filter_sql.h"
#include "store/query.h"
#include "store/tables.h"

namespace weir::store {

// Checked, with its defaults filled in, and bound to one state of the tables.
struct QueryPlan {
  std::vector<const model::Column*> group_by;
  std::vector<const model::Column*> columns;  // of the answer: group_by, start, end, measures
  // Answers begin with the flow in place of the group_by columns, whose values FlowNames has.
  bool by_flow = false;
  bool whole_ends = false;  // these have the attributes of ends, which are no columns then
  std::optional<model::LevelFold> fold;
  bool totals = true;
  std::vector<SortKey> sort;
  uint32_t limit = 0;
  int64_t bucket_ms = 0;
  size_t level = 0;
  TimeRange range;  // aligned to the level
  Spans spans;      // of `range`, from `level` on
  FilterSql filter;
  std::string chosen;  // a statement that answers with the flows whose rows count; "" = all that `filter` lets through
  TableStates states;
  NamesAsOf as_of;
  const Packing* packing = nullptr;  // outlives the plan
};

// Most rows of one answer, over all groups and buckets.
inline constexpr size_t kMaxResultRows = 1'000'000;
// Most buckets a range may be cut into.
inline constexpr int64_t kMaxBuckets = 11'000;

// kInvalid, with the possible, for anything that cannot be asked.
// From `split_from_rows` rows on, the middle of the range is read from roll-ups. The packing outlives the plan.
Result<QueryPlan> PlanQuery(const FlowQuery& query, const TableStates& states, uint64_t split_from_rows,
                            const Packing& packing);

// What the rows of all answers but names look like.
AnswerShape ShapeOf(const QueryPlan& plan);

// One row per group over the whole range, the first `limit` in order; with totals over all groups when they are
// wanted and there is anything to group by.
std::string GroupsSql(const QueryPlan& plan, uint32_t limit);
// How many groups there are, shown or not.
std::string CountGroupsSql(const QueryPlan& plan);

// Whether the answer is cheaper in two steps: few flows are shown of many, and totals are wanted over all.
bool WorthTwoSteps(const QueryPlan& plan);
// First step: the flows to show, in order, with no other column.
std::string ChosenFlowsSql(const QueryPlan& plan);
// Second step: what GroupsSql() answers with, but for how many groups there are, given the flows of the first.
// In no order. Rows of all other flows are added up into one, so that ClickHouse keeps few states. Its flow is 0.
std::string ChosenGroupsSql(const QueryPlan& plan, const std::vector<uint64_t>& flows);

// One row per flow of those listed in the file, 8 bytes each: the flow, its three entities and ConnectionDimensions().
std::string FlowsByNumberSql(const QueryPlan& plan, std::string_view file);

// One row per group of flows: its number, the client's and the server's distribution of round-trip times. The file
// lists flows, or groups of a folded answer (8 bytes), with their group (4 bytes).
std::string RttOfGroupsSql(const QueryPlan& plan, std::string_view file);

// One row per group and bucket, for the groups GroupsSql() answers with. `all_groups`: it answered with all
// there are, and none is filtered out. REQUIRES: bucket_ms > 0.
std::string BucketsSql(const QueryPlan& plan, bool all_groups);

}  // namespace weir::store

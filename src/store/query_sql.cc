#include "store/query_sql.h"

#include <fmt/format.h>

#include <algorithm>

#include "store/derived.h"
#include "store/flow_catalogue.h"
#include "store/flow_names.h"
#include "store/level_sql.h"
#include "store/sql.h"

namespace weir::store {
namespace {

using model::Column;
using model::ColumnKind;
using model::ColumnType;

using Columns = std::vector<const Column*>;

// A question cannot take the server down: two threads, two gigabytes, half a minute. Compiling expressions
// costs more than it saves in the little a question reads.
constexpr std::string_view kSettings =
    " SETTINGS max_threads = 2, compile_expressions = 0, compile_aggregate_expressions = 0, max_memory_usage "
    "= 2000000000, max_execution_time = 30, "
    "exact_rows_before_limit = 1, prefer_column_name_to_alias = 1, max_ast_elements = 500000, "
    "output_format_json_quote_64bit_integers = 0, output_format_json_quote_denormals = 0";

constexpr uint32_t kMostChosen = 1'000;  // flows named one by one in the text of a statement

bool Contains(const Columns& columns, const Column& column) {
  return std::any_of(columns.begin(), columns.end(), [&](const Column* other) { return other->name == column.name; });
}

bool IsMeasure(const Column& column) {
  return column.kind != ColumnKind::kTime && column.kind != ColumnKind::kDimension &&
         column.kind != ColumnKind::kHistogram;
}

Status CheckGroupBy(const Columns& group_by) {
  for (size_t i = 0; i < group_by.size(); ++i) {
    if (group_by[i] == nullptr || !group_by[i]->groupable()) {
      return Status::Invalid(fmt::format("{} cannot be grouped by",
                                         group_by[i] == nullptr ? "an unknown column" : group_by[i]->name))
          .WithRemedy("group by dimensions only");
    }
    if (std::count_if(group_by.begin(), group_by.end(),
                      [&](const Column* other) { return other->name == group_by[i]->name; }) > 1) {
      return Status::Invalid(fmt::format("{} is grouped by twice", group_by[i]->name));
    }
  }
  return Status::Ok();
}

Result<Columns> AnswerColumns(const FlowQuery& query, const Columns& group_by) {
  Columns columns = group_by;
  columns.push_back(model::FindColumn("start"));
  columns.push_back(model::FindColumn("end"));
  if (query.columns.empty()) {
    for (const Column& column : model::kColumns) {
      if (IsMeasure(column)) columns.push_back(&column);
    }
    return columns;
  }
  for (const Column* column : query.columns) {
    if (column == nullptr || !IsMeasure(*column)) {
      return Status::Invalid(fmt::format("{} is no measure", column == nullptr ? "an unknown column" : column->name))
          .WithRemedy("choose sums, minima, maxima or derived columns");
    }
    if (!Contains(columns, *column)) columns.push_back(column);
  }
  return columns;
}

Result<std::vector<SortKey>> SortKeys(const FlowQuery& query, const Columns& group_by) {
  if (query.sort.empty()) return std::vector<SortKey>{{model::FindColumn("bytes"), true}};
  for (const SortKey& key : query.sort) {
    if (key.column == nullptr || key.column->kind == ColumnKind::kHistogram) {
      return Status::Invalid(
                 fmt::format("cannot sort by {}", key.column == nullptr ? "an unknown column" : key.column->name))
          .WithRemedy("sort by a measure or a group_by column");
    }
    if (key.column->groupable() && !Contains(group_by, *key.column)) {
      return Status::Invalid(fmt::format("cannot sort by {}, which is not grouped by", key.column->name))
          .WithRemedy(fmt::format("add {} to group_by", key.column->name));
    }
  }
  return query.sort;
}

// Fewer columns are less for ClickHouse to analyse in each part of the union.
std::string ColumnsNamedIn(std::string_view sql) {
  const std::vector<std::string> columns = TableColumnsIn(sql);
  return columns.empty() ? "start" : Join(columns);
}

// Whether groups are flows and all that order and filter need of them are measures.
bool GroupsByFlow(const FlowQuery& query, const QueryPlan& plan) {
  if (plan.fold || (!query.by_flow && plan.group_by.size() != DefaultGroup().size())) return false;
  const auto names_dimension = [](const SortKey& key) { return key.column->groupable(); };
  return std::none_of(plan.sort.begin(), plan.sort.end(), names_dimension) &&
         TranslateFilter(query.filter, {}, plan.as_of, *plan.packing).ok();
}

// The rows of one table with start in `range` and `after` < received <= `upto`.
std::string TableSql(const QueryPlan& plan, std::string_view columns, size_t level, const TimeRange& range,
                     uint64_t after, uint64_t upto) {
  std::string sql =
      fmt::format("SELECT {} FROM {} WHERE received > {} AND received <= {} AND start >= {} AND start < {}", columns,
                  kLevelTable[level].table, after, upto, range.from, range.to);
  if (!plan.filter.rows.empty()) {
    sql += fmt::format(" AND flow IN ({})", ChosenFlowsSql(plan.filter, plan.as_of));
  }
  return sql;
}

// Every row of the answer exactly once. A level's own span is read from its table, but for what a coarser level covers
// and has rolled up already (that level's watermark); finer levels than plan.level add only what has not been rolled up
// yet. With the columns `uses` names.
std::string RowsSql(const QueryPlan& plan, std::string_view uses) {
  const std::string columns = ColumnsNamedIn(plan.chosen.empty() ? uses : fmt::format("{} flow", uses));
  std::vector<std::string> parts;
  const auto add = [&](size_t level, UnixMillis from, UnixMillis to, uint64_t after) {
    const uint64_t stored = plan.states[level].watermark.received;
    if (from < to && after < stored) parts.push_back(TableSql(plan, columns, level, {from, to}, after, stored));
  };
  for (size_t level = kLevels; level-- > 0;) {
    const bool finer = level < plan.level;
    const TimeRange& span = finer ? plan.range : plan.spans[level];
    if (span.from == span.to) continue;
    if (level + 1 == kLevels) {
      add(level, span.from, span.to, 0);
      continue;
    }
    // Nothing but what is late comes from here where the next level has been read: up to where it has rolled up.
    const TimeRange& covered = finer ? plan.range : plan.spans[level + 1];
    if (covered.from == covered.to) {
      add(level, span.from, span.to, 0);
      continue;
    }
    const Watermark& rolled_up = plan.states[level + 1].watermark;
    const UnixMillis until = std::clamp(rolled_up.start, covered.from, covered.to);
    add(level, span.from, covered.from, 0);
    add(level, covered.from, until, rolled_up.received);
    add(level, until, span.to, 0);
  }
  if (parts.empty()) parts.push_back(TableSql(plan, columns, plan.level, plan.range, 0, 0));  // nothing stored: no rows
  std::string sql = fmt::format("({})", Join(parts, " UNION ALL "));
  if (plan.chosen.empty()) return sql;
  return fmt::format("(SELECT {} FROM {} WHERE flow IN ({}))", columns, sql, plan.chosen);
}

// The group_by dimensions, and those a fold looks at.
Columns DimensionsToRead(const QueryPlan& plan) {
  Columns columns = plan.group_by;
  if (!plan.fold) return columns;
  for (const Column* column : ColumnsForFold(*plan.fold)) {
    if (!Contains(columns, *column)) columns.push_back(column);
  }
  return columns;
}

// The rows of the answer, as RowsSql(), with the group_by dimensions. There are far more rows than flows, so they are
// added up by flow first, which `bucket` (an expression named so, or "") keeps apart, and each flow is looked up once.
std::string NamedRowsSql(const QueryPlan& plan, std::string_view uses, std::string_view bucket) {
  std::vector<std::string> items{"flow"};
  if (!bucket.empty()) items.push_back(fmt::format("{} AS bucket", bucket));
  for (const std::string& column : TableColumnsIn(uses)) {
    if (column != "flow") items.push_back(fmt::format("{} AS {}", AggregateOfTableColumn(column), column));
  }
  const std::string added = Join(items);
  const std::string rows = fmt::format("(SELECT {} FROM {} GROUP BY flow{}) AS added", added, RowsSql(plan, added),
                                       bucket.empty() ? "" : ", bucket");
  if (!plan.fold) return fmt::format("({})", WithNamesSql(rows, plan.group_by, plan.as_of));
  return fmt::format("({})",
                     FoldedSql(WithNamesSql(rows, DimensionsToRead(plan), plan.as_of), plan.group_by, *plan.fold));
}

// Rows to be grouped by GroupNames().
std::string SourceSql(const QueryPlan& plan, std::string_view uses) {
  return plan.by_flow || plan.group_by.empty() ? RowsSql(plan, uses) : NamedRowsSql(plan, uses, "");
}

std::string FloorSql(std::string_view time, int64_t step_ms) {
  return step_ms == 1 ? std::string(time) : fmt::format("intDiv({0}, {1}) * {1}", time, step_ms);
}

// Cut to the step of the level the range is aligned to, so that an answer stays the same when rows are rolled up.
std::string StartSql(const QueryPlan& plan) { return FloorSql("min(start)", kLevelTable[plan.level].step_ms); }

std::vector<std::string> GroupNames(const QueryPlan& plan) {
  if (plan.by_flow) return {"flow"};
  std::vector<std::string> names;
  for (const Column* column : plan.group_by) names.emplace_back(column->name);
  return names;
}

// Of a group of a folded answer.
std::string GroupNumberSql(const QueryPlan& plan) { return fmt::format("cityHash64({})", Join(GroupNames(plan))); }

// The wanted order, made total by the group columns.
std::string OrderBy(const QueryPlan& plan, const std::string& start, bool by_bucket) {
  std::vector<std::string> keys;
  if (by_bucket) keys.push_back(start);
  for (const SortKey& key : plan.sort) {
    const std::string sql = key.column->name == "start" ? start : ColumnSql(*key.column, *plan.packing);
    keys.push_back(sql + (key.descending ? " DESC" : " ASC"));
  }
  for (const std::string& name : GroupNames(plan)) keys.push_back(name);
  return " ORDER BY " + Join(keys);
}

std::string GroupClause(const QueryPlan& plan, bool totals) {
  std::string sql;
  std::string having = plan.filter.groups;
  if (plan.group_by.empty() && !plan.by_flow) {
    // Without GROUP BY there is a row even when there is no data.
    having = having.empty() ? "count() > 0" : fmt::format("count() > 0 AND {}", having);
  } else {
    sql = " GROUP BY " + Join(GroupNames(plan));
    if (totals) sql += " WITH TOTALS";
  }
  if (!having.empty()) sql += " HAVING " + having;
  return sql;
}

// Fills in plan.filter and plan.chosen. REQUIRES: the rest of the plan.
Status ChooseRows(const FlowQuery& query, QueryPlan& plan) {
  if (!query.filter_group_by) {
    WEIR_ASSIGN_OR_RETURN(plan.filter, TranslateFilter(query.filter, plan.group_by, plan.as_of, *plan.packing));
    return Status::Ok();
  }
  QueryPlan choice = plan;
  choice.fold.reset();
  choice.group_by = query.filter_group_by->empty() ? DefaultGroup() : *query.filter_group_by;
  WEIR_RETURN_IF_ERROR(CheckGroupBy(choice.group_by));
  WEIR_ASSIGN_OR_RETURN(choice.filter, TranslateFilter(query.filter, choice.group_by, plan.as_of, *plan.packing));
  plan.filter.rows = choice.filter.rows;
  plan.filter.named = choice.filter.named;
  if (choice.filter.groups.empty()) return Status::Ok();
  choice.sort.clear();
  FlowQuery by_groups = query;
  by_groups.by_flow = false;
  by_groups.fold.reset();
  choice.by_flow = GroupsByFlow(by_groups, choice);
  const std::string names = Join(GroupNames(choice));
  const std::string tail = GroupClause(choice, false);
  plan.chosen = fmt::format("SELECT {} FROM {}{}", names, SourceSql(choice, names + tail), tail);
  if (choice.by_flow) return Status::Ok();
  plan.chosen = fmt::format("SELECT flow FROM ({}) WHERE ({}) IN ({})", NamedFlowsSql(choice.group_by, plan.as_of),
                            names, plan.chosen);
  return Status::Ok();
}

}  // namespace

Result<QueryPlan> PlanQuery(const FlowQuery& query, const TableStates& states, uint64_t split_from_rows,
                            const Packing& packing) {
  QueryPlan plan;
  plan.packing = &packing;
  if (query.range.from >= query.range.to)
    return Status::Invalid("the range of time is empty").WithRemedy("since must be before until");
  if (query.limit < 1 || query.limit > 100'000) return Status::Invalid("limit must be between 1 and 100000");
  if (query.bucket_ms < 0) return Status::Invalid("a step must be positive");
  if (query.bucket_ms > 0 && (query.range.to - query.range.from) / query.bucket_ms > kMaxBuckets) {
    return Status::Invalid(fmt::format("the range holds more than {} steps", kMaxBuckets))
        .WithRemedy("choose a longer step");
  }
  plan.fold = query.fold;
  plan.group_by = query.group_by;
  if (plan.group_by.empty() && plan.fold) plan.group_by = model::ColumnsOf(plan.fold->level);
  if (plan.group_by.empty() && query.bucket_ms == 0) plan.group_by = DefaultGroup();
  WEIR_RETURN_IF_ERROR(CheckGroupBy(plan.group_by));
  plan.totals = query.totals;
  WEIR_ASSIGN_OR_RETURN(plan.columns, AnswerColumns(query, plan.group_by));
  WEIR_ASSIGN_OR_RETURN(plan.sort, SortKeys(query, plan.group_by));
  plan.limit = query.limit;
  plan.bucket_ms = query.bucket_ms;
  plan.level = ChooseLevel(query.range, query.bucket_ms, HeldSinceOf(states));
  plan.range = AlignRange(query.range, plan.level);
  const bool split = states[plan.level].rows >= split_from_rows;
  plan.spans = SpansOf(plan.range, plan.level, query.bucket_ms, split, HeldSinceOf(states));
  plan.states = states;
  plan.as_of = {FlowsSince(plan.range.from), query.names_at};
  WEIR_RETURN_IF_ERROR(ChooseRows(query, plan));
  plan.by_flow = GroupsByFlow(query, plan);
  plan.whole_ends = plan.by_flow && query.whole_ends;
  if (plan.whole_ends) {
    for (Columns* columns : {&plan.group_by, &plan.columns}) {
      std::erase_if(*columns, [](const Column* column) { return column->of_entity(); });
    }
  }
  return plan;
}

AnswerShape ShapeOf(const QueryPlan& plan) {
  const auto first = plan.by_flow ? FirstField::kFlow : plan.fold ? FirstField::kGroup : FirstField::kDimension;
  return {plan.columns, first, *plan.packing};
}

std::string GroupsSql(const QueryPlan& plan, uint32_t limit) {
  const std::string start = StartSql(plan);
  const std::string select = ShapeOf(plan).SelectList(start, plan.fold ? GroupNumberSql(plan) : "flow");
  const std::string tail = GroupClause(plan, plan.totals) + OrderBy(plan, start, false);
  return fmt::format("SELECT {} FROM {}{} LIMIT {}{}", select, SourceSql(plan, select + tail), tail, limit, kSettings);
}

std::string CountGroupsSql(const QueryPlan& plan) {
  const std::string tail = GroupClause(plan, false);
  return fmt::format("SELECT count() FROM (SELECT 1 FROM {}{}){}", SourceSql(plan, Join(GroupNames(plan)) + tail), tail,
                     kSettings);
}

bool WorthTwoSteps(const QueryPlan& plan) {
  // Conditions on groups choose what totals are over, which takes every group.
  return plan.by_flow && plan.totals && plan.filter.groups.empty() && plan.limit <= kMostChosen;
}

std::string ChosenFlowsSql(const QueryPlan& plan) {
  const std::string tail = GroupClause(plan, false) + OrderBy(plan, StartSql(plan), false);
  return fmt::format("SELECT flow FROM {}{} LIMIT {}{}", RowsSql(plan, "flow" + tail), tail, plan.limit, kSettings);
}

std::string ChosenGroupsSql(const QueryPlan& plan, const std::vector<uint64_t>& flows) {
  const std::string flow = fmt::format("if(flow IN ({}), flow, 0) AS shown", fmt::join(flows, ", "));
  const std::string select = ShapeOf(plan).SelectList(StartSql(plan), flow);
  return fmt::format("SELECT {} FROM {} GROUP BY shown WITH TOTALS{}", select, RowsSql(plan, select), kSettings);
}

std::string FlowsByNumberSql(const QueryPlan& plan, std::string_view file) {
  std::vector<std::string> items{"flow", "client_entity", "server_entity", "service_entity"};
  for (const Column* column : ConnectionDimensions()) items.push_back(DimensionSql(*column, std::string(column->name)));
  return fmt::format(
      "SELECT {} FROM {} WHERE received >= {} AND flow IN (SELECT flow FROM file('{}', 'RowBinary', 'flow UInt64')) "
      "LIMIT 1 BY flow{}",
      Join(items), kFlowTable, plan.as_of.since, file, kSettings);
}

std::string RttOfGroupsSql(const QueryPlan& plan, std::string_view file) {
  constexpr std::string_view kSums = "sumForEach(client_rtt_histogram), sumForEach(server_rtt_histogram)";
  std::string places =
      fmt::format("SELECT flow, place FROM file('{}', 'RowBinary', 'flow UInt64, place UInt32')", file);
  if (plan.fold) {
    const std::string flows = FoldedSql(NamedFlowsSql(DimensionsToRead(plan), plan.as_of), plan.group_by, *plan.fold);
    places = fmt::format(
        "SELECT flow, place FROM (SELECT flow, {} AS number FROM ({})) AS numbered SEMI LEFT JOIN (SELECT flow AS "
        "number, "
        "place FROM ({})) AS places USING number",
        GroupNumberSql(plan), flows, places);
  }
  return fmt::format(
      "SELECT toUInt64(place), {} FROM {} AS measured SEMI LEFT JOIN ({}) AS places USING flow GROUP BY place{}", kSums,
      RowsSql(plan, fmt::format("flow, {}", kSums)), places, kSettings);
}

std::string BucketsSql(const QueryPlan& plan, bool all_groups) {
  const std::string step = FloorSql("start", plan.bucket_ms);
  const bool named = !plan.by_flow && !plan.group_by.empty();
  const std::string bucket = named ? "bucket" : step;
  const std::string select = ShapeOf(plan).SelectList(bucket, plan.fold ? GroupNumberSql(plan) : "flow");
  std::vector<std::string> keys{bucket};
  for (std::string& name : GroupNames(plan)) keys.push_back(std::move(name));
  const std::string tail = fmt::format(" GROUP BY {}{}", Join(keys), OrderBy(plan, bucket, true));
  const std::string uses = select + tail;
  std::string chosen;
  if (!all_groups && (plan.by_flow || !plan.group_by.empty())) {
    const std::string choice = GroupClause(plan, false) + OrderBy(plan, StartSql(plan), false);
    chosen = fmt::format(" WHERE ({0}) IN (SELECT {0} FROM {1}{2} LIMIT {3})", Join(GroupNames(plan)),
                         SourceSql(plan, Join(GroupNames(plan)) + choice), choice, plan.limit);
  }
  return fmt::format("SELECT {} FROM {}{}{} LIMIT {}{}", select,
                     named ? NamedRowsSql(plan, uses, step) : RowsSql(plan, uses), chosen, tail, kMaxResultRows + 1,
                     kSettings);
}

}  // namespace weir::store

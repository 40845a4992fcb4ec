// GET /flows, /map and /series: a question to the store each.
#include <fmt/format.h>

#include <algorithm>

#include "api/json.h"
#include "api/map.h"
#include "api/routes.h"
#include "api/row_writer.h"
#include "api/series.h"
#include "api/time_text.h"
#include "base/duration.h"
#include "base/metrics.h"
#include "model/levels.h"

namespace weir::api {
namespace {

std::string RangeJson(const store::TimeRange& range) {
  return fmt::format(R"({{"since": "{}", "until": "{}"}})", FormatTime(range.from), FormatTime(range.to));
}

// What rates are over: of a range that begins before the oldest data only the part after it.
double SecondsCovered(const store::TimeRange& range, UnixMillis oldest) {
  const UnixMillis from = oldest > range.from && oldest < range.to ? oldest : range.from;
  return static_cast<double>(range.to - from) / 1'000;
}

std::string OldestJson(const store::FlowResult& result) {
  return result.oldest == 0 ? "null" : "\"" + FormatTime(result.oldest) + "\"";
}

Result<store::FlowResult> Ask(Service& service, const store::FlowQuery& query) {
  return Counted(service.store.Query(query));
}

// A row has one value of a dimension only when the rows are grouped by it.
void CheckSort(Arguments& arguments, const store::FlowQuery& query) {
  const auto& groups = query.group_by.empty() ? store::DefaultGroup() : query.group_by;
  for (const store::SortKey& key : query.sort) {
    if (key.column->kind != model::ColumnKind::kDimension ||
        std::find(groups.begin(), groups.end(), key.column) != groups.end())
      continue;
    arguments.Refuse("sort", fmt::format("rows cannot be sorted by {}: they are not grouped by it", key.column->name),
                     fmt::format("add {} to group_by", key.column->name));
    return;
  }
}

net::HttpResponse CsvResponse(const store::FlowResult& result) {
  const RowWriter writer(result.columns);
  net::HttpResponse response;
  response.content_type = "text/csv; charset=utf-8; header=present";
  response.headers["Content-Disposition"] = "attachment; filename=\"flows.csv\"";
  response.headers["Cache-Control"] = "no-store";
  response.headers["X-Content-Type-Options"] = "nosniff";
  response.headers["X-Weir-Rows"] = std::to_string(result.rows.size());
  response.headers["X-Weir-Rows-Left-Out"] = std::to_string(result.groups_left_out);
  writer.AppendCsvHeader(response.body);
  for (const auto& row : result.rows) writer.AppendCsv(response.body, row);
  return response;
}

std::string FlowsJson(const store::FlowResult& result, const store::TimeRange& range) {
  const RowWriter writer(result.columns);
  std::string out =
      fmt::format("{{\"range\": {},\n\"columns\": {},\n\"rows\": [", RangeJson(range), Dump(writer.Describe()));
  for (size_t i = 0; i < result.rows.size(); ++i) {
    out += i == 0 ? "\n" : ",\n";
    writer.AppendJson(out, result.rows[i]);
  }
  out += "],\n\"totals\": ";
  if (result.totals.size() == result.columns.size()) {
    writer.AppendTotalsJson(out, result.totals);
  } else {
    out += "{}";
  }
  out += fmt::format(
      ",\n\"groups\": {}, \"groups_left_out\": {}, \"resolution\": {}, \"oldest\": {}, \"elapsed_ms\": {:.3f}, "
      "\"rows_read\": {}",
      result.groups, result.groups_left_out, net::JsonQuote(result.resolution), OldestJson(result), result.elapsed_ms,
      result.rows_read);
  out += "}\n";
  return out;
}

// A file has no place to say that rows are missing: whoever asks for no number of rows gets all or none.
net::HttpResponse TooManyRows(const store::FlowResult& result) {
  return net::ErrorResponse(
      {.status = 413,
       .code = "too_large",
       .message = fmt::format("there are {} rows, more than the {} an answer holds", result.groups, result.rows.size()),
       .parameter = "limit",
       .remedy = "narrow the filter or the range, group by fewer columns, or give limit=max for the first of them"});
}

// Rows are pairs of things of the level, kept apart by what group_by adds.
void FoldTo(model::Level level, store::FlowQuery& query) {
  query.fold = model::LevelFold{.level = level};
  std::vector<const model::Column*> columns = model::ColumnsOf(level);
  for (const model::Column* column : query.group_by) {
    if (std::find(columns.begin(), columns.end(), column) == columns.end()) columns.push_back(column);
  }
  query.group_by = std::move(columns);
}

}  // namespace

model::Filter FilterOfQuestion(Arguments& arguments) {
  const model::Filter filter = arguments.Filter("filter");
  std::string list;
  for (const std::string& name : arguments.Names("namespace")) {
    list += (list.empty() ? "" : ", ") + model::FilterValueText(name);
  }
  if (list.empty()) return filter;
  const auto namespaces = model::Filter::Parse(fmt::format("namespace in ({})", list));
  if (!namespaces.ok()) arguments.RefuseStatus("namespace", namespaces.status());
  return namespaces.ok() ? model::Filter::And(filter, *namespaces) : filter;
}

net::HttpResponse AnswerFlows(Service& service, Arguments& arguments) {
  store::FlowQuery query;
  query.range = arguments.Range();
  query.filter = arguments.FlowFilter();
  query.group_by = arguments.Columns("group_by");
  if (const auto level = model::LevelNamed(arguments.Choice("level"))) FoldTo(*level, query);
  query.sort = arguments.Sort("sort");
  const bool csv = arguments.Choice("format") == "csv";
  const bool whole = csv && !arguments.Given("limit");
  query.limit = static_cast<uint32_t>(whole ? arguments.Most("limit") : arguments.Integer("limit"));
  CheckSort(arguments, query);
  if (arguments.refusal()) return net::ErrorResponse(*arguments.refusal());
  const Result<store::FlowResult> result = Ask(service, query);
  if (!result.ok()) return StatusResponse(result.status());
  if (whole && result->groups_left_out != 0) return TooManyRows(*result);
  return csv ? CsvResponse(*result) : JsonResponse(FlowsJson(*result, query.range));
}

namespace {

struct MapAnswer {
  store::FlowQuery query;
  store::FlowResult result;
  MapOptions options;
};

// The answer on the level asked for. auto: by namespace, and where no row names one by process.
Result<MapAnswer> AskForMap(Service& service, const store::TimeRange& range, const model::Filter& filter,
                            MapOptions options, std::optional<model::Level> level) {
  MapAnswer answer;
  const auto ask = [&](model::Level chosen) -> Status {
    options.level = chosen;
    answer.options = options;
    answer.query = MapQuery(options);
    answer.query.range = range;
    answer.query.filter = filter;
    WEIR_ASSIGN_OR_RETURN(answer.result, Ask(service, answer.query));
    return Status::Ok();
  };
  if (!level) {
    WEIR_ASSIGN_OR_RETURN(const bool knows, service.store.KnowsNamespaces(range));
    if (knows) WEIR_RETURN_IF_ERROR(ask(model::Level::kNamespace));
    if (knows && NamesNamespaces(answer.result, answer.query)) return answer;
  }
  WEIR_RETURN_IF_ERROR(ask(level.value_or(model::Level::kProcess)));
  return answer;
}

}  // namespace

net::HttpResponse AnswerMap(Service& service, Arguments& arguments) {
  MapOptions options;
  const std::string level = arguments.Choice("level");
  options.fold_internet = arguments.Boolean("fold_internet");
  options.only_problems = arguments.Choice("only") == "problems";
  options.limit = static_cast<size_t>(arguments.Integer("limit"));
  const store::TimeRange range = arguments.Range();
  const model::Filter filter = arguments.FlowFilter();
  if (arguments.refusal()) return net::ErrorResponse(*arguments.refusal());
  Result<MapAnswer> answer = AskForMap(service, range, filter, options, model::LevelNamed(level));
  if (!answer.ok()) return StatusResponse(answer.status());
  const store::FlowResult& result = answer->result;
  answer->options.seconds = SecondsCovered(range, result.oldest);
  const auto rtt = [&](const store::FlowGroups& edges) { return service.store.RttOfGroups(answer->query, edges); };
  const Result<Map> built = BuildMap(result, answer->options, rtt);
  if (!built.ok()) return StatusResponse(built.status());
  const Map& map = *built;
  return JsonResponse(fmt::format(
      "{{\"range\": {},\n\"level\": \"{}\", \"level_asked\": \"{}\",\n\"nodes\": {},\n\"edges\": "
      "{},\n\"edges_left_out\": {}, "
      "\"nodes_left_out\": {}, \"seconds\": {:.3f}, \"resolution\": {}, \"oldest\": {}, \"elapsed_ms\": {:.3f}}}\n",
      RangeJson(range), model::NameOf(answer->options.level), level, Dump(map.nodes), Dump(map.edges),
      map.edges_left_out, map.nodes_left_out, answer->options.seconds, net::JsonQuote(result.resolution),
      OldestJson(result), result.elapsed_ms));
}

net::HttpResponse AnswerSeries(Service& service, Arguments& arguments) {
  SeriesOptions options;
  options.range = arguments.Range();
  options.measures = arguments.Columns("columns");
  options.group_by = arguments.Columns("group_by");
  options.limit = static_cast<size_t>(arguments.Integer("limit"));
  options.step_ms = arguments.Duration("step");
  store::FlowQuery query;
  query.range = options.range;
  query.filter = arguments.FlowFilter();
  query.group_by = options.group_by;
  query.filter_group_by = arguments.Groups("filter_group_by");
  query.columns = WithSamples(options.measures);
  query.limit = static_cast<uint32_t>(options.limit);
  if (options.measures.empty())
    arguments.Refuse("columns", "no measure is asked for", "name at least one; GET /api/v1/columns lists all");
  if (arguments.refusal()) return net::ErrorResponse(*arguments.refusal());
  if (options.step_ms == 0) options.step_ms = DefaultStep(options.range);
  if (StepsOf(options.range, options.step_ms) > kMaxPoints) {
    arguments.Refuse("step",
                     fmt::format("the range has more than {} steps of {}", kMaxPoints, FormatDuration(options.step_ms)),
                     fmt::format("leave step out, or make it at least {}", FormatDuration(DefaultStep(options.range))));
    return net::ErrorResponse(*arguments.refusal());
  }
  query.bucket_ms = options.step_ms;
  const Result<store::FlowResult> result = Ask(service, query);
  if (!result.ok()) return StatusResponse(result.status());
  const SeriesText text = BuildSeries(*result, options);
  Json columns = Json::array();
  for (const model::Column* column : options.measures) columns.push_back(DescribeColumn(*column));
  return JsonResponse(
      fmt::format("{{\"range\": {}, \"step_ms\": {},\n\"columns\": {},\n\"times\": {},\n\"series\": {},\n"
                  "\"groups_left_out\": {}, \"resolution\": {}, \"elapsed_ms\": {:.3f}}}\n",
                  RangeJson(options.range), options.step_ms, Dump(columns), text.times, text.series,
                  text.groups_left_out, net::JsonQuote(result->resolution), result->elapsed_ms));
}

}  // namespace weir::api

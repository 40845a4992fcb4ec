#include <fmt/format.h>

#include <cstdio>

#include "cli/commands.h"
#include "cli/render.h"
#include "cli/units.h"
#include "model/columns.h"

namespace weir::cli {
namespace {

std::string_view UnitOf(const std::string& name) {
  const model::Column* column = model::FindColumn(name);
  return column == nullptr ? std::string_view{} : column->unit;
}

bool IsNumeric(const std::string& name) {
  const model::Column* column = model::FindColumn(name);
  if (column == nullptr) return false;
  const bool number = column->type == model::ColumnType::kUint || column->type == model::ColumnType::kFloat;
  return number && column->kind != model::ColumnKind::kDimension;
}

// Ports and namespaces are names made of digits: never "8.1k".
std::string Cell(const Json& row, const std::string& name) {
  const model::Column* column = model::FindColumn(name);
  const auto value = row.find(name);
  if (column != nullptr && column->kind == model::ColumnKind::kDimension && value != row.end() && value->is_number()) {
    return value->dump();
  }
  return CellText(row, name, UnitOf(name));
}

// The table when nothing was asked for: ends in words, then what matters about them.
Table DefaultTable(const Json& rows) {
  Table table({{"CLIENT", false, 44},
               {"SERVER", false, 44},
               {"TO SERVER", true},
               {"TO CLIENT", true},
               {"OPENED", true},
               {"FAILED", true},
               {"RETRANS", true},
               {"TIMEOUTS", true},
               {"RTT", true},
               {"RTT MIN", true},
               {"CONNECT", true},
               {"LOCALITY"},
               {"SEEN BY"}});
  for (const Json& row : rows) {
    table.Add({{EndText(row, "client", false)},
               {EndText(row, "server", true)},
               {CellText(row, "bytes_to_server", "bytes")},
               {CellText(row, "bytes_to_client", "bytes")},
               {CellText(row, "connections_opened", "")},
               {CellText(row, "connections_failed", ""), FailureColor(row)},
               {CellText(row, "retransmits", ""), RetransmitColor(row)},
               {CellText(row, "timeouts", "")},
               {CellText(row, "rtt_avg_us", "us")},
               {CellText(row, "rtt_min_us", "us")},
               {CellText(row, "connect_avg_us", "us")},
               {TextAt(row, "locality"), TextAt(row, "locality") == "inter_zone" ? Color::kYellow : Color::kNone},
               {TextAt(row, "reported_by"), Color::kDim}});
  }
  return table;
}

std::vector<std::string> ColumnNames(const Json& answer) {
  std::vector<std::string> names;
  if (!answer.contains("columns")) return names;
  for (const Json& column : answer["columns"]) names.push_back(TextAt(column, "name"));
  return names;
}

std::vector<std::string> ShownColumns(const Json& answer, const Question& question) {
  if (question.columns == "all") return ColumnNames(answer);
  if (!question.columns.empty()) return SplitList(question.columns);
  std::vector<std::string> names = SplitList(question.group_by);
  for (const char* name : {"bytes_to_server", "bytes_to_client", "connections_opened", "connections_failed",
                           "retransmits", "retransmit_percent", "rtt_avg_us", "rtt_p99_us", "reported_by"}) {
    names.emplace_back(name);
  }
  return names;
}

Table ColumnTable(const Json& rows, const std::vector<std::string>& names) {
  std::vector<TableColumn> columns;
  for (const std::string& name : names) {
    std::string header = name;
    for (char& c : header) c = c == '_' ? ' ' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    columns.push_back({header, IsNumeric(name)});
  }
  Table table(std::move(columns));
  for (const Json& row : rows) {
    std::vector<TableCell> cells;
    for (const std::string& name : names) cells.push_back({Cell(row, name)});
    table.Add(std::move(cells));
  }
  return table;
}

bool WantsDefaultTable(const Question& question) { return question.group_by.empty() && question.columns.empty(); }

std::string Nothing(const Question& question) {
  std::string text = fmt::format("no flows since {} until {}", question.since, question.until);
  if (!question.filter.empty()) text += fmt::format(" match '{}'", question.filter);
  return text + "; `weir status` shows which agents report\n";
}

Parameters ParametersOf(const Question& question) {
  Parameters parameters{
      {"since", question.since}, {"until", question.until}, {"sort", question.sort}, {"limit", LimitOf(question)}};
  if (!question.filter.empty()) parameters["filter"] = question.filter;
  if (!question.namespaces.empty()) parameters["namespace"] = question.namespaces;
  if (!question.level.empty()) parameters["level"] = question.level;
  if (!question.group_by.empty()) parameters["group_by"] = question.group_by;
  return parameters;
}

// Prints rows as they happen; the header once. For the table format, columns keep fixed widths per event.
int FollowFlows(const Question& question) {
  ApiClient client(question.connection);
  Parameters parameters;
  if (!question.filter.empty()) parameters["filter"] = question.filter;
  if (!question.namespaces.empty()) parameters["namespace"] = question.namespaces;
  bool header = question.headers;
  std::vector<std::string> all_columns;
  const Status status = client.Stream("/api/v1/live", parameters, [&](std::string_view event, const Json& data) {
    if (event == "columns") all_columns = ColumnNames(data);
    if (event == "dropped")
      std::fprintf(stderr, "weir: %.0f rows skipped, this terminal reads too slowly\n", NumberAt(data, "rows"));
    if (event != "rows" || !data.contains("rows") || data["rows"].empty()) return true;
    const Json& rows = data["rows"];
    std::string text;
    if (question.output == OutputFormat::kJson) {
      for (const Json& row : rows) text += row.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    } else if (question.output == OutputFormat::kCsv) {
      text = RowsAsCsv(rows, all_columns, header);
    } else {
      const Table table =
          WantsDefaultTable(question) ? DefaultTable(rows) : ColumnTable(rows, ShownColumns(data, question));
      text = table.Render(header, question.color, question.width);
    }
    header = false;
    std::fwrite(text.data(), 1, text.size(), stdout);
    return std::fflush(stdout) == 0;
  });
  if (status.ok()) return 0;
  std::fprintf(stderr, "weir: %s\n", Printable(status.message(), 2'000).c_str());
  return 1;
}

}  // namespace

std::string RenderFlows(const Json& answer, const Question& question) {
  const Json rows = answer.value("rows", Json::array());
  switch (question.output) {
    case OutputFormat::kJson: return RowsAsJson(rows);
    case OutputFormat::kCsv: return RowsAsCsv(rows, ColumnNames(answer), question.headers);
    case OutputFormat::kTable: break;
  }
  if (rows.empty()) return Nothing(question);
  const Table table =
      WantsDefaultTable(question) ? DefaultTable(rows) : ColumnTable(rows, ShownColumns(answer, question));
  return table.Render(question.headers, question.color, question.width) + LeftOut(answer);
}

int RunFlows(const Question& question) {
  if (question.watch) return FollowFlows(question);
  ApiClient client(question.connection);
  return Redraw(
      question, [&] { return client.Get("/api/v1/flows", ParametersOf(question)); }, RenderFlows);
}

}  // namespace weir::cli

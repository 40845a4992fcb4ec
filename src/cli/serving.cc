// serving: who answers requests and how fast, on the wire and by the application's own numbers, in a terminal.
#include <fmt/format.h>

#include <algorithm>

#include "cli/commands.h"
#include "cli/render.h"
#include "cli/units.h"

namespace weir::cli {
namespace {

constexpr size_t kLineWidth = 400;  // of a sentence with names in it

const Json* At(const Json& row, const std::string& name) {
  const auto found = row.find(name);
  return found == row.end() || found->is_null() ? nullptr : &*found;
}

// The figure of this name of an application; nullptr = it has none.
const Json* FigureOf(const Json& app, std::string_view name) {
  const Json* const figures = At(app, "figures");
  for (size_t at = 0; figures != nullptr && figures->is_array() && at < figures->size(); ++at) {
    if (TextAt((*figures)[at], "name") == name) return &(*figures)[at];
  }
  return nullptr;
}

std::string OwnFirstToken(const Json* app, const std::string& quantile) {
  if (app == nullptr) return "-";
  if (!TextAt(*app, "reason").empty()) return "unknown";
  const Json* const figure = FigureOf(*app, "gen_ai.server.time_to_first_token");
  if (figure == nullptr) return "-";
  const Json* const value = At(*figure, quantile + "_us");
  if (value != nullptr && value->is_number()) return FormatMicros(value->get<double>());
  const Json* const between = At(*figure, quantile + "_between_us");
  const bool bounded = between != nullptr && between->is_array() && !between->empty() && (*between)[0].is_number();
  return bounded ? "> " + FormatMicros((*between)[0].get<double>()) : "-";
}

// The row without its application, whose comparison of first chunks stands in columns of its own.
Json FlatRow(const Json& row) {
  Json flat = row;
  flat.erase("app");
  const Json* const app = At(row, "app");
  flat["app_state"] = app == nullptr ? "" : TextAt(*app, "state");
  flat["app_server"] = app == nullptr ? "" : TextAt(*app, "server");
  for (const char* name : {"app_mean_us", "difference_us", "verdict", "confidence", "sentence"}) flat[name] = nullptr;
  const Json* const beside = app == nullptr ? nullptr : At(*app, "beside");
  if (beside == nullptr || !beside->is_array() || beside->empty()) return flat;
  for (const char* name : {"app_mean_us", "difference_us", "verdict", "confidence", "sentence"}) {
    if (const Json* const value = At((*beside)[0], name)) flat[name] = *value;
  }
  return flat;
}

std::string ServersTable(const Json& servers, const Question& question) {
  Table table({{"SERVER", false, 60},
               {"REQUESTS", true},
               {"FIRST CHUNK P50", true},
               {"P99", true},
               {"ITS OWN P50", true},
               {"P99", true},
               {"CHUNK GAP P50", true},
               {"P99", true},
               {"WHOLE P50", true}});
  for (const Json& row : servers) {
    const Json* const app = At(row, "app");
    table.Add({{EndText(row, "server", true)},
               {FormatCount(NumberAt(row, "requests"))},
               {CellText(row, "first_chunk_p50_us", "us")},
               {CellText(row, "first_chunk_p99_us", "us")},
               {OwnFirstToken(app, "p50")},
               {OwnFirstToken(app, "p99")},
               {CellText(row, "chunk_gap_p50_us", "us")},
               {CellText(row, "chunk_gap_p99_us", "us")},
               {CellText(row, "request_duration_p50_us", "us")}});
  }
  return table.Render(question.headers, question.color, question.width);
}

void AddApp(const Json& row, const Question& question, std::string& out) {
  const Json* const app = At(row, "app");
  if (app == nullptr) return;
  const std::string heading = fmt::format("{} beside {}", EndText(row, "server", true), TextAt(*app, "url"));
  out += "\n" + Paint(Printable(heading, kLineWidth), Color::kBold, question.color) + "\n";
  if (const std::string reason = TextAt(*app, "reason"); !reason.empty()) {
    out += fmt::format("  unknown: {}\n", Printable(reason, kLineWidth));
    return;
  }
  const Json* const beside = At(*app, "beside");
  for (size_t at = 0; beside != nullptr && beside->is_array() && at < beside->size(); ++at) {
    const Json& one = (*beside)[at];
    const std::string sure = TextAt(one, "confidence");
    out += fmt::format("  {} ({}): {}\n", Printable(TextAt(one, "verdict")), Printable(sure),
                       Printable(TextAt(one, "sentence"), kLineWidth));
  }
}

void AddWithoutServer(const Json& answer, std::string& out) {
  const Json* const apps = At(answer, "apps_without_server");
  for (size_t at = 0; apps != nullptr && apps->is_array() && at < apps->size(); ++at) {
    const Json& app = (*apps)[at];
    const std::string reason = TextAt(app, "reason");
    const std::string url = TextAt(app, "url");
    // A reason may name the address it is about.
    const std::string named = reason.find(url) == std::string::npos ? Printable(url) + ": " : "";
    out += fmt::format("\n{}{}{}{}\n", named, Printable(reason, kLineWidth), reason.empty() ? "" : "; ",
                       Printable(TextAt(app, "unmatched"), kLineWidth));
  }
}

}  // namespace

std::string RenderServing(const Json& answer, const Question& question) {
  const Json servers = answer.value("servers", Json::array());
  static const std::vector<std::string> kNames{"server_namespace",
                                               "server_workload",
                                               "server_pod",
                                               "server_process",
                                               "server_node",
                                               "server_port",
                                               "requests",
                                               "first_chunk_avg_us",
                                               "first_chunk_p50_us",
                                               "first_chunk_p99_us",
                                               "chunk_gap_p50_us",
                                               "chunk_gap_p99_us",
                                               "request_duration_p50_us",
                                               "app_state",
                                               "app_server",
                                               "app_mean_us",
                                               "difference_us",
                                               "verdict",
                                               "confidence",
                                               "sentence"};
  if (question.output == OutputFormat::kJson) return RowsAsJson(servers);
  if (question.output == OutputFormat::kCsv) {
    Json flat = Json::array();
    for (const Json& row : servers) flat.push_back(FlatRow(row));
    return RowsAsCsv(flat, kNames, question.headers);
  }
  std::string out;
  if (servers.empty()) {
    out = fmt::format("no request was measured since {} until {}; see --requests of the agent\n",
                      Printable(question.since), Printable(question.until));
  } else {
    out = ServersTable(servers, question);
  }
  if (!question.headers) return out;
  for (const Json& row : servers) AddApp(row, question, out);
  AddWithoutServer(answer, out);
  return out;
}

int RunServing(const Question& question) {
  ApiClient client(question.connection);
  const uint64_t limit = std::min<uint64_t>(question.limit == 0 ? 50 : question.limit, 500);
  const Parameters parameters{{"since", question.since},
                              {"until", question.until},
                              {"filter", question.filter},
                              {"namespace", question.namespaces},
                              {"limit", std::to_string(limit)}};
  return Redraw(
      question, [&] { return client.Get("/api/v1/serving", parameters); }, RenderServing);
}

}  // namespace weir::cli

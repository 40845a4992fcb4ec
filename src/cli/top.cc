#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/render.h"
#include "cli/units.h"

namespace weir::cli {
namespace {

constexpr double kWindowSeconds = 10;
constexpr size_t kLineWidth = 240;
constexpr const char* kMostFindings = "5";

std::string PerSecond(const Json& row, const std::string& name, bool bytes) {
  const double rate = NumberAt(row, name) / kWindowSeconds;
  return bytes ? FormatBytes(rate) + "/s" : FormatCount(rate) + "/s";
}

// A line for each open finding that says that something is wrong, the worst first; as the API sends them.
std::string FindingLines(const Json& answer, const Question& question) {
  std::string out;
  for (const char* severity : {"critical", "major", "minor"}) {
    for (const Json& finding : answer.value("findings", Json::array())) {
      if (TextAt(finding, "severity") != severity || TextAt(finding, "state") != "open") continue;
      const std::string line = fmt::format("{} {}: {}", severity, TextAt(finding, "id"), TextAt(finding, "verdict"));
      const Color color = std::string_view(severity) == "minor" ? Color::kYellow : Color::kRed;
      out += Paint(Printable(line, kLineWidth), color, question.color) + "\n";
    }
  }
  return out.empty() ? out : out + "\n";
}

}  // namespace

// The busiest flows of the last ten seconds, as rates.
std::string RenderTop(const Json& answer, const Question& question) {
  if (question.output != OutputFormat::kTable || !question.columns.empty()) return RenderFlows(answer, question);
  const Json rows = answer.value("rows", Json::array());
  const Json totals = answer.value("totals", Json::object());
  std::string out;
  if (question.headers) {
    out = fmt::format("last {:.0f} s: {} to servers, {} to clients, {} connections, {} failed, {} retransmits\n\n",
                      kWindowSeconds, PerSecond(totals, "bytes_to_server", true),
                      PerSecond(totals, "bytes_to_client", true), PerSecond(totals, "connections_opened", false),
                      PerSecond(totals, "connections_failed", false), PerSecond(totals, "retransmits", false));
  }
  const bool grouped = !question.group_by.empty();
  const std::vector<std::string> groups = SplitList(question.group_by);
  std::vector<TableColumn> columns;
  if (grouped) {
    for (const std::string& name : groups) columns.push_back({name});
  } else {
    columns = {{"CLIENT", false, 44}, {"SERVER", false, 44}};
  }
  for (const char* name : {"TO SERVER", "TO CLIENT", "CONN", "FAILED", "RETRANS", "RTT"})
    columns.push_back({name, true});
  Table table(std::move(columns));
  for (const Json& row : rows) {
    std::vector<TableCell> cells;
    if (grouped) {
      for (const std::string& name : groups) cells.push_back({CellText(row, name, "")});
    } else {
      cells = {{EndText(row, "client", false)}, {EndText(row, "server", true)}};
    }
    cells.push_back({PerSecond(row, "bytes_to_server", true)});
    cells.push_back({PerSecond(row, "bytes_to_client", true)});
    cells.push_back({PerSecond(row, "connections_opened", false)});
    cells.push_back({PerSecond(row, "connections_failed", false), FailureColor(row)});
    cells.push_back({PerSecond(row, "retransmits", false), RetransmitColor(row)});
    cells.push_back({CellText(row, "rtt_avg_us", "us")});
    table.Add(std::move(cells));
  }
  return out + FindingLines(answer, question) + table.Render(question.headers, question.color, question.width);
}

int RunTop(const Question& question) {
  ApiClient client(question.connection);
  Parameters parameters{
      {"since", fmt::format("{:.0f}s", kWindowSeconds)}, {"sort", question.sort}, {"limit", LimitOf(question)}};
  if (!question.filter.empty()) parameters["filter"] = question.filter;
  if (!question.namespaces.empty()) parameters["namespace"] = question.namespaces;
  if (!question.level.empty()) parameters["level"] = question.level;
  if (!question.group_by.empty()) parameters["group_by"] = question.group_by;
  const Parameters open{{"since", "5m"}, {"state", "open"}, {"limit", kMostFindings}};
  return Redraw(
      question,
      [&]() -> Result<Json> {
        WEIR_ASSIGN_OR_RETURN(Json answer, client.Get("/api/v1/flows", parameters));
        // Flows are worth showing where findings are not to be had.
        const Result<Json> findings = client.Get("/api/v1/findings", open);
        if (findings.ok() && findings->is_object()) answer["findings"] = findings->value("findings", Json::array());
        return answer;
      },
      RenderTop);
}

}  // namespace weir::cli

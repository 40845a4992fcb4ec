#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/render.h"
#include "cli/units.h"

namespace weir::cli {
namespace {

struct NodeName {
  std::string name;
  std::string group;
};

std::map<std::string, NodeName> NamesById(const Json& answer) {
  std::map<std::string, NodeName> names;
  for (const Json& node : answer.value("nodes", Json::array())) {
    names[TextAt(node, "id")] = {TextAt(node, "name"), TextAt(node, "group")};
  }
  return names;
}

std::string Ports(const Json& edge) {
  std::string text;
  size_t shown = 0;
  const Json ports = edge.value("ports", Json::array());
  for (const Json& port : ports) {
    if (shown++ == 4) return text + fmt::format(",+{}", ports.size() - 4);
    text += (text.empty() ? "" : ",") + port.dump();
  }
  return text;
}

Color HealthColor(const std::string& health) {
  if (health == "bad" || health == "failed") return Color::kRed;
  if (health == "warn") return Color::kYellow;
  return health == "ok" ? Color::kGreen : Color::kNone;
}

std::string Reasons(const Json& edge) {
  std::string text;
  for (const Json& reason : edge.value("reasons", Json::array())) {
    if (reason.is_string()) text += (text.empty() ? "" : "; ") + reason.get<std::string>();
  }
  return text;
}

const std::vector<std::string> kEdgeColumns = {"client",
                                               "server",
                                               "ports",
                                               "bytes_to_server",
                                               "bytes_to_client",
                                               "bytes_per_second",
                                               "connections_opened",
                                               "connections_failed",
                                               "failed_refused",
                                               "failed_timed_out",
                                               "failed_unreachable",
                                               "failed_abandoned",
                                               "failed_no_port",
                                               "failed_other",
                                               "closed_reset",
                                               "retransmits",
                                               "retransmit_percent",
                                               "rtt_avg_us",
                                               "rtt_p99_us",
                                               "connect_avg_us",
                                               "reported_by",
                                               "health",
                                               "reasons"};

// Edges with names in place of ids: what a program wants from a map in rows.
Json NamedEdges(const Json& answer) {
  const auto names = NamesById(answer);
  Json rows = Json::array();
  for (Json edge : answer.value("edges", Json::array())) {
    for (const char* end : {"client", "server"}) {
      const auto found = names.find(TextAt(edge, end));
      if (found != names.end())
        edge[end] = found->second.name + (found->second.group.empty() ? "" : " (" + found->second.group + ")");
    }
    edge["ports"] = Ports(edge);
    edge["reasons"] = Reasons(edge);
    rows.push_back(std::move(edge));
  }
  return rows;
}

}  // namespace

std::string RenderMap(const Json& answer, const Question& question) {
  if (question.output == OutputFormat::kJson) return answer.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
  const Json edges = NamedEdges(answer);
  if (question.output == OutputFormat::kCsv) return RowsAsCsv(edges, kEdgeColumns, question.headers);
  if (edges.empty()) {
    return question.problems_only
               ? fmt::format("no problems since {}\n", question.since)
               : fmt::format("no flows since {}; `weir status` shows which agents report\n", question.since);
  }
  Table table({{"CLIENT", false, 40},
               {"SERVER", false, 40},
               {"PORTS"},
               {"RATE", true},
               {"OPENED", true},
               {"FAILED", true},
               {"RETRANS", true},
               {"RTT", true},
               {"HEALTH"},
               {"WHY", false, 80}});
  for (const Json& edge : edges) {
    const std::string health = TextAt(edge, "health");
    table.Add({{TextAt(edge, "client")},
               {TextAt(edge, "server")},
               {TextAt(edge, "ports")},
               {FormatBytes(NumberAt(edge, "bytes_per_second")) + "/s"},
               {CellText(edge, "connections_opened", "")},
               {CellText(edge, "connections_failed", "")},
               {CellText(edge, "retransmit_percent", "%")},
               {CellText(edge, "rtt_avg_us", "us")},
               {health, HealthColor(health)},
               {TextAt(edge, "reasons"), Color::kDim}});
  }
  return table.Render(question.headers, question.color, question.width) + LeftOut(answer);
}

int RunMap(const Question& question) {
  ApiClient client(question.connection);
  Parameters parameters{{"since", question.since},
                        {"until", question.until},
                        {"level", question.level},
                        {"limit", LimitOf(question)}};
  if (!question.filter.empty()) parameters["filter"] = question.filter;
  if (question.problems_only) parameters["only"] = "problems";
  return Redraw(question, [&] { return client.Get("/api/v1/map", parameters); }, RenderMap);
}

}  // namespace weir::cli

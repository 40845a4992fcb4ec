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

// What a name is of: "internet", "object store" and the like tell more than a name alone.
std::string NameText(const Json& node) {
  std::string text = TextAt(node, "name");
  const std::string service = TextAt(node, "cloud_service");
  if (!service.empty()) text += fmt::format(" [{}]", service);
  const Json workloads = node.value("on_behalf_of", Json::array());
  if (!workloads.empty() && workloads.front().is_string()) {
    text += " for " + workloads.front().get<std::string>();
    if (workloads.size() > 1) text += fmt::format(" +{}", workloads.size() - 1);
  }
  return text;
}

// A workload, namespace or service is in as many places as it likes: what it belongs to stands in front of it instead.
std::string GroupText(const Json& node) {
  const std::string kind = TextAt(node, "kind");
  std::string group = TextAt(node, "group");
  if (kind == "host" && TextAt(node, "group_kind") == "zone") return "zone " + group;
  if (kind == "pod") return TextAt(node, "namespace");
  return group;
}

std::map<std::string, NodeName> NamesById(const Json& answer) {
  std::map<std::string, NodeName> names;
  for (const Json& node : answer.value("nodes", Json::array())) {
    names[TextAt(node, "id")] = {NameText(node), GroupText(node)};
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

// "inter_zone 96 %": where most of the traffic went, or how much of it crossed zones.
std::string LocalityText(const Json& edge) {
  const std::string most = TextAt(edge, "locality");
  const double bytes = NumberAt(edge, "bytes_to_server") + NumberAt(edge, "bytes_to_client");
  const double crossed = NumberAt(edge, "inter_zone_bytes");
  if (crossed == 0 || bytes == 0) return most;
  return fmt::format("{} {:.0f} % inter-zone", most, 100 * crossed / bytes);
}

// The zones of both ends, where they are not one: "eu-1a>eu-1b,+2".
std::string ZonesText(const Json& edge) {
  std::string text;
  size_t more = 0;
  for (const Json& pair : edge.value("zone_pairs", Json::array())) {
    const std::string client = TextAt(pair, "client_zone");
    const std::string server = TextAt(pair, "server_zone");
    if (!text.empty()) {
      ++more;
      continue;
    }
    const auto named = [](const std::string& zone) { return zone.empty() ? std::string("?") : zone; };
    text = client == server ? client : fmt::format("{}>{}", named(client), named(server));
  }
  return more == 0 ? text : text + fmt::format(",+{}", more);
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
                                               "timeouts",
                                               "retransmit_percent",
                                               "rtt_avg_us",
                                               "rtt_p99_us",
                                               "connect_avg_us",
                                               "locality",
                                               "inter_zone_bytes",
                                               "zones",
                                               "services",
                                               "cost_usd",
                                               "reported_by",
                                               "health",
                                               "reasons"};

std::string Listed(const Json& texts) {
  std::string list;
  for (const Json& text : texts) {
    if (text.is_string()) list += (list.empty() ? "" : ",") + text.get<std::string>();
  }
  return list;
}

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
    edge["services"] = Listed(edge.value("services", Json::array()));
    edge["zones"] = ZonesText(edge);
    edge["where"] = LocalityText(edge);
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
               {"TIMEOUTS", true},
               {"RTT", true},
               {"LOCALITY"},
               {"ZONES", false, 32},
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
               {CellText(edge, "timeouts", "")},
               {CellText(edge, "rtt_avg_us", "us")},
               {TextAt(edge, "where"), NumberAt(edge, "inter_zone_bytes") > 0 ? Color::kYellow : Color::kNone},
               {TextAt(edge, "zones")},
               {health, HealthColor(health)},
               {TextAt(edge, "reasons"), Color::kDim}});
  }
  const std::string level = TextAt(answer, "level");
  const bool chosen = TextAt(answer, "level_asked") == "auto" && question.headers;
  const std::string head = chosen ? fmt::format("by {}; --level chooses another\n", level) : "";
  return head + table.Render(question.headers, question.color, question.width) + LeftOut(answer);
}

int RunMap(const Question& question) {
  ApiClient client(question.connection);
  Parameters parameters{{"since", question.since},
                        {"until", question.until},
                        {"level", question.level.empty() ? "auto" : question.level},
                        {"limit", LimitOf(question)}};
  if (!question.filter.empty()) parameters["filter"] = question.filter;
  if (!question.namespaces.empty()) parameters["namespace"] = question.namespaces;
  if (question.problems_only) parameters["only"] = "problems";
  return Redraw(
      question, [&] { return client.Get("/api/v1/map", parameters); }, RenderMap);
}

}  // namespace weir::cli

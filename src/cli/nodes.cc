#include <fmt/format.h>

#include <algorithm>

#include "cli/commands.h"
#include "cli/render.h"
#include "cli/units.h"

namespace weir::cli {
namespace {

constexpr size_t kLimitsInLine = 3;

std::string PerSecond(const Json& row, const std::string& name) {
  const std::string text = CellText(row, name, "bytes");
  return text == "-" ? text : text + "/s";
}

Json ArrayAt(const Json& row, const std::string& name) { return row.value(name, Json::array()); }

size_t OwnInterfaces(const Json& node) {
  const Json interfaces = ArrayAt(node, "interfaces");
  return static_cast<size_t>(std::count_if(interfaces.begin(), interfaces.end(),
                                           [](const Json& interface) { return interface.value("own", false); }));
}

// "egress queue 12k, CPU quota 40": evidence by limit, the latest first.
std::string LimitsInWords(const Json& node) {
  std::vector<std::pair<std::string, double>> limits;
  for (const Json& hit : ArrayAt(node, "limits")) {
    const std::string limit = TextAt(hit, "limit");
    const std::string unit = TextAt(hit, "unit");
    if (unit == "us") continue;  // its periods are counted too
    const auto known =
        std::find_if(limits.begin(), limits.end(), [&](const auto& entry) { return entry.first == limit; });
    if (known == limits.end()) {
      limits.emplace_back(limit, NumberAt(hit, "count"));
    } else {
      known->second += NumberAt(hit, "count");
    }
  }
  if (limits.empty()) return "none";
  std::string text;
  for (size_t i = 0; i < std::min(limits.size(), kLimitsInLine); ++i) {
    text += fmt::format("{}{} {}", i == 0 ? "" : ", ", limits[i].first, FormatCount(limits[i].second));
  }
  if (limits.size() > kLimitsInLine) text += fmt::format(", {} more", limits.size() - kLimitsInLine);
  return text;
}

Table ListTable(const Json& nodes) {
  Table table({{"NODE"},
               {"INTERFACES", true},
               {"RX/s", true},
               {"TX/s", true},
               {"LIMITS HIT", false, 60},
               {"CPU THROTTLED", true},
               {"SINCE"}});
  for (const Json& node : nodes) {
    const std::string limits = LimitsInWords(node);
    const size_t throttled = ArrayAt(node, "throttled").size();
    table.Add({{TextAt(node, "node")},
               {std::to_string(OwnInterfaces(node))},
               {PerSecond(node, "rx_bytes_per_second")},
               {PerSecond(node, "tx_bytes_per_second")},
               {limits, limits == "none" ? Color::kNone : Color::kYellow},
               {throttled == 0 ? "none" : fmt::format("{} group{}", throttled, throttled == 1 ? "" : "s"),
                throttled == 0 ? Color::kNone : Color::kYellow},
               {CellText(node, "read_since", "")}});
  }
  return table;
}

std::string Limits(const Json& node, const Question& question) {
  Table table(
      {{"LIMIT"}, {"WHERE", false, 60}, {"COUNT", true}, {"UNIT"}, {"FIRST"}, {"LAST"}, {"MEANING", false, 120}});
  for (const Json& hit : ArrayAt(node, "limits")) {
    table.Add({{TextAt(hit, "limit"), Color::kYellow},
               {TextAt(hit, "subject")},
               {CellText(hit, "count", "")},
               {TextAt(hit, "unit")},
               {TextAt(hit, "first")},
               {TextAt(hit, "last")},
               {TextAt(hit, "meaning")}});
  }
  return table.empty() ? "no limit was hit\n" : table.Render(question.headers, question.color, question.width);
}

std::string Interfaces(const Json& node, const Question& question) {
  Table table({{"INTERFACE", false, 60}, {"KIND"}, {"RX/s", true}, {"TX/s", true}, {"RX", true}, {"TX", true}});
  for (const Json& interface : ArrayAt(node, "interfaces")) {
    table.Add({{TextAt(interface, "name")},
               {interface.value("hardware", false) ? "hardware" : "virtual"},
               {PerSecond(interface, "rx_bytes_per_second")},
               {PerSecond(interface, "tx_bytes_per_second")},
               {CellText(interface, "rx_bytes", "bytes")},
               {CellText(interface, "tx_bytes", "bytes")}});
  }
  return table.empty() ? "" : table.Render(question.headers, question.color, question.width) + "\n";
}

std::string Throttled(const Json& node, const Question& question) {
  Table table({{"THROTTLED GROUP", false, 64}, {"PERIODS", true}, {"TIME", true}});
  for (const Json& group : ArrayAt(node, "throttled")) {
    table.Add({{TextAt(group, "cgroup")},
               {CellText(group, "periods", "")},
               {CellText(group, "microseconds", "us"), Color::kYellow}});
  }
  return table.empty() ? "" : table.Render(question.headers, question.color, question.width) + "\n";
}

std::string Others(const Json& node, const Question& question) {
  Table table({{"SIGNAL"}, {"OF", false, 60}, {"VALUE", true}, {"UNIT"}});
  for (const Json& other : ArrayAt(node, "others")) {
    table.Add({{TextAt(other, "signal")},
               {TextAt(other, "subject")},
               {CellText(other, "value", "")},
               {TextAt(other, "unit")}});
  }
  return table.empty() ? "" : table.Render(question.headers, question.color, question.width) + "\n";
}

std::string Probes(const Json& node, const Question& question) {
  Table table({{"SOURCE"}, {"STATE"}, {"NOTE", false, 100}});
  for (const Json& probe : ArrayAt(node, "probes")) {
    const std::string state = TextAt(probe, "state");
    table.Add(
        {{TextAt(probe, "name")}, {state, state == "failed" ? Color::kRed : Color::kNone}, {TextAt(probe, "reason")}});
  }
  return table.empty() ? "" : table.Render(question.headers, question.color, question.width);
}

std::string Detail(const Json& node, const Question& question) {
  std::string out;
  if (question.headers) {
    out = fmt::format("{}: receives {}, sends {}; one reading of its limits takes {}\n\n",
                      Printable(TextAt(node, "node")), PerSecond(node, "rx_bytes_per_second"),
                      PerSecond(node, "tx_bytes_per_second"), CellText(node, "pass_us", "us"));
  }
  return out + Limits(node, question) + "\n" + Interfaces(node, question) + Throttled(node, question) +
         Others(node, question) + Probes(node, question);
}

// One line per limit, the node in front.
std::string LimitsAsCsv(const Json& nodes, const Question& question) {
  Json rows = Json::array();
  for (const Json& node : nodes) {
    for (Json hit : ArrayAt(node, "limits")) {
      hit["node"] = TextAt(node, "node");
      rows.push_back(std::move(hit));
    }
  }
  return RowsAsCsv(rows, {"node", "limit", "signal", "scope", "subject", "count", "unit", "highest", "first", "last"},
                   question.headers);
}

}  // namespace

std::string RenderNodes(const Json& answer, const Question& question) {
  const Json nodes = ArrayAt(answer, "nodes");
  switch (question.output) {
    case OutputFormat::kJson: return RowsAsJson(nodes);
    case OutputFormat::kCsv: return LimitsAsCsv(nodes, question);
    case OutputFormat::kTable: break;
  }
  if (nodes.empty()) {
    return fmt::format("no node has reported since {} until {}; `weir status` shows which agents report\n",
                       question.since, question.until);
  }
  std::string out;
  if (question.node.empty()) {
    out = ListTable(nodes).Render(question.headers, question.color, question.width);
  } else {
    for (const Json& node : nodes) out += Detail(node, question);
  }
  return out + LeftOut(answer);
}

int RunNodes(const Question& question) {
  if (question.accounts) return RunAccounts(question);
  ApiClient client(question.connection);
  Parameters parameters{{"since", question.since}, {"until", question.until}};
  if (!question.node.empty()) parameters["node"] = question.node;
  return Redraw(
      question, [&] { return client.Get("/api/v1/nodes", parameters); }, RenderNodes);
}

}  // namespace weir::cli

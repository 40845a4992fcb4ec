// findings, why, loads and health: what the detectors found, in a terminal.
#include <fmt/format.h>

#include <algorithm>

#include "cli/commands.h"
#include "cli/render.h"
#include "cli/units.h"

namespace weir::cli {
namespace {

constexpr size_t kLineWidth = 400;  // of a sentence with names in it
constexpr double kMega = 1e6;

Json ArrayAt(const Json& row, const std::string& name) {
  const auto found = row.find(name);
  return found != row.end() && found->is_array() ? *found : Json::array();
}

Json ObjectAt(const Json& row, const std::string& name) {
  const auto found = row.find(name);
  return found != row.end() && found->is_object() ? *found : Json::object();
}

Color SeverityColor(const std::string& severity) {
  if (severity == "critical" || severity == "major") return Color::kRed;
  return severity == "minor" ? Color::kYellow : Color::kNone;
}

// "2026-11-24T14:00:00.000Z" -> "11-24 14:00:00".
std::string ShortTime(const std::string& time) {
  return time.size() < 19 ? time : fmt::format("{} {}", time.substr(5, 5), time.substr(11, 8));
}

std::string Share(const Json& row, const std::string& name) {
  const auto found = row.find(name);
  return found != row.end() && found->is_number() ? FormatPercent(100 * found->get<double>()) : "-";
}

std::string Rate(double bits) { return bits > 0 ? fmt::format("{:.1f} Mbit/s", bits / kMega) : "-"; }

// The longest phase of a load and its share: "node_limited 72 %".
std::string MainPhase(const Json& load) {
  double total = 0;
  double most = 0;
  std::string name;
  for (const Json& phase : ArrayAt(load, "phases")) {
    const double seconds = NumberAt(phase, "seconds");
    total += seconds;
    if (seconds <= most) continue;
    most = seconds;
    name = TextAt(phase, "name");
  }
  return total <= 0 ? "-" : fmt::format("{} {}", name, FormatPercent(100 * most / total));
}

// Rows for CSV, with the members of inner objects as "load.bytes".
Json Flat(const Json& rows, const std::vector<std::string>& names) {
  Json flat = Json::array();
  for (const Json& row : rows) {
    Json out = Json::object();
    for (const std::string& name : names) {
      const size_t dot = name.find('.');
      const Json& at = dot == std::string::npos ? row : ObjectAt(row, name.substr(0, dot));
      const auto found = at.find(dot == std::string::npos ? name : name.substr(dot + 1));
      out[name] = found == at.end() || found->is_structured() ? Json() : *found;
    }
    flat.push_back(std::move(out));
  }
  return flat;
}

std::string LineText(const std::string& text, Color color, const Question& question) {
  return Paint(Printable(text, kLineWidth), color, question.color) + "\n";
}

void AddEvidence(const Json& evidence, std::string& out) {
  for (const Json& one : evidence) {
    const std::string sentence = TextAt(one, "sentence");
    if (sentence.empty()) continue;
    const double points = NumberAt(one, "points");
    out +=
        fmt::format("  {:>4} {}\n", points == 0 ? "" : fmt::format("{:+.0f}", points), Printable(sentence, kLineWidth));
  }
}

}  // namespace

std::string RenderFindings(const Json& answer, const Question& question) {
  const Json findings = ArrayAt(answer, "findings");
  static const std::vector<std::string> kNames{"id",         "detector", "kind",    "subject.reference",
                                               "state",      "severity", "start",   "end",
                                               "confidence", "points",   "verdict", "advice"};
  switch (question.output) {
    case OutputFormat::kJson: return RowsAsJson(findings);
    case OutputFormat::kCsv: return RowsAsCsv(Flat(findings, kNames), kNames, question.headers);
    case OutputFormat::kTable: break;
  }
  if (findings.empty()) {
    return fmt::format("nothing was found since {} until {}\n", Printable(question.since), Printable(question.until));
  }
  Table table({{"ID"}, {"SINCE"}, {"STATE"}, {"SEVERITY"}, {"SURE"}, {"WHAT", false, 160}});
  for (const Json& finding : findings) {
    const std::string severity = TextAt(finding, "severity");
    table.Add({{TextAt(finding, "id")},
               {ShortTime(TextAt(finding, "start"))},
               {TextAt(finding, "state")},
               {severity, SeverityColor(severity)},
               {TextAt(finding, "confidence")},
               {TextAt(finding, "verdict")}});
  }
  return table.Render(question.headers, question.color, question.width);
}

std::string RenderWhy(const Json& answer, const Question& question) {
  if (question.output == OutputFormat::kJson) return answer.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  const Json findings = ArrayAt(answer, "findings");
  if (question.output == OutputFormat::kCsv) return RenderFindings(answer, question);
  std::string out;
  bool first = true;
  for (const Json& line : ArrayAt(answer, "lines")) {
    if (line.is_string()) out += LineText(line.get<std::string>(), first ? Color::kBold : Color::kNone, question);
    first = false;
  }
  if (!question.headers) return out;
  for (const Json& finding : findings) {
    out += fmt::format("\n{} {} ({}, {}): {}\n", Printable(TextAt(finding, "id")), Printable(TextAt(finding, "title")),
                       Printable(TextAt(finding, "severity")), Printable(TextAt(finding, "confidence")),
                       Printable(TextAt(finding, "verdict"), kLineWidth));
    AddEvidence(ArrayAt(finding, "evidence"), out);
    for (const char* role : {"culprits", "victims"}) {
      for (const Json& one : ArrayAt(finding, role)) {
        out += fmt::format("  {}: {}: {}\n", std::string_view(role) == "culprits" ? "cause" : "suffers",
                           Printable(TextAt(ObjectAt(one, "subject"), "title")),
                           Printable(TextAt(one, "sentence"), kLineWidth));
      }
    }
    for (const Json& other : ArrayAt(finding, "not_excluded")) {
      if (other.is_string())
        out += fmt::format("  not excluded: {}\n", Printable(other.get<std::string>(), kLineWidth));
    }
  }
  const Json acquittals = ArrayAt(answer, "acquittals");
  if (!acquittals.empty()) out += "\nLooked at and found well:\n";
  AddEvidence(acquittals, out);
  const Json unknown = ArrayAt(answer, "unknown");
  if (!unknown.empty()) out += "\nUnknown:\n";
  for (const Json& one : unknown) {
    if (one.is_string()) out += fmt::format("       {}\n", Printable(one.get<std::string>(), kLineWidth));
  }
  return out;
}

std::string RenderLoads(const Json& answer, const Question& question) {
  const Json loads = ArrayAt(answer, "loads");
  static const std::vector<std::string> kNames{"id",
                                               "subject.reference",
                                               "state",
                                               "start",
                                               "load.kind",
                                               "load.bytes",
                                               "load.wall_s",
                                               "load.mean_bits",
                                               "load.p95_bits",
                                               "load.baseline_bits",
                                               "load.baseline_share",
                                               "load.connections",
                                               "load.late_segments"};
  switch (question.output) {
    case OutputFormat::kJson: return RowsAsJson(loads);
    case OutputFormat::kCsv: return RowsAsCsv(Flat(loads, kNames), kNames, question.headers);
    case OutputFormat::kTable: break;
  }
  if (loads.empty()) {
    return fmt::format("no load of a model or an image was seen since {} until {}\n", Printable(question.since),
                       Printable(question.until));
  }
  Table table({{"SINCE"},
               {"WHO", false, 60},
               {"WHAT"},
               {"BYTES", true},
               {"TIME", true},
               {"MEAN", true},
               {"OF BASELINE", true},
               {"CONNECTIONS", true},
               {"HELD BACK BY"},
               {"FROM", false, 60}});
  for (const Json& finding : loads) {
    const Json load = ObjectAt(finding, "load");
    const bool open = TextAt(finding, "state") == "open";
    table.Add({{ShortTime(TextAt(finding, "start"))},
               {TextAt(ObjectAt(finding, "subject"), "title")},
               {TextAt(load, "kind") + (open ? " (goes on)" : "")},
               {FormatBytes(NumberAt(load, "bytes"))},
               {fmt::format("{:.1f} s", NumberAt(load, "wall_s"))},
               {Rate(NumberAt(load, "mean_bits"))},
               {Share(load, "baseline_share")},
               {CellText(load, "connections", "")},
               {MainPhase(load)},
               {TextAt(ObjectAt(load, "source"), "title")}});
  }
  return table.Render(question.headers, question.color, question.width);
}

std::string RenderHealth(const Json& answer, const Question& question) {
  const Json now = ArrayAt(answer, "now");
  static const std::vector<std::string> kNames{"scope.reference", "value",  "judged", "sick",
                                               "explained",       "owners", "why"};
  switch (question.output) {
    case OutputFormat::kJson: return RowsAsJson(now);
    case OutputFormat::kCsv: return RowsAsCsv(Flat(now, kNames), kNames, question.headers);
    case OutputFormat::kTable: break;
  }
  if (now.empty()) return "no traffic was judged yet, so nothing is known; an epoch lasts half a minute\n";
  Table table({{"SCOPE", false, 60},
               {"INDICATOR"},
               {"JUDGED", true},
               {"SICK", true},
               {"EXPLAINED", true},
               {"WHY", false, 160}});
  for (const Json& one : now) {
    const auto value = one.find("value");
    const bool known = value != one.end() && value->is_number();
    const bool degraded = known && value->get<double>() != 0;
    table.Add({{TextAt(ObjectAt(one, "scope"), "title")},
               {!known     ? "unknown"
                : degraded ? "1 degraded"
                           : "0 healthy",
                degraded ? Color::kRed
                : known  ? Color::kGreen
                         : Color::kDim},
               {CellText(one, "judged", "")},
               {CellText(one, "sick", "")},
               {CellText(one, "explained", "")},
               {TextAt(one, "why")}});
  }
  return table.Render(question.headers, question.color, question.width);
}

namespace {

// Findings are few: programs get as many as the API answers with.
std::string MostOf(const Question& question) {
  constexpr uint64_t kMost = 5'000;
  const uint64_t usual = question.output == OutputFormat::kTable ? kTableRows : kMost;
  return std::to_string(question.limit != 0 ? question.limit : usual);
}

int AskAndRender(const Question& question, const std::string& path, const Parameters& parameters, Renderer render) {
  ApiClient client(question.connection);
  return Redraw(
      question, [&] { return client.Get(path, parameters); }, render);
}

}  // namespace

int RunFindings(const Question& question) {
  return AskAndRender(question, "/api/v1/findings",
                      {{"since", question.since},
                       {"until", question.until},
                       {"state", question.state},
                       {"detector", question.detector},
                       {"confidence", question.confidence},
                       {"subject", question.subject},
                       {"limit", MostOf(question)}},
                      RenderFindings);
}

int RunWhy(const Question& question) {
  return AskAndRender(question, "/api/v1/why", {{"subject", question.subject}, {"at", question.at}}, RenderWhy);
}

int RunLoads(const Question& question) {
  return AskAndRender(question, "/api/v1/loads",
                      {{"since", question.since},
                       {"until", question.until},
                       {"subject", question.subject},
                       {"limit", MostOf(question)}},
                      RenderLoads);
}

int RunHealth(const Question& question) {
  return AskAndRender(question, "/api/v1/health",
                      {{"since", question.since}, {"until", question.until}, {"scope", question.subject}},
                      RenderHealth);
}

}  // namespace weir::cli

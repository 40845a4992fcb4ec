#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/render.h"
#include "cli/units.h"

namespace weir::cli {
namespace {

std::string Agents(const Json& answer, const Question& question) {
  Table table({{"NODE"}, {"MODE"}, {"VERSION"}, {"LAST SEEN"}, {"CLOCK", true}, {"REPORTS", true}, {"STATE"}});
  for (const Json& agent : answer.value("agents", Json::array())) {
    const bool stale = agent.value("stale", false);
    table.Add({{TextAt(agent, "node")},
               {TextAt(agent, "mode"), TextAt(agent, "mode") == "ebpf" ? Color::kNone : Color::kYellow},
               {TextAt(agent, "version")},
               {TextAt(agent, "last_seen")},
               {fmt::format("{:+.0f} ms", NumberAt(agent, "clock_offset_ms"))},
               {FormatCount(NumberAt(agent, "reports"))},
               {stale ? "silent" : "reporting", stale ? Color::kRed : Color::kGreen}});
  }
  return table.empty() ? "no agent has reported yet\n" : table.Render(question.headers, question.color, question.width);
}

std::string Probes(const Json& answer, const Question& question) {
  Table table({{"NODE"}, {"PROBE"}, {"STATE"}, {"WHY", false, 100}, {"WHAT TO DO", false, 100}});
  for (const Json& agent : answer.value("agents", Json::array())) {
    for (const Json& probe : agent.value("probes", Json::array())) {
      const std::string state = TextAt(probe, "state");
      table.Add({{TextAt(agent, "node")},
                 {TextAt(probe, "name")},
                 {state, state == "on" ? Color::kGreen : Color::kYellow},
                 {TextAt(probe, "reason")},
                 {TextAt(probe, "hint")}});
    }
  }
  return table.empty() ? "" : table.Render(question.headers, question.color, question.width) + "\n";
}

// Which kinds of objects of a cluster are followed.
std::string ClusterWatches(const Json& kubernetes, const Question& question) {
  if (!kubernetes.value("followed", false))
    return fmt::format("kubernetes: not followed: {}\n\n", Printable(TextAt(kubernetes, "off_reason"), 300));
  Table table(
      {{"KIND"}, {"STATE"}, {"OBJECTS", true}, {"EVENTS", true}, {"LISTS", true}, {"FAILURES", true}, {"LAST HEARD"}});
  for (const Json& watch : kubernetes.value("watches", Json::array())) {
    const std::string state = TextAt(watch, "state");
    const bool fine = state == "watching" || state == "absent";
    table.Add({{TextAt(watch, "resource")},
               {state, fine ? Color::kGreen : Color::kYellow},
               {FormatCount(NumberAt(watch, "objects"))},
               {FormatCount(NumberAt(watch, "events"))},
               {FormatCount(NumberAt(watch, "lists"))},
               {FormatCount(NumberAt(watch, "failures"))},
               {CellText(watch, "last_heard", "")}});
  }
  return fmt::format("kubernetes: {} {} with {}\n", Printable(TextAt(kubernetes, "cluster")),
                     Printable(TextAt(kubernetes, "server"), 200), Printable(TextAt(kubernetes, "credentials"), 200)) +
         table.Render(question.headers, question.color, question.width) + "\n";
}

// Nothing where Kubernetes is no topic.
std::string Watches(const Json& kubernetes, const Question& question) {
  if (!kubernetes.is_object()) return "";
  std::string out = ClusterWatches(kubernetes, question);
  for (const Json& other : kubernetes.value("others", Json::array())) out += ClusterWatches(other, question);
  return out;
}

std::string Tables(const Json& store, const Question& question) {
  Table table({{"RESOLUTION"}, {"ROWS", true}, {"SIZE", true}, {"OLDEST"}, {"NEWEST"}});
  for (const Json& row : store.value("tables", Json::array())) {
    table.Add({{TextAt(row, "resolution")},
               {FormatCount(NumberAt(row, "rows"))},
               {FormatBytes(NumberAt(row, "bytes"))},
               {CellText(row, "oldest", "")},
               {CellText(row, "newest", "")}});
  }
  return table.Render(question.headers, question.color, question.width);
}

}  // namespace

std::string RenderStatus(const Json& answer, const Question& question) {
  if (question.output == OutputFormat::kJson) return answer.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
  if (question.output == OutputFormat::kCsv) {
    return RowsAsCsv(answer.value("counters", Json::array()), {"name", "kind", "severity", "value", "help"},
                     question.headers);
  }
  const Json store = answer.value("store", Json::object());
  std::string out =
      fmt::format("weir {}, up {}\nstore: {} at {}, {} of {}\n\n", TextAt(answer, "version"),
                  FormatMicros(NumberAt(answer, "uptime_seconds") * 1e6), Printable(TextAt(store, "engine")),
                  Printable(TextAt(store, "path"), 200), FormatBytes(NumberAt(store, "disk_bytes")),
                  FormatBytes(NumberAt(store, "disk_budget_bytes")));
  out += Agents(answer, question) + "\n" + Probes(answer, question) +
         Watches(answer.value("kubernetes", Json()), question) + Tables(store, question) + "\n";
  const Json problems = answer.value("problems", Json::array());
  for (const Json& problem : problems) {
    if (problem.is_string())
      out += Paint("! " + Printable(problem.get<std::string>(), 400), Color::kYellow, question.color) + "\n";
  }
  if (problems.empty()) out += Paint("no problems, nothing lost", Color::kGreen, question.color) + "\n";
  return out;
}

int RunStatus(const Question& question) {
  ApiClient client(question.connection);
  return Redraw(
      question, [&] { return client.Get("/api/v1/status", {}); }, RenderStatus);
}

}  // namespace weir::cli

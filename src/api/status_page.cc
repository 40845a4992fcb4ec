#include "api/status_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "api/cluster_section.h"
#include "api/health.h"
#include "api/time_text.h"
#include "base/duration.h"
#include "base/metrics.h"
#include "base/version.h"

namespace weir::api {
namespace {

constexpr int64_t kRivalToldMs = 300'000;
constexpr std::string_view kAgentPrefix = "weir_agent_";

std::string_view SeverityName(MetricSeverity severity) {
  switch (severity) {
    case MetricSeverity::kInfo: return "info";
    case MetricSeverity::kLoss: return "loss";
    case MetricSeverity::kError: return "error";
  }
  return "info";
}

const MetricDescription* FindMetric(std::string_view name) {
  const auto& catalogue = MetricCatalogue();
  const auto found =
      std::find_if(catalogue.begin(), catalogue.end(), [&](const MetricDescription& m) { return m.name == name; });
  return found == catalogue.end() ? nullptr : &*found;
}

bool IsLoss(std::string_view name) {
  const MetricDescription* metric = FindMetric(name);
  return metric != nullptr && metric->severity == MetricSeverity::kLoss;
}

// An agent in this process counts into this process's catalogue and reports the same numbers in its batches; they are
// taken from the reports alone, which is where every other agent's come from.
bool CountsHere(const MetricDescription& metric) { return !metric.name.starts_with(kAgentPrefix); }

Json TimeOrNull(UnixMillis time) {
  if (time == 0) return nullptr;
  return FormatTime(time);
}

bool IsStale(const server::AgentStatus& agent, UnixMillis now) { return now - agent.last_seen > kStaleAfterMs; }

Json StoreJson(const Result<store::StoreStatus>& status, UnixMillis as_of) {
  if (!status.ok()) {
    return {{"engine", ""},
            {"path", ""},
            {"disk_bytes", 0},
            {"disk_budget_bytes", 0},
            {"last_error", status.status().message()},
            {"as_of", TimeOrNull(as_of)},
            {"tables", Json::array()}};
  }
  Json tables = Json::array();
  for (const store::TableStatus& table : status->tables) {
    tables.push_back({{"resolution", table.resolution},
                      {"rows", table.rows},
                      {"bytes", table.bytes},
                      {"oldest", TimeOrNull(table.oldest)},
                      {"newest", TimeOrNull(table.newest)}});
  }
  return {{"engine", status->engine},         {"path", status->path},
          {"disk_bytes", status->disk_bytes}, {"disk_budget_bytes", status->disk_budget_bytes},
          {"last_error", status->last_error}, {"as_of", TimeOrNull(as_of)},
          {"tables", std::move(tables)}};
}

Json AgentJson(const server::AgentStatus& agent, UnixMillis now) {
  Json probes = Json::array();
  for (const model::ProbeReport& probe : agent.probes) {
    probes.push_back({{"name", probe.name}, {"state", probe.state}, {"reason", probe.reason}, {"hint", probe.hint}});
  }
  Json counters = Json::object();
  for (const model::AgentCounter& counter : agent.counters) counters[counter.name] = counter.value;
  Json json;
  json["agent_id"] = agent.agent_id;
  json["node"] = agent.node;
  json["mode"] = agent.mode;
  json["version"] = agent.version;
  json["last_seen"] = TimeOrNull(agent.last_seen);
  json["stale"] = IsStale(agent, now);
  json["clock_offset_ms"] = agent.clock_offset_ms;
  json["sequence"] = agent.sequence;
  json["batches"] = agent.batches;
  json["reports"] = agent.reports;
  json["probes"] = std::move(probes);
  json["counters"] = std::move(counters);
  return json;
}

// Without the full stop, to go on with ": " or "; ".
std::string Trimmed(std::string_view sentence) {
  while (sentence.ends_with('.') || sentence.ends_with(' ')) sentence.remove_suffix(1);
  return std::string(sentence);
}

std::string Ago(int64_t milliseconds) {
  const int64_t seconds = milliseconds / 1'000;
  return FormatDuration((seconds < 3'600 ? seconds : seconds / 60 * 60) * 1'000);
}

void StoreProblems(const StatusFacts& facts, std::vector<std::string>& problems) {
  if (!facts.store.ok()) {
    problems.push_back(
        fmt::format("The store does not answer: {}. Look at the server's log, and restart it if this lasts.",
                    Trimmed(facts.store.status().message())));
    return;
  }
  if (facts.store->last_error.empty()) return;
  problems.push_back(fmt::format(
      "The store reports: {}. Check free disk space and permissions of {}; agents keep their batches meanwhile.",
      Trimmed(facts.store->last_error), facts.store->path));
}

void CounterProblems(const StatusFacts& facts, std::vector<std::string>& problems) {
  const auto& catalogue = MetricCatalogue();
  for (size_t i = 0; i < std::min(catalogue.size(), facts.own_counters.size()); ++i) {
    const MetricDescription& metric = catalogue[i];
    const bool of_store = metric.severity == MetricSeverity::kError && metric.name.starts_with("weir_store_");
    if (facts.own_counters[i] == 0 || !CountsHere(metric) || (metric.severity != MetricSeverity::kLoss && !of_store))
      continue;
    problems.push_back(fmt::format("{} is {} since the start: {}", metric.name, facts.own_counters[i], metric.help));
  }
}

void ProbeProblems(const server::AgentStatus& agent, std::vector<std::string>& problems) {
  if (agent.mode == "sock_diag") {
    problems.push_back(fmt::format(
        "The agent on {} runs in the degraded mode sock_diag: connections shorter than its interval are missed and"
        " only the network namespaces it can enter are seen. Its probes below say why; run it as root on a kernel"
        " with BTF.",
        agent.node));
  }
  for (const model::ProbeReport& probe : agent.probes) {
    if (probe.state != "failed" && probe.state != "fallback") continue;
    std::string text = fmt::format("Probe {} on {} {}", probe.name, agent.node,
                                   probe.state == "failed" ? "does not work" : "runs as a fallback");
    if (!probe.reason.empty()) text += ": " + Trimmed(probe.reason);
    if (!probe.hint.empty()) text += "; " + Trimmed(probe.hint);
    problems.push_back(text + ".");
  }
}

void AgentProblems(const server::AgentStatus& agent, UnixMillis now, std::vector<std::string>& problems) {
  if (IsStale(agent, now)) {
    problems.push_back(
        fmt::format("No batch from the agent on {} for {}: check that it runs there and reaches this server.",
                    agent.node, Ago(now - agent.last_seen)));
  }
  if (std::abs(agent.clock_offset_ms) > kClockSkewMs) {
    problems.push_back(
        fmt::format("The clock of {} is {} {}; its times are shifted to this server's clock. Run NTP (chrony,"
                    " systemd-timesyncd) on that node.",
                    agent.node, Ago(std::abs(agent.clock_offset_ms)), agent.clock_offset_ms > 0 ? "fast" : "slow"));
  }
  if (agent.rival_seen != 0 && std::abs(now - agent.rival_seen) < kRivalToldMs)
    problems.push_back(fmt::format("Batches are refused: {}.", agent.rival));
  ProbeProblems(agent, problems);
  for (const model::AgentCounter& counter : agent.counters) {
    if (counter.value == 0 || !IsLoss(counter.name)) continue;
    problems.push_back(
        fmt::format("{} on {} is {}: {}", counter.name, agent.node, counter.value, FindMetric(counter.name)->help));
  }
}

}  // namespace

std::vector<uint64_t> ReadOwnCounters() {
  std::vector<uint64_t> values;
  for (size_t i = 0; i < kMetricCount; ++i) values.push_back(Read(static_cast<Metric>(i)));
  return values;
}

uint64_t Losses(const StatusFacts& facts) {
  uint64_t sum = 0;
  const auto& catalogue = MetricCatalogue();
  for (size_t i = 0; i < std::min(catalogue.size(), facts.own_counters.size()); ++i) {
    if (CountsHere(catalogue[i]) && catalogue[i].severity == MetricSeverity::kLoss) sum += facts.own_counters[i];
  }
  for (const server::AgentStatus& agent : facts.agents) {
    for (const model::AgentCounter& counter : agent.counters) {
      if (IsLoss(counter.name)) sum += counter.value;
    }
  }
  return sum;
}

std::vector<std::string> Problems(const StatusFacts& facts) {
  std::vector<std::string> problems;
  if (!facts.clock_trouble.empty()) problems.push_back(facts.clock_trouble);
  StoreProblems(facts, problems);
  if (facts.cluster) {
    for (std::string& problem : ClusterProblems(*facts.cluster)) problems.push_back(std::move(problem));
  }
  CounterProblems(facts, problems);
  for (const server::AgentStatus& agent : facts.agents) AgentProblems(agent, facts.now, problems);
  return problems;
}

Json StatusJson(const StatusFacts& facts) {
  Json json;
  json["version"] = kVersion;
  json["started"] = FormatTime(facts.started);
  json["time"] = FormatTime(facts.now);
  json["uptime_seconds"] = static_cast<double>(facts.now - facts.started) / 1'000;
  json["store"] = StoreJson(facts.store, facts.store_as_of);
  json["agents"] = Json::array();
  for (const server::AgentStatus& agent : facts.agents) json["agents"].push_back(AgentJson(agent, facts.now));
  json["kubernetes"] = facts.cluster ? ClusterJson(*facts.cluster, facts.now) : Json(nullptr);
  json["counters"] = Json::array();
  const auto& catalogue = MetricCatalogue();
  for (size_t i = 0; i < std::min(catalogue.size(), facts.own_counters.size()); ++i) {
    const MetricDescription& metric = catalogue[i];
    json["counters"].push_back({{"name", metric.name},
                                {"kind", metric.kind == MetricKind::kCounter ? "counter" : "gauge"},
                                {"severity", SeverityName(metric.severity)},
                                {"help", metric.help},
                                {"value", facts.own_counters[i]}});
  }
  json["losses"] = Losses(facts);
  json["problems"] = Problems(facts);
  return json;
}

}  // namespace weir::api

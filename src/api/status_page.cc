#include "api/status_page.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "api/cluster_section.h"
#include "api/time_text.h"
#include "base/metrics.h"
#include "base/version.h"
#include "diagnose/problems.h"

namespace weir::api {
namespace {

constexpr int64_t kRivalToldMs = 300'000;

std::string_view SeverityName(MetricSeverity severity) {
  switch (severity) {
    case MetricSeverity::kInfo: return "info";
    case MetricSeverity::kLoss: return "loss";
    case MetricSeverity::kError: return "error";
  }
  return "info";
}

Json TimeOrNull(UnixMillis time) {
  if (time == 0) return nullptr;
  return FormatTime(time);
}

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
  json["stale"] = diagnose::IsStale(now - agent.last_seen);
  json["clock_offset_ms"] = agent.clock_offset_ms;
  json["sequence"] = agent.sequence;
  json["batches"] = agent.batches;
  json["reports"] = agent.reports;
  json["probes"] = std::move(probes);
  json["counters"] = std::move(counters);
  return json;
}

diagnose::AgentFacts FactsOf(const server::AgentStatus& agent, UnixMillis now) {
  const bool rival = agent.rival_seen != 0 && std::abs(now - agent.rival_seen) < kRivalToldMs;
  return {.node = agent.node,
          .mode = agent.mode,
          .silent_ms = now - agent.last_seen,
          .clock_offset_ms = agent.clock_offset_ms,
          .refusal = rival ? std::string_view(agent.rival) : std::string_view(),
          .probes = agent.probes,
          .counters = agent.counters};
}

std::vector<std::string> ProblemsOfStore(const StatusFacts& facts) {
  if (!facts.store.ok()) {
    const Status status = facts.store.status();
    return diagnose::StoreProblems({.answers = false, .error = status.message(), .path = {}});
  }
  return diagnose::StoreProblems({.answers = true, .error = facts.store->last_error, .path = facts.store->path});
}

}  // namespace

std::vector<uint64_t> ReadOwnCounters() {
  std::vector<uint64_t> values;
  for (size_t i = 0; i < kMetricCount; ++i) values.push_back(Read(static_cast<Metric>(i)));
  return values;
}

uint64_t Losses(const StatusFacts& facts) {
  uint64_t sum = diagnose::OwnLosses(facts.own_counters);
  for (const server::AgentStatus& agent : facts.agents) sum += diagnose::AgentLosses(agent.counters);
  return sum;
}

std::vector<std::string> Problems(const StatusFacts& facts) {
  std::vector<std::string> problems;
  const auto add = [&](std::vector<std::string> more) {
    for (std::string& problem : more) problems.push_back(std::move(problem));
  };
  if (!facts.clock_trouble.empty()) problems.push_back(facts.clock_trouble);
  add(ProblemsOfStore(facts));
  for (const kube::ClusterStatus& cluster : facts.clusters) add(ClusterProblems(cluster));
  add(diagnose::CounterProblems(facts.own_counters));
  for (const server::AgentStatus& agent : facts.agents) add(diagnose::AgentProblems(FactsOf(agent, facts.now)));
  return problems;
}

namespace {

Json NameSourceJson(const server::NameSource& source, UnixMillis now) {
  constexpr double kDayMs = 86'400'000;
  return {{"kind", source.kind},
          {"path", source.path},
          {"dated", TimeOrNull(source.dated)},
          {"age_days", source.dated == 0 ? Json(nullptr) : Json(static_cast<double>(now - source.dated) / kDayMs)},
          {"entries", source.entries}};
}

}  // namespace

Json StatusJson(const StatusFacts& facts) {
  Json json;
  json["version"] = kVersion;
  json["started"] = FormatTime(facts.started);
  json["time"] = FormatTime(facts.now);
  json["uptime_seconds"] = static_cast<double>(facts.now - facts.started) / 1'000;
  json["store"] = StoreJson(facts.store, facts.store_as_of);
  json["agents"] = Json::array();
  for (const server::AgentStatus& agent : facts.agents) json["agents"].push_back(AgentJson(agent, facts.now));
  json["kubernetes"] = ClustersJson(facts.clusters, facts.now);
  json["name_sources"] = Json::array();
  for (const server::NameSource& source : facts.name_sources) {
    json["name_sources"].push_back(NameSourceJson(source, facts.now));
  }
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

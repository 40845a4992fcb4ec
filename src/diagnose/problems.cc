#include "diagnose/problems.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/duration.h"
#include "base/metrics.h"

namespace weir::diagnose {
namespace {

constexpr std::string_view kAgentPrefix = "weir_agent_";

const MetricDescription* FindMetric(std::string_view name) {
  const auto& catalogue = MetricCatalogue();
  const auto found =
      std::find_if(catalogue.begin(), catalogue.end(), [&](const MetricDescription& m) { return m.name == name; });
  return found == catalogue.end() ? nullptr : &*found;
}

const MetricDescription* FindLoss(std::string_view name) {
  const MetricDescription* metric = FindMetric(name);
  return metric != nullptr && metric->severity == MetricSeverity::kLoss ? metric : nullptr;
}

bool IsOfTheServer(const MetricDescription& metric) { return !metric.name.starts_with(kAgentPrefix); }

// Without the full stop, to go on with ": " or "; ".
std::string Trimmed(std::string_view sentence) {
  while (sentence.ends_with('.') || sentence.ends_with(' ')) sentence.remove_suffix(1);
  return std::string(sentence);
}

std::string Ago(int64_t milliseconds) {
  const int64_t seconds = milliseconds / 1'000;
  return FormatDuration((seconds < 3'600 ? seconds : seconds / 60 * 60) * 1'000);
}

std::string ProbeProblem(std::string_view node, const model::ProbeReport& probe) {
  std::string text = fmt::format("Probe {} on {} {}", probe.name, node,
                                 probe.state == "failed" ? "does not work" : "runs as a fallback");
  if (!probe.reason.empty()) text += ": " + Trimmed(probe.reason);
  if (!probe.hint.empty()) text += "; " + Trimmed(probe.hint);
  return text + ".";
}

}  // namespace

bool IsStale(int64_t silent_ms, const Thresholds& thresholds) {
  return static_cast<double>(silent_ms) > thresholds.agent_silent_s * 1'000;
}

std::vector<std::string> StoreProblems(const StoreFacts& store) {
  if (!store.answers) {
    return {fmt::format("The store does not answer: {}. Look at the server's log, and restart it if this lasts.",
                        Trimmed(store.error))};
  }
  if (store.error.empty()) return {};
  return {fmt::format(
      "The store reports: {}. Check free disk space and permissions of {}; agents keep their batches meanwhile.",
      Trimmed(store.error), store.path)};
}

std::vector<std::string> CounterProblems(std::span<const uint64_t> own_counters) {
  std::vector<std::string> problems;
  const auto& catalogue = MetricCatalogue();
  for (size_t i = 0; i < std::min(catalogue.size(), own_counters.size()); ++i) {
    const MetricDescription& metric = catalogue[i];
    const bool of_store = metric.severity == MetricSeverity::kError && metric.name.starts_with("weir_store_");
    const bool told = metric.severity == MetricSeverity::kLoss || of_store;
    if (own_counters[i] == 0 || !IsOfTheServer(metric) || !told) continue;
    problems.push_back(fmt::format("{} is {} since the start: {}", metric.name, own_counters[i], metric.help));
  }
  return problems;
}

std::vector<std::string> AgentProblems(const AgentFacts& agent, const Thresholds& thresholds) {
  std::vector<std::string> problems;
  if (IsStale(agent.silent_ms, thresholds)) {
    problems.push_back(
        fmt::format("No batch from the agent on {} for {}: check that it runs there and reaches this server.",
                    agent.node, Ago(agent.silent_ms)));
  }
  if (static_cast<double>(std::abs(agent.clock_offset_ms)) > thresholds.agent_clock_ms) {
    problems.push_back(
        fmt::format("The clock of {} is {} {}; its times are shifted to this server's clock. Run NTP (chrony,"
                    " systemd-timesyncd) on that node.",
                    agent.node, Ago(std::abs(agent.clock_offset_ms)), agent.clock_offset_ms > 0 ? "fast" : "slow"));
  }
  if (!agent.refusal.empty()) problems.push_back(fmt::format("Batches are refused: {}.", agent.refusal));
  if (agent.mode == "sock_diag") {
    problems.push_back(fmt::format(
        "The agent on {} runs in the degraded mode sock_diag: connections shorter than its interval are missed and"
        " only the network namespaces it can enter are seen. Its probes below say why; run it as root on a kernel"
        " with BTF.",
        agent.node));
  }
  for (const model::ProbeReport& probe : agent.probes) {
    if (probe.state == "failed" || probe.state == "fallback") problems.push_back(ProbeProblem(agent.node, probe));
  }
  for (const model::AgentCounter& counter : agent.counters) {
    const MetricDescription* loss = FindLoss(counter.name);
    if (counter.value == 0 || loss == nullptr) continue;
    problems.push_back(fmt::format("{} on {} is {}: {}", counter.name, agent.node, counter.value, loss->help));
  }
  return problems;
}

uint64_t OwnLosses(std::span<const uint64_t> own_counters) {
  uint64_t sum = 0;
  const auto& catalogue = MetricCatalogue();
  for (size_t i = 0; i < std::min(catalogue.size(), own_counters.size()); ++i) {
    if (IsOfTheServer(catalogue[i]) && catalogue[i].severity == MetricSeverity::kLoss) sum += own_counters[i];
  }
  return sum;
}

uint64_t AgentLosses(std::span<const model::AgentCounter> counters) {
  uint64_t sum = 0;
  for (const model::AgentCounter& counter : counters) {
    if (FindLoss(counter.name) != nullptr) sum += counter.value;
  }
  return sum;
}

}  // namespace weir::diagnose

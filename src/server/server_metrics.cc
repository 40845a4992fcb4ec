#include "server/server_metrics.h"

#include <array>

#include "base/metrics.h"
#include "model/metric_families.h"

namespace weir::server {
namespace {

using model::ServerFamily;

// Said by the agents themselves; in `weir up` the one in this process is among them.
constexpr std::string_view kAgentPrefix = "weir_agent_";

void VisitHealth(const DiagnosisView& view, MetricVisitor& visitor) {
  const auto visit = [&](ServerFamily family, bool known_only, auto value_of) {
    bool begun = false;
    for (const diagnose::HealthIndicator& indicator : view.indicators) {
      if (known_only && !indicator.value) continue;
      if (!begun) visitor.Begin(model::Describe(family).family);
      begun = true;
      const std::string reference = diagnose::SubjectReference(indicator.scope);
      const std::array<std::string_view, 2> labels{diagnose::SubjectKindName(indicator.scope.kind), reference};
      visitor.Add(labels, value_of(indicator));
    }
  };
  visit(ServerFamily::health, true, [](const auto& indicator) { return static_cast<double>(*indicator.value); });
  visit(ServerFamily::health_judged, false,
        [](const auto& indicator) { return static_cast<double>(indicator.judged); });
}

void VisitFindings(const DiagnosisView& view, MetricVisitor& visitor) {
  constexpr std::array kLevels{diagnose::Level::kLow, diagnose::Level::kMedium, diagnose::Level::kHigh};
  std::array<std::array<uint64_t, kLevels.size()>, diagnose::kDetectors.size()> open{};
  for (const diagnose::Finding& finding : view.open) {
    for (size_t i = 0; i < kLevels.size(); ++i) {
      if (kLevels[i] == finding.level) ++open[static_cast<size_t>(finding.detector)][i];
    }
  }
  visitor.Begin(model::Describe(ServerFamily::findings).family);
  for (size_t detector = 0; detector < open.size(); ++detector) {
    for (size_t i = 0; i < kLevels.size(); ++i) {
      const std::array<std::string_view, 2> labels{diagnose::kDetectors[detector].name,
                                                   diagnose::LevelName(kLevels[i])};
      visitor.Add(labels, static_cast<double>(open[detector][i]));
    }
  }
}

void VisitAgents(const std::vector<AgentStatus>& agents, MetricVisitor& visitor) {
  std::vector<ReportedMetrics> reports;
  for (const AgentStatus& agent : agents) {
    ReportedMetrics& report = reports.emplace_back();
    report.node = agent.node;
    for (const model::AgentCounter& counter : agent.counters) {
      const std::optional<Metric> metric = MetricNamed(counter.name);
      if (metric && counter.name.starts_with(kAgentPrefix)) report.values.emplace_back(*metric, counter.value);
    }
  }
  VisitReported(reports, visitor);
}

}  // namespace

void ServerMetrics::Visit(MetricVisitor& visitor) const {
  if (sources_.workloads != nullptr) sources_.workloads->Visit(visitor);
  const std::shared_ptr<const DiagnosisView> view = sources_.diagnosis ? sources_.diagnosis() : nullptr;
  if (view != nullptr && view->judged != 0) {
    VisitHealth(*view, visitor);
    VisitFindings(*view, visitor);
  }
  if (sources_.agents) VisitAgents(sources_.agents(), visitor);
  VisitMetricsBut(kAgentPrefix, started_, visitor);
}

}  // namespace weir::server

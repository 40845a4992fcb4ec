#include "agent/metrics/agent_metrics.h"

#include "agent/metrics/node_samples.h"
#include "base/metrics.h"

namespace weir::agent::metrics {
namespace {

using model::AgentFamily;

constexpr std::chrono::milliseconds kPatience{1'000};

void AddPods(const std::vector<PodLabels>& pods, const LabelContext& common, FamilyOut& out) {
  for (const PodLabels& pod : pods) {
    LabelContext context = common;
    context.name_space = pod.name_space;
    context.pod = pod.pod;
    context.workload_kind = pod.workload_kind;
    context.workload = pod.workload;
    context.uid = pod.uid;
    out.Add(context, "", 1, 0);
  }
}

}  // namespace

void AgentMetrics::Visit(MetricVisitor& visitor) const {
  const Nanos begin = clock_.MonotonicNanos();
  LabelContext common;
  common.instance_id = facts_.instance_id;
  common.node = facts_.node;
  node::NodeWatch::Looked looked;
  if (node_ != nullptr) looked = node_->Look(kPatience);
  if (looked.stale) Count(Metric::agent_metrics_stale);
  static const node::NodeSnapshot kNothing;
  const NodeSamples node(looked.snapshot != nullptr ? *looked.snapshot : kNothing, common, name_pod_);
  const std::vector<FlowTotals::Item> items = flows_.Take();
  const FlowSamples flows(items, node.pods(), common, name_pod_);
  for (size_t i = 0; i < model::kAgentFamilyCount; ++i) {
    const auto family = static_cast<AgentFamily>(i);
    FamilyOut out(model::Describe(family).family, visitor);
    node.AddTo(family, out);
    flows.AddTo(family, out);
    if (family == AgentFamily::pod_info) AddPods(node.pods(), common, out);
    if (family == AgentFamily::agent_info) {
      LabelContext context = common;
      context.version = facts_.version;
      context.mode = facts_.mode;
      out.Add(context, "", 1, 0);
    }
  }
  node.VisitEfa(visitor);
  Count(Metric::agent_metrics_scrapes);
  Count(Metric::agent_metrics_microseconds, static_cast<uint64_t>(clock_.MonotonicNanos() - begin) / 1'000);
  VisitMetrics("weir_agent_", facts_.started, visitor);
}

}  // namespace weir::agent::metrics

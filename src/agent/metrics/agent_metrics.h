// AgentMetrics: everything an agent shows at /metrics, put together when somebody asks.
#pragma once

#include <functional>
#include <string>

#include "agent/metrics/flow_totals.h"
#include "agent/metrics/pod_labels.h"
#include "agent/node/node_watch.h"
#include "base/clock.h"
#include "base/metric_family.h"

namespace weir::agent::metrics {

struct AgentFacts {
  std::string node;
  std::string instance_id;
  std::string version;
  std::string mode;
  UnixMillis started = 0;
};

// Thread-safe.
class AgentMetrics {
 public:
  // `node` may be null: no signals of the node are read. It, `flows` and `clock` outlive this.
  AgentMetrics(AgentFacts facts, node::NodeWatch* node, const FlowTotals& flows, NamePod name_pod, const Clock& clock)
      : facts_(std::move(facts)), node_(node), flows_(flows), name_pod_(std::move(name_pod)), clock_(clock) {}

  // Takes as long as reading the node anew does, a second at most.
  void Visit(MetricVisitor& visitor) const;

 private:
  const AgentFacts facts_;
  node::NodeWatch* const node_;
  const FlowTotals& flows_;
  const NamePod name_pod_;
  const Clock& clock_;
};

}  // namespace weir::agent::metrics

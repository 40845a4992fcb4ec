// ServerMetrics: everything a server shows at /metrics and sends to others: workloads, verdicts, what agents say of
// themselves by their node, and its own numbers.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/metric_family.h"
#include "server/diagnosis_view.h"
#include "server/server.h"
#include "server/workload_metrics.h"

namespace weir::server {

struct ServerMetricsSources {
  const WorkloadMetrics* workloads = nullptr;  // null: none are counted
  // Called by any thread; both may be empty.
  std::function<std::vector<AgentStatus>()> agents;
  std::function<std::shared_ptr<const DiagnosisView>()> diagnosis;
};

// Thread-safe.
class ServerMetrics {
 public:
  // What the sources refer to outlives this. `started`: when the process began, by the server's clock.
  ServerMetrics(ServerMetricsSources sources, UnixMillis started) : sources_(std::move(sources)), started_(started) {}

  void Visit(MetricVisitor& visitor) const;

 private:
  const ServerMetricsSources sources_;
  const UnixMillis started_;
};

}  // namespace weir::server

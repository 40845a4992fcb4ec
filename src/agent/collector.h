// What the agent's loop does at its times: lets the source poll, collects at every tick, and hands the
// interval over as a batch with the state of the probes and the agent's own counters.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "agent/schedule.h"
#include "agent/source.h"
#include "agent/source/namespace_table.h"
#include "base/clock.h"
#include "base/log.h"
#include "model/side_report.h"

namespace weir::agent {

struct CollectorOptions {
  std::string agent_id;
  std::string node;
  std::string machine;  // see model::AgentBatch
  std::string version;
  std::chrono::milliseconds interval{1'000};
  std::vector<model::ProbeReport> start_probes;  // what start-up had to report, e.g. a source that did not start
  bool only_seen_namespaces = false;             // as NamespaceTable
  // Adds to every batch what was observed besides flows; called on the agent's loop. Empty = nothing.
  std::function<void(model::AgentBatch&)> contribute;
};

// Thread: the agent's loop, all calls.
class Collector {
 public:
  using Submit = std::function<void(model::AgentBatch)>;  // takes batches without sequence

  // `source` and `clock` outlive the collector.
  Collector(CollectorOptions options, Source& source, Submit submit, const Clock& clock);

  // Does what is due and returns the time until the next thing will be. `woken`: the source's descriptor is readable.
  Nanos RunDue(bool woken = false);
  // Collects once more, whatever the time.
  void Finish();

 private:
  void Collect(const Tick& tick);

  const CollectorOptions options_;
  Source& source_;
  const Submit submit_;
  const Clock& clock_;
  Schedule schedule_;
  source::NamespaceTable namespaces_;
  Nanos poll_due_;  // monotonic
  RateLimit failure_log_{std::chrono::seconds(30)};
};

// The agent's part of the metric catalogue, as it goes into batches.
std::vector<model::AgentCounter> ReadAgentCounters();

}  // namespace weir::agent

#include "agent/collector.h"

#include <algorithm>
#include <utility>

#include "base/metrics.h"

namespace weir::agent {

Collector::Collector(CollectorOptions options, Source& source, Submit submit, const Clock& clock)
    : options_(std::move(options)),
      source_(source),
      submit_(std::move(submit)),
      clock_(clock),
      schedule_(options_.interval, clock),
      namespaces_(source::HostNetNamespace(), options_.only_seen_namespaces),
      poll_due_(clock.MonotonicNanos()) {}

Nanos Collector::RunDue(bool woken) {
  const auto poll_period = [this] { return Nanos{std::chrono::nanoseconds(source_.poll_period()).count()}; };
  if (woken || (poll_period() > 0 && clock_.MonotonicNanos() >= poll_due_)) {
    source_.Poll();
    poll_due_ = clock_.MonotonicNanos() + poll_period();
  }
  if (clock_.MonotonicNanos() >= schedule_.due()) {
    const Tick tick = schedule_.Take();
    if (tick.late) Count(Metric::agent_ticks_late);
    Collect(tick);
  }
  const Nanos next = poll_period() > 0 ? std::min(poll_due_, schedule_.due()) : schedule_.due();
  return std::max<Nanos>(next - clock_.MonotonicNanos(), 0);
}

void Collector::Finish() { Collect(schedule_.Finish()); }

void Collector::Collect(const Tick& tick) {
  Collection collection;
  const Status status = source_.Collect(clock_.MonotonicNanos(), collection);
  Count(Metric::agent_ticks);
  model::AgentBatch batch;
  batch.agent_id = options_.agent_id;
  batch.node = options_.node;
  batch.machine = options_.machine;
  batch.start = tick.start;
  batch.end = tick.end;
  batch.mode = source_.mode();
  batch.version = options_.version;
  batch.probes = source_.Probes();
  batch.probes.insert(batch.probes.end(), options_.start_probes.begin(), options_.start_probes.end());
  if (!status.ok()) {
    // The interval is sent all the same: that collecting fails is what the server must hear most of all.
    batch.probes.push_back({"collect", "failed", status.message(), "see the agent's log"});
    if (uint64_t suppressed = 0; failure_log_.Allow(&suppressed)) {
      LogError("collecting failed: {} (and {} more since the last message)", status.message(), suppressed);
    }
  }
  if (options_.contribute) options_.contribute(batch);
  source_.OnBatch(batch);
  namespaces_.Merge(clock_.MonotonicNanos(), collection.reports, batch.namespaces);
  batch.counters = ReadAgentCounters();
  batch.local_addresses = std::move(collection.local_addresses);
  batch.reports = std::move(collection.reports);
  batch.resolved = std::move(collection.resolved);
  submit_(std::move(batch));
}

std::vector<model::AgentCounter> ReadAgentCounters() {
  std::vector<model::AgentCounter> counters;
  for (size_t i = 0; i < kMetricCount; ++i) {
    const std::string_view name = MetricCatalogue()[i].name;
    if (name.starts_with("weir_agent_")) counters.push_back({std::string(name), Read(static_cast<Metric>(i))});
  }
  return counters;
}

}  // namespace weir::agent

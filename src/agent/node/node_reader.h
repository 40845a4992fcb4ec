// One reading of everything the node signals come from: what changes fast with every pass, what is costly or slow
// every five seconds. Keeps the report of what was found.
#pragma once

#include <chrono>
#include <vector>

#include "agent/node/drop_reader.h"
#include "agent/node/host_reader.h"
#include "agent/node/network_reader.h"
#include "agent/node/probe_list.h"
#include "agent/node/sample_table.h"
#include "base/clock.h"

namespace weir::agent::node {

// Thread: one.
class NodeReader {
 public:
  // `clock` outlives the reader.
  NodeReader(std::chrono::milliseconds interval, const Clock& clock);

  // See NetworkReader.
  void KeepTo(std::string group) { network_.KeepTo(std::move(group)); }
  // In the network namespace that is to be the node's own. `drops`: count what the kernel drops, by eBPF.
  Status Open(bool drops);
  void Pass();
  // Reads what moves fast once more, for Show() alone.
  void Look();
  NodeSnapshot Show();

  std::vector<model::NodeSample> TakeSamples() { return table_.Take(); }
  std::vector<model::NetNamespace> TakeNamespaces() { return network_.TakeNamespaces(); }
  std::vector<Rise> TakeRises() { return network_.TakeRises(); }
  std::vector<RateTarget> RateTargets(size_t limit) const { return network_.RateTargets(limit); }
  ProbeList& probes() { return probes_; }

 private:
  // Whether `period` has gone by since it last had, with some room for a timer that is early.
  static bool IsDue(Nanos now, Nanos period, Nanos& last);
  void SetPeriod(Nanos nanos) { table_.SetPeriod(static_cast<uint32_t>(nanos / 1'000'000)); }

  const Nanos interval_;
  const Clock& clock_;
  ProbeList probes_;
  CounterBoard board_;
  SampleTable table_;
  NetworkReader network_;
  HostReader host_;
  DropReader drops_;
  Nanos devices_read_ = 0;  // monotonic; 0 = never
  Nanos slow_read_ = 0;
};

}  // namespace weir::agent::node

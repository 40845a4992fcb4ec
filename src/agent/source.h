// Source: something the agent collects flows from, once per interval. The eBPF source and the degraded
// sock_diag source are the two; the agent uses the first one that starts.
#pragma once

#include <chrono>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "model/side_report.h"

namespace weir::agent {

// Everything learnt since the previous Collect().
struct Collection {
  std::vector<model::SideReport> reports;
  std::vector<model::Address> local_addresses;
};

// Thread: the agent's loop, all calls.
class Source {
 public:
  virtual ~Source() = default;
  virtual std::string_view mode() const = 0;  // "ebpf" | "sock_diag"
  // kUnsupported / kDenied: this kernel or this process cannot; the message carries the remedy.
  virtual Status Start() = 0;
  // Cheap work between collections, e.g. draining the ring buffer; called every poll_period().
  virtual void Poll() = 0;
  virtual std::chrono::milliseconds poll_period() const = 0;
  virtual Status Collect(Nanos now_monotonic, Collection& out) = 0;
  virtual std::vector<model::ProbeReport> Probes() const = 0;
  // The batch of the last Collect(), complete but for that collection and the agent's counters.
  virtual void OnBatch(const model::AgentBatch&) {}
};

}  // namespace weir::agent

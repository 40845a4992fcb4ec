// Source: something the agent collects flows from, once per interval. The eBPF source and the degraded
// sock_diag source are the two; the agent uses the first one that starts.
#pragma once

#include <chrono>
#include <string_view>
#include <vector>

#include "agent/budget/restraint.h"
#include "agent/kernel/program_time.h"
#include "base/clock.h"
#include "base/status.h"
#include "model/side_report.h"

namespace weir::agent {

// Everything learnt since the previous Collect().
struct Collection {
  std::vector<model::SideReport> reports;
  std::vector<model::Address> local_addresses;
  std::vector<model::ResolvedName> resolved;
};

// Thread: the agent's loop, all calls.
class Source {
 public:
  virtual ~Source() = default;
  virtual std::string_view mode() const = 0;  // "ebpf" | "sock_diag"
  // kUnsupported / kDenied: this kernel or this process cannot; the message carries the remedy.
  virtual Status Start() = 0;
  // Cheap work between collections, e.g. draining the ring buffer; called every poll_period(), which may change with
  // it, and when wake_fd() is readable.
  virtual void Poll() = 0;
  virtual std::chrono::milliseconds poll_period() const = 0;  // 0 = not before the next collection
  // -1 = there is none. May change with every call of Poll() and Collect().
  virtual int wake_fd() const { return -1; }
  virtual Status Collect(Nanos now_monotonic, Collection& out) = 0;
  virtual std::vector<model::ProbeReport> Probes() const = 0;
  // What could be given up here to save CPU or memory, whether it is or not.
  virtual GivenUpMask Dispensable() const { return 0; }
  // From now on, what the restraint has is not observed; the probes say so. Again what it does not have.
  virtual void Restrain(const Restraint&) {}
  // Of the kernel programs behind it.
  virtual kernel::ProgramTime KernelTime() const { return {}; }
  // The batch of the last Collect(), complete but for that collection and the agent's counters.
  virtual void OnBatch(const model::AgentBatch&) {}
};

// Hands every call to another source. What stands around a source derives from it and overrides only what it changes,
// so that no call gets lost on the way.
class ForwardingSource : public Source {
 public:
  std::string_view mode() const override { return inner().mode(); }
  Status Start() override { return inner().Start(); }
  void Poll() override { inner().Poll(); }
  std::chrono::milliseconds poll_period() const override { return inner().poll_period(); }
  int wake_fd() const override { return inner().wake_fd(); }
  Status Collect(Nanos now_monotonic, Collection& out) override { return inner().Collect(now_monotonic, out); }
  std::vector<model::ProbeReport> Probes() const override { return inner().Probes(); }
  GivenUpMask Dispensable() const override { return inner().Dispensable(); }
  void Restrain(const Restraint& restraint) override { inner().Restrain(restraint); }
  kernel::ProgramTime KernelTime() const override { return inner().KernelTime(); }
  void OnBatch(const model::AgentBatch& batch) override { inner().OnBatch(batch); }

 protected:
  // Lives as long as this.
  virtual Source& inner() const = 0;
};

}  // namespace weir::agent

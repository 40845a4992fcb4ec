// OptionalSource: something the agent observes, when asked to, beside its source of TCP flows. It adds reports and
// probes of its own; that it cannot start or stops working is said by a probe and never keeps the agent from running.
#pragma once

#include <memory>
#include <vector>

#include "agent/source.h"

namespace weir::agent {

// Thread: the agent's loop, all calls.
class OptionalSource {
 public:
  virtual ~OptionalSource() = default;
  // With the privileges the process was started with, which are gone afterwards.
  virtual void Start() = 0;
  // Cheap work between collections, whenever the main source polls.
  virtual void Poll() = 0;
  // Whether that is needed several times a second, although the main source has nothing to do.
  virtual bool NeedsPolls() const { return true; }
  // Appends what was learnt since the last call; local addresses in ascending order.
  virtual void Collect(Nanos now_monotonic, Collection& out) = 0;
  // What the main source observed in the same interval, after Collect().
  virtual void Saw(const std::vector<model::SideReport>&) {}
  virtual std::vector<model::ProbeReport> Probes() const = 0;
  // As of Source.
  virtual GivenUpMask Dispensable() const { return 0; }
  virtual void Restrain(const Restraint&) {}
  virtual kernel::ProgramTime KernelTime() const { return {}; }
  virtual void OnBatch(const model::AgentBatch&) {}
};

// `main` with `options` beside it: they start after it and outlive it, are polled and collected before it, and their
// reports stand behind its own.
std::unique_ptr<Source> WithOptions(std::unique_ptr<Source> main, std::vector<std::unique_ptr<OptionalSource>> options);

}  // namespace weir::agent

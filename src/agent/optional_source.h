// OptionalSource: something the agent observes beside the sockets' counters when it is asked to. It adds reports and
// probes of its own; that it cannot start, or stops working, is a probe's report and never the agent's failure.
#pragma once

#include <memory>
#include <vector>

#include "agent/source.h"

namespace weir::agent {

// Thread: the agent's loop, all calls.
class OptionalSource {
 public:
  virtual ~OptionalSource() = default;
  // While the process still has the privileges it was started with.
  virtual void Start() = 0;
  // Cheap work between collections; at least every 100 ms.
  virtual void Poll() = 0;
  // Appends what was learnt since the last call.
  virtual void Collect(Nanos now_monotonic, Collection& out) = 0;
  virtual std::vector<model::ProbeReport> Probes() const = 0;
};

// `main` with `options` beside it: they start after it, are polled and collected before it, and outlive it.
std::unique_ptr<Source> WithOptions(std::unique_ptr<Source> main, std::vector<std::unique_ptr<OptionalSource>> options);

}  // namespace weir::agent

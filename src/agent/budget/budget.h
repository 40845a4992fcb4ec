// Budget: measures what the agent uses, and restrains its sources when that is more than it may.
//
// CPU is that of the agent's threads, and that of its kernel programs where the kernel counts it
// (kernel.bpf_stats_enabled, which the agent never switches on: counting costs). Memory is the process's resident set.
//
// Thread: the agent's loop, all calls.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "agent/budget/ladder.h"
#include "agent/budget/restraint.h"
#include "agent/kernel/program_time.h"
#include "base/clock.h"
#include "model/side_report.h"

namespace weir::agent::budget {

// As read at one moment; all but memory only grow.
struct Reading {
  Nanos at = 0;  // monotonic
  Nanos threads = 0;
  kernel::ProgramTime programs;
  uint64_t memory_bytes = 0;
};

// The process's resident set, from /proc/self/statm; 0 when it cannot be read.
uint64_t ResidentBytes();

class Budget {
 public:
  struct Wiring {
    std::function<Reading()> read;
    std::function<GivenUpMask()> there;  // what could be given up
    std::function<void(const Restraint&)> restrain;
  };
  Budget(Limits limits, Wiring wiring) : limits_(limits), wiring_(std::move(wiring)), ladder_(limits) {}

  // Once per interval: measures, decides, acts, and adds the probe "budget" where there is one.
  void OnInterval(model::AgentBatch& batch);

 private:
  Usage Measure(const Reading& now);
  void Act(const Ladder::Decision& decision, const Usage& usage);
  std::string Cause(const Usage& usage) const;
  model::ProbeReport Probe(const Usage& usage) const;

  const Limits limits_;
  const Wiring wiring_;
  Ladder ladder_;
  Restraint restraint_;
  std::optional<Reading> last_;
  bool programs_known_ = false;
};

}  // namespace weir::agent::budget

// The CPU time of the agent's own threads, wherever they run: in `weir up` the server's are not among them.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace weir::agent::budget {

// The calling thread is one of the agent's from now until it ends. Any thread, any number of times.
void CountThisThread();

// When a thread that wakes gets the CPU, on a node whose CPUs are all busy; its fair share is the same (sched(7)).
enum class Wake : uint8_t {
  kAtOnce,  // SCHED_OTHER: it may interrupt who is running
  kInGaps,  // SCHED_BATCH: it interrupts nobody. A burst of a millisecond delays no request then
};
// The calling thread, and those it makes later unless they say otherwise.
void WakeThisThread(Wake wake);

// What all threads that were ever counted have used. Any thread.
Nanos CpuOfAgentThreads();

}  // namespace weir::agent::budget

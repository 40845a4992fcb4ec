// The CPU time of the agent's own threads, wherever they run: in `weir up` the server's are not among them.
#pragma once

#include "base/clock.h"

namespace weir::agent::budget {

// The calling thread is one of the agent's from now until it ends. Any thread, any number of times.
void CountThisThread();

// What all threads that were ever counted have used. Any thread.
Nanos CpuOfAgentThreads();

}  // namespace weir::agent::budget

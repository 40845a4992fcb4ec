// When to collect, and what interval a collection stands for.
//
// Ticks fall on wall-clock multiples of the interval, so that the intervals of all nodes coincide and the
// server can join both ends of a flow. Between ticks only monotonic time counts: a wall clock that jumps
// disturbs one interval's length on paper, never the collecting itself. CLOCK_MONOTONIC stands still while
// the machine sleeps, so an interval with a sleep in it is reported as short as it was for the sockets.
#pragma once

#include <chrono>

#include "base/clock.h"

namespace weir::agent {

struct Tick {
  UnixMillis start = 0;  // > 0
  UnixMillis end = 0;    // >= start
  bool late = false;     // began more than half an interval after its time
};

// Thread: one at a time.
class Schedule {
 public:
  // `clock` outlives the schedule. The first interval starts now and ends at the next multiple.
  Schedule(std::chrono::milliseconds interval, const Clock& clock);

  Nanos due() const { return due_; }  // monotonic
  // To be called once the clock has reached due(): ends the interval and plans the next.
  Tick Take();
  // Ends the interval now, before its time.
  Tick Finish();

 private:
  void Plan();
  Tick Close(Nanos wall_end);

  const Nanos interval_;
  const Clock& clock_;
  Nanos due_ = 0;            // monotonic
  Nanos last_wall_end_ = 0;  // of the interval before
  Nanos last_monotonic_ = 0;
};

}  // namespace weir::agent

// The kernel's tick: counters of time in sockets are in jiffies, and the configuration (CONFIG_HZ) cannot be read
// everywhere.
#pragma once

#include <cstdint>
#include <ctime>

namespace weir::agent::kernel {

// Microseconds of a jiffy: the resolution of the coarse clocks (kernel/time/posix-timers.c).
inline uint64_t JiffyMicros() {
  static const uint64_t kMicros = [] {
    timespec resolution{};
    clock_getres(CLOCK_MONOTONIC_COARSE, &resolution);
    return resolution.tv_nsec < 1'000 ? uint64_t{4'000} : static_cast<uint64_t>(resolution.tv_nsec) / 1'000;
  }();
  return kMicros;
}

}  // namespace weir::agent::kernel

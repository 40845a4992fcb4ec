#include "base/clock.h"

#include <ctime>

namespace weir {
namespace {

Nanos Read(clockid_t id) {
  timespec t{};
  clock_gettime(id, &t);
  return static_cast<Nanos>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}

}  // namespace

Nanos SystemClock::WallNanos() const { return Read(CLOCK_REALTIME); }
Nanos SystemClock::MonotonicNanos() const { return Read(CLOCK_MONOTONIC); }

}  // namespace weir

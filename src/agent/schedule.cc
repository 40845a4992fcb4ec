#include "agent/schedule.h"

#include <algorithm>
#include <cstdlib>

#include "wire/batch_codec.h"

namespace weir::agent {
namespace {

constexpr Nanos kMillisecond = 1'000'000;

}  // namespace

Schedule::Schedule(std::chrono::milliseconds interval, const Clock& clock)
    : interval_(std::chrono::nanoseconds(interval).count()),
      clock_(clock),
      last_wall_end_(clock.WallNanos()),
      last_monotonic_(clock.MonotonicNanos()) {
  Plan();
}

void Schedule::Plan() {
  const Nanos wall = clock_.WallNanos();
  Nanos wait = interval_ - wall % interval_;
  // NTP slews the wall clock against the monotonic one, so a tick can come just before its multiple. The next
  // one is then not the same multiple again.
  if (wait < interval_ / 8) wait += interval_;
  due_ = clock_.MonotonicNanos() + wait;
}

Tick Schedule::Take() {
  const bool late = clock_.MonotonicNanos() - due_ > interval_ / 2;
  // The multiple that was meant, whether the tick came a little before or after it; the last one when late.
  const Nanos wall = clock_.WallNanos() + interval_ / 8;
  Tick tick = Close(wall - wall % interval_);
  tick.late = late;
  Plan();
  return tick;
}

Tick Schedule::Finish() {
  Tick tick = Close(std::max(clock_.WallNanos(), last_wall_end_ + kMillisecond));
  Plan();
  return tick;
}

Tick Schedule::Close(Nanos wall_end) {
  const Nanos elapsed = clock_.MonotonicNanos() - last_monotonic_;
  Nanos wall_start = last_wall_end_;
  const bool stepped = std::abs(wall_end - wall_start - elapsed) > interval_;
  if (stepped || wall_start >= wall_end) wall_start = wall_end - std::max(elapsed, kMillisecond);
  wall_start = std::max(wall_start, wall_end - wire::kMaxIntervalMs * kMillisecond);
  last_wall_end_ = wall_end;
  last_monotonic_ += elapsed;
  // A board without a battery boots in 1970; zero and less are not times.
  const UnixMillis start = std::max<UnixMillis>(wall_start / kMillisecond, 1);
  return {.start = start, .end = std::max(wall_end / kMillisecond, start)};
}

}  // namespace weir::agent

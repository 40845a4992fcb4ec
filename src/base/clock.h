// Time, injected so that tests never sleep. Wall time is Unix milliseconds or nanoseconds; monotonic time is
// the kernel's CLOCK_MONOTONIC, the clock bpf_ktime_get_ns() reads.
#pragma once

#include <cstdint>
#include <string>

namespace weir {

using UnixMillis = int64_t;  // milliseconds since 1970-01-01T00:00:00Z
using Nanos = int64_t;

// 2200-01-01: what the time types of the store can hold. Nothing that comes from elsewhere may be later.
inline constexpr UnixMillis kLatestTime = 7'258'118'400'000;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Nanos WallNanos() const = 0;
  virtual Nanos MonotonicNanos() const = 0;
  UnixMillis WallMillis() const { return WallNanos() / 1'000'000; }
  // Milliseconds the wall clock was set ahead since it read `stamp`: that much less has really passed.
  virtual int64_t SkippedSince(UnixMillis) const { return 0; }
  // What is wrong with this clock, in sentences for a person; "" = nothing known.
  virtual std::string Trouble() const { return ""; }
};

// Thread-safe.
class SystemClock final : public Clock {
 public:
  Nanos WallNanos() const override;
  Nanos MonotonicNanos() const override;
};

// A clock a test moves by hand. Not thread-safe.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(Nanos wall = 1'700'000'000'000'000'000) : wall_(wall) {}
  Nanos WallNanos() const override { return wall_; }
  Nanos MonotonicNanos() const override { return monotonic_; }
  void Advance(Nanos by) {
    wall_ += by;
    monotonic_ += by;
  }
  void StepWall(Nanos by) { wall_ += by; }

 private:
  Nanos wall_;
  Nanos monotonic_ = 1'000'000'000;
};

}  // namespace weir

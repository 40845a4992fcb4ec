// A wall clock that survives jumps of the machine's own.
//
// It goes with the time since boot, takes over small corrections of the system's clock at once, and a step only when
// it has lasted: somebody's mistake of half a minute changes nothing. A step forward it took over is remembered, so
// that nothing is taken for older than it is by elapsed time. What it knows can be kept in a file, so that a restart
// does not forget it.
#pragma once

#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"

namespace weir {

// Several clocks of the machine at one moment.
struct ClockReading {
  Nanos wall = 0;             // CLOCK_REALTIME
  Nanos monotonic = 0;        // CLOCK_MONOTONIC
  Nanos since_boot = 0;       // CLOCK_BOOTTIME: goes on while the machine sleeps, never jumps
  bool synchronised = false;  // the kernel says that NTP holds the wall clock
};
ClockReading ReadMachineClocks();
// Of this boot of the kernel; "" when it cannot be read.
std::string ReadBootId();

// Thread-safe, but for Load().
class DisciplinedClock final : public Clock {
 public:
  static constexpr Nanos kFollow = 1'000'000'000;                 // corrections up to this are taken over at once
  static constexpr Nanos kPatience = 120LL * 1'000'000'000;       // how long a step must last
  static constexpr Nanos kPatienceInSync = 10LL * 1'000'000'000;  // when NTP holds the clock
  static constexpr size_t kMaxJumps = 64;

  explicit DisciplinedClock(std::function<ClockReading()> read = ReadMachineClocks, std::string boot_id = ReadBootId());

  // What an earlier process kept. Once, before any reading is used. A file that cannot be read is as good as none.
  void Load(const std::filesystem::path& file);
  // kExhausted, kDenied...: nothing was kept; the file is as before.
  Status Save(const std::filesystem::path& file) const;

  Nanos WallNanos() const override;
  Nanos MonotonicNanos() const override { return read_().monotonic; }
  int64_t SkippedSince(UnixMillis stamp) const override;
  std::string Trouble() const override;

 private:
  struct Jump {
    Nanos at = 0;  // this clock, before
    Nanos by = 0;
  };
  struct Step {
    Nanos by = 0;
    Nanos since_boot = 0;  // when it was seen first
  };

  Nanos Advance(const ClockReading& reading) const;
  void TakeOver(const ClockReading& reading, Nanos by, Nanos before) const;
  void Remember(Jump jump) const;

  const std::function<ClockReading()> read_;
  const std::string boot_id_;

  mutable std::mutex mutex_;
  mutable Nanos offset_ = 0;          // this clock minus the time since boot
  mutable std::optional<Step> step_;  // under observation
  mutable std::vector<Jump> jumps_;   // forward, oldest first
  mutable std::optional<Jump> last_;  // the last step taken over, in either direction
};

}  // namespace weir

#include "base/disciplined_clock.h"

#include <fmt/format.h>
#include <sys/timex.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <utility>

#include "base/log.h"
#include "base/metrics.h"

namespace weir {
namespace {

constexpr Nanos kSecond = 1'000'000'000;
constexpr Nanos kTellFor = 24LL * 3600 * kSecond;  // a step taken over is told for so long

Nanos Now(clockid_t id) {
  timespec time{};
  clock_gettime(id, &time);
  return static_cast<Nanos>(time.tv_sec) * kSecond + time.tv_nsec;
}

std::string InWords(Nanos by) {
  const Nanos seconds = std::abs(by) / kSecond;
  if (seconds >= 2 * 86'400) return fmt::format("{} days", seconds / 86'400);
  if (seconds >= 2 * 3'600) return fmt::format("{} hours", seconds / 3'600);
  return seconds >= 120 ? fmt::format("{} minutes", seconds / 60) : fmt::format("{} seconds", seconds);
}

}  // namespace

ClockReading ReadMachineClocks() {
  ClockReading reading{Now(CLOCK_REALTIME), Now(CLOCK_MONOTONIC), Now(CLOCK_BOOTTIME), false};
  timex state{};
  const bool kernel_knows = adjtimex(&state) != TIME_ERROR && (state.status & STA_UNSYNC) == 0;
  // What the kernel says is about its own clock; under a time namespace or a library that fakes time ours is another.
  const Nanos kernel = static_cast<Nanos>(state.time.tv_sec) * kSecond;
  reading.synchronised = kernel_knows && std::abs(kernel - reading.wall) < 2 * kSecond;
  return reading;
}

std::string ReadBootId() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

DisciplinedClock::DisciplinedClock(std::function<ClockReading()> read, std::string boot_id)
    : read_(std::move(read)), boot_id_(std::move(boot_id)) {
  const ClockReading reading = read_();
  offset_ = reading.wall - reading.since_boot;
}

void DisciplinedClock::Load(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string boot_id;
  Nanos since_boot = 0;
  Nanos wall = 0;
  if (!(in >> boot_id >> since_boot >> wall) || since_boot < 0 || wall < 0) return;
  const std::lock_guard lock(mutex_);
  for (Jump jump; jumps_.size() < kMaxJumps && in >> jump.at >> jump.by;) {
    if (jump.by > 0) jumps_.push_back(jump);
  }
  const ClockReading reading = read_();
  if (!boot_id_.empty() && boot_id == boot_id_ && reading.since_boot >= since_boot) {
    offset_ = wall - since_boot;
    return;
  }
  // The machine was off, nobody knows for how long but its clock. Unless NTP vouches for it, the gap counts for
  // nothing: what is stored is kept for longer rather than dropped too early.
  const Nanos gap = reading.wall - wall;
  if (gap > kPatience && !reading.synchronised) Remember({wall, gap});
}

Status DisciplinedClock::Save(const std::filesystem::path& file) const {
  std::string text;
  {
    const std::lock_guard lock(mutex_);
    const ClockReading reading = read_();
    text = fmt::format("{} {} {}\n", boot_id_.empty() ? "-" : boot_id_, reading.since_boot, Advance(reading));
    for (const Jump& jump : jumps_) text += fmt::format("{} {}\n", jump.at, jump.by);
  }
  // Written beside and renamed: there is always a whole file or the one before.
  const std::string fresh = file.string() + ".new";
  {
    std::ofstream out(fresh, std::ios::trunc);
    out << text << std::flush;
    if (!out) return Status::FromErrno(errno, fmt::format("write {}", fresh));
  }
  if (std::rename(fresh.c_str(), file.c_str()) != 0) return Status::FromErrno(errno, fmt::format("rename {}", fresh));
  return Status::Ok();
}

Nanos DisciplinedClock::WallNanos() const {
  const std::lock_guard lock(mutex_);
  return Advance(read_());
}

Nanos DisciplinedClock::Advance(const ClockReading& reading) const {
  const Nanos before = reading.since_boot + offset_;
  const Nanos by = reading.wall - before;
  if (std::abs(by) <= kFollow) {
    offset_ += by;
    step_.reset();
    return reading.wall;
  }
  if (!step_ || std::abs(by - step_->by) > kFollow) {
    step_ = {by, reading.since_boot};
    Count(Metric::server_clock_steps);
    LogWarn("the clock of this machine was set {} by {}; going on with the time it had until that has lasted",
            by > 0 ? "ahead" : "back", InWords(by));
  }
  const Nanos patience = reading.synchronised ? kPatienceInSync : kPatience;
  if (reading.since_boot - step_->since_boot < patience) return before;
  TakeOver(reading, by, before);
  return reading.wall;
}

void DisciplinedClock::TakeOver(const ClockReading& reading, Nanos by, Nanos before) const {
  offset_ = reading.wall - reading.since_boot;
  step_.reset();
  last_ = {before, by};
  if (by > 0) Remember({before, by});
  LogWarn("the clock of this machine has been {} by {} for a while; that is the time from now on",
          by > 0 ? "ahead" : "back", InWords(by));
}

void DisciplinedClock::Remember(Jump jump) const {
  jumps_.push_back(jump);
  if (jumps_.size() <= kMaxJumps) return;
  // Two become one at the later place: what lies between counts as younger than it is.
  jumps_[1].by += jumps_[0].by;
  jumps_.erase(jumps_.begin());
}

int64_t DisciplinedClock::SkippedSince(UnixMillis stamp) const {
  const std::lock_guard lock(mutex_);
  Nanos skipped = 0;
  for (const Jump& jump : jumps_) {
    if (jump.at / 1'000'000 >= stamp) skipped += jump.by;
  }
  return skipped / 1'000'000;
}

std::string DisciplinedClock::Trouble() const {
  const std::lock_guard lock(mutex_);
  const Nanos now = Advance(read_());
  if (step_) {
    return fmt::format(
        "The clock of this machine was set {} by {}: Weir goes on with the time it had before until the new one has"
        " lasted two minutes. Check the clock and run NTP (chrony, systemd-timesyncd).",
        step_->by > 0 ? "ahead" : "back", InWords(step_->by));
  }
  if (!last_) return "";
  if (last_->by > 0 && now - last_->at - last_->by < kTellFor) {
    return fmt::format(
        "The clock of this machine was set ahead by {}: rows from before are as much further back in time; none is"
        " dropped for it.",
        InWords(last_->by));
  }
  if (last_->by < 0 && now - last_->at < kTellFor) {
    return fmt::format(
        "The clock of this machine was set back by {}: rows stored while it was ahead carry times as far in the future;"
        " a question whose end (until) lies there shows them.",
        InWords(last_->by));
  }
  return "";
}

}  // namespace weir

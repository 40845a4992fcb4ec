// The last 30 s of traffic of a few interfaces in steps of 10 ms, for a look at the moments before a limit was hit.
//
// A hundred readings a second cost 0.4 % of a core, so that is for interfaces that carry something: below
// kBusyBytesPerSecond on all of them the steps are 200 ms, and a rise is noticed after one of these.
//
// What it can see: bursts of 10 ms and longer, in bytes and packets, as far as the driver's counters are fresh. What
// it cannot: a burst of 1 ms at line rate looks like 10 ms at a tenth of it; drivers that refresh their counters by a
// timer (some cards every second or two) show steps of that length; and a step is longer where the thread got no CPU
// in time, which its length says. Interfaces of other network namespaces are not in it: pods on bridges and veth
// pairs are seen at the node's end of the pair.
//
// Budget: when a round of readings takes more than kMaxRoundNanos on average, the last interfaces are left out.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "agent/node/link_message.h"
#include "agent/node/network_reader.h"
#include "base/clock.h"
#include "model/node_report.h"

namespace weir::agent::node {

inline constexpr Nanos kRatePeriod = 10'000'000;
inline constexpr Nanos kIdleRatePeriod = 200'000'000;
inline constexpr Nanos kBusyFor = 5'000'000'000;            // of 10 ms steps after the last busy one
inline constexpr uint64_t kBusyBytesPerSecond = 1'000'000;  // both directions, of one interface
inline constexpr size_t kRateSlots = 3'000;                 // 30 s
inline constexpr size_t kMaxRateInterfaces = 16;            // 2 MB of ring
inline constexpr Nanos kMaxRoundNanos = 200'000;            // 2 % of a CPU

// Thread: "weir-rates" reads; the other calls are for the thread that reads the node's limits.
class RateRing {
 public:
  using Read = std::function<Result<LinkCounters>(uint32_t ifindex)>;

  // `clock` outlives the ring. `read` is called on the ring's thread.
  RateRing(Read read, const Clock& clock) : read_(std::move(read)), clock_(clock) {}
  ~RateRing() { Stop(); }

  // Calls `on_thread` first, e.g. to lower privileges.
  void Start(std::function<void()> on_thread);
  void Stop();

  // While paused nothing is read, and what was is forgotten.
  void Pause(bool paused);
  // Which interfaces to read, most important first. What is known of those that stay is kept.
  void Track(const std::vector<RateTarget>& targets);
  // One round.
  void Step();
  // Until the next round.
  Nanos Period() const;
  // What is held of (from, until], monotonic; event and cause are the caller's to fill. nullopt: less than one step.
  std::optional<model::RateWindow> Cut(uint32_t ifindex, Nanos from, Nanos until) const;
  // Interfaces read, of those tracked, e.g. for the probe report.
  std::pair<size_t, size_t> coverage() const;

 private:
  struct Reading {
    Nanos at = 0;  // monotonic
    LinkCounters counters;
  };
  struct History {
    RateTarget target;
    std::deque<Reading> readings;  // at most kRateSlots
  };

  void NoteTraffic(const Reading& before, const Reading& now);
  void Judge(Nanos round);

  const Read read_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<History> tracks_;
  size_t limit_ = kMaxRateInterfaces;
  Nanos busy_until_ = 0;
  Nanos spent_ = 0;  // of the rounds since the last judgement
  size_t rounds_ = 0;
  bool stopping_ = false;
  bool paused_ = false;
  std::thread thread_;
};

}  // namespace weir::agent::node

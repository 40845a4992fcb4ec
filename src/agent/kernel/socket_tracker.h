// SocketTracker: where records come from. KernelTracker is the real one; tests of what follows use their own.
#pragma once

#include <cstdint>
#include <set>
#include <span>

#include "agent/kernel/program_time.h"
#include "agent/kernel/record_sink.h"
#include "base/clock.h"
#include "base/status.h"

namespace weir::agent::kernel {

// What the kernel side lost or dropped since it was loaded (bpf/abi.h, weir_counter).
struct KernelLosses {
  uint64_t map_full = 0;
  uint64_t ring_full = 0;
  uint64_t ring_full_bytes = 0;
  uint64_t stale = 0;
  uint64_t arrivals_full = 0;
};

// Thread: one, all calls.
class SocketTracker {
 public:
  virtual ~SocketTracker() = default;
  // Hands over what is in the ring.
  virtual void DrainRing(RecordSink& sink) = 0;
  // Hands over every socket that changed since its last record, or every socket when `complete`, and what is
  // in the ring. kUnavailable: it broke off; the next one will make up for it.
  virtual Status Snapshot(bool complete, RecordSink& sink) = 0;
  // Learns sockets older than the tracker, and whose the accepted ones are.
  virtual Status ReadExisting() = 0;
  virtual KernelLosses Losses() = 0;
  // Something is lost on its way to sockets of these control groups: watch what arrives there for a while. To be called
  // once per interval, also without any.
  virtual void OnReceiveLoss(std::span<const uint64_t> cgroup_ids, Nanos now_monotonic) = 0;
  // Nobody's arrivals are watched while suspended; again when somebody's are lost, or all where all were.
  virtual void SuspendArrivals(bool) {}
  // Of connections to these ports, from now on, the process that closes them is learnt where no other is known.
  virtual void LearnHolders(const std::set<uint16_t>& /*ports*/) {}
  // A descriptor that is readable while the ring holds records; -1 = there is none, and the ring is to be drained now
  // and then. Valid as long as the tracker.
  virtual int ring_fd() const { return -1; }
  // While somebody waits for ring_fd(), the first record in an empty ring wakes them; else records wake nobody.
  virtual void WakeForRecords(bool) {}
  virtual ProgramTime Programs() const { return {}; }
};

}  // namespace weir::agent::kernel

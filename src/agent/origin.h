// Origin: where everything the sources of eBPF observe comes from. ThisMachine() is the running kernel and what lies
// around it; agent/recording has one that writes down what passes and one that gives it again. The sources are the
// same over each.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "agent/kernel/kernel_tracker.h"
#include "agent/nat/connection_tracking.h"
#include "agent/requests/request_probe.h"
#include "agent/source/surroundings.h"
#include "agent/udp/udp_tracker.h"
#include "base/clock.h"
#include "base/status.h"
#include "model/side_report.h"

namespace weir::agent {

// Each asks its own surroundings.
enum class Observer : uint8_t { kTcp = 0, kUdp = 1, kRequests = 2 };
inline constexpr size_t kObservers = 3;

// Outlives the sources it gives things to. Thread: the agent's loop, all calls once the sources start.
class Origin {
 public:
  virtual ~Origin() = default;
  // The clock the sources read; valid as long as the origin.
  virtual const Clock& clock() const = 0;
  virtual source::Surroundings SurroundingsOf(Observer observer) = 0;
  // Errors as for KernelTracker, UdpTracker and RequestProbe.
  virtual Result<std::unique_ptr<kernel::SocketTracker>> OpenSockets(const kernel::KernelOptions& options,
                                                                     std::vector<model::ProbeReport>& probes) = 0;
  virtual Result<std::unique_ptr<udp::UdpTracker>> OpenUdp(const udp::UdpTrackerOptions& options) = 0;
  virtual Result<std::unique_ptr<requests::RequestProbe>> OpenRequests(
      const requests::RequestProbeOptions& options) = 0;
  // As the calling thread's network namespace sees it.
  virtual std::unique_ptr<nat::ConnectionTracking> OpenTracking() = 0;
};

// `clock` outlives it.
std::unique_ptr<Origin> ThisMachine(const Clock& clock);

}  // namespace weir::agent

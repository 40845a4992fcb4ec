// What an agent says of its node's limits: samples of the signals in node_signals.h, and the traffic around the
// moments when a limit was hit, in steps of about 10 ms.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "model/node_signals.h"

namespace weir::model {

struct NodeSample {
  NodeSignal signal = NodeSignal::node_pass_us;
  std::string subject;     // see SignalScope
  uint32_t netns = 0;      // inode of the network namespace; 0 = of no namespace, or of the agent's own
  uint64_t value = 0;      // counter: added in the period; gauge: the level at its end. Zero additions are not sent
  UnixMillis time = 0;     // end of the period, by the agent's clock
  uint32_t period_ms = 0;  // how often the signal is read

  bool operator==(const NodeSample&) const = default;
};

// One interface around one event. All vectors have one element per step.
struct RateWindow {
  std::string subject;                          // the interface
  NodeSignal cause = NodeSignal::node_pass_us;  // whose rise froze the ring
  std::string cause_subject;
  UnixMillis event = 0;           // when the rise was noticed; it happened within the signal's period before
  UnixMillis start = 0;           // where the first step begins
  std::vector<uint32_t> step_us;  // length; longer than 10,000 where the agent got no CPU in time
  std::vector<uint64_t> rx_bytes;
  std::vector<uint64_t> tx_bytes;
  std::vector<uint64_t> rx_packets;
  std::vector<uint64_t> tx_packets;

  bool operator==(const RateWindow&) const = default;
};

inline constexpr uint64_t kMaxNodeValue = uint64_t{1} << 53;  // of a sample; beyond is nonsense and breaks sums
inline constexpr size_t kMaxNodeSamples = 20'000;             // of a batch
inline constexpr size_t kMaxRateWindows = 16;                 // of a batch
inline constexpr size_t kMaxRateSteps = 3'000;                // of a window

}  // namespace weir::model

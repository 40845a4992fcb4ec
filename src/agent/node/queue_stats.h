// Counters per device queue in one form for all drivers: generic netlink family "netdev", NETDEV_CMD_QSTATS_GET
// (Linux 6.9, Documentation/netlink/specs/netdev.yaml). The header is not on the systems Weir is built on, so its
// numbers are repeated in queue_stats.cc and in the catalogue ("qstats:13").
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "agent/node/netlink.h"
#include "model/node_signals.h"

namespace weir::agent::node {

struct QueueStats {
  uint32_t ifindex = 0;
  bool transmit = false;
  uint32_t queue = 0;
  std::vector<std::pair<model::NodeSignal, uint64_t>> values;  // those the catalogue knows
};

// Payload of a generic netlink message; nullopt when it is not about a queue.
std::optional<QueueStats> ParseQueueStats(Bytes payload);

// Thread: one.
class QueueStatsReader {
 public:
  // In the calling thread's network namespace. kUnsupported: the kernel has no such family.
  static Result<QueueStatsReader> Open();
  // All queues of all interfaces whose drivers answer. kUnsupported: the kernel does not know the command.
  Status Read(const std::function<void(const QueueStats&)>& visit);

 private:
  QueueStatsReader(NetlinkSocket socket, uint16_t family) : socket_(std::move(socket)), family_(family) {}
  NetlinkSocket socket_;
  uint16_t family_;
};

}  // namespace weir::agent::node

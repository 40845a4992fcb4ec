#include "agent/node/queue_stats.h"

#include <linux/genetlink.h>
#include <linux/netlink.h>

#include <charconv>
#include <cstring>
#include <string_view>
#include <unordered_map>

#include "agent/node/source_catalogue.h"

namespace weir::agent::node {
namespace {

// linux/netdev.h
constexpr uint8_t kQstatsGet = 12;  // NETDEV_CMD_QSTATS_GET
constexpr uint16_t kIfindex = 1;    // NETDEV_A_QSTATS_IFINDEX
constexpr uint16_t kQueueType = 2;  // NETDEV_A_QSTATS_QUEUE_TYPE: 0 receive, 1 transmit
constexpr uint16_t kQueueId = 3;    // NETDEV_A_QSTATS_QUEUE_ID
constexpr uint16_t kScope = 4;      // NETDEV_A_QSTATS_SCOPE
constexpr uint32_t kPerQueue = 1;   // NETDEV_QSTATS_SCOPE_QUEUE
constexpr std::string_view kFamily{"netdev\0", 7};

const std::unordered_map<uint16_t, model::NodeSignal>& SignalsByAttribute() {
  static auto* const signals = [] {
    auto* numbers = new std::unordered_map<uint16_t, model::NodeSignal>();
    for (const auto& [name, signal] : NamesOf("qstats")) {
      uint16_t attribute = 0;
      std::from_chars(name.data(), name.data() + name.size(), attribute);
      numbers->emplace(attribute, signal);
    }
    return numbers;
  }();
  return *signals;
}

// A generic netlink header and one attribute.
std::vector<uint8_t> Question(uint8_t command, uint8_t version, uint16_t attribute, Bytes value) {
  genlmsghdr head{};
  head.cmd = command;
  head.version = version;
  nlattr header{};
  header.nla_len = static_cast<uint16_t>(sizeof(header) + value.size());
  header.nla_type = attribute;
  std::vector<uint8_t> body(sizeof(head) + sizeof(header) + (value.size() + 3) / 4 * 4);
  std::memcpy(body.data(), &head, sizeof(head));
  std::memcpy(body.data() + sizeof(head), &header, sizeof(header));
  std::memcpy(body.data() + sizeof(head) + sizeof(header), value.data(), value.size());
  return body;
}

}  // namespace

std::optional<QueueStats> ParseQueueStats(Bytes payload) {
  if (payload.size() < sizeof(genlmsghdr)) return std::nullopt;
  QueueStats stats;
  bool has_queue = false;
  ForEachAttribute(payload.subspan(sizeof(genlmsghdr)), [&](uint16_t type, Bytes value) {
    const uint64_t number = NumberOf(value);
    if (type == kIfindex) stats.ifindex = static_cast<uint32_t>(number);
    if (type == kQueueType) stats.transmit = number == 1;
    if (type == kQueueId) {
      stats.queue = static_cast<uint32_t>(number);
      has_queue = true;
    }
    const auto signal = SignalsByAttribute().find(type);
    if (signal != SignalsByAttribute().end()) stats.values.emplace_back(signal->second, number);
  });
  return has_queue && stats.ifindex != 0 ? std::optional(std::move(stats)) : std::nullopt;
}

Result<QueueStatsReader> QueueStatsReader::Open() {
  WEIR_ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::Open(NETLINK_GENERIC));
  uint16_t family = 0;
  const auto question = Question(CTRL_CMD_GETFAMILY, 1, CTRL_ATTR_FAMILY_NAME,
                                 {reinterpret_cast<const uint8_t*>(kFamily.data()), kFamily.size()});
  const Status status = socket.Ask(GENL_ID_CTRL, question, [&](uint16_t, Bytes payload) {
    if (payload.size() < sizeof(genlmsghdr)) return;
    ForEachAttribute(payload.subspan(sizeof(genlmsghdr)), [&](uint16_t type, Bytes value) {
      if (type == CTRL_ATTR_FAMILY_ID) family = static_cast<uint16_t>(NumberOf(value));
    });
  });
  if (status.code() == Code::kNotFound || (status.ok() && family == 0)) {
    return Status::Unsupported("this kernel has no netdev family of generic netlink (Linux 6.3)");
  }
  WEIR_RETURN_IF_ERROR(status);
  return QueueStatsReader(std::move(socket), family);
}

Status QueueStatsReader::Read(const std::function<void(const QueueStats&)>& visit) {
  const auto question =
      Question(kQstatsGet, 1, kScope, {reinterpret_cast<const uint8_t*>(&kPerQueue), sizeof(kPerQueue)});
  Status status = socket_.Dump(family_, question, [&](uint16_t, Bytes payload) {
    if (const auto stats = ParseQueueStats(payload)) visit(*stats);
  });
  if (status.ok() || status.code() == Code::kDenied || status.code() == Code::kUnavailable) return status;
  return Status::Unsupported("this kernel has no queue statistics in the netdev family (Linux 6.9)");
}

}  // namespace weir::agent::node

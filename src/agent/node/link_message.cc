#include "agent/node/link_message.h"

#include <fmt/format.h>
#include <linux/gen_stats.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

namespace weir::agent::node {
namespace {

constexpr uint16_t kParentDevName = 56;  // IFLA_PARENT_DEV_NAME of linux/if_link.h
constexpr uint32_t kSixtyFourBit = 1U << (IFLA_STATS_LINK_64 - 1);

template <typename Struct>
std::optional<Struct> Head(Bytes payload) {
  if (payload.size() < sizeof(Struct)) return std::nullopt;
  Struct head;
  std::memcpy(&head, payload.data(), sizeof(head));
  return head;
}

template <typename Struct>
Bytes AsBytes(const Struct& body) {
  return {reinterpret_cast<const uint8_t*>(&body), sizeof(body)};
}

LinkCounters CountersOf(Bytes payload) {
  rtnl_link_stats64 stats{};
  std::memcpy(&stats, payload.data(), std::min(sizeof(stats), payload.size()));
  return {.rx_packets = stats.rx_packets,
          .tx_packets = stats.tx_packets,
          .rx_bytes = stats.rx_bytes,
          .tx_bytes = stats.tx_bytes,
          .rx_errors = stats.rx_errors,
          .tx_errors = stats.tx_errors,
          .rx_dropped = stats.rx_dropped,
          .tx_dropped = stats.tx_dropped,
          .rx_over = stats.rx_over_errors,
          .rx_missed = stats.rx_missed_errors};
}

void TakeQueueStats(Bytes payload, Qdisc& qdisc) {
  bool wide = false;
  ForEachAttribute(payload, [&](uint16_t type, Bytes value) {
    // gnet_stats_basic is 12 bytes and padding; the kernel sends with or without it.
    if (type == TCA_STATS_BASIC && value.size() >= 12) {
      qdisc.bytes = NumberOf(value.first(8));
      if (!wide) qdisc.packets = NumberOf(value.subspan(8, 4));
    } else if (type == TCA_STATS_PKT64) {
      qdisc.packets = NumberOf(value);
      wide = true;
    } else if (type == TCA_STATS_QUEUE) {
      if (const auto queue = Head<gnet_stats_queue>(value)) {
        qdisc.drops = queue->drops;
        qdisc.overlimits = queue->overlimits;
        qdisc.requeues = queue->requeues;
        qdisc.backlog_bytes = queue->backlog;
      }
    }
  });
}

}  // namespace

std::optional<Link> ParseLink(Bytes payload) {
  const auto head = Head<ifinfomsg>(payload);
  if (!head || head->ifi_index <= 0) return std::nullopt;
  Link link;
  link.ifindex = static_cast<uint32_t>(head->ifi_index);
  link.up = (head->ifi_flags & IFF_UP) != 0;
  link.loopback = (head->ifi_flags & IFF_LOOPBACK) != 0;
  ForEachAttribute(payload.subspan(sizeof(ifinfomsg)), [&](uint16_t type, Bytes value) {
    if (type == IFLA_IFNAME) link.name = TextOf(value);
    if (type == IFLA_STATS64) link.counters = CountersOf(value);
    if (type == kParentDevName) link.has_parent = true;
    if (type == IFLA_LINK) link.peer = static_cast<uint32_t>(NumberOf(value));
    if (type == IFLA_LINK_NETNSID) link.peer_elsewhere = true;
  });
  return link.name.empty() ? std::nullopt : std::optional(std::move(link));
}

std::optional<Qdisc> ParseQdisc(Bytes payload) {
  const auto head = Head<tcmsg>(payload);
  if (!head || head->tcm_ifindex <= 0) return std::nullopt;
  Qdisc qdisc;
  qdisc.ifindex = static_cast<uint32_t>(head->tcm_ifindex);
  qdisc.handle = head->tcm_handle;
  qdisc.parent = head->tcm_parent;
  ForEachAttribute(payload.subspan(sizeof(tcmsg)), [&](uint16_t type, Bytes value) {
    if (type == TCA_KIND) qdisc.kind = TextOf(value);
    if (type == TCA_STATS2) TakeQueueStats(value, qdisc);
  });
  return qdisc.kind.empty() ? std::nullopt : std::optional(std::move(qdisc));
}

std::optional<LinkCounters> ParseStats(Bytes payload) {
  if (payload.size() < sizeof(if_stats_msg)) return std::nullopt;
  std::optional<LinkCounters> counters;
  ForEachAttribute(payload.subspan(sizeof(if_stats_msg)), [&](uint16_t type, Bytes value) {
    if (type == IFLA_STATS_LINK_64) counters = CountersOf(value);
  });
  return counters;
}

std::string QdiscName(const Qdisc& qdisc) {
  std::string name = fmt::format("{} {:x}:", qdisc.kind, qdisc.handle >> 16);
  const bool named = qdisc.handle != 0 || qdisc.parent == TC_H_ROOT || qdisc.parent == TC_H_INGRESS;
  if (!named) name += fmt::format(" parent {:x}:{:x}", qdisc.parent >> 16, qdisc.parent & 0xffff);
  return name;
}

bool Shapes(const Qdisc& qdisc) {
  static constexpr std::array<std::string_view, 8> kShapers{"tbf", "htb", "hfsc", "cake", "cbq", "cbs", "netem", "fq"};
  return std::find(kShapers.begin(), kShapers.end(), qdisc.kind) != kShapers.end();
}

std::optional<LinkAddress> ParseAddress(Bytes payload) {
  const auto head = Head<ifaddrmsg>(payload);
  if (!head || (head->ifa_family != AF_INET && head->ifa_family != AF_INET6)) return std::nullopt;
  const size_t bytes = head->ifa_family == AF_INET ? 4 : 16;
  Bytes found;
  ForEachAttribute(payload.subspan(sizeof(ifaddrmsg)), [&](uint16_t type, Bytes value) {
    if (value.size() != bytes) return;
    // IFA_ADDRESS is the other end of a point-to-point link; everywhere else the two are alike.
    if (type == IFA_LOCAL || (type == IFA_ADDRESS && found.empty())) found = value;
  });
  if (found.empty()) return std::nullopt;
  if (bytes == 16) return LinkAddress{head->ifa_index, model::Address::FromV6(found.data())};
  uint32_t v4 = 0;
  std::memcpy(&v4, found.data(), sizeof(v4));
  return LinkAddress{head->ifa_index, model::Address::FromV4(v4)};
}

Status DumpLinks(NetlinkSocket& socket, const std::function<void(Link)>& visit) {
  return socket.Dump(RTM_GETLINK, AsBytes(ifinfomsg{}), [&](uint16_t type, Bytes payload) {
    if (type != RTM_NEWLINK) return;
    if (auto link = ParseLink(payload)) visit(*std::move(link));
  });
}

Status DumpQdiscs(NetlinkSocket& socket, const std::function<void(Qdisc)>& visit) {
  return socket.Dump(RTM_GETQDISC, AsBytes(tcmsg{}), [&](uint16_t type, Bytes payload) {
    if (type != RTM_NEWQDISC) return;
    if (auto qdisc = ParseQdisc(payload)) visit(*std::move(qdisc));
  });
}

Status DumpAddresses(NetlinkSocket& socket, const std::function<void(const LinkAddress&)>& visit) {
  return socket.Dump(RTM_GETADDR, AsBytes(ifaddrmsg{}), [&](uint16_t type, Bytes payload) {
    if (type != RTM_NEWADDR) return;
    if (const auto address = ParseAddress(payload)) visit(*address);
  });
}

Result<LinkCounters> ReadCounters(NetlinkSocket& socket, uint32_t ifindex) {
  if_stats_msg question{};
  question.ifindex = ifindex;
  question.filter_mask = kSixtyFourBit;
  std::optional<LinkCounters> counters;
  WEIR_RETURN_IF_ERROR(socket.Ask(RTM_GETSTATS, AsBytes(question), [&](uint16_t type, Bytes payload) {
    if (type == RTM_NEWSTATS) counters = ParseStats(payload);
  }));
  if (!counters) return Status::Internal("netlink answered without statistics");
  return *counters;
}

}  // namespace weir::agent::node

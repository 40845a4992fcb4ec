// rtnetlink's messages about interfaces and queueing disciplines (rtnetlink(7)) as plain structs. Pure functions
// over bytes; lengths are checked although the kernel wrote them, for every kernel appends fields.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/node/netlink.h"
#include "model/address.h"

namespace weir::agent::node {

// struct rtnl_link_stats64, the fields that matter here.
struct LinkCounters {
  uint64_t rx_packets = 0;
  uint64_t tx_packets = 0;
  uint64_t rx_bytes = 0;
  uint64_t tx_bytes = 0;
  uint64_t rx_errors = 0;
  uint64_t tx_errors = 0;
  uint64_t rx_dropped = 0;
  uint64_t tx_dropped = 0;
  uint64_t rx_over = 0;
  uint64_t rx_missed = 0;
};

struct Link {
  uint32_t ifindex = 0;
  std::string name;
  bool up = false;
  bool loopback = false;
  bool has_parent = false;      // a device of a bus (IFLA_PARENT_DEV_NAME, Linux 5.14)
  uint32_t peer = 0;            // ifindex of its other end or lower device, 0 = none
  bool peer_elsewhere = false;  // that one is in another network namespace
  LinkCounters counters;
};

struct Qdisc {
  uint32_t ifindex = 0;
  uint32_t handle = 0;  // 16 bits major, 16 minor
  uint32_t parent = 0;
  std::string kind;
  uint64_t bytes = 0;
  uint64_t packets = 0;
  // 32 bits wide in the kernel: they wrap.
  uint32_t drops = 0;
  uint32_t overlimits = 0;
  uint32_t requeues = 0;
  uint32_t backlog_bytes = 0;
};

// Payloads of RTM_NEWLINK, RTM_NEWQDISC and RTM_NEWSTATS; nullopt when they are not.
std::optional<Link> ParseLink(Bytes payload);
std::optional<Qdisc> ParseQdisc(Bytes payload);
std::optional<LinkCounters> ParseStats(Bytes payload);

// "tbf 8001:"; with "parent 8002:1" where the handle alone does not name it.
std::string QdiscName(const Qdisc& qdisc);
// Whether it holds packets back to keep a rate, so that its bytes and packets are worth a series.
bool Shapes(const Qdisc& qdisc);

struct LinkAddress {
  uint32_t ifindex = 0;
  model::Address address;  // the interface's own, not its peer's
};

// The payload of an RTM_NEWADDR; nullopt when it is not one of IP.
std::optional<LinkAddress> ParseAddress(Bytes payload);

Status DumpLinks(NetlinkSocket& socket, const std::function<void(Link)>& visit);
Status DumpQdiscs(NetlinkSocket& socket, const std::function<void(Qdisc)>& visit);
Status DumpAddresses(NetlinkSocket& socket, const std::function<void(const LinkAddress&)>& visit);
// Of one interface: some microseconds, for the rate ring. kNotFound when it is gone.
Result<LinkCounters> ReadCounters(NetlinkSocket& socket, uint32_t ifindex);

}  // namespace weir::agent::node

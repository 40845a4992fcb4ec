// What the interfaces of a network namespace carried, by what is known of it. Interfaces, IP and TCP count on their
// own, flows come from sockets; an account lays one over the other and names what is left.
//
// In each direction, exactly:
//   interface_bytes + loopback_bytes + excess_bytes =
//       tcp_bytes + tcp_sent_again_bytes + udp_bytes + header_bytes + unattributed_bytes + below_ip_bytes
// How headers are counted, and what cannot be known, stands in docs/accounts.md. Pure.
#pragma once

#include <cstdint>
#include <map>

#include "model/node_signals.h"

namespace weir::diagnose {

// X(name): numbers of one direction, in the order of the answer; meanings in docs/accounts.md.
// clang-format off
#define WEIR_ACCOUNT_NUMBERS(X) \
  X(interface_bytes) X(interface_packets) X(loopback_bytes) X(loopback_packets) X(ip_bytes) X(ip_packets) \
  X(tcp_bytes) X(tcp_sent_again_bytes) X(udp_bytes) X(header_bytes) X(unattributed_bytes) X(forwarded_bytes_at_most) \
  X(below_ip_bytes) X(excess_bytes) \
  X(tcp_packets) X(udp_packets) X(icmp_packets) X(forwarded_packets) X(other_packets)
// clang-format on

struct AccountNumbers {
#define WEIR_FIELD(name) uint64_t name = 0;
  WEIR_ACCOUNT_NUMBERS(WEIR_FIELD)
#undef WEIR_FIELD
};

// What flows say of one direction of a namespace.
struct FlowBytes {
  uint64_t tcp_bytes = 0;             // payload, each byte once
  uint64_t tcp_sent_again_bytes = 0;  // estimated, see FlowsOf()
  uint64_t udp_bytes = 0;
  uint64_t udp_datagrams = 0;
};
struct NamespaceFlows {
  FlowBytes in{};
  FlowBytes out{};
};

// Counters of a namespace in the period, as node signals.
using SignalSums = std::map<model::NodeSignal, uint64_t>;

struct Account {
  AccountNumbers in;
  AccountNumbers out;
};
Account MakeAccount(const SignalSums& sums, const NamespaceFlows& flows, bool timestamps);

}  // namespace weir::diagnose

// The answer of /accounts: what the interfaces of a network namespace carried, by what is known of it. Interfaces, IP
// and TCP count on their own, flows come from sockets; an account lays one over the other and names what is left.
//
// In each direction, exactly:
//   interface_bytes + loopback_bytes + excess_bytes =
//       tcp_bytes + tcp_sent_again_bytes + udp_bytes + header_bytes + unattributed_bytes + below_ip_bytes
// How headers are counted, and what cannot be known, stands in docs/accounts.md. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "api/json.h"
#include "base/clock.h"
#include "model/node_signals.h"
#include "store/node_store.h"

namespace weir::api {

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
using FlowsByNamespace = std::map<std::pair<std::string, uint32_t>, NamespaceFlows>;  // node, inode

// The question FlowsOf() reads the answer of: all flows of a node, by namespace, protocol and server port.
store::FlowQuery AccountFlowsQuery(const store::TimeRange& range, const std::string& node);
// Bytes sent again are segments sent again times the mean payload of a segment to or from the same server port. On the
// way in only those count that had arrived before (spurious ones): the others were lost before they came here.
FlowsByNamespace FlowsOf(const store::FlowResult& result);

// Counters of a namespace in the period, as node signals.
using SignalSums = std::map<model::NodeSignal, uint64_t>;

struct Account {
  AccountNumbers in;
  AccountNumbers out;
};
Account MakeAccount(const SignalSums& sums, const NamespaceFlows& flows, bool timestamps);

// Signals a namespace is recognised by, and those an account is made of.
const std::vector<model::NodeSignal>& AccountMarks();
const std::vector<model::NodeSignal>& AccountSignals();

// From the first to the last reading of a node's namespaces within a range: counters read after `from`, up to `to`.
// from == to: it was read once or never, and nothing can be said. `marks`: totals of AccountMarks() of the node.
store::TimeRange ReadingsOf(const std::vector<store::NodeTotal>& marks);

// All that is known of one node.
struct AccountFacts {
  std::string node;
  store::TimeRange range;                  // ReadingsOf()
  std::vector<store::NodeTotal> marks;     // of the range asked for
  std::vector<store::NodeTotal> totals{};  // of AccountSignals() in `range`
  FlowsByNamespace flows{};                // of any nodes
  std::string resolution{};                // the table flows were read from
  bool from_minutes = false;               // so were the signals
};

// One account per namespace read in the range, appended to `accounts`. Returns the payload of the node's flows in
// namespaces that were not read.
uint64_t AppendAccounts(const AccountFacts& facts, Json& accounts);

}  // namespace weir::api

// SideReport: what one agent saw of one flow from one of its two ends, during one interval. The agent makes
// it, wire/ carries it, server/match joins it with the other end's report into a FlowRow. All counters are
// deltas for the interval. Client ports are already folded together; the server's port is kept.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "model/address.h"
#include "model/node_report.h"
#include "model/pod_names.h"
#include "model/side_counters.h"

namespace weir::model {

enum class Side : uint8_t { kClient = 1, kServer = 2 };
enum class Protocol : uint8_t { kTcp = 6, kUdp = 17 };  // IANA protocol numbers

std::string_view ProtocolName(Protocol protocol);  // "tcp", "udp"

// As FlowEnds::peer_netns: the addresses do not tell which namespace the other end is in, and nothing else does.
inline constexpr uint32_t kUnknownNetns = 0xffffffff;

struct FlowEnds {
  Protocol protocol = Protocol::kTcp;
  Side side = Side::kClient;  // which end the reporting agent sees
  Address client_address;
  Address server_address;
  uint16_t server_port = 0;
  uint32_t netns = 0;  // inode of the reporting end's network namespace
  // What the client used where NAT led it to server_address, both or neither: unspecified and 0 otherwise.
  Address service_address;
  uint16_t service_port = 0;
  // A client's: the address the server sees in place of client_address (source NAT, masquerade); unspecified
  // otherwise. The other end's report names it as its client.
  Address snat_address;
  // Where several network namespaces of this node have one of the addresses: the other end's, or kUnknownNetns. 0 where
  // the addresses alone tell who is meant.
  uint32_t peer_netns = 0;

  bool operator==(const FlowEnds&) const = default;
};

// Who owns the reporting end's sockets. Empty strings mean unknown or not applicable.
struct LocalIdentity {
  std::string process;    // comm of the process, not of the thread
  std::string container;  // container id
  std::string unit;       // systemd unit or last control-group folder
  // Of FlowEnds::netns, as `ip netns` shows it; "" for the host's own namespace and for those without a name.
  std::string netns_name;
  std::string server_name;       // a client's: what it asked for in its TLS ClientHello
  std::string alpn;              // a client's: the application protocols it offered there, joined by commas
  std::string application;       // recognised on the wire: tls, http1, h2, quic; "" = nobody looked, or unknown
  std::string pod_uid{};         // of the Kubernetes pod, with dashes, as its control group tells
  std::string container_name{};  // as its runtime keeps it
  std::string image{};           // as well

  bool operator==(const LocalIdentity&) const = default;
};

// What the requests of a report have in common. A report is either about requests, with nothing but their measures,
// or about the transport, with all of this empty.
struct RequestKind {
  std::string application;  // dns, http1, h2
  std::string operation;    // HTTP method, DNS record type
  std::string resource;     // HTTP path template, DNS name
  std::string result;       // HTTP status, DNS response code

  bool empty() const { return application.empty(); }
  bool operator==(const RequestKind&) const = default;
};

struct SideReport {
  FlowEnds ends;
  LocalIdentity identity;
  RequestKind request;
  SideCounters counters;
};

// State of one probe of an agent: what it is for, whether it works and, if not, why and what to do.
struct ProbeReport {
  std::string name;
  std::string state;   // "on" | "off" | "failed" | "fallback"
  std::string reason;  // "" when on
  std::string hint;    // remedy, "" when none
};

// An agent's own loss and activity counters, by exposition name (base/metrics.h).
struct AgentCounter {
  std::string name;
  uint64_t value = 0;
};

// A network namespace of an agent's machine and the addresses in it.
struct NetNamespace {
  uint32_t inode = 0;
  std::string name;                // as `ip netns` shows it
  bool is_host = false;            // the machine's own
  std::string pod_uid;             // of the Kubernetes pod it belongs to; "" = none, several or unknown
  std::vector<Address> addresses;  // ascending, without loopback; none: the namespace is gone or has none

  bool operator==(const NetNamespace&) const = default;
};

inline constexpr size_t kMaxBatchNamespaces = 16'384;
inline constexpr size_t kMaxListedNamespaces = 500;    // a reading of the machine with as many may be incomplete
inline constexpr size_t kMaxNamespaceAddresses = 256;  // of one of them

// An address that a DNS answer gave to somebody on the agent's machine.
struct ResolvedName {
  Address address;
  std::string name;       // that was asked for, lower case
  std::string canonical;  // what its last alias leads to; "" = it has none
  uint32_t ttl_s = 0;
  uint32_t netns = 0;   // who asked: inode
  std::string pod_uid;  // and pod, if it is one

  bool operator==(const ResolvedName&) const = default;
};

inline constexpr size_t kMaxResolvedNames = 10'000;  // of a batch

// One interval of one agent: the unit of sending, acknowledging and de-duplicating.
struct AgentBatch {
  std::string agent_id;   // 32 lower-case hex digits, kept in the agent's data directory
  std::string node;       // node name shown to people
  std::string machine;    // this boot of its machine, which no other has; "" = unknown
  uint64_t sequence = 0;  // grows by at least 1 per batch, across restarts
  UnixMillis start = 0;   // by the agent's clock
  UnixMillis end = 0;
  std::string mode;     // "ebpf" | "sock_diag" (degraded)
  std::string version;  // of the agent
  std::vector<ProbeReport> probes;
  std::vector<AgentCounter> counters;
  std::vector<Address> local_addresses;  // addresses that belong to this node's namespaces
  std::vector<NetNamespace> namespaces;  // those that changed since the last batch, and every ten seconds all
  std::vector<ResolvedName> resolved;    // in this interval
  std::string zone;                      // the machine is in; "" = unknown
  std::string region;
  NamesVersion names;  // which names of its pods the agent has
  std::vector<SideReport> reports;
  std::vector<NodeSample> node_samples;
  std::vector<RateWindow> rate_windows;

  // Nothing that must be stored: such a batch only says that its agent lives.
  bool empty() const { return reports.empty() && node_samples.empty() && rate_windows.empty(); }
};

}  // namespace weir::model

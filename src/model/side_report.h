// SideReport: what one agent saw of one flow from one of its two ends, during one interval. The agent makes
// it, wire/ carries it, server/match joins it with the other end's report into a FlowRow. All counters are
// deltas for the interval. Client ports are already folded together; the server's port is kept.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "model/address.h"
#include "model/histogram.h"
#include "model/node_report.h"

namespace weir::model {

enum class Side : uint8_t { kClient = 1, kServer = 2 };
enum class Protocol : uint8_t { kTcp = 6, kUdp = 17 };  // IANA protocol numbers

std::string_view ProtocolName(Protocol protocol);  // "tcp", "udp"

struct FlowEnds {
  Protocol protocol = Protocol::kTcp;
  Side side = Side::kClient;  // which end the reporting agent sees
  Address client_address;
  Address server_address;
  uint16_t server_port = 0;
  uint32_t netns = 0;  // inode of the reporting end's network namespace

  bool operator==(const FlowEnds&) const = default;
};

// Who owns the reporting end's sockets. Empty strings mean unknown or not applicable.
struct LocalIdentity {
  std::string process;    // comm of the process, not of the thread
  std::string container;  // container id
  std::string unit;       // systemd unit or last control-group folder

  bool operator==(const LocalIdentity&) const = default;
};

struct SideCounters {
  uint64_t bytes_sent = 0;      // payload, each byte once
  uint64_t bytes_received = 0;  // payload, FIN not counted
  uint64_t segments_sent = 0;
  uint64_t segments_received = 0;
  uint64_t retransmits = 0;      // data and FIN segments sent again
  uint64_t retransmits_syn = 0;  // SYN or SYN-ACK sent again
  uint64_t timeouts = 0;         // retransmission timeouts (RTO)

  uint64_t opened = 0;
  uint64_t closed = 0;
  uint64_t failed_refused = 0;
  uint64_t failed_timed_out = 0;
  uint64_t failed_unreachable = 0;
  uint64_t failed_abandoned = 0;
  uint64_t failed_other = 0;
  uint64_t closed_reset = 0;
  uint64_t closed_timed_out = 0;
  uint64_t open = 0;  // level at the end of the interval, not a delta

  uint64_t connect_count = 0;
  uint64_t connect_sum_us = 0;
  uint64_t connect_max_us = 0;
  uint64_t rtt_count = 0;
  uint64_t rtt_sum_us = 0;
  uint64_t rtt_min_us = 0;  // 0 = no sample
  uint64_t rtt_max_us = 0;
  Histogram rtt_histogram;

  uint64_t failed() const {
    return failed_refused + failed_timed_out + failed_unreachable + failed_abandoned + failed_other;
  }
};

struct SideReport {
  FlowEnds ends;
  LocalIdentity identity;
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

// One interval of one agent: the unit of sending, acknowledging and de-duplicating.
struct AgentBatch {
  std::string agent_id;   // 32 lower-case hex digits, kept in the agent's data directory
  std::string node;       // node name shown to people
  uint64_t sequence = 0;  // grows by at least 1 per batch, across restarts
  UnixMillis start = 0;   // by the agent's clock
  UnixMillis end = 0;
  std::string mode;     // "ebpf" | "sock_diag" (degraded)
  std::string version;  // of the agent
  std::vector<ProbeReport> probes;
  std::vector<AgentCounter> counters;
  std::vector<Address> local_addresses;  // addresses that belong to this node's namespaces
  std::vector<SideReport> reports;
  std::vector<NodeSample> node_samples;
  std::vector<RateWindow> rate_windows;

  // Nothing that must be stored: such a batch only says that its agent lives.
  bool empty() const { return reports.empty() && node_samples.empty() && rate_windows.empty(); }
};

}  // namespace weir::model

// PeerTable: from the kernel's counters of each UDP socket and peer to flows, client ports folded together.
//
// UDP has no handshake, so who is the client is a judgement: whoever sent first, when the table saw the beginning;
// what was there before it was made is judged by its ports: a well-known one (below 1024) is the server's, else one
// below the ephemeral range, else the lower one. The judgement stays as long as the kernel keeps the pair.
//
// At most max_flows flows per interval; what does not fit is added to one flow per side without addresses, of the
// process "(overflow)", and counted (agent_flow_table_full). Thread: the agent's loop, all calls.
#pragma once

#include <tsl/robin_map.h>

#include <cstdint>
#include <vector>

#include "agent/flow/flow_table.h"
#include "agent/identity/identities.h"
#include "base/clock.h"
#include "bpf/udp_abi.h"
#include "model/side_report.h"

namespace weir::agent::udp {

// The client among two ports when neither end was seen to begin.
model::Side SideByPorts(uint16_t local_port, uint16_t remote_port, bool sent_first);

class PeerTable {
 public:
  // `identities` and, unless null, `translations` outlive the table. Pairs whose first datagram is older than `begin`
  // are judged by their ports.
  PeerTable(uint32_t max_flows, Nanos begin, identity::Identities& identities,
            flow::AddressTranslations* translations = nullptr)
      : max_flows_(max_flows), begin_(begin), identities_(identities), translations_(translations) {}

  // Absolute counters. True when the pair has been idle so long that the kernel may forget it; `crowded` = its map is
  // more than half full, so a short time is long.
  bool OnPair(Nanos now_monotonic, bool crowded, const weir_udp_key& key, const weir_udp_flow& flow);
  // The kernel has forgotten the pair; `last` is what its counters were then.
  void OnForgotten(Nanos now_monotonic, const weir_udp_key& key, const weir_udp_flow& last);

  // Appends a report per flow with news, and starts the next interval.
  void Emit(std::vector<model::SideReport>& out);

  size_t pairs() const { return pairs_.size(); }

 private:
  struct KeyHash {
    size_t operator()(const weir_udp_key& key) const;
  };
  struct KeyEqual {
    bool operator()(const weir_udp_key& a, const weir_udp_key& b) const;
  };
  struct Pair {
    uint64_t bytes_sent = 0;
    uint64_t datagrams_sent = 0;
    uint64_t bytes_received = 0;
    uint64_t datagrams_received = 0;
    Nanos moved = 0;
    model::Side side = model::Side::kClient;
    uint8_t asked = 0;        // how often about its translation
    Nanos settled_until = 0;  // whether there is a translation has been found out until then
    flow::Translation translation;
  };
  struct FlowKey {
    flow::FlowKey flow;
    uint64_t quic = 0;

    bool operator==(const FlowKey&) const = default;
  };
  struct FlowHash {
    size_t operator()(const FlowKey& key) const;
  };

  Pair& PairOf(Nanos now, const weir_udp_key& key, const weir_udp_flow& flow);
  FlowKey FlowOf(const weir_udp_key& key, const weir_udp_flow& flow, model::Side side);
  void Translate(Nanos now, const weir_udp_key& key, const weir_udp_flow& flow, Pair& pair, FlowKey& made);
  model::SideCounters& CountersOf(const FlowKey& key);
  void Report(const FlowKey& key, const model::SideCounters& counters, std::vector<model::SideReport>& out);

  const uint32_t max_flows_;
  const Nanos begin_;
  identity::Identities& identities_;
  flow::AddressTranslations* const translations_;
  tsl::robin_map<weir_udp_key, Pair, KeyHash, KeyEqual> pairs_;
  tsl::robin_map<FlowKey, model::SideCounters, FlowHash> flows_;
};

}  // namespace weir::agent::udp

// Drop counters as node signals: what is counted by numbers and addresses gets names.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tsl/robin_map.h>

#include "agent/node/drop_counters.h"
#include "agent/node/kernel_symbols.h"
#include "agent/node/probe_list.h"
#include "agent/node/sample_table.h"
#include "base/clock.h"

namespace weir::agent::node {

// "tcp", "udp6", "arp", "ethertype 0x88cc", "ip protocol 47": of an Ethernet type and, of IP packets, their protocol.
std::string PacketKind(uint16_t protocol, uint8_t transport);

// Thread: one, after Open().
class DropReader {
 public:
  // Table and probes outlive the reader.
  DropReader(SampleTable& table, ProbeList& probes) : table_(table), probes_(probes) {}

  // With the privileges the process was started with. That it cannot is said by the probe "node_drops".
  void Open();
  // The same over any counters and symbols; for tests.
  void Use(std::unique_ptr<DropCounters> counters, KernelSymbols symbols);
  void Off(std::string_view reason) { probes_.Off(kProbe, reason); }

  // Of a network namespace's inode: "" for the agent's own; nullopt: it is not of this node.
  using SpaceNames = std::function<std::optional<std::string>(uint32_t inode)>;
  void Read(Nanos now_monotonic, const SpaceNames& space_name);

 private:
  static constexpr std::string_view kProbe = "node_drops";

  struct KeyHash {
    size_t operator()(const weir_drop_key& key) const;
  };
  struct KeyEqual {
    bool operator()(const weir_drop_key& a, const weir_drop_key& b) const;
  };
  struct Kind {
    uint64_t number = 0;  // of its Object
    model::NodeSignal signal = model::NodeSignal::drop_other;
    std::string what;  // "NETFILTER_DROP in nft_do_chain (tcp)"
    uint64_t packets = 0;
    Nanos moved = 0;
    bool told = false;
  };
  using Seen = std::vector<std::pair<weir_drop_key, uint64_t>>;

  Status LearnPlaces(const Seen& seen);
  void Add(Nanos now, const weir_drop_key& key, uint64_t packets, const SpaceNames& space_name);
  Kind MakeKind(const weir_drop_key& key);
  void ForgetIdle(Nanos now, const SpaceNames& space_name);

  SampleTable& table_;
  ProbeList& probes_;
  std::unique_ptr<DropCounters> counters_;
  std::optional<KernelSymbols> symbols_;
  tsl::robin_map<weir_drop_key, Kind, KeyHash, KeyEqual> kinds_;
  uint64_t next_number_ = 1;
  uint64_t lost_ = 0;
};

}  // namespace weir::agent::node

// Neighbourhood: which agents are alive, how far each has reported, and whose address is whose. It decides what
// is worth waiting for and how far a flow went.
//
// One address can belong to several agents (172.17.0.2 exists on every Docker host), so each address keeps up
// to four claims. Bounds: kMaxAddresses; beyond, addresses of new agents are not learnt until old ones lapse,
// which costs joined rows, never counts. Thread: the writer's.
#pragma once

#include <tsl/robin_map.h>
#include <xxhash.h>

#include <array>
#include <string>
#include <vector>

#include "model/side_report.h"

namespace weir::server {

using AgentNumber = uint32_t;  // given by Intake for the life of the process; 0 = none

inline constexpr int64_t kAgentLiveMs = 60'000;          // without a batch for longer: nobody waits for it
inline constexpr int64_t kAddressMemoryMs = 86'400'000;  // who had an address may still send spooled reports

struct AddressHash {
  size_t operator()(const model::Address& address) const { return XXH3_64bits(address.bytes.data(), 16); }
};

// An agent's word that an address belongs to its node.
struct Claim {
  AgentNumber agent = 0;
  UnixMillis seen = 0;
};

class Neighbourhood {
 public:
  struct AgentProgress {
    std::string id;
    std::string node;
    UnixMillis last_seen = 0;    // by the server's clock
    UnixMillis first_start = 0;  // of the oldest interval this process has seen
    UnixMillis newest_end = 0;   // no earlier interval will come
    int64_t interval_ms = 0;
  };

  // Learns from a batch with corrected times, when it arrives.
  void Observe(AgentNumber agent, const model::AgentBatch& batch, UnixMillis now);

  // Another agent that lives and has this address, 0 when there is none or when `self` has the address too.
  AgentNumber LiveOwner(const model::Address& address, AgentNumber self, UnixMillis now) const;
  // The same without asking for life: whose reports may still come.
  AgentNumber LastOwner(const model::Address& address, AgentNumber self) const;
  // The agent whose node has the address, 0 when there is none or they are several. `self` before others.
  AgentNumber Holder(const model::Address& address, AgentNumber self) const;
  bool IsLocal(const model::Address& address, AgentNumber agent) const;
  // REQUIRES: Observe() was called for this agent.
  const AgentProgress& Progress(AgentNumber agent) const { return agents_[agent]; }
  bool Knows(AgentNumber agent) const { return agent != 0 && agent < agents_.size(); }

 private:
  using Claims = std::array<Claim, 4>;
  static constexpr size_t kMaxAddresses = 262'144;

  void LearnAddress(const model::Address& address, AgentNumber agent, UnixMillis now);
  void ForgetLapsed(UnixMillis now);

  std::vector<AgentProgress> agents_;  // by number
  tsl::robin_map<model::Address, Claims, AddressHash> owners_;
  UnixMillis last_sweep_ = 0;
};

}  // namespace weir::server

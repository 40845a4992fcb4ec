// FlowMemory: what the matcher remembers of each flow between intervals: who was at either end, and the ledger.
// Bounded, least recently used first; a flow is also dropped after ten idle minutes. Thread: the writer's.
#pragma once

#include <tsl/robin_map.h>
#include <xxhash.h>

#include <deque>
#include <memory>
#include <type_traits>
#include <vector>

#include "model/entity.h"
#include "model/side_report.h"
#include "server/ledger.h"
#include "server/neighbourhood.h"

namespace weir::server {

// Identity of a flow within a scope. Scope: all zero = the whole network; agent = within that agent's node;
// agent and netns = within one network namespace (loopback), or between two whose addresses others of the node have
// too.
struct FlowKey {
  model::Address client_address;
  model::Address server_address;
  AgentNumber agent = 0;
  uint32_t netns = 0;
  uint16_t server_port = 0;
  model::Protocol protocol = model::Protocol::kTcp;
  uint8_t padding = 0;

  bool operator==(const FlowKey&) const = default;
};
static_assert(std::has_unique_object_representations_v<FlowKey>, "hashed as bytes");

struct FlowKeyHash {
  size_t operator()(const FlowKey& key) const { return XXH3_64bits(&key, sizeof(key)); }
};

// Keeps the hash beside the key, so that growing needs no hashing and keys are compared only where hashes agree.
template <typename Value>
using FlowKeyMap = tsl::robin_map<FlowKey, Value, FlowKeyHash, std::equal_to<FlowKey>,
                                  std::allocator<std::pair<FlowKey, Value>>, /*StoreHash=*/true>;

// The addresses of a client's own socket where NAT changed them on the way; all unspecified where it did not, and for
// servers.
struct UsedAddresses {
  model::Address client;
  model::Address service;
  uint16_t service_port = 0;

  bool operator==(const UsedAddresses&) const = default;
};

inline UsedAddresses UsedOf(const model::FlowEnds& ends) {
  const bool source_changed = !ends.snat_address.is_unspecified();
  return {source_changed ? ends.client_address : model::Address{}, ends.service_address, ends.service_port};
}

// Who was last seen at one end. Shared between the many flows of one process.
struct EndIdentity {
  model::EntityRef entity;
  // As in model::LocalIdentity: what its connections have in common.
  std::string server_name;
  std::string alpn;
  std::string application;
  UsedAddresses used;

  bool operator==(const EndIdentity&) const = default;
};

struct KnownEnd {
  std::shared_ptr<const EndIdentity> identity;  // null = never seen
  AgentNumber agent = 0;
  uint64_t sequence = 0;  // of the newest batch that reported this end
  UnixMillis start = 0;   // of its interval
  UnixMillis end = 0;
};

struct FlowState {
  FlowKey key;
  KnownEnd client;
  KnownEnd server;
  Ledger ledger;
  UnixMillis touched = 0;  // by the server's clock
  bool excess_queued = false;
  uint32_t generation = 0;  // changes when the slot is used for another flow
  uint32_t newer = 0;       // neighbours in order of use
  uint32_t older = 0;
};

using FlowSlot = uint32_t;

class FlowMemory {
 public:
  static constexpr FlowSlot kNone = 0;

  explicit FlowMemory(size_t max_flows);

  FlowSlot Find(const FlowKey& key) const;
  // Adds a flow. REQUIRES: !full() and the key is not there.
  FlowSlot Add(const FlowKey& key, UnixMillis now);
  void Touch(FlowSlot slot, UnixMillis now);
  // The flow moves to another scope with all it remembers. REQUIRES: no flow has the new key.
  void Rekey(FlowSlot slot, const FlowKey& key);
  void Drop(FlowSlot slot);

  bool full() const { return by_key_.size() >= max_flows_; }
  size_t size() const { return by_key_.size(); }
  FlowSlot oldest() const { return slots_[0].newer; }
  FlowState& operator[](FlowSlot slot) { return slots_[slot]; }

  // One shared copy of an identity.
  std::shared_ptr<const EndIdentity> Share(EndIdentity identity);

 private:
  void Unlink(FlowSlot slot);
  void LinkAsNewest(FlowSlot slot);

  size_t max_flows_;
  std::deque<FlowState> slots_;  // [0] is the ring's head: newer = the oldest flow, older = the newest
  std::vector<FlowSlot> free_;
  FlowKeyMap<FlowSlot> by_key_;
  tsl::robin_map<uint64_t, std::shared_ptr<const EndIdentity>> identities_;  // by hash; a cache, not an index
};

}  // namespace weir::server

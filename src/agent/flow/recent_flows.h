// RecentFlows: which flow connections between the same ends belonged to, for the length of a round. Those a busy server
// closes come one after the other, and finding their flow is the same work each time: addresses, listener, owner,
// translation and two hashes. Here it is one comparison of 72 bytes.
//
// Within a round nothing of it changes but what the caller must tell by Forget(): listeners. Bounded: 256 entries, the
// newest of those that share a place. Thread: the agent's loop, all calls.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "agent/flow/flow_table.h"
#include "agent/flow/record_address.h"
#include "bpf/abi.h"

namespace weir::agent::flow {

class RecentFlows {
 public:
  // What a flow is found by, as the kernel has it. The client's port is not part of it.
  struct Ends {
    explicit Ends(const weir_record& record);

    uint64_t cgroup_id;
    uint32_t netns;
    uint32_t local_address[4];
    uint32_t remote_address[4];
    uint32_t pid;
    uint32_t flags;
    uint16_t server_port;
    uint16_t family;
    char comm[WEIR_COMM_BYTES];
  };
  struct Known {
    FlowTable::Index flow = 0;
    bool borrowed = false;  // its process is the listener's
  };

  // nullptr: not known. Valid until the next Put().
  const Known* Find(const Ends& ends) const {
    const Place& place = places_[PlaceOf(ends)];
    const bool same = place.round == round_ && std::memcmp(&place.ends, &ends, sizeof(ends)) == 0;
    return same ? &place.known : nullptr;
  }
  void Put(const Ends& ends, const Known& known) { places_[PlaceOf(ends)] = {round_, ends, known}; }
  void Forget() { ++round_; }

 private:
  static constexpr size_t kPlaces = 256;
  struct Place {
    uint64_t round = 0;
    Ends ends{weir_record{}};
    Known known;
  };

  static size_t PlaceOf(const Ends& ends) {
    // The last words hold what differs: an IPv4 address stands in the first, and of IPv6 addresses the ends do.
    const uint64_t local = ends.local_address[0] ^ ends.local_address[3];
    const uint64_t remote = ends.remote_address[0] ^ ends.remote_address[3];
    const uint64_t mixed =
        (local ^ remote << 24 ^ uint64_t{ends.server_port} << 40 ^ ends.flags) * 0x9e37'79b9'7f4a'7c15;
    return mixed >> 56;  // eight bits
  }

  std::array<Place, kPlaces> places_;
  uint64_t round_ = 1;
};

inline RecentFlows::Ends::Ends(const weir_record& record)
    : cgroup_id(GroupOf(record)),
      netns(record.netns),
      pid(record.pid),
      flags(record.flags & WEIR_SOCKET_INCOMING),
      server_port(flags != 0 ? record.local_port : record.remote_port),
      family(record.family) {
  static_assert(std::has_unique_object_representations_v<Ends>, "compared as bytes");
  std::memcpy(local_address, record.local_address, sizeof(local_address));
  std::memcpy(remote_address, record.remote_address, sizeof(remote_address));
  std::memcpy(comm, record.comm, sizeof(comm));
}

}  // namespace weir::agent::flow

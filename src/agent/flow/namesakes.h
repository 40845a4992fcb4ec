// Namesakes: addresses that more than one network namespace of this machine has at the same time, as clusters in
// containers have them (kind, Docker in Docker), and which of those namespaces talk to each other. There an address
// does not tell who is meant.
//
// The first holder of an address goes on as if there was no other, until it is seen whom it talks to; those that come
// later are kept apart from the first. Bounds: kMaxAddresses, kMaxPairs; beyond, the address alone decides, as it does
// everywhere else. Thread: the agent's loop, all calls.
#pragma once

#include <tsl/robin_map.h>

#include <array>
#include <cstdint>

#include "base/clock.h"
#include "model/address.h"

namespace weir::agent::flow {

// A network namespace that has an address.
struct AddressHolder {
  uint32_t netns = 0;  // 0 = none
  Nanos met = 0;       // monotonic
};

class Namesakes {
 public:
  static constexpr size_t kMaxAddresses = 65'536;
  static constexpr size_t kMaxPairs = 65'536;
  static constexpr Nanos kMemory = 90'000'000'000;  // open connections meet their addresses again every 30 s

  // A namespace has a socket with this address.
  void Meet(const model::Address& local, uint32_t netns, Nanos now_monotonic);
  // Whether any address has several holders.
  bool any() const { return shared_ > 0; }
  // Sockets of `netns` that talk to `remote` do so with sockets of `peer`.
  void Pair(uint32_t netns, const model::Address& remote, uint32_t peer);
  // As model::FlowEnds::peer_netns.
  uint32_t PeerOf(uint32_t netns, const model::Address& local, const model::Address& remote) const;
  // Holders that were not met for kMemory are none any more.
  void Expire(Nanos now_monotonic);

 private:
  using Holders = std::array<AddressHolder, 2>;  // of more the two suffice
  struct Place {
    model::Address address;
    uint32_t netns = 0;
    bool operator==(const Place&) const = default;
  };
  struct Hash {
    size_t operator()(const model::Address& address) const;
    size_t operator()(const Place& place) const;
  };

  static bool IsShared(const Holders& holders) { return holders[1].netns != 0; }
  const Holders* HoldersOf(const model::Address& address) const;

  tsl::robin_map<model::Address, Holders, Hash> holders_;
  tsl::robin_map<Place, uint32_t, Hash> pairs_;  // to the peer's namespace
  size_t shared_ = 0;
};

}  // namespace weir::agent::flow

// LocalPeers: both ends of connections that stay on this machine. A connection is known by the sequence numbers it
// began with: NAT changes addresses and ports, and leaves those alone. So the end that accepted tells where a
// connection went at its own time, whoever translated it, in whichever namespace or zone, and whatever had its ports
// before or after.
//
// Bounded: two generations of kMaxConnections; what is older is not found any more. Thread: the agent's loop, all
// calls.
#pragma once

#include <tsl/robin_map.h>

#include <array>
#include <cstdint>

#include "bpf/abi.h"
#include "model/address.h"
#include "model/side_report.h"

namespace weir::agent::flow {

// One end of a connection of this machine, as its socket has it.
struct LocalEnd {
  model::Address local;
  model::Address remote;
  uint32_t netns = 0;  // 0 = not met
  uint16_t local_port = 0;
};

class LocalPeers {
 public:
  static constexpr size_t kMaxConnections = 16'384;

  using End = LocalEnd;
  // Of a connection. Equal at both ends.
  using Id = uint64_t;

  // 0: it cannot be told, as of attempts that never opened, of sockets that are older than the agent and do not say who
  // connected, and of records that were not made by eBPF programs.
  static Id IdOf(const weir_record& record);
  static model::Side SideOf(const weir_record& record);

  void Put(Id id, model::Side side, const End& end);
  // The end opposite to `side`; nullptr when it was not met. Valid until the next Put().
  const End* Other(Id id, model::Side side) const;

 private:
  struct Hash {
    size_t operator()(Id id) const { return id ^ id >> 32; }  // random numbers, but for their low bits
  };
  using Ends = std::array<End, 2>;  // client, server
  using Generation = tsl::robin_map<Id, Ends, Hash>;

  Generation now_;
  Generation before_;
};

}  // namespace weir::agent::flow

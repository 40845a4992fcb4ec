// What an optional source learnt about a connection besides its counters: the name its client asked for. Handed over by
// the socket's pointer and a time in its life, since pointers are reused.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"

namespace weir::agent::flow {

struct ConnectionName {
  std::string server_name;  // as in model::LocalIdentity
  std::string alpn;
  std::string application;
};

// Thread: the agent's loop, all calls.
class ConnectionNames {
 public:
  virtual ~ConnectionNames() = default;
  // The name learnt of `socket` between two CLOCK_MONOTONIC times; 0 = none.
  virtual uint32_t Find(uint64_t socket, uint64_t born_ns, uint64_t until_ns) = 0;
  // The socket was closed at this CLOCK_MONOTONIC time and its name is not asked for again. The kernel reuses pointers
  // at once: a later name is the next socket's.
  virtual void Forget(uint64_t socket, uint64_t closed_ns) = 0;
  // Of a number Find() gave; valid until the next Find().
  virtual const ConnectionName& Name(uint32_t number) const = 0;
};

}  // namespace weir::agent::flow

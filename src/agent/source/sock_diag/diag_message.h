// One sock_diag message (sock_diag(7)) as a record. Messages come from the kernel, but lengths are checked
// all the same: attributes grow with every kernel.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "base/status.h"
#include "bpf/abi.h"

namespace weir::agent::source {

struct DiagSocket {
  // `socket` is the kernel's cookie, which is never reused. Neither births nor processes; errors only as a
  // guess.
  weir_record record{};
  uint32_t inode = 0;  // of the descriptor; 0 once nobody holds one
};

enum class DiagOrigin {
  kDump,       // the socket is there
  kDestroyed,  // a message of the SKNLGRP_*_TCP_DESTROY groups: it is gone
};

// `message` without its netlink header. nullopt when it is no TCP socket with the expected attributes, or a
// destroyed one that had no peer: a listener, or a socket that tcp_disconnect() has wiped and no dump has
// seen.
std::optional<DiagSocket> ParseDiagMessage(std::span<const uint8_t> message, DiagOrigin origin, uint32_t netns);

// Calls `visit` with each sock_diag message of a datagram. True when the datagram holds the end of a dump.
// The status is that of a netlink error message, or kCorrupt for lengths that do not fit.
Result<bool> ForEachDiagMessage(std::span<const uint8_t> datagram,
                                const std::function<void(std::span<const uint8_t>)>& visit);

}  // namespace weir::agent::source

// The degraded mode, without eBPF: sock_diag dumps of the live sockets of every network namespace each 5 s,
// and the kernel's messages about destroyed ones in between. What it cannot tell: handshake times, why an
// attempt failed or a connection ended, the process of a client that lived shorter than a dump interval.
// Payload may be one byte off per connection, and what a socket that was aborted did since the last dump is
// lost (tcp_disconnect() wipes it).
#pragma once

#include <memory>

#include "agent/flow/address_translations.h"
#include "agent/source.h"

namespace weir::agent {

// `clock` and, unless null, `translations` outlive the source. Needs CAP_SYS_ADMIN to enter namespaces; without it only
// the agent's own is seen.
std::unique_ptr<Source> MakeSockDiagSource(uint32_t max_flows, const Clock& clock,
                                           flow::AddressTranslations* translations = nullptr);

}  // namespace weir::agent

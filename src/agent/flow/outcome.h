// How a connection ended, from the record made at its transition to TCP_CLOSE: sk_err is set by then and gone
// when the socket is destroyed.
#pragma once

#include "bpf/abi.h"

namespace weir::agent::flow {

enum class Outcome {
  kClosed,          // opened, then ended in any way but the next three
  kClosedReset,     // opened, ended by a reset from the peer
  kAborted,         // opened, ended by this end without a FIN: it sent a reset
  kClosedTimedOut,  // opened, given up after retransmissions or keep-alive probes
  kRefused,         // the attempt was answered by a reset
  kTimedOut,        // no answer to any SYN
  kUnreachable,     // refused by ICMP
  kAbandoned,       // the application gave up first
  kNoPort,          // no local port was left
  kOther,           // e.g. refused by a local firewall
};

// True for a final record of a socket that never reached ESTABLISHED.
bool NeverOpened(const weir_record& final_record);
Outcome OutcomeOf(const weir_record& final_record);

}  // namespace weir::agent::flow

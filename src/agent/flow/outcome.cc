#include "agent/flow/outcome.h"

#include <netinet/tcp.h>

#include <cerrno>

namespace weir::agent::flow {
namespace {

// What icmp_err_convert[] and icmpv6_err_convert() turn "destination unreachable" into.
bool IsUnreachable(uint32_t error) {
  switch (error) {
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENONET:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case EACCES:
    case EPROTO:
    case EMSGSIZE: return true;
    default: return false;
  }
}

Outcome FailureOf(const weir_record& record) {
  // When the retransmissions run out, the kernel makes the last ICMP error the socket's: sk_err = sk_err_soft
  // ?: ETIMEDOUT. Without an error the soft one still tells why the application had to give up.
  const uint32_t cause = record.error != 0 ? record.error : record.soft_error;
  if (cause == ECONNREFUSED || cause == ECONNRESET) {
    // A reset is a segment; without one it was ICMP port unreachable.
    return record.segs_in > 0 ? Outcome::kRefused : Outcome::kUnreachable;
  }
  if (IsUnreachable(cause)) return Outcome::kUnreachable;
  if (cause == ETIMEDOUT) return Outcome::kTimedOut;
  if (cause == EADDRNOTAVAIL) return Outcome::kNoPort;
  if (cause != 0) return Outcome::kOther;
  if ((record.flags & WEIR_SOCKET_ERROR_TOLD) != 0) return Outcome::kUnreachable;
  if (record.segs_out != 0) return Outcome::kAbandoned;
  // No SYN left this socket: connect() found no free port, or something here refused to send.
  return record.local_port == 0 ? Outcome::kNoPort : Outcome::kOther;
}

}  // namespace

bool NeverOpened(const weir_record& record) {
  return record.state == TCP_SYN_SENT || (record.start_ns != 0 && record.established_ns == 0);
}

Outcome OutcomeOf(const weir_record& record) {
  if (NeverOpened(record)) return FailureOf(record);
  // EPIPE is a reset met in CLOSE_WAIT.
  if (record.error == ECONNRESET || record.error == EPIPE || record.error == ECONNREFUSED) return Outcome::kClosedReset;
  if (record.error == ETIMEDOUT || IsUnreachable(record.error)) return Outcome::kClosedTimedOut;
  // Straight from an open state to CLOSE, without a FIN of ours: close() with data unread or SO_LINGER 0, which send a
  // reset, or the socket was destroyed by hand (ECONNABORTED, ss -K).
  const bool open = record.state == TCP_ESTABLISHED || record.state == TCP_CLOSE_WAIT;
  if (open && (record.error == 0 || record.error == ECONNABORTED)) return Outcome::kAborted;
  return Outcome::kClosed;
}

}  // namespace weir::agent::flow

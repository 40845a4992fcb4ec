#include "agent/flow/outcome.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <vector>

#include "agent/flow/record_builder.h"

namespace weir::agent::flow {
namespace {

struct Case {
  std::string description;
  weir_record record;
  Outcome expected;
};

RecordBuilder Attempt() { return RecordBuilder().Final(TCP_SYN_SENT).Outgoing(1'000, 0); }
RecordBuilder Opened(uint8_t state) { return RecordBuilder().Final(state).Outgoing(1'000, 2'000).Segments(9, 9); }

TEST(Outcome, OfAttempts) {
  const std::vector<Case> cases = {
      {"closed port", Attempt().Errors(ECONNREFUSED).Segments(1, 1), Outcome::kRefused},
      {"ICMP port unreachable", Attempt().Errors(ECONNREFUSED, ECONNREFUSED).Segments(2, 0), Outcome::kUnreachable},
      {"no answer", Attempt().Errors(ETIMEDOUT).Segments(6, 0), Outcome::kTimedOut},
      {"ICMP host unreachable", Attempt().Errors(EHOSTUNREACH).Segments(2, 0), Outcome::kUnreachable},
      {"ICMP administratively prohibited", Attempt().Errors(EACCES).Segments(2, 0), Outcome::kUnreachable},
      {"the application gave up", Attempt().Segments(1, 0), Outcome::kAbandoned},
      {"it gave up on an unreachable host", Attempt().Errors(0, EHOSTUNREACH).Segments(1, 0), Outcome::kUnreachable},
      {"it took an ICMP error and closed", Attempt().Flags(WEIR_SOCKET_ERROR_TOLD).Segments(1, 0),
       Outcome::kUnreachable},
      {"no local port left", Attempt().Ends("10.0.0.1", 0, "10.0.0.2", 80), Outcome::kNoPort},
      {"no local port left, as an error", Attempt().Errors(EADDRNOTAVAIL), Outcome::kNoPort},
      {"a local firewall ate the SYN", Attempt().Segments(0, 0), Outcome::kOther},
      {"an error nobody expects", Attempt().Errors(EIO).Segments(1, 0), Outcome::kOther},
      {"simultaneous open that never ended", Attempt().State(TCP_SYN_RECV).Errors(ETIMEDOUT).Segments(6, 1),
       Outcome::kTimedOut},
      {"connecting since before the agent",
       RecordBuilder().Final(TCP_SYN_SENT).Flags(WEIR_SOCKET_EXISTING).Errors(ETIMEDOUT).Segments(6, 0),
       Outcome::kTimedOut},
  };
  for (const Case& test : cases) {
    SCOPED_TRACE(test.description);
    EXPECT_TRUE(NeverOpened(test.record));
    EXPECT_EQ(OutcomeOf(test.record), test.expected);
  }
}

TEST(Outcome, OfOpenedConnections) {
  const std::vector<Case> cases = {
      {"client closed first", Opened(TCP_FIN_WAIT2), Outcome::kClosed},
      {"server closed first", Opened(TCP_LAST_ACK), Outcome::kClosed},
      {"reset by the peer", Opened(TCP_ESTABLISHED).Errors(ECONNRESET), Outcome::kClosedReset},
      {"reset after the peer's FIN", Opened(TCP_CLOSE_WAIT).Errors(EPIPE), Outcome::kClosedReset},
      {"local abort", Opened(TCP_ESTABLISHED), Outcome::kAborted},
      {"closed with data unread after the peer's FIN", Opened(TCP_CLOSE_WAIT), Outcome::kAborted},
      {"destroyed by hand", Opened(TCP_ESTABLISHED).Errors(ECONNABORTED), Outcome::kAborted},
      {"retransmissions without answer", Opened(TCP_ESTABLISHED).Errors(ETIMEDOUT), Outcome::kClosedTimedOut},
      {"the same with ICMP", Opened(TCP_ESTABLISHED).Errors(EHOSTUNREACH, EHOSTUNREACH), Outcome::kClosedTimedOut},
      {"accepted", RecordBuilder().Final().Incoming(5), Outcome::kClosed},
      {"older than the agent", RecordBuilder().Final().Flags(WEIR_SOCKET_EXISTING), Outcome::kClosed},
  };
  for (const Case& test : cases) {
    SCOPED_TRACE(test.description);
    EXPECT_FALSE(NeverOpened(test.record));
    EXPECT_EQ(OutcomeOf(test.record), test.expected);
  }
}

}  // namespace
}  // namespace weir::agent::flow

#include "agent/flow/socket_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "agent/flow/record_builder.h"
#include "agent/flow/socket_table_fixture.h"

namespace weir::agent::flow {
namespace {

using model::Side;
using model::SideCounters;
using model::SideReport;

TEST_F(SocketTableTest, AShortConnectionIsItsFinalRecord) {
  Apply(Connection()
            .Final(TCP_FIN_WAIT2)
            .Bytes(100, 2'001)
            .Flags(WEIR_SOCKET_FIN_RECEIVED)
            .Segments(6, 5)
            .Rtt(80, 40, 3));
  EXPECT_EQ(table_.size(), 0U);
  const SideReport report = Only();
  EXPECT_EQ(report.ends.side, Side::kClient);
  EXPECT_EQ(report.ends.client_address.ToString(), "10.0.0.1");
  EXPECT_EQ(report.ends.server_address.ToString(), "10.0.0.2");
  EXPECT_EQ(report.ends.server_port, 80);
  EXPECT_EQ(report.ends.netns, 7U);
  EXPECT_EQ(report.identity.process, "curl");
  const SideCounters& counters = report.counters;
  EXPECT_EQ(counters.bytes_sent, 100U);
  EXPECT_EQ(counters.bytes_received, 2'000U) << "the FIN is no payload";
  EXPECT_EQ(counters.segments_sent, 6U);
  EXPECT_EQ(counters.segments_received, 5U);
  EXPECT_EQ(counters.opened, 1U);
  EXPECT_EQ(counters.closed, 1U);
  EXPECT_EQ(counters.open, 0U);
  EXPECT_EQ(counters.connect_count, 1U);
  EXPECT_EQ(counters.connect_sum_us, 250U);
  EXPECT_EQ(counters.connect_max_us, 250U);
  EXPECT_EQ(counters.rtt_count, 1U);
  EXPECT_EQ(counters.rtt_sum_us, 80U);
  EXPECT_EQ(counters.rtt_min_us, 40U);
}

// What is remembered of the connection before must not lead to its flow where one thing differs.
TEST_F(SocketTableTest, ShortConnectionsBelongToTheirOwnEndsOneAfterTheOther) {
  const std::vector<std::function<RecordBuilder()>> kinds{
      [] { return Connection(); },
      [] { return Connection().Process("curl", 43); },
      [] { return Connection().Process("wget", 42); },
      [] { return Connection().Ends("10.0.0.1", 40'000, "10.0.0.2", 81); },
      [] { return Connection().Ends("10.0.0.1", 40'000, "10.0.0.3", 80); },
      [] { return Connection().Ends("10.0.0.9", 40'000, "10.0.0.2", 80); },
      [] { return Connection().Netns(8); },
      [] { return Connection().Cgroup(77); },
      [] { return RecordBuilder().Incoming(1'250'000).Process("curl", 42); },
  };
  for (int round = 0; round < 3; ++round) {
    for (size_t kind = 0; kind < kinds.size(); ++kind) {
      for (size_t i = 0; i <= kind; ++i) Apply(kinds[kind]().Final(TCP_FIN_WAIT2).Bytes(1, 0));
    }
    for (size_t kind = 0; kind < kinds.size(); ++kind) Apply(kinds[kind]().Final(TCP_FIN_WAIT2).Bytes(1, 0));
    std::vector<uint64_t> closed;
    for (const SideReport& report : Emit()) closed.push_back(report.counters.closed);
    // The processes 42 and 43 of one name and control group are one flow.
    EXPECT_THAT(closed, testing::UnorderedElementsAre(2 + 3, 4, 5, 6, 7, 8, 9, 10));
    table_.RoundEnds();
  }
}

TEST_F(SocketTableTest, AListenerThatComesWithinARoundTakesTheConnectionsAfterIt) {
  const auto accepted = [] { return RecordBuilder().Incoming(1'250'000).Process("", 0).Final(TCP_LAST_ACK); };
  Apply(accepted());
  Apply(RecordBuilder().Listen("10.0.0.1", 40'000, "nginx", 9));
  Apply(accepted());
  Apply(accepted());
  std::map<std::string, uint64_t> closed;
  for (const SideReport& report : Emit()) closed[report.identity.process] += report.counters.closed;
  EXPECT_EQ(closed, (std::map<std::string, uint64_t>{{"", 1}, {"nginx", 2}}));
}

TEST_F(SocketTableTest, RecordsOfALongConnectionAddUpToItsTotals) {
  Snapshot({Connection().Bytes(10, 20).Segments(3, 3).Rtt(50, 50, 2)});
  SideReport report = Only();
  EXPECT_EQ(report.counters.bytes_sent, 10U);
  EXPECT_EQ(report.counters.opened, 1U);
  EXPECT_EQ(report.counters.open, 1U);
  EXPECT_EQ(report.counters.connect_count, 1U);
  Snapshot({Connection().Bytes(15, 120).Segments(5, 6).Rtt(60, 50, 4).Flags(WEIR_SOCKET_REPORTED)});
  report = Only();
  EXPECT_EQ(report.counters.bytes_sent, 5U);
  EXPECT_EQ(report.counters.bytes_received, 100U);
  EXPECT_EQ(report.counters.segments_sent, 2U);
  EXPECT_EQ(report.counters.segments_received, 3U);
  EXPECT_EQ(report.counters.opened, 0U);
  EXPECT_EQ(report.counters.connect_count, 0U);
  Apply(Connection().Final().Bytes(15, 121).Segments(7, 8).Rtt(60, 50, 4).Flags(WEIR_SOCKET_REPORTED |
                                                                                WEIR_SOCKET_FIN_RECEIVED));
  report = Only();
  EXPECT_EQ(report.counters.bytes_sent, 0U);
  EXPECT_EQ(report.counters.bytes_received, 0U);
  EXPECT_EQ(report.counters.segments_sent, 2U);
  EXPECT_EQ(report.counters.closed, 1U);
  EXPECT_EQ(report.counters.opened, 0U);
  EXPECT_EQ(report.counters.open, 0U);
  EXPECT_EQ(report.counters.rtt_count, 0U) << "nothing was acknowledged since the last sample";
  EXPECT_EQ(table_.size(), 0U);
}

TEST_F(SocketTableTest, RetransmittedBytesAndSynsAreNotPayloadAndNotData) {
  Apply(Connection().Final().Bytes(1'500, 0).Retransmits(5, 2, 500).Timeouts(3));
  const SideReport report = Only();
  EXPECT_EQ(report.counters.bytes_sent, 1'000U);
  EXPECT_EQ(report.counters.retransmits, 3U);
  EXPECT_EQ(report.counters.retransmits_syn, 2U);
  EXPECT_EQ(report.counters.retransmitted_bytes, 500U);
  EXPECT_EQ(report.counters.timeouts, 3U);
}

TEST_F(SocketTableTest, HowLongAFailedAttemptLastedIsKept) {
  Apply(RecordBuilder().Outgoing(5'000'000, 0).Final().State(TCP_SYN_SENT).Errors(ETIMEDOUT).Time(3'075'000'000));
  Apply(RecordBuilder()
            .Outgoing(6'000'000, 0)
            .Final()
            .State(TCP_SYN_SENT)
            .Errors(ECONNREFUSED)
            .Segments(1, 1)
            .Time(6'300'000));
  const SideReport report = Only();
  EXPECT_EQ(report.counters.failed_timed_out, 1U);
  EXPECT_EQ(report.counters.failed_refused, 1U);
  EXPECT_EQ(report.counters.failed_after_max_us, 3'070'000U) << "the longest";
  Apply(Connection().Final());
  EXPECT_EQ(Only().counters.failed_after_max_us, 0U) << "none failed";
}

TEST_F(SocketTableTest, RetransmittedBytesAreThoseSinceTheLastRecord) {
  Snapshot({Connection().Bytes(1'500, 0).Retransmits(1, 0, 500)});
  EXPECT_EQ(Only().counters.retransmitted_bytes, 500U);
  Apply(Connection().Final().Bytes(3'500, 0).Retransmits(3, 0, 1'900).Flags(WEIR_SOCKET_REPORTED));
  const SideReport report = Only();
  EXPECT_EQ(report.counters.retransmitted_bytes, 1'400U);
  EXPECT_EQ(report.counters.bytes_sent, 600U);
}

TEST_F(SocketTableTest, SynRetransmissionsShowWhileConnecting) {
  Snapshot({RecordBuilder().Outgoing(5, 0).State(TCP_SYN_SENT).Segments(2, 0).Retransmits(1, 1).Timeouts(1)});
  SideReport report = Only();
  EXPECT_EQ(report.counters.retransmits_syn, 1U);
  EXPECT_EQ(report.counters.retransmits, 0U);
  EXPECT_EQ(report.counters.opened, 0U);
  EXPECT_EQ(report.counters.open, 0U);
  Apply(RecordBuilder()
            .Outgoing(5, 3'000'005)
            .Final()
            .Segments(9, 5)
            .Retransmits(4, 2)
            .Timeouts(2)
            .Flags(WEIR_SOCKET_REPORTED));
  report = Only();
  EXPECT_EQ(report.counters.retransmits_syn, 1U);
  EXPECT_EQ(report.counters.retransmits, 2U);
  EXPECT_EQ(report.counters.timeouts, 1U);
  EXPECT_EQ(report.counters.opened, 1U);
  EXPECT_EQ(report.counters.closed, 1U);
  EXPECT_EQ(report.counters.connect_sum_us, 3'000U);
}

// TCP Fast Open: connect() without a SYN.
TEST_F(SocketTableTest, AnAttemptThatSentNothingIsNone) {
  const auto waiting = [] {
    return RecordBuilder().Outgoing(1'000'000, 0).State(TCP_SYN_SENT).Flags(WEIR_SOCKET_UNSENT).Process("curl", 42);
  };
  Snapshot({waiting()});
  EXPECT_EQ(table_.size(), 0U);
  Apply(waiting().Kind(WEIR_RECORD_FINAL));
  EXPECT_TRUE(Emit().empty());
}

TEST_F(SocketTableTest, AHandshakeOfUnknownLengthIsNoSample) {
  Apply(Connection().Final(TCP_FIN_WAIT2).Flags(WEIR_SOCKET_HANDSHAKE_UNKNOWN));
  const SideCounters counters = Only().counters;
  EXPECT_EQ(counters.opened, 1U);
  EXPECT_EQ(counters.connect_count, 0U);
}

TEST_F(SocketTableTest, FailedAttemptsAreNeverOpened) {
  Apply(RecordBuilder().Outgoing(5, 0).Final(TCP_SYN_SENT).Errors(ECONNREFUSED).Segments(1, 1));
  Apply(RecordBuilder().Outgoing(6, 0).Final(TCP_SYN_SENT).Errors(ETIMEDOUT).Segments(6, 0));
  Apply(RecordBuilder().Outgoing(7, 0).Final(TCP_SYN_SENT).Errors(EHOSTUNREACH).Segments(2, 0));
  Apply(RecordBuilder().Outgoing(8, 0).Final(TCP_SYN_SENT).Segments(1, 0));
  Apply(RecordBuilder().Outgoing(9, 0).Final(TCP_SYN_SENT));
  const SideCounters counters = Only().counters;
  EXPECT_EQ(counters.failed_refused, 1U);
  EXPECT_EQ(counters.failed_timed_out, 1U);
  EXPECT_EQ(counters.failed_unreachable, 1U);
  EXPECT_EQ(counters.failed_abandoned, 1U);
  EXPECT_EQ(counters.failed_other, 1U);
  EXPECT_EQ(counters.opened + counters.closed + counters.open + counters.connect_count, 0U);
}

TEST_F(SocketTableTest, AnAttemptSeenBySnapshotsFailsOnce) {
  Snapshot({RecordBuilder().Outgoing(5, 0).State(TCP_SYN_SENT).Segments(2, 0)});
  (void)Emit();
  Apply(
      RecordBuilder().Outgoing(5, 0).Final(TCP_SYN_SENT).Errors(ETIMEDOUT).Segments(6, 0).Flags(WEIR_SOCKET_REPORTED));
  const SideCounters counters = Only().counters;
  EXPECT_EQ(counters.failed_timed_out, 1U);
  EXPECT_EQ(counters.segments_sent, 4U);
  EXPECT_EQ(table_.size(), 0U);
  EXPECT_EQ(flows_.size(), 0U);
}

TEST_F(SocketTableTest, ResetsAndTimeoutsOfOpenedConnections) {
  Apply(Connection().Final(TCP_ESTABLISHED).Errors(ECONNRESET));
  Apply(Connection().Final(TCP_ESTABLISHED).Errors(ETIMEDOUT));
  const SideCounters counters = Only().counters;
  EXPECT_EQ(counters.opened, 2U);
  EXPECT_EQ(counters.closed, 2U);
  EXPECT_EQ(counters.closed_reset_by_server, 1U);
  EXPECT_EQ(counters.closed_reset_by_client, 0U);
  EXPECT_EQ(counters.closed_timed_out, 1U);
}

TEST_F(SocketTableTest, AnAbortIsThisEndsOwnReset) {
  Apply(Connection().Final(TCP_ESTABLISHED));
  const SideCounters counters = Only().counters;
  EXPECT_EQ(counters.closed, 1U);
  EXPECT_EQ(counters.closed_reset_by_client, 1U);
  EXPECT_EQ(counters.closed_reset_by_server, 0U);
}

TEST_F(SocketTableTest, WhyASenderWaitsIsCountedFromRecordToRecord) {
  Snapshot({Connection().Limits(100, 40, 10).Delivery(10, 1'000, 1'448).Rtt(50, 40, 10)});
  Snapshot({Connection().Flags(WEIR_SOCKET_REPORTED).Limits(150, 60, 10).Delivery(20, 1'000, 1'448).Rtt(50, 40, 20)});
  Apply(Connection().Final().Flags(WEIR_SOCKET_REPORTED).Limits(170, 60, 11).Delivery(1, 9'000, 1'448).Rtt(50, 40, 21));
  const SideCounters counters = Only().counters;
  EXPECT_EQ(counters.busy_us, 170 * kJiffyUs);
  EXPECT_EQ(counters.window_limited_us, 60 * kJiffyUs);
  EXPECT_EQ(counters.buffer_limited_us, 11 * kJiffyUs);
  EXPECT_EQ(counters.delivery_rate, 20 * 1'448 * 1'000U) << "the fastest sample";
}

TEST_F(SocketTableTest, WhatAReceiverSeesIsCountedFromRecordToRecord) {
  Snapshot({Connection().Arrivals(5, 70'000).Flags(WEIR_SOCKET_ZERO_WINDOW)});
  Snapshot({Connection().Flags(WEIR_SOCKET_REPORTED).Arrivals(7, 10)});
  Apply(Connection().Final().Flags(WEIR_SOCKET_REPORTED | WEIR_SOCKET_ZERO_WINDOW).Arrivals(9, 99'999));
  const SideCounters counters = Only().counters;
  EXPECT_EQ(counters.out_of_order, 9U);
  EXPECT_EQ(counters.unread_max, 70'000U) << "at snapshots only: the last one is thrown away";
  EXPECT_EQ(counters.zero_windows, 1U);
}

TEST_F(SocketTableTest, OutOfOrderArrivalsAskForAWatchOfTheirControlGroup) {
  Snapshot({Connection().Cgroup(77).Arrivals(0, 0)});
  EXPECT_TRUE(table_.TakeOutOfOrderGroups().empty());
  Snapshot({Connection().Flags(WEIR_SOCKET_REPORTED).Cgroup(77).Arrivals(3, 0).Late(0, 0, 0, 0)});
  EXPECT_THAT(table_.TakeOutOfOrderGroups(), testing::ElementsAre(77));
  EXPECT_TRUE(table_.TakeOutOfOrderGroups().empty()) << "told once";
  Apply(Connection().Final().Flags(WEIR_SOCKET_REPORTED).Cgroup(77).Arrivals(9, 0).Late(4, 5'792, 3, 1));
  const SideCounters counters = Only().counters;
  EXPECT_EQ(counters.late_segments, 4U);
  EXPECT_EQ(counters.late_bytes, 5'792U);
  EXPECT_EQ(counters.gaps, 3U);
  EXPECT_EQ(counters.reordered, 1U);
}

TEST_F(SocketTableTest, KindsOfRetransmissionsAreToldApart) {
  Snapshot({Connection().Retransmits(10, 0).RetransmitKinds(4, 1, 2)});
  Apply(Connection().Final().Flags(WEIR_SOCKET_REPORTED).Retransmits(20, 0).RetransmitKinds(9, 3, 2));
  const SideCounters counters = Only().counters;
  EXPECT_EQ(counters.retransmits, 20U);
  EXPECT_EQ(counters.retransmits_rto, 9U);
  EXPECT_EQ(counters.retransmits_probe, 3U);
  EXPECT_EQ(counters.spurious_retransmits, 2U);
}

// A queue that is full holds a connection.
class AcceptQueueTest : public SocketTableTest {
 protected:
  void SetUp() override {
    Snapshot({RecordBuilder().Socket(0x9000).Incoming(5).Ends("10.0.0.2", 80, "10.0.0.1", 40'000).Process("nginx", 7)});
    (void)Emit();
  }
  static RecordBuilder Listener() { return RecordBuilder().Listen("10.0.0.2", 80, "nginx", 7); }
};

TEST_F(AcceptQueueTest, OverflowsStandWithAFlowOfTheListener) {
  Apply(Listener());
  EXPECT_TRUE(Emit().empty()) << "nothing to tell yet";
  Snapshot({Listener().Queue(2, 1, 6)});
  Snapshot({Listener().Queue(1, 1, 15)});
  const SideReport report = Only();
  EXPECT_EQ(report.ends.side, model::Side::kServer);
  EXPECT_EQ(report.ends.client_address.ToString(), "10.0.0.1") << "nobody needs to be made up";
  EXPECT_EQ(report.ends.server_port, 80U);
  EXPECT_EQ(report.counters.accept_overflows, 15U);
  EXPECT_EQ(report.counters.accept_queue_max, 2U);
}

TEST_F(AcceptQueueTest, OneThatIsHardlyUsedIsNoNews) {
  Apply(Listener());
  Snapshot({Listener().Queue(24, 100, 0)});
  EXPECT_TRUE(Emit().empty());
  Snapshot({Listener().Queue(25, 100, 0)});
  EXPECT_EQ(Only().counters.accept_queue_max, 25U);
}

TEST_F(AcceptQueueTest, DropsFromBeforeTheAgentAreNotItsOwn) {
  const auto listener = [] { return RecordBuilder().Listen("10.0.0.2", 80, "nginx", 7).Flags(WEIR_SOCKET_EXISTING); };
  Snapshot({listener().Queue(0, 1, 1'000)});
  Snapshot({listener().Queue(0, 1, 1'003)});
  EXPECT_EQ(Only().counters.accept_overflows, 3U);
}

// SO_REUSEPORT: each socket has counters of its own, and they are told in turns.
TEST_F(AcceptQueueTest, ListenersOfOnePortKeepTheirOwnCounts) {
  const auto one = [] { return RecordBuilder().Socket(1).Listen("10.0.0.2", 80, "nginx", 7); };
  const auto other = [] { return RecordBuilder().Socket(2).Listen("10.0.0.2", 80, "nginx", 7); };
  Apply(one());
  Apply(other());
  Snapshot({one().Queue(2, 1, 380), other()});
  EXPECT_EQ(Only().counters.accept_overflows, 380U);
  for (int i = 0; i < 3; ++i) Snapshot({one().Queue(2, 1, 380), other()});
  EXPECT_EQ(Only().counters.accept_overflows, 0U) << "nothing happened since";
  Snapshot({one().Queue(2, 1, 381), other().Queue(2, 1, 7)});
  EXPECT_EQ(Only().counters.accept_overflows, 8U);
}

TEST_F(AcceptQueueTest, AListenerThatEndsTakesItsLastCountsAlong) {
  const auto listener = [] { return RecordBuilder().Listen("10.0.0.2", 80, "nginx", 7); };
  Apply(listener());
  Snapshot({listener().Queue(2, 1, 6)});
  (void)Only();
  Apply(listener().Queue(2, 1, 10).Kind(WEIR_RECORD_FINAL));
  EXPECT_EQ(Only().counters.accept_overflows, 4U);
  Apply(listener().Queue(2, 1, 3));
  EXPECT_EQ(Only().counters.accept_overflows, 3U) << "the next one has its memory, and counts from 0";
}

TEST_F(AcceptQueueTest, AListenerThatNoSnapshotMetTellsWhatItLost) {
  Apply(RecordBuilder().Listen("10.0.0.2", 80, "nginx", 7));
  Apply(RecordBuilder().Listen("10.0.0.2", 80, "nginx", 7).Queue(2, 1, 12).Kind(WEIR_RECORD_FINAL));
  EXPECT_EQ(Only().counters.accept_overflows, 12U);
}

TEST_F(SocketTableTest, AnExistingSocketStartsFromABaseLine) {
  const auto old = [] { return RecordBuilder().Flags(WEIR_SOCKET_EXISTING).Process("psql", 5); };
  Snapshot({old().Bytes(1'000'000, 2'000'000).Segments(900, 800).Retransmits(50, 0).Timeouts(9).Rtt(70, 60, 600)});
  SideReport report = Only();
  EXPECT_EQ(report.identity.process, "psql");
  EXPECT_EQ(report.counters.open, 1U) << "visible";
  EXPECT_EQ(report.counters.bytes_sent + report.counters.bytes_received + report.counters.segments_sent, 0U);
  EXPECT_EQ(report.counters.opened + report.counters.retransmits + report.counters.timeouts + report.counters.rtt_count,
            0U);
  Snapshot({old().Bytes(1'000'010, 2'000'000).Segments(901, 801).Retransmits(51, 0).Timeouts(10).Rtt(71, 60, 601)});
  report = Only();
  EXPECT_EQ(report.counters.bytes_sent, 10U);
  EXPECT_EQ(report.counters.retransmits, 1U);
  EXPECT_EQ(report.counters.timeouts, 1U);
  EXPECT_EQ(report.counters.rtt_count, 1U);
  Apply(old()
            .Final()
            .Bytes(1'000'010, 2'000'001)
            .Segments(903, 803)
            .Retransmits(51, 0)
            .Timeouts(10)
            .Flags(WEIR_SOCKET_REPORTED | WEIR_SOCKET_FIN_RECEIVED));
  report = Only();
  EXPECT_EQ(report.counters.bytes_received, 0U);
  EXPECT_EQ(report.counters.closed, 1U);
  EXPECT_EQ(report.counters.opened, 0U);
}

TEST_F(SocketTableTest, AnExistingSocketThatClosesBeforeItsFirstSnapshotOnlyCloses) {
  Apply(RecordBuilder().Flags(WEIR_SOCKET_EXISTING).Final().Bytes(1'000, 1'000).Segments(10, 10));
  const SideReport report = Only();
  EXPECT_EQ(report.counters.closed, 1U);
  EXPECT_EQ(report.counters.opened, 0U);
  EXPECT_EQ(report.counters.bytes_sent + report.counters.bytes_received + report.counters.segments_sent, 0U);
}

TEST_F(SocketTableTest, AnExistingAttemptThatSucceedsWasOpenedHere) {
  Snapshot({RecordBuilder().Flags(WEIR_SOCKET_EXISTING).State(TCP_SYN_SENT).Segments(1, 0)});
  (void)Emit();
  RecordBuilder later;
  later.Flags(WEIR_SOCKET_EXISTING | WEIR_SOCKET_REPORTED).Outgoing(0, 777).Segments(3, 2).Bytes(5, 0);
  Snapshot({later});
  const SideCounters counters = Only().counters;
  EXPECT_EQ(counters.opened, 1U);
  EXPECT_EQ(counters.open, 1U);
  EXPECT_EQ(counters.bytes_sent, 5U);
  EXPECT_EQ(counters.connect_count, 0U) << "nobody saw when it began";
  EXPECT_EQ(table_.size(), 1U);
}

TEST_F(SocketTableTest, AcceptedSocketsTakeTheirListenersProcess) {
  Apply(RecordBuilder().Listen("0.0.0.0", 80, "nginx", 9));
  Apply(RecordBuilder().Incoming(5).Final().Ends("10.0.0.2", 80, "10.0.0.1", 40'000).Bytes(7, 3));
  const SideReport report = Only();
  EXPECT_EQ(report.ends.side, Side::kServer);
  EXPECT_EQ(report.ends.client_address.ToString(), "10.0.0.1");
  EXPECT_EQ(report.ends.server_address.ToString(), "10.0.0.2");
  EXPECT_EQ(report.ends.server_port, 80);
  EXPECT_EQ(report.identity.process, "nginx");
  EXPECT_EQ(report.counters.connect_count, 0U) << "only the client measures the handshake";
}

TEST_F(SocketTableTest, ListenersAreFoundByAddressThenWildcardInTheirNamespace) {
  Apply(RecordBuilder().Listen("10.0.0.2", 80, "exact", 1));
  Apply(RecordBuilder().Listen("0.0.0.0", 80, "any4", 2));
  Apply(RecordBuilder().Listen("::", 81, "any6", 3));
  Apply(RecordBuilder().Listen("::", 80, "elsewhere", 4).Netns(8));
  const auto process = [this](RecordBuilder record) {
    Apply(record.Incoming(5).Final());
    return Only().identity.process;
  };
  EXPECT_EQ(process(RecordBuilder().Ends("10.0.0.2", 80, "10.0.0.1", 1)), "exact");
  EXPECT_EQ(process(RecordBuilder().Ends("10.0.0.3", 80, "10.0.0.1", 1)), "any4");
  EXPECT_EQ(process(RecordBuilder().Ends("10.0.0.3", 81, "10.0.0.1", 1)), "any6") << "dual stack";
  EXPECT_EQ(process(RecordBuilder().Ends("fd00::2", 81, "fd00::1", 1)), "any6");
  EXPECT_EQ(process(RecordBuilder().Ends("fd00::2", 80, "fd00::1", 1)), "") << "0.0.0.0 takes no IPv6";
  EXPECT_EQ(process(RecordBuilder().Ends("fd00::2", 80, "fd00::1", 1).Netns(8)), "elsewhere");
}

TEST_F(SocketTableTest, AListenerAnswersForConnectionsThatOutliveIt) {
  Apply(RecordBuilder().Listen("0.0.0.0", 80, "nginx", 9));
  Apply(RecordBuilder().Listen("0.0.0.0", 80, "nginx", 9).Kind(WEIR_RECORD_FINAL));
  Snapshot({});
  Apply(RecordBuilder().Incoming(5).Final().Ends("10.0.0.2", 80, "10.0.0.1", 1));
  EXPECT_EQ(Only().identity.process, "nginx");
  for (int i = 0; i < 3; ++i) Snapshot({});
  Apply(RecordBuilder().Incoming(5).Final().Ends("10.0.0.2", 80, "10.0.0.1", 1));
  EXPECT_EQ(Only().identity.process, "") << "somebody else may listen there by now";
}

TEST_F(SocketTableTest, OfTwoProgramsOnOnePortNoneIsGuessed) {
  Apply(RecordBuilder().Socket(1).Listen("0.0.0.0", 80, "shop", 9));
  EXPECT_TRUE(table_.shared_ports().empty());
  Apply(RecordBuilder().Socket(2).Listen("0.0.0.0", 80, "bill", 10));
  EXPECT_EQ(table_.shared_ports(), std::set<uint16_t>{80});
  const auto accepted = [] { return RecordBuilder().Incoming(5).Ends("10.0.0.2", 80, "10.0.0.1", 1); };
  Apply(accepted().Final());
  SideReport report = Only();
  EXPECT_EQ(report.identity.process, "") << "unknown, not one of them";
  EXPECT_EQ(report.ends.side, Side::kServer);
  Apply(accepted().Final().Process("bill", 10));
  EXPECT_EQ(Only().identity.process, "bill") << "who closed it";
}

TEST_F(SocketTableTest, ALivingConnectionOfTwoProgramsGetsItsHolderAtTheLatestWhenItEnds) {
  Apply(RecordBuilder().Socket(1).Listen("0.0.0.0", 80, "shop", 9));
  Apply(RecordBuilder().Socket(2).Listen("0.0.0.0", 80, "bill", 10));
  const auto accepted = [] { return RecordBuilder().Socket(3).Incoming(5).Ends("10.0.0.2", 80, "10.0.0.1", 1); };
  Snapshot({accepted().Bytes(10, 0).Segments(2, 2)});
  EXPECT_EQ(Only().identity.process, "");
  EXPECT_TRUE(table_.TakeBorrowed()) << "the descriptor tables may know";
  Apply(accepted().Final().Bytes(30, 0).Segments(4, 4).Flags(WEIR_SOCKET_REPORTED).Process("shop", 9));
  const auto reports = Emit();
  ASSERT_EQ(reports.size(), 2U);
  EXPECT_EQ(reports[0].identity.process, "shop");
  EXPECT_EQ(reports[0].counters.bytes_sent, 20U);
  EXPECT_EQ(reports[0].counters.closed, 1U);
  EXPECT_EQ(reports[1].counters.open, 0U);
}

TEST_F(SocketTableTest, TwoProgramsOnOnePortAreToldApartByControlGroupAndTime) {
  Apply(RecordBuilder().Socket(1).Time(100).Listen("0.0.0.0", 80, "shop", 9).Cgroup(21));
  Apply(RecordBuilder().Socket(2).Time(200).Listen("0.0.0.0", 80, "bill", 10).Cgroup(22));
  EXPECT_TRUE(table_.shared_ports().empty()) << "nobody has to be asked";
  const auto process = [this](uint64_t group, uint64_t established_ns) {
    Apply(RecordBuilder().Incoming(established_ns).Final().Cgroup(group).Ends("10.0.0.2", 80, "10.0.0.1", 1));
    return Only().identity.process;  // in one round: nothing is remembered of one for the other
  };
  EXPECT_EQ(process(21, 300), "shop");
  EXPECT_EQ(process(22, 300), "bill");
  EXPECT_EQ(process(23, 300), "") << "a group of neither";
  EXPECT_EQ(process(23, 150), "shop") << "the other did not listen yet";
  Apply(RecordBuilder().Socket(1).Time(400).Listen("0.0.0.0", 80, "shop", 9).Cgroup(21).Kind(WEIR_RECORD_FINAL));
  EXPECT_EQ(process(23, 500), "bill");
  EXPECT_EQ(process(21, 350), "shop") << "it has ended, but took this one";
}

TEST_F(SocketTableTest, ManyListenersOfOneProgramAreOne) {
  for (uint64_t socket = 1; socket <= 8; ++socket) {
    Apply(RecordBuilder().Socket(socket).Listen("0.0.0.0", 80, "nginx", static_cast<uint32_t>(100 + socket)));
  }
  EXPECT_TRUE(table_.shared_ports().empty());
  Apply(RecordBuilder().Socket(99).Incoming(5).Final().Ends("10.0.0.2", 80, "10.0.0.1", 1));
  EXPECT_EQ(Only().identity.process, "nginx");
}

TEST_F(SocketTableTest, TheDescriptorTableKnowsBetterThanTheListener) {
  Apply(RecordBuilder().Listen("0.0.0.0", 80, "systemd", 1));
  const auto accepted = [] { return RecordBuilder().Incoming(5).Ends("10.0.0.2", 80, "10.0.0.1", 1); };
  Snapshot({accepted().Bytes(10, 0).Segments(2, 2)});
  EXPECT_EQ(Only().identity.process, "systemd");
  EXPECT_TRUE(table_.TakeBorrowed());
  Snapshot({accepted().Bytes(30, 0).Segments(3, 3).Process("sshd", 77)});
  EXPECT_FALSE(table_.TakeBorrowed());
  const auto reports = Emit();
  ASSERT_EQ(reports.size(), 2U);
  EXPECT_EQ(reports[0].identity.process, "sshd");
  EXPECT_EQ(reports[0].counters.bytes_sent, 20U);
  EXPECT_EQ(reports[0].counters.open, 1U);
  EXPECT_EQ(reports[1].identity.process, "systemd");
  EXPECT_EQ(reports[1].counters.open, 0U);
  EXPECT_EQ(flows_.size(), 1U);
}

TEST_F(SocketTableTest, ShortConnectionsOfSocketActivatedServicesAskForTheDescriptorTablesToo) {
  Apply(RecordBuilder().Listen("0.0.0.0", 80, "systemd", 1));
  Apply(RecordBuilder().Socket(2).Listen("0.0.0.0", 81, "nginx", 9));
  Apply(RecordBuilder().Incoming(5).Final().Ends("10.0.0.2", 81, "10.0.0.1", 1));
  EXPECT_FALSE(table_.TakeBorrowed()) << "a listener that opened its own socket is as good as it gets";
  Apply(RecordBuilder().Incoming(5).Final().Ends("10.0.0.2", 80, "10.0.0.1", 1));
  EXPECT_TRUE(table_.TakeBorrowed());
  EXPECT_FALSE(table_.TakeBorrowed());
}

TEST_F(SocketTableTest, AFailedSnapshotSweepsAndAgesNothing) {
  Apply(RecordBuilder().Listen("0.0.0.0", 80, "nginx", 9));
  Snapshot({Connection()});
  for (int i = 0; i < 5; ++i) Snapshot({}, SocketTable::Snapshot::kFailed);
  EXPECT_EQ(table_.size(), 1U);
  (void)Emit();
  Apply(RecordBuilder().Incoming(5).Final().Ends("10.0.0.2", 80, "10.0.0.1", 1));
  EXPECT_EQ(Only().identity.process, "nginx");
}

TEST_F(SocketTableTest, AnExistingSocketOfAListenerWithoutBacklogIsIncoming) {
  // listen(fd, 0): the accepted socket has no backlog limit either. The listener's record comes later in the
  // pass.
  Snapshot({RecordBuilder().Flags(WEIR_SOCKET_EXISTING).Ends("10.0.0.2", 80, "10.0.0.1", 40'000).Process("srv", 3),
            RecordBuilder().Socket(2).Listen("0.0.0.0", 80, "srv", 3)});
  const SideReport report = Only();
  EXPECT_EQ(report.ends.side, Side::kServer);
  EXPECT_EQ(report.ends.server_port, 80);
}

TEST_F(SocketTableTest, MappedAddressesAreIpv4) {
  Apply(RecordBuilder().Incoming(5).Final().Ends("::ffff:10.0.0.2", 80, "::ffff:10.0.0.1", 1));
  Apply(RecordBuilder().Incoming(6).Final().Ends("10.0.0.2", 80, "10.0.0.1", 1));
  const SideReport report = Only();
  EXPECT_EQ(report.ends.client_address.ToString(), "10.0.0.1");
  EXPECT_EQ(report.counters.closed, 2U);
}

TEST_F(SocketTableTest, PointersAreReusedAtOnce) {
  Snapshot({Connection().Bytes(100, 0)});
  // Closed and replaced while a snapshot ran: the live record of the new one comes before the final one of
  // the old.
  now_ += kSecond;
  table_.SnapshotBegins(now_);
  Apply(RecordBuilder().Outgoing(9'000'000, 9'000'500).Process("curl", 42).Bytes(7, 0));
  table_.SnapshotEnds(now_, kChanged);
  Apply(Connection().Final().Bytes(110, 0).Flags(WEIR_SOCKET_REPORTED));
  SideReport report = Only();
  EXPECT_EQ(report.counters.bytes_sent, 117U);
  EXPECT_EQ(report.counters.opened, 2U);
  EXPECT_EQ(report.counters.closed, 1U);
  EXPECT_EQ(report.counters.open, 1U);
  EXPECT_EQ(table_.size(), 1U);
}

TEST_F(SocketTableTest, AFinalRecordMadeDuringASnapshotMayLackTheMark) {
  now_ += kSecond;
  table_.SnapshotBegins(now_);
  Apply(Connection().Bytes(100, 0).Time(static_cast<uint64_t>(now_) + 10));
  // Its program had copied the flags before the snapshot set the mark.
  Apply(Connection().Final().Bytes(100, 0).Time(static_cast<uint64_t>(now_) + 5));
  table_.SnapshotEnds(now_ + 100, kChanged);
  const SideReport report = Only();
  EXPECT_EQ(report.counters.bytes_sent, 100U) << "not twice";
  EXPECT_EQ(report.counters.opened, 1U);
  EXPECT_EQ(report.counters.closed, 1U);
  EXPECT_EQ(table_.size(), 0U);
}

TEST_F(SocketTableTest, TheSameRaceReadAfterTheSnapshot) {
  now_ += kSecond;
  table_.SnapshotBegins(now_);
  Apply(Connection().Bytes(100, 0));
  table_.SnapshotEnds(now_ + 100, kChanged);
  Apply(Connection().Final().Bytes(130, 0).Time(static_cast<uint64_t>(now_) + 50));
  EXPECT_EQ(Only().counters.bytes_sent, 130U);
  EXPECT_EQ(table_.size(), 0U);
}

TEST_F(SocketTableTest, AMarkWithoutALiveRecordIsNotBelieved) {
  // A snapshot that lost a race against a close has marked the socket that got the map element next.
  Apply(Connection().Final().Bytes(100, 0).Flags(WEIR_SOCKET_REPORTED));
  const SideCounters counters = Only().counters;
  EXPECT_EQ(counters.bytes_sent, 100U);
  EXPECT_EQ(counters.opened, 1U);
  EXPECT_EQ(counters.closed, 1U);
}

TEST_F(SocketTableTest, CountersWrapAndTornReadsDoNotExplode) {
  Snapshot({Connection().Segments(0xffffffff, 10).Timeouts(0xffff).Bytes(100, 100)});
  (void)Emit();
  Snapshot({Connection().Segments(4, 9).Timeouts(2).Bytes(90, 100)});
  const SideCounters counters = Only().counters;
  EXPECT_EQ(counters.segments_sent, 5U);
  EXPECT_EQ(counters.segments_received, 0U);
  EXPECT_EQ(counters.timeouts, 3U) << "the kernel's counter is 16 bits wide";
  EXPECT_EQ(counters.bytes_sent, 0U);
  Snapshot({Connection().Segments(4, 10).Timeouts(2).Bytes(101, 100)});
  EXPECT_EQ(Only().counters.bytes_sent, 1U) << "only what exceeds the largest value seen";
}

TEST_F(SocketTableTest, UnknownTimeoutsStayUnknown) {
  Snapshot({Connection().Timeouts(0xffffffff)});
  EXPECT_EQ(Only().counters.timeouts, 0U);
}

TEST_F(SocketTableTest, RttIsSampledOnlyWhenSomethingWasAcknowledged) {
  Snapshot({Connection().Rtt(100, 0xffffffff, 1)});
  SideCounters counters = Only().counters;
  EXPECT_EQ(counters.rtt_count, 1U);
  EXPECT_EQ(counters.rtt_min_us, 100U) << "the kernel has no minimum yet";
  Snapshot({Connection().Rtt(100, 90, 1).Segments(5, 5)});
  EXPECT_EQ(Only().counters.rtt_count, 0U);
  Snapshot({Connection().Rtt(300, 90, 2)});
  counters = Only().counters;
  EXPECT_EQ(counters.rtt_count, 1U);
  EXPECT_EQ(counters.rtt_sum_us, 300U);
  EXPECT_EQ(counters.rtt_min_us, 90U);
  EXPECT_EQ(counters.rtt_max_us, 300U);
  EXPECT_EQ(counters.rtt_histogram.total(), 1U);
}

TEST_F(SocketTableTest, AFinFlaggedLateCostsOneByteAtMost) {
  Snapshot({Connection().Bytes(0, 51)});  // 50 bytes and a FIN whose flag was not set yet
  EXPECT_EQ(Only().counters.bytes_received, 51U);
  Apply(Connection().Final().Bytes(0, 51).Flags(WEIR_SOCKET_REPORTED | WEIR_SOCKET_FIN_RECEIVED));
  EXPECT_EQ(Only().counters.bytes_received, 0U);
}

TEST_F(SocketTableTest, AFinFlaggedLateIsTakenBackFromABusyFlow) {
  Snapshot({Connection().Bytes(0, 51)});
  Apply(RecordBuilder().Socket(2).Outgoing(7, 8).Process("curl", 42).Final().Bytes(0, 9));
  Apply(Connection().Final().Bytes(0, 51).Flags(WEIR_SOCKET_REPORTED | WEIR_SOCKET_FIN_RECEIVED));
  EXPECT_EQ(Only().counters.bytes_received, 59U);
}

TEST_F(SocketTableTest, ACompleteSnapshotEndsSocketsWhoseFinalRecordWasLost) {
  Snapshot({Connection(), RecordBuilder().Socket(2).Outgoing(5, 0).State(TCP_SYN_SENT)});
  (void)Emit();
  Snapshot({}, kChanged);
  EXPECT_EQ(table_.size(), 2U) << "idle sockets are not reported";
  Snapshot({}, kComplete);
  EXPECT_EQ(table_.size(), 0U);
  uint64_t closed = 0;
  uint64_t failed = 0;
  for (const SideReport& report : Emit()) {
    closed += report.counters.closed;
    failed += report.counters.failed_other;
    EXPECT_EQ(report.counters.open, 0U);
  }
  EXPECT_EQ(closed, 1U);
  EXPECT_EQ(failed, 1U);
  EXPECT_EQ(flows_.size(), 0U);
  // It was not lost after all: counted already.
  Apply(Connection().Final().Bytes(9, 9).Flags(WEIR_SOCKET_REPORTED));
  EXPECT_TRUE(Emit().empty());
}

TEST_F(SocketTableTest, WithoutMarksEveryFinalRecordIsLookedUp) {
  SocketTable table(SocketTable::Finals::kUnmarked, kJiffyUs, flows_, identities_);
  table.SnapshotBegins(now_);
  table.OnRecord(RecordBuilder().Bytes(10, 0));
  table.SnapshotEnds(now_, kChanged);
  (void)Emit();
  now_ += 1'000 * kSecond;
  table.OnRecord(RecordBuilder().Final().Bytes(15, 0));
  const SideCounters counters = Only().counters;
  EXPECT_EQ(counters.bytes_sent, 5U);
  EXPECT_EQ(counters.opened, 0U);
  EXPECT_EQ(counters.closed, 1U);
}

TEST_F(SocketTableTest, WithoutMarksSocketsMayMissSnapshotsAndBeFinalLongAfter) {
  SocketTable table(SocketTable::Finals::kUnmarked, kJiffyUs, flows_, identities_);
  const auto snapshot = [&table, this](const std::vector<weir_record>& records) {
    table.SnapshotBegins(now_);
    for (const weir_record& record : records) table.OnRecord(record);
    table.SnapshotEnds(now_, kComplete);
  };
  const auto socket = [] { return RecordBuilder().Bytes(10, 0).Segments(2, 2); };
  snapshot({socket()});
  (void)Emit();
  snapshot({});
  snapshot({});
  EXPECT_EQ(table.size(), 1U) << "its final record may be on the way";
  snapshot({});
  EXPECT_EQ(table.size(), 0U);
  EXPECT_EQ(Only().counters.closed, 1U);
  table.OnRecord(socket().Final());  // its last descriptor was closed
  EXPECT_TRUE(Emit().empty()) << "counted already";
  table.OnRecord(socket().Final());
  EXPECT_EQ(Only().counters.closed, 1U) << "another socket: only one was counted already";
}

TEST_F(SocketTableTest, WithoutMarksTheListenerTellsTheDirection) {
  SocketTable table(SocketTable::Finals::kUnmarked, kJiffyUs, flows_, identities_);
  table.OnRecord(RecordBuilder().Listen("0.0.0.0", 80, "nginx", 9));
  table.OnRecord(RecordBuilder().Final().Ends("10.0.0.2", 80, "10.0.0.1", 40'000));
  EXPECT_EQ(Only().ends.side, Side::kServer);
  table.OnRecord(RecordBuilder().Final().Ends("10.0.0.1", 40'000, "10.0.0.2", 80));
  EXPECT_EQ(Only().ends.side, Side::kClient);
}

TEST_F(SocketTableTest, AFinalRecordWithoutCountersEndsAnOpenConnection) {
  SocketTable table(SocketTable::Finals::kUnmarked, kJiffyUs, flows_, identities_);
  table.SnapshotBegins(now_);
  table.OnRecord(RecordBuilder().Bytes(10, 5).Segments(3, 3).Rtt(5, 5, 2));
  table.SnapshotEnds(now_, kComplete);
  (void)Emit();
  table.OnRecord(RecordBuilder().Final(TCP_SYN_SENT).Errors(EIO));  // zeroed by tcp_disconnect()
  const SideCounters counters = Only().counters;
  EXPECT_EQ(counters.closed, 1U);
  EXPECT_EQ(counters.failed(), 0U);
  EXPECT_EQ(counters.segments_sent + counters.bytes_sent + counters.rtt_count, 0U);
}

TEST_F(SocketTableTest, ManySocketsOfOneFlowFoldTogether) {
  std::vector<weir_record> records;
  for (uint16_t i = 0; i < 1'000; ++i) {
    records.push_back(Connection()
                          .Socket(0x1000 + 0x8c0ULL * i)
                          .Ends("10.0.0.1", static_cast<uint16_t>(1'024 + i), "10.0.0.2", 80)
                          .Bytes(3, 0));
  }
  Snapshot(records);
  const SideCounters counters = Only().counters;
  EXPECT_EQ(counters.open, 1'000U);
  EXPECT_EQ(counters.opened, 1'000U);
  EXPECT_EQ(counters.bytes_sent, 3'000U);
}

}  // namespace
}  // namespace weir::agent::flow

#include "agent/udp/peer_table.h"

#include <gtest/gtest.h>

#include <cstring>

#include "agent/identity/identity_index.h"
#include "base/metrics.h"

namespace weir::agent::udp {
namespace {

using model::Side;

constexpr Nanos kSecond = 1'000'000'000;
constexpr Nanos kBegin = 100 * kSecond;

weir_udp_key Key(uint16_t local_port, uint16_t remote_port, uint64_t socket = 1) {
  weir_udp_key key{};
  key.cookie = socket;
  key.family = 2;
  key.local_address[0] = 0x0100000a;
  key.remote_address[0] = 0x0200000a;
  key.local_port = local_port;
  key.remote_port = remote_port;
  return key;
}

weir_udp_flow Flow(uint64_t sent, uint64_t received, uint32_t flags, Nanos first = kBegin + 1) {
  weir_udp_flow flow{};
  flow.bytes_sent = sent * 100;
  flow.datagrams_sent = sent;
  flow.bytes_received = received * 1'000;
  flow.datagrams_received = received;
  flow.flags = flags;
  flow.first_ns = static_cast<uint64_t>(first);
  flow.netns = 9;
  std::strcpy(flow.comm, "dig");
  return flow;
}

class PeerTableTest : public testing::Test {
 protected:
  std::vector<model::SideReport> Emit(PeerTable& table) {
    std::vector<model::SideReport> reports;
    table.Emit(reports);
    return reports;
  }

  FakeClock clock_;
  identity::IdentityIndex identities_{{"/nonexistent", "/nonexistent", {}}, clock_};
  PeerTable table_{1'000, kBegin, identities_};
};

TEST_F(PeerTableTest, WhoeverSentFirstIsTheClientWhateverThePorts) {
  table_.OnPair(kBegin, false, Key(80, 50'000, 1), Flow(1, 2, WEIR_UDP_SENT_FIRST));
  table_.OnPair(kBegin, false, Key(50'000, 80, 2), Flow(2, 1, 0));
  const auto reports = Emit(table_);
  ASSERT_EQ(reports.size(), 2U);
  for (const auto& report : reports) {
    EXPECT_EQ(report.ends.server_port, 50'000);
    EXPECT_EQ(report.ends.protocol, model::Protocol::kUdp);
    EXPECT_EQ(report.ends.netns, 9U);
    EXPECT_EQ(report.identity.process, "dig");
    const bool client = report.ends.side == Side::kClient;
    EXPECT_EQ(report.ends.client_address.ToString(), client ? "10.0.0.1" : "10.0.0.2");
    EXPECT_EQ(report.counters.segments_sent, client ? 1U : 2U);
    EXPECT_EQ(report.counters.bytes_sent, client ? 100U : 200U);
    EXPECT_EQ(report.counters.bytes_received, client ? 2'000U : 1'000U);
  }
}

TEST_F(PeerTableTest, OlderPairsAreJudgedByTheirPorts) {
  EXPECT_EQ(SideByPorts(40'000, 53, false), Side::kClient);
  EXPECT_EQ(SideByPorts(53, 40'000, true), Side::kServer);
  EXPECT_EQ(SideByPorts(123, 4'000, true), Side::kServer) << "well-known before registered";
  EXPECT_EQ(SideByPorts(40'000, 8'125, false), Side::kClient) << "registered before ephemeral";
  EXPECT_EQ(SideByPorts(5'000, 6'000, true), Side::kServer) << "else the lower one serves";
  EXPECT_EQ(SideByPorts(123, 123, true), Side::kClient) << "equal ports say nothing";
  EXPECT_EQ(SideByPorts(123, 123, false), Side::kServer);
  table_.OnPair(kBegin, false, Key(53, 40'000), Flow(1, 1, WEIR_UDP_SENT_FIRST, kBegin - 1));
  EXPECT_EQ(Emit(table_).at(0).ends.side, Side::kServer);
}

TEST_F(PeerTableTest, AbsoluteCountersBecomeDeltasAndClientPortsFold) {
  table_.OnPair(kBegin, false, Key(40'000, 53, 1), Flow(3, 1, WEIR_UDP_SENT_FIRST));
  table_.OnPair(kBegin, false, Key(40'001, 53, 2), Flow(1, 1, WEIR_UDP_SENT_FIRST));
  auto reports = Emit(table_);
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].counters.segments_sent, 4U);
  EXPECT_EQ(reports[0].counters.segments_received, 2U);
  table_.OnPair(kBegin + kSecond, false, Key(40'000, 53, 1), Flow(5, 1, WEIR_UDP_SENT_FIRST));
  table_.OnPair(kBegin + kSecond, false, Key(40'001, 53, 2), Flow(1, 1, WEIR_UDP_SENT_FIRST));
  reports = Emit(table_);
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].counters.bytes_sent, 200U);
  EXPECT_EQ(reports[0].counters.segments_received, 0U);
  EXPECT_TRUE(Emit(table_).empty()) << "no news, no report";
}

TEST_F(PeerTableTest, QuicIsClaimedWhereItWasSeen) {
  table_.OnPair(kBegin, false, Key(40'000, 443, 1), Flow(1, 0, WEIR_UDP_SENT_FIRST | WEIR_UDP_QUIC));
  table_.OnPair(kBegin, false, Key(40'001, 443, 2), Flow(1, 0, WEIR_UDP_SENT_FIRST));
  const auto reports = Emit(table_);
  ASSERT_EQ(reports.size(), 2U);
  EXPECT_NE(reports[0].identity.application, reports[1].identity.application);
  EXPECT_TRUE(reports[0].identity.application == "quic" || reports[1].identity.application == "quic");
  EXPECT_TRUE(reports[0].request.empty());
}

TEST_F(PeerTableTest, IdlePairsMayGoAndTheirLastCountersAreNotLost) {
  const weir_udp_key key = Key(40'000, 9'000);
  EXPECT_FALSE(table_.OnPair(kBegin, false, key, Flow(1, 0, WEIR_UDP_SENT_FIRST)));
  EXPECT_FALSE(table_.OnPair(kBegin + 59 * kSecond, false, key, Flow(1, 0, WEIR_UDP_SENT_FIRST)));
  EXPECT_TRUE(table_.OnPair(kBegin + 3 * kSecond, true, key, Flow(1, 0, WEIR_UDP_SENT_FIRST))) << "crowded";
  EXPECT_TRUE(table_.OnPair(kBegin + 60 * kSecond, false, key, Flow(1, 0, WEIR_UDP_SENT_FIRST)));
  (void)Emit(table_);
  table_.OnForgotten(kBegin + 60 * kSecond, key, Flow(2, 0, WEIR_UDP_SENT_FIRST));
  EXPECT_EQ(table_.pairs(), 0U);
  EXPECT_EQ(Emit(table_).at(0).counters.segments_sent, 1U);
  // It starts anew, from nothing.
  table_.OnPair(kBegin + 61 * kSecond, false, key, Flow(3, 0, WEIR_UDP_SENT_FIRST));
  EXPECT_EQ(Emit(table_).at(0).counters.segments_sent, 3U);
}

TEST_F(PeerTableTest, WhatDoesNotFitIsOneFlowAndCounted) {
  PeerTable small(1, kBegin, identities_);
  const uint64_t before = Read(Metric::agent_flow_table_full);
  for (uint16_t port = 1; port <= 3; ++port) small.OnPair(kBegin, false, Key(40'000, port, port), Flow(1, 0, 1));
  const auto reports = Emit(small);
  ASSERT_EQ(reports.size(), 2U);
  EXPECT_EQ(Read(Metric::agent_flow_table_full), before + 2);
  uint64_t sent = 0;
  for (const auto& report : reports) {
    sent += report.counters.segments_sent;
    if (report.ends.server_port == 0) {
      EXPECT_EQ(report.identity.process, "(overflow)");
      EXPECT_EQ(report.counters.segments_sent, 2U);
    }
  }
  EXPECT_EQ(sent, 3U);
}

class OneBackend final : public flow::AddressTranslations {
 public:
  flow::Translation Find(const flow::ClientEnds& ends) override {
    EXPECT_EQ(ends.protocol, model::Protocol::kUdp);
    ++asked;
    flow::Translation found{flow::Translation::State::kTranslated, ends.client, {}, 5'353};
    found.server = *model::Address::Parse("10.1.0.1");
    return found;
  }
  bool Active() override { return true; }
  void RoundEnds() override {}
  int asked = 0;
};

TEST_F(PeerTableTest, AClientsDatagramsCountForTheBackendTheyReached) {
  OneBackend backend;
  PeerTable table(1'000, kBegin, identities_, &backend);
  table.OnPair(kBegin, false, Key(50'000, 53, 1), Flow(1, 0, WEIR_UDP_SENT_FIRST));
  table.OnPair(kBegin, false, Key(50'000, 53, 1), Flow(2, 2, WEIR_UDP_SENT_FIRST));
  table.OnPair(kBegin, false, Key(53, 50'000, 2), Flow(1, 1, 0));
  const auto reports = Emit(table);
  ASSERT_EQ(reports.size(), 2U);
  EXPECT_EQ(backend.asked, 1) << "servers are not asked for, pairs once";
  for (const auto& report : reports) {
    const bool client = report.ends.side == Side::kClient;
    EXPECT_EQ(report.ends.server_address.ToString(), client ? "10.1.0.1" : "10.0.0.1");
    EXPECT_EQ(report.ends.service_address.ToString(), client ? "10.0.0.2" : "::");
    EXPECT_EQ(report.ends.service_port, client ? 53 : 0);
    if (client) {
      EXPECT_EQ(report.counters.bytes_sent, 200U);
    }
  }
}

// A resolver's socket stays while the servers behind a service come and go.
TEST_F(PeerTableTest, AClientThatStaysIsAskedForAgain) {
  OneBackend backend;
  PeerTable table(1'000, kBegin, identities_, &backend);
  uint64_t datagrams = 0;
  const auto move = [&](Nanos now) {
    ++datagrams;
    table.OnPair(now, false, Key(50'000, 53, 1), Flow(datagrams, datagrams, WEIR_UDP_SENT_FIRST));
  };
  move(kBegin);
  move(kBegin + 29 * kSecond);
  EXPECT_EQ(backend.asked, 1);
  move(kBegin + 30 * kSecond);
  EXPECT_EQ(backend.asked, 2);
  move(kBegin + 31 * kSecond);
  EXPECT_EQ(backend.asked, 2);
}

}  // namespace
}  // namespace weir::agent::udp

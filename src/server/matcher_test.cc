#include "server/matcher.h"

#include <gtest/gtest.h>

#include <bit>
#include <deque>
#include <map>
#include <set>
#include <utility>

#include "base/metrics.h"
#include "model/side_counters.h"
#include "server/test_support.h"

namespace weir::server {
namespace {

using model::AgentBatch;
using model::FlowRow;
using model::ReportedBy;
using store::StoredRow;

std::string Locality(const FlowRow& row) { return model::TextOf(row, *model::FindColumn("locality")); }

class MatcherTest : public testing::Test {
 protected:
  // Old enough for every flow to be known from its beginning.
  void SetUp() override {
    for (int agent : {1, 2, 3}) Observe(Batch(agent, -100, {}));
  }

  void Observe(const AgentBatch& batch) {
    neighbourhood_.Observe(static_cast<AgentNumber>(batch.agent_id[31] - '0'), batch, now_);
  }

  std::vector<StoredRow> Match(std::vector<AgentBatch> batches) {
    std::vector<PendingBatch*> borrowed;
    std::deque<PendingBatch> pending;
    for (AgentBatch& batch : batches) {
      Observe(batch);
      now_ = std::max(now_, batch.end);
      pending.push_back({static_cast<AgentNumber>(batch.agent_id[31] - '0'), std::move(batch)});
      borrowed.push_back(&pending.back());
    }
    std::vector<StoredRow> rows;
    matcher_.Match(borrowed, now_, rows);
    for (const StoredRow& row : rows) EXPECT_EQ(row.row.end - row.row.start, 1'000) << "each row has its interval";
    return rows;
  }

  std::vector<StoredRow> Quiet(int64_t later_ms) {
    now_ += later_ms;
    std::vector<StoredRow> rows;
    matcher_.SettleQuiet(now_, 1'000, rows);
    return rows;
  }

  UnixMillis now_ = kNoon;
  Neighbourhood neighbourhood_;
  Matcher matcher_{{.max_flows = 100, .match_hold_ms = 700}, neighbourhood_};
};

TEST_F(MatcherTest, BothEndsBecomeOneRow) {
  auto client = ClientReport({}, 100, 900);
  client.counters.retransmits = 3;
  client.counters.retransmits_syn = 1;
  client.counters.connect_count = 2;
  client.counters.open = 5;
  client.counters.rtt_count = 1;
  client.counters.rtt_min_us = 40;
  client.counters.rtt_histogram.Add(50);
  auto server = ServerReport({}, 99, 900);
  server.counters.retransmits = 4;
  server.counters.retransmits_syn = 2;
  server.counters.timeouts = 1;
  server.counters.open = 4;
  server.counters.rtt_histogram.Add(60);
  const auto rows = Match({Batch(1, 1, {client}), Batch(2, 1, {server})});
  ASSERT_EQ(rows.size(), 1U);
  const FlowRow& row = rows[0].row;
  EXPECT_EQ(ReportedBy(row), "both");
  EXPECT_EQ(row.client_reports + row.server_reports, 2U);
  EXPECT_EQ(row.bytes_to_server, 100U);
  EXPECT_EQ(row.bytes_to_client, 900U);
  EXPECT_EQ(Of(row.client).process, "curl");
  EXPECT_EQ(Of(row.server).process, "nginx");
  EXPECT_EQ(Of(row.client).node, "node1");
  EXPECT_EQ(Of(row.server).node, "node2");
  EXPECT_EQ(Locality(row), "private");
  EXPECT_EQ(row.protocol, "tcp");
  EXPECT_EQ(row.retransmits_to_server, 3U);
  EXPECT_EQ(row.retransmits_to_client, 4U);
  EXPECT_EQ(row.retransmits_syn, 3U);
  EXPECT_EQ(row.timeouts_to_client, 1U);
  EXPECT_EQ(row.connect_count, 2U);
  EXPECT_EQ(row.connections_open, 5U) << "the client's level";
  EXPECT_EQ(row.client_rtt_min_us, 40U);
  EXPECT_EQ(row.client_rtt_histogram.total(), 1U);
  EXPECT_EQ(row.server_rtt_histogram.total(), 1U);
  EXPECT_EQ(row.start, kNoon);
  EXPECT_EQ(row.end, kNoon + 1'000);
  EXPECT_EQ(rows[0].client_agent, AgentId(1));
  EXPECT_EQ(rows[0].server_agent, AgentId(2));
  EXPECT_EQ(rows[0].client_sequence, 1'001U);
  EXPECT_EQ(rows[0].server_sequence, 1'001U);
}

// Two pairs of namespaces of one node have the same addresses.
TEST_F(MatcherTest, WhereAddressesAreOfSeveralNamespacesThePairCounts) {
  auto report = [](model::SideReport of, uint32_t netns, uint32_t peer, const char* process) {
    of.ends.netns = netns;
    of.ends.peer_netns = peer;
    of.identity.process = process;
    return of;
  };
  AgentBatch batch =
      Batch(1, 1,
            {report(ClientReport({}, 10, 0), 7, 8, "one"), report(ClientReport({}, 20, 0), 17, 18, "two"),
             report(ServerReport({}, 20, 0), 18, 17, "beta"), report(ServerReport({}, 10, 0), 8, 7, "alpha")});
  const auto addresses = std::vector{batch.reports[0].ends.client_address, batch.reports[0].ends.server_address};
  batch.local_addresses = addresses;
  auto rows = Match({batch});
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(Of(rows[0].row.client).process + Of(rows[0].row.server).process, "onealpha");
  EXPECT_EQ(rows[0].row.bytes_to_server, 10U);
  EXPECT_EQ(Of(rows[1].row.client).process + Of(rows[1].row.server).process, "twobeta");
  EXPECT_EQ(rows[1].row.bytes_to_server, 20U);

  auto refused = report(ClientReport({}, 0, 0), 27, model::kUnknownNetns, "three");
  refused.counters.failed_refused = 1;
  batch = Batch(1, 2, {refused});
  batch.local_addresses = addresses;
  rows = Match({batch});
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(Of(rows[0].row.client).process, "three");
  EXPECT_EQ(Of(rows[0].row.server).process, "") << "nobody knows who refused";
  EXPECT_EQ(rows[0].row.failed_refused, 1U);
}

TEST_F(MatcherTest, AnEndThatNobodyKnowsMayBeOnAnotherNode) {
  auto client = ClientReport({}, 10, 0);
  client.ends.peer_netns = model::kUnknownNetns;
  const auto rows = Match({Batch(1, 1, {client}), Batch(2, 1, {ServerReport({}, 10, 0)})});
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(Of(rows[0].row.server).process, "nginx");
}

constexpr uint64_t kFirstMark = 1U << 10;  // above what rows count by themselves
constexpr size_t kSharedMeasures = 0
#define WEIR_ONE(name) +1
    WEIR_SHARED_COUNTERS(WEIR_ONE)
#undef WEIR_ONE
    ;

// Every measure that both ends see, each with one bit of its own, as the client's end has them.
model::SideCounters MarkedCounters() {
  model::SideCounters counters;
  uint64_t mark = kFirstMark;
#define WEIR_MARK(name) counters.name = std::exchange(mark, mark << 1);
  WEIR_SHARED_COUNTERS(WEIR_MARK)
#undef WEIR_MARK
  return counters;
}

// Which column holds which mark. A mark in two columns or in none shows by the number of entries.
std::multimap<uint64_t, std::string_view> MarksIn(const FlowRow& row) {
  std::multimap<uint64_t, std::string_view> marks;
  model::VisitStored(row, [&](const model::Column& column, const auto& value) {
    if constexpr (std::is_integral_v<std::remove_cvref_t<decltype(value)>>) {
      const auto number = static_cast<uint64_t>(value);
      if (std::has_single_bit(number) && number >= kFirstMark) marks.emplace(number, column.name);
    }
  });
  return marks;
}

TEST_F(MatcherTest, EverySharedMeasureIsOrientedAndStoredOnce) {
  auto client = ClientReport({}, 1, 2);
  client.counters = MarkedCounters();
  auto server = client;
  server.ends.side = model::Side::kServer;
  std::swap(server.counters.bytes_sent, server.counters.bytes_received);
  std::swap(server.counters.segments_sent, server.counters.segments_received);
  const auto both = Match({Batch(1, 1, {client}), Batch(2, 1, {server})});
  const auto one = Match({Batch(2, 20, {server})});
  ASSERT_EQ(both.size() + one.size(), 2U);
  const auto marks = MarksIn(both[0].row);
  std::set<uint64_t> distinct;
  for (const auto& [mark, column] : marks) distinct.insert(mark);
  EXPECT_EQ(distinct.size(), kSharedMeasures);
  EXPECT_EQ(marks.size(), kSharedMeasures);
  EXPECT_EQ(marks, MarksIn(one[0].row));
  EXPECT_EQ(marks.find(client.counters.bytes_sent)->second, "bytes_to_server");
  EXPECT_EQ(marks.find(client.counters.segments_received)->second, "segments_to_client");
  EXPECT_EQ(both[0].row.connections_failed, client.counters.failed());
  EXPECT_TRUE(Quiet(60'000).empty());
}

TEST_F(MatcherTest, EverySharedMeasureOfAClientAloneIsStored) {
  auto client = ClientReport({}, 1, 2);
  client.counters = MarkedCounters();
  const auto rows = Match({Batch(1, 1, {client})});
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(MarksIn(rows[0].row).size(), kSharedMeasures);
  EXPECT_EQ(rows[0].row.bytes_to_server, client.counters.bytes_sent);
}

TEST_F(MatcherTest, OneEndAloneIsKept) {
  auto rows = Match({Batch(1, 1, {ClientReport({"10.0.1.1", "93.184.216.34", 443}, 10, 20)})});
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(ReportedBy(rows[0].row), "client");
  EXPECT_EQ(Locality(rows[0].row), "internet");
  EXPECT_EQ(rows[0].row.bytes_to_client, 20U);
  EXPECT_EQ(rows[0].server_agent, "");
  rows = Match({Batch(1, 2, {ServerReport({"192.168.7.7", "10.0.1.1", 80}, 10, 20)})});
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(ReportedBy(rows[0].row), "server");
  EXPECT_EQ(Locality(rows[0].row), "private");
  EXPECT_EQ(rows[0].row.bytes_to_client, 20U);
  EXPECT_EQ(Of(rows[0].row.client).process, "");
}

TEST_F(MatcherTest, AnEndThatNobodyReportsIsItsAddressOnTheNodeThatHasIt) {
  const auto row = [&](const Ends& ends, const std::vector<std::string>& local = {}) {
    static int tick = 10;
    return Match({Batch(1, ++tick, {ClientReport(ends, 1)}, local), Batch(2, tick, {}, {"10.0.2.1"})}).at(0).row;
  };
  const FlowRow stranger = row({"10.0.1.1", "10.0.9.9"});
  EXPECT_EQ(Of(stranger.server).kind, "address");
  EXPECT_EQ(Of(stranger.server).node, "");
  EXPECT_EQ(Of(stranger.server).id, model::AddressId(Ip("10.0.9.9"), ""));
  EXPECT_EQ(Of(stranger.client).kind, "process");
  EXPECT_EQ(Of(stranger.client).name_source, "agent");
  const FlowRow neighbour = row({});
  EXPECT_EQ(Of(neighbour.server).node, "node2") << "its agent says so";
  EXPECT_EQ(Locality(neighbour), "private");
  const FlowRow local = row({"10.0.1.1", "172.17.0.2"}, {"172.17.0.2"});
  EXPECT_EQ(Of(local.server).node, "node1");
  EXPECT_EQ(Locality(local), "same_node");
  EXPECT_EQ(Of(row({"127.0.0.1", "127.0.0.1"}).server).node, "node1");
  EXPECT_EQ(Match({Batch(1, 99, {ServerReport({"0.0.0.0", "10.0.1.1"}, 1)})}).at(0).row.client, nullptr)
      << "nobody's connection: a full accept queue";
}

TEST_F(MatcherTest, AnAddressThatTwoNodesHaveIsOfNeither) {
  Observe(Batch(2, 1, {}, {"172.17.0.2"}));
  Observe(Batch(3, 1, {}, {"172.17.0.2"}));
  const Ends ends{"10.0.1.1", "172.17.0.2", 80};
  EXPECT_EQ(Of(Match({Batch(1, 1, {ClientReport(ends, 1)})}).at(0).row.server).node, "");
  now_ += 61'000;
  EXPECT_EQ(Of(Match({Batch(3, 62, {}, {"172.17.0.2"}), Batch(1, 62, {ClientReport(ends, 1)})}).at(0).row.server).node,
            "node3")
      << "node2 has not had it for a minute";
}

TEST_F(MatcherTest, WhatIsLearntLateIsANewVersionOfTheSameEnd) {
  auto report = ClientReport({}, 1);
  const FlowRow before = Match({Batch(1, 1, {report})}).at(0).row;
  const FlowRow again = Match({Batch(1, 2, {report})}).at(0).row;
  EXPECT_EQ(before.client, again.client) << "one copy";
  report.identity.netns_name = "lab";
  const FlowRow after = Match({Batch(1, 3, {report})}).at(0).row;
  EXPECT_EQ(Of(after.client).netns_name, "lab");
  EXPECT_EQ(Of(after.client).id, Of(before.client).id);
  EXPECT_GT(Of(after.client).version, Of(before.client).version);
  EXPECT_EQ(Of(before.client).netns_name, "") << "rows that are on their way stay as they were";
  report.identity.process = "wget";
  EXPECT_NE(Of(Match({Batch(1, 4, {report})}).at(0).row.client).id, Of(before.client).id);
}

TEST_F(MatcherTest, LoopbackStaysWithinAgentAndNamespace) {
  const Ends loop{"127.0.0.1", "127.0.0.1", 5432};
  auto other_namespace = ServerReport(loop, 7, 7, "postgres");
  other_namespace.ends.netns = 77;
  const auto rows = Match({Batch(1, 1, {ClientReport(loop, 5), ServerReport(loop, 5), other_namespace}),
                           Batch(2, 1, {ServerReport(loop, 9)})});
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(TotalsOf(rows).to_server, 5U + 7U + 9U);
  for (const StoredRow& row : rows) EXPECT_EQ(Locality(row.row), "loopback");
}

TEST_F(MatcherTest, EqualPrivateAddressesOnTwoNodesAreTwoFlows) {
  const Ends docker{"172.17.0.2", "172.17.0.3", 80};
  const auto rows = Match({Batch(1, 1, {ClientReport(docker, 5), ServerReport(docker, 5)}),
                           Batch(2, 1, {ClientReport(docker, 8), ServerReport(docker, 8)})});
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(TotalsOf(rows).to_server, 13U);
  for (const StoredRow& row : rows) {
    EXPECT_EQ(ReportedBy(row.row), "both");
    EXPECT_EQ(Locality(row.row), "same_node");
    EXPECT_EQ(Of(row.row.client).node, Of(row.row.server).node);
  }
  // One half each, an interval later: still the own node's.
  const auto later = Match({Batch(1, 2, {ClientReport(docker, 1)}), Batch(2, 2, {ServerReport(docker, 1)})});
  ASSERT_EQ(later.size(), 2U);
  EXPECT_EQ(Of(later[0].row.server).node, "node1");
  EXPECT_EQ(Of(later[1].row.client).node, "node2");
}

TEST_F(MatcherTest, LocalAddressesKeepSingleHalvesOnTheirNode) {
  const Ends docker{"172.17.0.2", "172.17.0.3", 80};
  const std::vector<std::string> local{"172.17.0.2", "172.17.0.3"};
  const auto rows =
      Match({Batch(1, 1, {ClientReport(docker, 5)}, local), Batch(2, 1, {ServerReport(docker, 6)}, local)});
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(TotalsOf(rows).to_server, 11U);
  for (const StoredRow& row : rows) EXPECT_EQ(Locality(row.row), "same_node");
}

TEST_F(MatcherTest, AFlowThatCameAloneFirstKeepsItsAccountWhenItTurnsOutLocal) {
  EXPECT_EQ(TotalsOf(Match({Batch(1, 1, {ClientReport({}, 100)})})).to_server, 100U);
  const auto rows = Match({Batch(1, 2, {ClientReport({}, 50), ServerReport({}, 150)})});
  EXPECT_EQ(TotalsOf(rows).to_server, 50U);
  EXPECT_TRUE(Quiet(60'000).empty()) << "the server's 150 are the client's 100 and 50";
}

TEST_F(MatcherTest, SeveralClientsOfOneServerEachGetItsIdentity) {
  auto nginx = ServerReport({}, 30, 0);
  nginx.counters.retransmits = 9;
  const auto rows =
      Match({Batch(1, 1, {ClientReport({}, 10, 0, "curl"), ClientReport({}, 20, 0, "wget")}), Batch(2, 1, {nginx})});
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(Of(rows[0].row.client).process, "curl");
  EXPECT_EQ(Of(rows[0].row.server).process, "nginx");
  EXPECT_EQ(rows[0].row.bytes_to_server, 10U);
  EXPECT_EQ(rows[0].row.retransmits_to_client, 0U);
  EXPECT_EQ(Of(rows[1].row.client).process, "wget");
  EXPECT_EQ(rows[1].row.bytes_to_server, 20U);
  EXPECT_EQ(Of(rows[2].row.client).process, "") << "nobody knows whose retransmissions these were";
  EXPECT_EQ(Of(rows[2].row.server).process, "nginx");
  EXPECT_EQ(rows[2].row.bytes_to_server, 0U);
  EXPECT_EQ(rows[2].row.retransmits_to_client, 9U);
}

// Between the same two addresses a round trip is a round trip, whoever talks.
TEST_F(MatcherTest, WhatIsTheWaysNeedsNoRowOfItsOwn) {
  auto nginx = ServerReport({}, 30, 0);
  nginx.counters.rtt_count = 3;
  nginx.counters.rtt_sum_us = 126;
  nginx.counters.busy_us = 4'000;
  nginx.counters.delivery_rate = 1'000'000;
  auto curl = ClientReport({}, 10, 0, "curl");
  auto wget = ClientReport({}, 20, 0, "wget");
  curl.counters.segments_sent = 3;
  wget.counters.segments_sent = 9;
  const auto rows = Match({Batch(1, 1, {curl, wget}), Batch(2, 1, {nginx})});
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].row.server_rtt_count, 0U);
  EXPECT_EQ(Of(rows[1].row.client).process, "wget");
  EXPECT_EQ(rows[1].row.server_rtt_count, 3U);
  EXPECT_EQ(rows[1].row.server_rtt_sum_us, 126U);
  EXPECT_EQ(rows[1].row.busy_us_to_client, 4'000U);
  EXPECT_EQ(rows[1].row.delivery_rate_to_client, 1'000'000U);
}

TEST_F(MatcherTest, SeveralServersOfOneClient) {
  auto curl = ClientReport({}, 30, 0);
  curl.counters.retransmits = 9;
  curl.counters.failed_refused = 2;
  const auto rows =
      Match({Batch(1, 1, {curl}), Batch(2, 1, {ServerReport({}, 10, 0, "w1"), ServerReport({}, 20, 0, "w2")})});
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(Of(rows[0].row.server).process, "w1");
  EXPECT_EQ(Of(rows[0].row.client).process, "curl");
  EXPECT_EQ(rows[0].row.bytes_to_server, 10U);
  EXPECT_EQ(rows[1].row.bytes_to_server, 20U);
  EXPECT_EQ(Of(rows[2].row.server).process, "");
  EXPECT_EQ(rows[2].row.retransmits_to_server, 9U);
  EXPECT_EQ(rows[2].row.bytes_to_server, 0U);
  EXPECT_EQ(rows[2].row.connections_failed, 2U) << "no server process refused; nobody to blame is invented";
}

TEST_F(MatcherTest, WhatSeveralAtOneEndHaveInCommonIsTold) {
  auto first = ClientReport({}, 10, 0, "python3");
  auto second = ClientReport({}, 20, 0, "python3");
  first.identity.unit = "one.service";
  second.identity.unit = "two.service";
  auto nginx = ServerReport({}, 30, 0);
  nginx.counters.retransmits = 1;
  auto rows = Match({Batch(1, 1, {first, second}), Batch(2, 1, {nginx})});
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(Of(rows[0].row.client).unit, "one.service");
  EXPECT_EQ(Of(rows[2].row.client).process, "python3");
  EXPECT_EQ(Of(rows[2].row.client).unit, "") << "there are two";
  EXPECT_EQ(Of(rows[2].row.client).node, "node1");
  EXPECT_EQ(rows[2].row.client_reports, 0U);
  rows = Match({Batch(2, 2, {ServerReport({}, 0, 1)})});
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(Of(rows[0].row.client).process, "python3") << "remembered";

  const auto both = Match({Batch(1, 3, {first, second}),
                           Batch(2, 3, {ServerReport({}, 15, 0, "nginx"), ServerReport({}, 15, 0, "envoy")})});
  ASSERT_EQ(both.size(), 4U);
  EXPECT_EQ(Of(both[0].row.server).process, "");
  EXPECT_EQ(Of(both[0].row.server).node, "node2") << "both live there";
  EXPECT_EQ(Of(both[2].row.client).process, "python3");
  EXPECT_EQ(Of(both[2].row.server).process, "nginx");
}

TEST_F(MatcherTest, RequestsNameTheClientOfTheConnectionTheyCameOnFromTheFirstIntervalOn) {
  auto get = ServerReport({}, 0, 0);
  get.request = {"http1", "GET", "/items/{id}", "200"};
  get.counters = {};
  get.counters.requests = 3;
  const auto rows = Match({Batch(2, 1, {get, ServerReport({}, 30, 0)}), Batch(1, 1, {ClientReport({}, 30, 0)})});
  ASSERT_EQ(rows.size(), 2U);
  const model::FlowRow& row = rows[1].row;
  EXPECT_EQ(row.requests, 3U);
  EXPECT_EQ(row.resource, "/items/{id}");
  EXPECT_EQ(Of(row.server).process, "nginx");
  EXPECT_EQ(Of(row.client).process, "curl");
  EXPECT_EQ(Of(row.client).node, "node1");
  EXPECT_EQ(row.client_reports, 0U);
  EXPECT_EQ(row.bytes_to_server, 0U) << "the connection's row has them";
}

TEST_F(MatcherTest, SeveralOnBothEndsInventNothing) {
  const auto rows = Match({Batch(1, 1, {ClientReport({}, 10, 0, "a"), ClientReport({}, 20, 0, "b")}),
                           Batch(2, 1, {ServerReport({}, 15, 0, "x"), ServerReport({}, 15, 0, "y")})});
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_EQ(TotalsOf(rows).to_server, 30U);
  for (const StoredRow& row : rows)
    EXPECT_TRUE(Of(row.row.client).process.empty() || Of(row.row.server).process.empty());
}

TEST_F(MatcherTest, NamesOfAPairedFlowAreRemembered) {
  Match({Batch(1, 1, {ClientReport({}, 1)}), Batch(2, 1, {ServerReport({}, 1)})});
  auto rows = Match({Batch(1, 2, {ClientReport({}, 1)})});
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(ReportedBy(rows[0].row), "client");
  EXPECT_EQ(Of(rows[0].row.server).process, "nginx");
  EXPECT_EQ(Of(rows[0].row.server).node, "node2");
  EXPECT_EQ(Locality(rows[0].row), "private");
  EXPECT_EQ(rows[0].server_agent, "") << "no batch of that agent is in this row";
  rows = Match({Batch(1, 700, {ClientReport({}, 1)})});
  EXPECT_EQ(Of(rows[0].row.server).process, "") << "forgotten after ten minutes";
}

TEST_F(MatcherTest, TheNameOfANamespaceIsCarriedAndRememberedWhereAllReportsAgree) {
  auto curl = ClientReport({}, 1);
  curl.identity.netns_name = "lab-client";
  std::vector<model::SideReport> workers{ServerReport({}, 1, 0, "w1"), ServerReport({}, 0, 0, "w2")};
  for (model::SideReport& worker : workers) worker.identity.netns_name = "lab-server";
  auto rows = Match({Batch(1, 1, {curl}), Batch(2, 1, workers)});
  ASSERT_FALSE(rows.empty());
  EXPECT_EQ(Of(rows[0].row.client).netns_name, "lab-client");
  EXPECT_EQ(Of(rows[0].row.server).netns_name, "lab-server");

  rows = Match({Batch(1, 2, {curl})});
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(Of(rows[0].row.server).process, "") << "there are two";
  EXPECT_EQ(Of(rows[0].row.server).netns_name, "lab-server") << "of both";

  workers[1].identity.netns_name = "elsewhere";
  Match({Batch(2, 3, workers)});
  rows = Match({Batch(1, 4, {curl})});
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(Of(rows[0].row.server).netns_name, "");
}

TEST_F(MatcherTest, WhatTheClientOfferedSurvivesTheJoinAndIsRemembered) {
  auto curl = ClientReport({}, 100, 900);
  curl.identity.server_name = "shop.example";
  curl.identity.alpn = "h2,http/1.1";
  auto rows = Match({Batch(1, 1, {curl}), Batch(2, 1, {ServerReport({}, 100, 900)})});
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(ReportedBy(rows[0].row), "both");
  EXPECT_EQ(rows[0].row.alpn, "h2,http/1.1");

  rows = Match({Batch(2, 2, {ServerReport({}, 100, 900)})});
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].row.alpn, "h2,http/1.1");
  EXPECT_EQ(rows[0].row.server_name, "shop.example");
}

TEST_F(MatcherTest, AServiceAddressSurvivesTheJoinAndIsRemembered) {
  auto curl = ClientReport({}, 100, 900);
  curl.ends.service_address = Ip("10.96.0.10");
  curl.ends.service_port = 443;
  auto rows = Match({Batch(1, 1, {curl}), Batch(2, 1, {ServerReport({}, 100, 900)})});
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(ReportedBy(rows[0].row), "both");
  EXPECT_EQ(rows[0].row.service_address, Ip("10.96.0.10"));
  EXPECT_EQ(rows[0].row.service_port, 443);
  EXPECT_EQ(rows[0].row.server_address, Ip("10.0.2.1"));
  EXPECT_EQ(rows[0].row.server_port, 80);

  rows = Match({Batch(2, 2, {ServerReport({}, 100, 900)})});
  ASSERT_EQ(rows.size(), 1U) << "what the client's agent has not told yet waits";
  EXPECT_EQ(rows[0].row.service_address, Ip("10.96.0.10"));
  EXPECT_EQ(rows[0].row.service_port, 443);
}

// The server sees one address for all of them; each client's row keeps its own.
TEST_F(MatcherTest, MasqueradedClientsMeetTheirServer) {
  const Ends seen{.client = "10.0.0.100"};
  auto one = ClientReport({.client = "172.17.0.2"}, 10, 0, "curl");
  one.ends.snat_address = Ip("10.0.0.100");
  auto rows = Match({Batch(1, 1, {one}), Batch(2, 1, {ServerReport(seen, 10)})});
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(ReportedBy(rows[0].row), "both");
  EXPECT_EQ(rows[0].row.client_address, Ip("172.17.0.2"));
  EXPECT_EQ(rows[0].row.bytes_to_server, 10U);

  rows = Match({Batch(2, 2, {ServerReport(seen, 5)})});
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].row.client_address, Ip("172.17.0.2")) << "remembered";

  auto other = ClientReport({.client = "172.17.0.3"}, 20, 0, "wget");
  other.ends.snat_address = Ip("10.0.0.100");
  rows = Match({Batch(1, 3, {one, other}), Batch(2, 3, {ServerReport(seen, 30)})});
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(TotalsOf(rows).to_server, 30U) << "the server's 5 of before are stored, and among the 30 of both clients";
  EXPECT_EQ(rows[0].row.client_address, Ip("172.17.0.2"));
  EXPECT_EQ(rows[1].row.client_address, Ip("172.17.0.3"));
  EXPECT_EQ(rows[2].row.client_address, Ip("10.0.0.100")) << "what only the server knows is of both";
}

TEST_F(MatcherTest, AQuietClientLeavesItsServersExcessToBeStoredOnce) {
  Match({Batch(1, 1, {ClientReport({}, 100)}), Batch(2, 1, {ServerReport({}, 100)})});
  auto rows = Match({Batch(2, 2, {ServerReport({}, 40)})});
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].row.bytes_to_server, 0U) << "the client may still report them";
  EXPECT_TRUE(Quiet(0).empty());
  rows = Quiet(4'000);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(ReportedBy(rows[0].row), "server");
  EXPECT_EQ(rows[0].row.bytes_to_server, 40U);
  EXPECT_EQ(rows[0].server_agent, AgentId(2));
  EXPECT_EQ(rows[0].server_sequence, 1'002U);
  EXPECT_EQ(Of(rows[0].row.client).process, "curl");
  EXPECT_TRUE(Quiet(60'000).empty());
  EXPECT_EQ(TotalsOf(Match({Batch(1, 2, {ClientReport({}, 40)})})).to_server, 0U) << "credit";
}

TEST_F(MatcherTest, SpooledIntervalsOfEitherEndInAnyOrderAreStoredOnce) {
  for (const bool server_first : {false, true}) {
    SCOPED_TRACE(server_first);
    const Ends ends{"10.0.1.1", "10.0.2.1", static_cast<uint16_t>(server_first ? 81 : 80)};
    const int first = server_first ? 100 : 1;
    std::vector<AgentBatch> clients;
    std::vector<AgentBatch> servers;
    for (int tick = first; tick < first + 20; ++tick) {
      clients.push_back(Batch(1, tick, {ClientReport(ends, 100)}));
      servers.push_back(Batch(2, tick, {ServerReport(ends, 100)}));
    }
    uint64_t stored = TotalsOf(Match(server_first ? servers : clients)).to_server;
    EXPECT_EQ(stored, 2'000U);
    stored += TotalsOf(Match(server_first ? clients : servers)).to_server;
    stored += TotalsOf(Quiet(60'000)).to_server;
    EXPECT_EQ(stored, 2'000U);
  }
}

TEST_F(MatcherTest, AMovedAddressIsFollowedToItsNewNode) {
  const std::vector<std::string> both{"10.0.1.1", "10.0.2.1"};
  Match({Batch(1, 1, {ClientReport({}, 1), ServerReport({}, 1)}, both)});
  now_ += 61'000;
  const auto rows =
      Match({Batch(1, 62, {ClientReport({}, 5)}, {"10.0.1.1"}), Batch(2, 62, {ServerReport({}, 5)}, {"10.0.2.1"})});
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(Locality(rows[0].row), "private");
  EXPECT_EQ(rows[0].row.bytes_to_server, 5U);
}

TEST_F(MatcherTest, MemoryIsBoundedAndForgettingIsCounted) {
  const uint64_t before = Read(Metric::server_flows_forgotten);
  std::vector<model::SideReport> reports;
  for (uint16_t port = 1; port <= 150; ++port) reports.push_back(ClientReport({"10.0.1.1", "10.0.2.1", port}, 1));
  EXPECT_EQ(TotalsOf(Match({Batch(1, 1, reports)})).to_server, 150U);
  EXPECT_EQ(matcher_.flows(), 100U);
  EXPECT_EQ(Read(Metric::server_flows_forgotten) - before, 50U);
}

TEST_F(MatcherTest, ExcessOfAForgottenFlowIsNotLost) {
  Match({Batch(1, 1, {ClientReport({}, 1)}), Batch(2, 1, {ServerReport({}, 8)})});
  std::vector<model::SideReport> reports;
  for (uint16_t port = 1'001; port <= 1'100; ++port) reports.push_back(ClientReport({"10.0.1.1", "10.0.2.1", port}, 0));
  EXPECT_EQ(TotalsOf(Match({Batch(1, 2, reports)})).to_server, 7U);
}

TEST_F(MatcherTest, IdleFlowsAreDroppedUnlessAnAgentStillOwesReports) {
  Match({Batch(1, 1, {ClientReport({}, 1)}), Batch(2, 1, {ServerReport({}, 1)})});
  Match({Batch(2, 2, {ServerReport({}, 10)})});
  EXPECT_EQ(TotalsOf(Quiet(5'000)).to_server, 10U);
  now_ += 700'000;
  Match({Batch(2, 700, {})});
  EXPECT_EQ(matcher_.flows(), 1U) << "agent 1 has not said anything since; it may be spooling";
  EXPECT_EQ(TotalsOf(Match({Batch(1, 2, {ClientReport({}, 10)})})).to_server, 0U);
  now_ += 700'000;
  Match({Batch(1, 1'400, {}), Batch(2, 1'400, {})});
  EXPECT_EQ(matcher_.flows(), 0U);
}

}  // namespace
}  // namespace weir::server

// Whom connections reach: behind translated addresses, and where several namespaces have the same ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <vector>

#include "agent/flow/record_builder.h"
#include "agent/flow/socket_table_fixture.h"

namespace weir::agent::flow {
namespace {

using model::Side;
using model::SideReport;

// Two backends behind 10.96.0.10:443, by the client's port; known from the second question on where `late`.
class FakeTranslations final : public AddressTranslations {
 public:
  Translation Find(const ClientEnds& ends) override {
    asked.push_back(ends);
    Translation none;
    none.of_all = of_all;
    if (ends.server != *model::Address::Parse("10.96.0.10")) return none;
    if (late && asked.size() < 2) return Translation::Later();
    Translation found{Translation::State::kTranslated, snat.value_or(ends.client), {}, 8'443};
    found.server = *model::Address::Parse(ends.client_port % 2 == 0 ? "10.1.0.1" : "10.1.0.2");
    return found;
  }
  bool Active() override { return active; }
  void RoundEnds() override {}

  bool active = true;
  std::vector<ClientEnds> asked;
  std::optional<model::Address> snat;
  bool late = false;
  bool of_all = false;
};

class TranslatedSocketTableTest : public SocketTableTest {
 protected:
  static RecordBuilder ToService(uint16_t client_port, uint64_t socket = 0x1000) {
    return Connection().Socket(socket).Ends("10.0.0.1", client_port, "10.96.0.10", 443);
  }

  SocketTable& Table() override { return table_; }

  FakeTranslations translations_;
  SocketTable table_{SocketTable::Finals::kMarked, kJiffyUs, flows_, identities_, nullptr, &translations_};
};

TEST_F(TranslatedSocketTableTest, EachConnectionCountsForTheBackendItReached) {
  for (uint16_t port = 40'000; port < 40'010; ++port) {
    table_.OnRecord(ToService(port).Final().Bytes(port % 2 == 0 ? 100 : 7, 0));
  }
  auto reports = Emit();
  ASSERT_EQ(reports.size(), 2U);
  std::sort(reports.begin(), reports.end(),
            [](const SideReport& a, const SideReport& b) { return a.ends.server_address < b.ends.server_address; });
  EXPECT_EQ(reports[0].ends.server_address.ToString(), "10.1.0.1");
  EXPECT_EQ(reports[0].ends.server_port, 8'443);
  EXPECT_EQ(reports[0].ends.service_address.ToString(), "10.96.0.10");
  EXPECT_EQ(reports[0].ends.service_port, 443);
  EXPECT_TRUE(reports[0].ends.snat_address.is_unspecified());
  EXPECT_EQ(reports[0].counters.bytes_sent, 500U);
  EXPECT_EQ(reports[1].ends.server_address.ToString(), "10.1.0.2");
  EXPECT_EQ(reports[1].counters.bytes_sent, 35U);
  EXPECT_EQ(translations_.asked.size(), 10U);
  EXPECT_TRUE(translations_.asked[0].last);
  EXPECT_TRUE(translations_.asked[0].answered);
  EXPECT_EQ(translations_.asked[0].pid, 42U);
}

TEST_F(TranslatedSocketTableTest, WhatHoldsForAllIsAskedOncePerRound) {
  translations_.of_all = true;
  for (int round = 1; round <= 2; ++round) {
    for (int i = 0; i < 3; ++i) table_.OnRecord(Connection().Final());
    EXPECT_EQ(Only().counters.closed, 3U);
    EXPECT_EQ(translations_.asked.size(), static_cast<size_t>(round));
  }
  translations_.of_all = false;
  for (int i = 0; i < 3; ++i) table_.OnRecord(Connection().Final());
  table_.RoundEnds();
  EXPECT_EQ(translations_.asked.size(), 5U);
}

TEST_F(TranslatedSocketTableTest, ALivingConnectionIsAskedForOnceAndStaysWhereItIs) {
  for (uint64_t bytes = 1; bytes <= 3; ++bytes) {
    now_ += kSecond;
    table_.OnRecord(ToService(40'000).Live().Bytes(bytes, 0));
    const SideReport report = Only();
    EXPECT_EQ(report.ends.server_address.ToString(), "10.1.0.1");
    EXPECT_EQ(report.counters.bytes_sent, 1U);
    EXPECT_EQ(report.counters.open, 1U);
  }
  table_.OnRecord(ToService(40'000).Final().Flags(WEIR_SOCKET_REPORTED).Bytes(3, 0));
  EXPECT_EQ(Only().counters.closed, 1U);
  EXPECT_EQ(translations_.asked.size(), 1U);
  EXPECT_EQ(flows_.size(), 0U);
}

TEST_F(TranslatedSocketTableTest, WhatIsToldLaterMovesTheConnectionWithoutOpeningItTwice) {
  translations_.late = true;
  table_.OnRecord(ToService(40'000).Live().State(TCP_SYN_SENT));
  SideReport report = Only();
  EXPECT_EQ(report.ends.server_address.ToString(), "10.96.0.10");
  EXPECT_TRUE(report.ends.service_address.is_unspecified());
  EXPECT_FALSE(translations_.asked[0].answered);
  table_.OnRecord(ToService(40'000).Live().Bytes(5, 0));
  report = Only();
  EXPECT_EQ(report.ends.server_address.ToString(), "10.1.0.1");
  EXPECT_EQ(report.counters.opened, 1U);
  EXPECT_EQ(report.counters.open, 1U);
  EXPECT_EQ(report.counters.bytes_sent, 5U);
  table_.OnRecord(ToService(40'000).Live().Bytes(6, 0));
  EXPECT_EQ(Only().counters.bytes_sent, 1U);
  EXPECT_EQ(translations_.asked.size(), 2U);
}

TEST_F(TranslatedSocketTableTest, AConnectionOlderThanTheAgentIsTranslatedToo) {
  now_ += kSecond;
  table_.SnapshotBegins(now_);
  table_.OnRecord(RecordBuilder(ToService(40'001)).Outgoing(0, 0).Flags(WEIR_SOCKET_EXISTING).Bytes(1'000, 0));
  table_.SnapshotEnds(now_, kChanged);
  const SideReport report = Only();
  EXPECT_EQ(report.ends.server_address.ToString(), "10.1.0.2");
  EXPECT_EQ(report.ends.service_port, 443);
  EXPECT_EQ(report.counters.bytes_sent, 0U);
  EXPECT_EQ(report.counters.open, 1U);
}

TEST_F(TranslatedSocketTableTest, AMasqueradedClientKeepsItsAddress) {
  translations_.snat = *model::Address::Parse("192.0.2.9");
  table_.OnRecord(ToService(40'000).Final());
  const SideReport report = Only();
  EXPECT_EQ(report.ends.client_address.ToString(), "10.0.0.1");
  EXPECT_EQ(report.ends.snat_address.ToString(), "192.0.2.9");
}

TEST_F(TranslatedSocketTableTest, ServersAreNotAskedFor) {
  table_.OnRecord(RecordBuilder(ToService(40'000)).Outgoing(0, 0).Incoming(5).Final());
  table_.RoundEnds();
  EXPECT_TRUE(translations_.asked.empty());
}

// The end that accepted tells, whatever happened to the addresses and ports meanwhile.
TEST_F(TranslatedSocketTableTest, WhereBothEndsAreHereNobodyIsAsked) {
  for (uint32_t i = 0; i < 4; ++i) {
    const char* backend = i % 2 == 0 ? "10.1.0.1" : "10.1.0.2";
    table_.OnRecord(ToService(40'000, 0x1000 + i).Final().Bytes(10 + i % 2, 0).Begins(100 + i, 900 + i));
    table_.OnRecord(RecordBuilder()
                        .Socket(0x2000 + i)
                        .Netns(8)
                        .Incoming(5)
                        .Ends(backend, 8'443, "192.0.2.9", 55)
                        .Final()
                        .Begins(900 + i, 101 + i));
  }
  table_.RoundEnds();
  EXPECT_TRUE(translations_.asked.empty());
  uint64_t to_first = 0;
  uint64_t to_second = 0;
  for (const SideReport& report : Emit()) {
    if (report.ends.side != Side::kClient) continue;
    EXPECT_EQ(report.ends.service_address.ToString(), "10.96.0.10");
    EXPECT_EQ(report.ends.service_port, 443);
    EXPECT_EQ(report.ends.snat_address.ToString(), "192.0.2.9");
    (report.ends.server_address.ToString() == "10.1.0.1" ? to_first : to_second) += report.counters.bytes_sent;
  }
  EXPECT_EQ(to_first, 20U);
  EXPECT_EQ(to_second, 22U);
}

TEST_F(TranslatedSocketTableTest, ALivingConnectionIsFoundAtItsOtherEndToo) {
  now_ += kSecond;
  table_.SnapshotBegins(now_);
  table_.OnRecord(ToService(40'000).Live().Begins(7, 70));
  table_.OnRecord(RecordBuilder().Socket(0x2000).Incoming(5).Ends("10.1.0.7", 99, "10.0.0.1", 40'000).Begins(70, 8));
  table_.SnapshotEnds(now_, kChanged);
  EXPECT_TRUE(translations_.asked.empty());
  for (const SideReport& report : Emit()) EXPECT_EQ(report.ends.server_address.ToString(), "10.1.0.7");
}

TEST_F(TranslatedSocketTableTest, OfConnectionsWithTheSamePortsOnlyTheLastIsTracked) {
  for (int i = 0; i < 3; ++i) table_.OnRecord(ToService(40'000, 0x1000 + static_cast<uint64_t>(i)).Final());
  table_.OnRecord(ToService(40'001).Final());
  table_.OnRecord(ToService(40'002).Final(TCP_ESTABLISHED).Errors(ETIMEDOUT));
  table_.RoundEnds();
  ASSERT_EQ(translations_.asked.size(), 5U);
  EXPECT_TRUE(translations_.asked[0].succeeded);
  EXPECT_TRUE(translations_.asked[1].succeeded);
  EXPECT_FALSE(translations_.asked[2].succeeded);
  EXPECT_FALSE(translations_.asked[3].succeeded);
  EXPECT_TRUE(translations_.asked[3].closed);
  EXPECT_FALSE(translations_.asked[4].closed) << "whoever tracks it did not see it end";
}

// Two pairs of namespaces with the same addresses: 7 talks to 8, 17 to 18.
class PairsOfNamespacesTest : public SocketTableTest {
 protected:
  void Talk(uint32_t client, uint32_t server, uint32_t number) {
    Apply(Connection().Socket(number).Netns(client).Final().Begins(number, 10 * number));
    Apply(RecordBuilder()
              .Socket(1'000 + number)
              .Netns(server)
              .Incoming(5)
              .Ends("10.0.0.2", 80, "10.0.0.1", 40'000)
              .Final()
              .Begins(10 * number, number + 1));
  }
  // By the reporting end's namespace.
  std::map<uint32_t, uint32_t> Peers() {
    std::map<uint32_t, uint32_t> peers;
    for (const SideReport& report : Emit()) peers[report.ends.netns] = report.ends.peer_netns;
    now_ += kSecond;
    return peers;
  }
};

TEST_F(PairsOfNamespacesTest, WhereAddressesAreOfOneNamespaceEachTheyTell) {
  Talk(7, 8, 1);
  EXPECT_EQ(Peers(), (std::map<uint32_t, uint32_t>{{7, 0}, {8, 0}}));
}

TEST_F(PairsOfNamespacesTest, PairsAreToldApartByTheirConnections) {
  Talk(7, 8, 1);
  (void)Peers();
  Talk(17, 18, 2);
  Talk(7, 8, 3);
  EXPECT_EQ(Peers(), (std::map<uint32_t, uint32_t>{{7, 8}, {8, 7}, {17, 18}, {18, 17}}));
}

TEST_F(PairsOfNamespacesTest, AnAttemptThatFailsIsNotTheOtherPairs) {
  Talk(7, 8, 1);
  (void)Peers();
  Apply(Connection().Netns(17).Final(TCP_SYN_SENT).Errors(ECONNREFUSED));
  EXPECT_EQ(Peers(), (std::map<uint32_t, uint32_t>{{17, model::kUnknownNetns}}));
  Talk(17, 18, 2);
  (void)Peers();
  Apply(Connection().Netns(17).Final(TCP_SYN_SENT).Errors(ECONNREFUSED));
  EXPECT_EQ(Peers(), (std::map<uint32_t, uint32_t>{{17, 18}})) << "whom it talked to before";
}

TEST_F(PairsOfNamespacesTest, ConnectionsOlderThanTheAgentAreToldApartAtOnce) {
  std::vector<weir_record> records;
  for (const uint32_t pair : {7U, 17U}) {
    records.push_back(Connection()
                          .Socket(pair)
                          .Netns(pair)
                          .Outgoing(0, 0)
                          .Flags(WEIR_SOCKET_EXISTING | WEIR_SOCKET_OUTGOING)
                          .Begins(pair, 10 * pair));
    records.push_back(RecordBuilder()
                          .Socket(pair + 1)
                          .Netns(pair + 1)
                          .Incoming(0)
                          .Flags(WEIR_SOCKET_EXISTING)
                          .Ends("10.0.0.2", 80, "10.0.0.1", 40'000)
                          .Begins(10 * pair, pair + 1));
  }
  Snapshot(records);
  EXPECT_EQ(Peers(), (std::map<uint32_t, uint32_t>{{7, 8}, {8, 7}, {17, 18}, {18, 17}}));
}

}  // namespace
}  // namespace weir::agent::flow

// Which flows and readings make an account; its arithmetic has tests of its own in diagnose/.
#include "api/accounts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/fakes.h"
#include "model/row_edit.h"

namespace weir::api {
namespace {

using enum model::NodeSignal;

constexpr UnixMillis kNoon = 1'700'000'000'000;

TEST(Accounts, FlowsBelongToBothTheirEnds) {
  store::FlowResult result;
  ResultBuilder builder(AccountFlowsQuery({0, 1}, "n1"));
  builder.Row({{"protocol", Text("tcp")},
               {"client_node", Text("n1")},
               {"client_netns", Exact(11)},
               {"server_node", Text("n1")},
               {"server_netns", Exact(12)},
               {"bytes_to_server", Exact(1'000)},
               {"bytes_to_client", Exact(50)},
               {"segments_to_server", Exact(10)},
               {"retransmits_to_server", Exact(2)},
               {"retransmitted_bytes_to_server", Exact(200)},
               {"spurious_retransmits_to_server", Exact(1)}});
  builder.Row({{"protocol", Text("udp")},
               {"client_node", Text("n1")},
               {"client_netns", Exact(11)},
               {"bytes_to_server", Exact(300)},
               {"segments_to_server", Exact(3)}});
  const FlowsByNamespace flows = FlowsOf(builder.result);
  const diagnose::NamespaceFlows& client = flows.at({"n1", 11});
  EXPECT_EQ(client.out.tcp_bytes, 1'000U);
  EXPECT_EQ(client.out.tcp_sent_again_bytes, 200U);
  EXPECT_EQ(client.out.udp_bytes, 300U);
  EXPECT_EQ(client.out.udp_datagrams, 3U);
  EXPECT_EQ(client.in.tcp_bytes, 50U);
  const diagnose::NamespaceFlows& server = flows.at({"n1", 12});
  EXPECT_EQ(server.in.tcp_bytes, 1'000U);
  EXPECT_EQ(server.in.tcp_sent_again_bytes, 100U) << "the other one was lost on the way";
  EXPECT_EQ(server.out.tcp_bytes, 50U);
}

store::NodeTotal Mark(std::string subject, uint32_t netns, uint64_t inode, UnixMillis first, UnixMillis last) {
  store::NodeTotal total;
  total.node = "n1";
  total.subject = std::move(subject);
  total.netns = netns;
  total.signal = netns_inode;
  total.last = inode;
  total.first_time = first;
  total.last_time = last;
  total.samples = 11;
  return total;
}

TEST(Accounts, ReadingsBeginAndEndWithAPassThatReadAllNamespaces) {
  const auto own = Mark("host", 0, 1, kNoon, kNoon + 60'000);
  EXPECT_EQ(ReadingsOf({own}).from, kNoon);
  EXPECT_EQ(ReadingsOf({}).from, ReadingsOf({}).to);
  const store::TimeRange both = ReadingsOf({own, Mark("a", 7, 7, kNoon + 3'000, kNoon + 58'000)});
  EXPECT_EQ(both.from, kNoon + 3'000);
  EXPECT_EQ(both.to, kNoon + 58'000);
  const store::TimeRange gone = ReadingsOf({own, Mark("a", 7, 7, kNoon + 20'000, kNoon + 30'000)});
  EXPECT_EQ(gone.from, kNoon) << "there was none before";
  EXPECT_EQ(gone.to, kNoon + 60'000);
}

TEST(Accounts, OneForEachNamespaceReadAndTheRestIsSaid) {
  AccountFacts facts;
  facts.node = "n1";
  facts.range = {kNoon, kNoon + 60'000};
  facts.resolution = "raw";
  facts.marks = {Mark("host", 0, 4'026'531'840, kNoon - 2'000, kNoon + 62'000),
                 Mark("a", 7, 7, kNoon + 5'000, kNoon + 60'000)};
  store::NodeTotal bytes = Mark("a/eth0", 7, 0, kNoon, kNoon);
  bytes.signal = interface_rx_bytes;
  bytes.sum = 500;
  facts.totals = {bytes};
  facts.flows[{"n1", 4'026'531'840}].in.tcp_bytes = 70;
  facts.flows[{"n1", 99}].out.tcp_bytes = 30;
  facts.flows[{"n2", 7}].out.tcp_bytes = 1;
  Json accounts = Json::array();
  EXPECT_EQ(AppendAccounts(facts, accounts), 30U);
  ASSERT_EQ(accounts.size(), 2U);
  EXPECT_EQ(accounts[0]["namespace"], "host");
  EXPECT_EQ(accounts[0]["in"]["tcp_bytes"], 70);
  EXPECT_EQ(accounts[0]["in"]["excess_bytes"], 70) << "no interface had seen it";
  EXPECT_EQ(accounts[1]["netns"], 7);
  EXPECT_EQ(accounts[1]["interfaces"], Json::array({"eth0"}));
  EXPECT_EQ(accounts[1]["in"]["interface_bytes"], 500);
  EXPECT_EQ(accounts[1]["in"]["below_ip_bytes"], 500);
  EXPECT_EQ(accounts[1]["since"], "2023-11-14T22:13:25.000Z");
  EXPECT_EQ(accounts[1]["edges_ms"], 6'400) << "how far readings are apart";
  facts.resolution = "1m";
  AppendAccounts(facts, accounts);
  EXPECT_EQ(accounts[2]["edges_ms"], 60'000);
}

TEST(Accounts, ANodesNameIsAValueWhateverItHolds) {
  const store::FlowQuery query = AccountFlowsQuery({0, 1}, "n'1\" or server_port > 0 \\");
  model::FlowRow row;
  row.server_port = 80;
  EXPECT_FALSE(query.filter.empty());
  EXPECT_FALSE(query.filter.Matches(row));
  model::SetAttribute(row, "server_node", "n'1\" or server_port > 0 \\");
  EXPECT_TRUE(query.filter.Matches(row));
}

}  // namespace
}  // namespace weir::api

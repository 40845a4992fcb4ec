// Accounts of traffic made up here packet by packet, so that every number is known.
#include "api/accounts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/fakes.h"
#include "model/row_edit.h"

namespace weir::api {
namespace {

using enum model::NodeSignal;

constexpr UnixMillis kNoon = 1'700'000'000'000;

// Both sides of the equation of accounts.h.
void ExpectBalance(const AccountNumbers& numbers) {
  EXPECT_EQ(numbers.interface_bytes + numbers.loopback_bytes + numbers.excess_bytes,
            numbers.tcp_bytes + numbers.tcp_sent_again_bytes + numbers.udp_bytes + numbers.header_bytes +
                numbers.unattributed_bytes + numbers.below_ip_bytes);
}

// 1,000 segments of 1,448 bytes in 50 packets of 20 segments, one connection, pings of 84 bytes and a protocol's
// packets of 1,020 bytes; how the interface counts is left to the test.
constexpr uint64_t kPayload = 1'448'000;
constexpr uint64_t kOthers = 5 * 84 + 7 * 1'020;
constexpr uint64_t kIpBytes = kPayload + 50 * 52 + 8 + kOthers;

SignalSums Received() {
  return {{ip_packets_in, 62},       {ip_bytes_in, kIpBytes}, {ip_segments_in, 1'012}, {ip_delivered, 60},
          {ip_unknown_protocols, 2}, {tcp_segments_in, 50},   {icmp_messages_in, 5},   {tcp_passive_opens, 1}};
}

TEST(Accounts, AnInterfaceThatTakesMergedSegmentsHasAHeaderForEachPacket) {
  SignalSums sums = Received();
  sums[interface_rx_packets] = 62;
  sums[interface_rx_bytes] = kIpBytes + 62 * 14;
  const Account account = MakeAccount(sums, {.in = {.tcp_bytes = kPayload}}, true);
  ExpectBalance(account.in);
  EXPECT_EQ(account.in.header_bytes, 50 * 52 + 8 + 62 * 14);
  EXPECT_EQ(account.in.unattributed_bytes, kOthers);
  EXPECT_EQ(account.in.below_ip_bytes, 0U);
  EXPECT_EQ(account.in.excess_bytes, 0U);
  EXPECT_EQ(account.in.other_packets, 7U) << "those nobody speaks are among them";
  EXPECT_EQ(account.in.icmp_packets, 5U);
  EXPECT_EQ(account.in.tcp_packets, 50U);
}

TEST(Accounts, AnInterfaceThatCountsSegmentsHasAHeaderForEachOfThem) {
  SignalSums sums = Received();
  sums[interface_rx_packets] = 1'012 + 3;  // and three ARP packets of 42 bytes
  sums[interface_rx_bytes] = kIpBytes + 950 * 52 + 1'012 * 14 + 3 * 42;
  const Account account = MakeAccount(sums, {.in = {.tcp_bytes = kPayload}}, true);
  ExpectBalance(account.in);
  EXPECT_EQ(account.in.header_bytes, 1'000 * 52 + 8 + 1'015 * 14);
  EXPECT_EQ(account.in.unattributed_bytes, kOthers);
  EXPECT_EQ(account.in.below_ip_bytes, 3U * 28);
}

TEST(Accounts, WithoutTimestampsHeadersAreShorter) {
  SignalSums sums{{ip_packets_in, 10},
                  {ip_delivered, 10},
                  {tcp_segments_in, 10},
                  {ip_segments_in, 10},
                  {ip_bytes_in, 1'000 + 10 * 40 + 12},
                  {interface_rx_packets, 10},
                  {interface_rx_bytes, 1'000 + 10 * 40 + 12 + 10 * 14},
                  {tcp_active_opens, 1}};
  const NamespaceFlows flows{.in = {.tcp_bytes = 1'000}};
  EXPECT_EQ(MakeAccount(sums, flows, false).in.unattributed_bytes, 0U);
  EXPECT_EQ(MakeAccount(sums, flows, true).in.excess_bytes, 10 * 12 - 4) << "too much is said, not cut off";
}

TEST(Accounts, TcpSentIsWhatIpSentBeyondTheRestAndNotMoreThanItsSegments) {
  SignalSums sums{{ip_packets_out, 40},   {ip_requests_out, 40},  {tcp_segments_out, 900},
                  {tcp_retransmits, 100}, {icmp_messages_out, 6}, {udp_datagrams_out, 4}};
  EXPECT_EQ(MakeAccount(sums, {}, true).out.tcp_packets, 30U);
  EXPECT_EQ(MakeAccount(sums, {}, true).out.other_packets, 0U) << "at least";
  sums[tcp_segments_out] = 20;
  sums[tcp_retransmits] = 1;
  EXPECT_EQ(MakeAccount(sums, {}, true).out.tcp_packets, 21U);
  EXPECT_EQ(MakeAccount(sums, {}, true).out.other_packets, 9U);
}

TEST(Accounts, OlderKernelsCountForwardedPacketsAmongThoseMade) {
  const SignalSums sums{{ip_requests_out, 100}, {ip_forwarded, 90}, {tcp_segments_out, 50}};
  const Account account = MakeAccount(sums, {}, true);
  EXPECT_EQ(account.out.ip_packets, 100U);
  EXPECT_EQ(account.out.tcp_packets, 10U);
  EXPECT_EQ(account.out.forwarded_packets, 90U);
}

TEST(Accounts, WhatIsForwardedIsNotMoreThanWhatIsLeftBothWays) {
  const SignalSums sums{{ip_packets_in, 12}, {ip_bytes_in, 12'000}, {ip_delivered, 2},
                        {ip_forwarded, 10},  {ip_packets_out, 10},  {ip_bytes_out, 10'000}};
  const Account account = MakeAccount(sums, {}, true);
  EXPECT_EQ(account.in.forwarded_bytes_at_most, 10'000U);
  EXPECT_EQ(account.out.forwarded_bytes_at_most, 10'000U);
  EXPECT_EQ(account.in.unattributed_bytes, 12'000U);
  EXPECT_EQ(account.in.other_packets, 2U);
}

TEST(Accounts, LoopbackCountsBothWaysAndVersionSixHasItsOwnHeaders) {
  const uint64_t bytes = 5'000 + 10 * 72 + 8 + 3 * (100 + 48);
  SignalSums sums{{loopback_bytes, bytes}, {loopback_packets, 13}, {ip6_packets_in, 13},   {ip6_packets_out, 13},
                  {ip6_bytes_in, bytes},   {ip6_bytes_out, bytes}, {ip6_delivered, 13},    {ip6_requests_out, 13},
                  {tcp_segments_in, 10},   {tcp_segments_out, 10}, {udp6_datagrams_in, 3}, {udp6_datagrams_out, 3},
                  {tcp_active_opens, 1}};
  FlowBytes flows{.tcp_bytes = 5'000, .udp_bytes = 300, .udp_datagrams = 3};
  const Account account = MakeAccount(sums, {flows, flows}, true);
  for (const AccountNumbers& numbers : {account.in, account.out}) {
    ExpectBalance(numbers);
    EXPECT_EQ(numbers.unattributed_bytes, 0U);
    EXPECT_EQ(numbers.excess_bytes, 0U);
    EXPECT_EQ(numbers.header_bytes, 10U * 72 + 8 + 3 * 48);
    EXPECT_EQ(numbers.below_ip_bytes, 0U);
  }
}

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
  const NamespaceFlows& client = flows.at({"n1", 11});
  EXPECT_EQ(client.out.tcp_bytes, 1'000U);
  EXPECT_EQ(client.out.tcp_sent_again_bytes, 200U);
  EXPECT_EQ(client.out.udp_bytes, 300U);
  EXPECT_EQ(client.out.udp_datagrams, 3U);
  EXPECT_EQ(client.in.tcp_bytes, 50U);
  const NamespaceFlows& server = flows.at({"n1", 12});
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

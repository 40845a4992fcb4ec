// Accounts of traffic made up here packet by packet, so that every number is known.
#include "diagnose/account.h"

#include <gtest/gtest.h>

namespace weir::diagnose {
namespace {

using enum model::NodeSignal;

// Both sides of the equation of account.h.
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

TEST(Account, AnInterfaceThatTakesMergedSegmentsHasAHeaderForEachPacket) {
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

TEST(Account, AnInterfaceThatCountsSegmentsHasAHeaderForEachOfThem) {
  SignalSums sums = Received();
  sums[interface_rx_packets] = 1'012 + 3;  // and three ARP packets of 42 bytes
  sums[interface_rx_bytes] = kIpBytes + 950 * 52 + 1'012 * 14 + 3 * 42;
  const Account account = MakeAccount(sums, {.in = {.tcp_bytes = kPayload}}, true);
  ExpectBalance(account.in);
  EXPECT_EQ(account.in.header_bytes, 1'000 * 52 + 8 + 1'015 * 14);
  EXPECT_EQ(account.in.unattributed_bytes, kOthers);
  EXPECT_EQ(account.in.below_ip_bytes, 3U * 28);
}

TEST(Account, WithoutTimestampsHeadersAreShorter) {
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

TEST(Account, TcpSentIsWhatIpSentBeyondTheRestAndNotMoreThanItsSegments) {
  SignalSums sums{{ip_packets_out, 40},   {ip_requests_out, 40},  {tcp_segments_out, 900},
                  {tcp_retransmits, 100}, {icmp_messages_out, 6}, {udp_datagrams_out, 4}};
  EXPECT_EQ(MakeAccount(sums, {}, true).out.tcp_packets, 30U);
  EXPECT_EQ(MakeAccount(sums, {}, true).out.other_packets, 0U) << "at least";
  sums[tcp_segments_out] = 20;
  sums[tcp_retransmits] = 1;
  EXPECT_EQ(MakeAccount(sums, {}, true).out.tcp_packets, 21U);
  EXPECT_EQ(MakeAccount(sums, {}, true).out.other_packets, 9U);
}

TEST(Account, OlderKernelsCountForwardedPacketsAmongThoseMade) {
  const SignalSums sums{{ip_requests_out, 100}, {ip_forwarded, 90}, {tcp_segments_out, 50}};
  const Account account = MakeAccount(sums, {}, true);
  EXPECT_EQ(account.out.ip_packets, 100U);
  EXPECT_EQ(account.out.tcp_packets, 10U);
  EXPECT_EQ(account.out.forwarded_packets, 90U);
}

TEST(Account, WhatIsForwardedIsNotMoreThanWhatIsLeftBothWays) {
  const SignalSums sums{{ip_packets_in, 12}, {ip_bytes_in, 12'000}, {ip_delivered, 2},
                        {ip_forwarded, 10},  {ip_packets_out, 10},  {ip_bytes_out, 10'000}};
  const Account account = MakeAccount(sums, {}, true);
  EXPECT_EQ(account.in.forwarded_bytes_at_most, 10'000U);
  EXPECT_EQ(account.out.forwarded_bytes_at_most, 10'000U);
  EXPECT_EQ(account.in.unattributed_bytes, 12'000U);
  EXPECT_EQ(account.in.other_packets, 2U);
}

TEST(Account, LoopbackCountsBothWaysAndVersionSixHasItsOwnHeaders) {
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

}  // namespace
}  // namespace weir::diagnose

#include "agent/node/protocol_counters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

namespace weir::agent::node {
namespace {

using model::NodeSignal;
using Values = std::map<NodeSignal, uint64_t>;

Values Parse(std::string_view snmp, std::string_view netstat, std::string_view snmp6) {
  Values values;
  ParseProtocolCounters(snmp, netstat, snmp6, [&](NodeSignal signal, uint64_t value) {
    EXPECT_TRUE(values.emplace(signal, value).second) << "once per signal";
  });
  return values;
}

TEST(ProtocolCounters, EveryFileHasItsSignals) {
  EXPECT_EQ(Parse("Ip: Forwarding InReceives OutTransmits\nIp: 1 10 11\nIcmp: InMsgs OutRedirects\nIcmp: 3 4\n"
                  "Tcp: MaxConn InSegs\nTcp: -1 5\nUdp: InDatagrams\nUdp: 6\nUdpLite: InDatagrams\nUdpLite: 600\n",
                  "TcpExt: TCPTimeouts\nTcpExt: 7\nIpExt: InOctets\nIpExt: 8000\n",
                  "Ip6InReceives                   \t12\nIcmp6OutPktTooBigs              \t13\nUdp6NoPorts \t14\n"),
            (Values{{NodeSignal::ip_packets_in, 10},
                    {NodeSignal::ip_packets_out, 11},
                    {NodeSignal::icmp_messages_in, 3},
                    {NodeSignal::icmp_redirects_out, 4},
                    {NodeSignal::tcp_segments_in, 5},
                    {NodeSignal::udp_datagrams_in, 6},
                    {NodeSignal::tcp_timeouts, 7},
                    {NodeSignal::ip_bytes_in, 8000},
                    {NodeSignal::ip6_packets_in, 12},
                    {NodeSignal::icmp6_too_big_out, 13},
                    {NodeSignal::udp6_no_ports, 14}}));
}

TEST(ProtocolCounters, SegmentsAreAddedUpOverTheirMarks) {
  EXPECT_EQ(Parse("", "IpExt: InNoECTPkts InECT1Pkts InECT0Pkts InCEPkts\nIpExt: 1000 200 30 4\n",
                  "Ip6InNoECTPkts 5\nIp6InCEPkts 1\n"),
            (Values{{NodeSignal::ip_segments_in, 1'234}, {NodeSignal::ip6_segments_in, 6}}));
}

TEST(ProtocolCounters, AKernelWithoutIpv6IsNoError) {
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "weir-protocol-counters";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "snmp") << "Ip: InReceives\nIp: 1\n";
  const auto read = [&] {
    Values values;
    const Status status =
        ReadProtocolCounters(folder, [&](NodeSignal signal, uint64_t value) { values[signal] = value; });
    return std::pair(status.ok(), values);
  };
  EXPECT_EQ(read(), std::pair(false, Values{})) << "netstat is missing";
  std::ofstream(folder / "netstat") << "IpExt: InOctets\nIpExt: 60\n";
  EXPECT_EQ(read(), std::pair(true, Values{{NodeSignal::ip_packets_in, 1}, {NodeSignal::ip_bytes_in, 60}}));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace weir::agent::node

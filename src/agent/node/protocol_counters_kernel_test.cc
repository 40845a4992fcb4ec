// What each counter counts, on the running kernel: against known traffic, ip and nstat, in namespaces of the test's
// own.
#include "agent/node/protocol_counters.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "agent/kernel/net_lab.h"

namespace weir::agent::node {
namespace {

using kernel::Lab;
using kernel::Output;
using kernel::Socket;
using model::NodeSignal;
using Json = nlohmann::json;

constexpr size_t kBulkBytes = 8'000'000;
constexpr uint64_t kTcpHeaders = 20 + 32;  // IPv4, TCP with timestamps
constexpr uint64_t kLinkHeader = 14;

// The counters of one namespace at a moment: signals, nstat's and ip's.
struct Reading {
  std::map<NodeSignal, uint64_t> signals;
  Json nstat;
  Json link;
};

Reading ReadIn(const Lab& lab) {
  lab.Enter();
  Reading reading;
  const Status status = ReadProtocolCounters(
      "/proc/thread-self/net", [&](NodeSignal signal, uint64_t value) { reading.signals[signal] = value; });
  EXPECT_TRUE(status.ok()) << status.message();
  reading.nstat = Json::parse(Output("nstat -asz -j"))["kernel"];
  reading.link = Json::parse(Output("ip -s -j link show dev weir0"))[0]["stats64"];
  return reading;
}

struct Change {
  Reading before;
  Reading after;
  uint64_t Of(NodeSignal signal) { return after.signals[signal] - before.signals[signal]; }
  uint64_t Nstat(const char* name) const {
    return after.nstat[name].get<uint64_t>() - before.nstat[name].get<uint64_t>();
  }
  uint64_t Link(const char* direction, const char* what) const {
    return after.link[direction][what].get<uint64_t>() - before.link[direction][what].get<uint64_t>();
  }
};

// Before Linux 6.7 requests are all that is sent, and there is no other count.
uint64_t Ip4PacketsOut(Change& change) {
  const bool counted = change.after.signals.contains(NodeSignal::ip_packets_out);
  return change.Of(counted ? NodeSignal::ip_packets_out : NodeSignal::ip_requests_out);
}

std::string NeighboursCommand(int family) {
  return family == AF_INET ? "ip -4 neigh show 10.9.0.2 dev weir0" : "ip -6 neigh show fd09::2 dev weir0";
}

// The other namespace's address, and its size.
std::pair<sockaddr_storage, socklen_t> AddressThere(int family, uint16_t port) {
  sockaddr_storage to{};
  to.ss_family = static_cast<sa_family_t>(family);
  if (family == AF_INET) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(to);
    v4.sin_port = htons(port);
    ::inet_pton(family, "10.9.0.2", &v4.sin_addr);
    return {to, sizeof(v4)};
  }
  auto& v6 = reinterpret_cast<sockaddr_in6&>(to);
  v6.sin6_port = htons(port);
  ::inet_pton(family, "fd09::2", &v6.sin6_addr);
  return {to, sizeof(v6)};
}

// From the current namespace.
void SendDatagrams(int family, uint16_t port, int count, size_t bytes) {
  const kernel::UniqueFd sender(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto [to, size] = AddressThere(family, port);
  const std::string payload(bytes, 'x');
  for (int i = 0; i < count; ++i) {
    EXPECT_EQ(::sendto(sender.get(), payload.data(), bytes, 0, reinterpret_cast<const sockaddr*>(&to), size),
              static_cast<ssize_t>(bytes));
  }
}

// Echo requests of `bytes` behind the ICMP header, each answered before the next.
void Ping(int count, size_t bytes) {
  const kernel::UniqueFd fd(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP));
  const auto [to, size] = AddressThere(AF_INET, 0);
  std::string message(8 + bytes, '\0');
  message[0] = 8;  // echo request
  message[5] = 1;  // identifier; a sum of nothing but zeros is not taken back as right
  const auto sum = static_cast<uint16_t>(~((8U << 8) + 1));
  message[2] = static_cast<char>(sum >> 8);
  message[3] = static_cast<char>(sum & 0xff);
  char answer[2'048];
  for (int i = 0; i < count; ++i) {
    ASSERT_EQ(::sendto(fd.get(), message.data(), message.size(), 0, reinterpret_cast<const sockaddr*>(&to), size),
              static_cast<ssize_t>(message.size()));
    do {
      ASSERT_GT(::recv(fd.get(), answer, sizeof(answer), 0), 20);
    } while (answer[20] != 0);  // echo reply, behind the IP header
  }
}

struct ProtocolCountersKernelTest : testing::Test {
  void SetUp() override {
    if (const std::string why = kernel::WhyNoKernelTests(); !why.empty()) GTEST_SKIP() << why;
    here = std::make_unique<Lab>();
    there = std::make_unique<Lab>();
    here->Enter();
    here->LinkTo(*there);
    // Neighbours know each other from now on. Somebody listens: errors are limited in rate, and tests want theirs.
    there->Enter();
    const kernel::UniqueFd listener(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    any.sin6_port = htons(9);
    ASSERT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&any), sizeof(any)), 0);
    here->Enter();
    for (const int family : {AF_INET, AF_INET6}) {
      const auto ask = [family] { SendDatagrams(family, 9, 1, 1); };  // again: the link may not be up yet
      const auto known = [family] { return Output(NeighboursCommand(family)).find("lladdr") != std::string::npos; };
      ASSERT_TRUE(kernel::Eventually(ask, known));
    }
  }
  void TearDown() override {
    there.reset();
    here.reset();
  }
  // Neighbour discovery comes at any time: again until none came in between.
  template <typename Traffic>
  std::pair<Change, Change> Around(const Traffic& traffic) const {
    for (int attempt = 0; attempt < 20; ++attempt) {
      Change mine{ReadIn(*here), {}};
      Change theirs{ReadIn(*there), {}};
      traffic();
      theirs.after = ReadIn(*there);
      mine.after = ReadIn(*here);
      if (!quiet || mine.Nstat("Ip6OutRequests") + theirs.Nstat("Ip6OutRequests") == 0) return {mine, theirs};
    }
    ADD_FAILURE() << "never quiet";
    return {};
  }
  // From here to there, closed at both ends when this returns.
  void SendBulk() const {
    there->Enter();
    Socket listener = Socket::Listen("10.9.0.2");
    here->Enter();
    Socket client = Socket::Connect("10.9.0.2", listener.port());
    Socket server = listener.Accept();
    std::thread reader([&] { server.Receive(kBulkBytes); });
    client.Send(kBulkBytes);
    reader.join();
    client.Close();
    server.ReceiveEnd();
    server.Close();
  }
  std::unique_ptr<Lab> here;
  std::unique_ptr<Lab> there;
  bool quiet = true;  // whether IPv6 is to be silent during the traffic
};

TEST_F(ProtocolCountersKernelTest, WhatIsMergedIsOnePacketForIpAndAsManyAsOnTheWireForTcp) {
  auto [mine, theirs] = Around([&] { SendBulk(); });
  // A veth hands on what TCP left in one piece: both interfaces and IP see the same few packets.
  const uint64_t packets = Ip4PacketsOut(mine);
  EXPECT_EQ(packets, mine.Of(NodeSignal::ip_requests_out));
  EXPECT_EQ(packets, theirs.Of(NodeSignal::ip_packets_in));
  EXPECT_EQ(packets, theirs.Of(NodeSignal::tcp_segments_in)) << "above GRO";
  const uint64_t segments = mine.Of(NodeSignal::tcp_segments_out) + mine.Of(NodeSignal::tcp_retransmits);
  EXPECT_EQ(segments, theirs.Of(NodeSignal::ip_segments_in)) << "what IP remembers is what TCP cut";
  EXPECT_GT(segments, packets) << "nothing was merged, the test shows nothing";
  // The rule of accounts: as many headers as packets.
  const uint64_t bytes = mine.Of(NodeSignal::ip_bytes_out);
  EXPECT_EQ(bytes, theirs.Of(NodeSignal::ip_bytes_in));
  const uint64_t syn_options = 8;
  const uint64_t sent_again = bytes - kBulkBytes - packets * kTcpHeaders - syn_options;
  EXPECT_LE(sent_again, mine.Of(NodeSignal::tcp_retransmits) * 1'448) << "and nothing where nothing was sent again";
  EXPECT_EQ(mine.Link("tx", "packets"), packets);
  EXPECT_EQ(mine.Link("tx", "bytes"), bytes + packets * kLinkHeader);
  EXPECT_EQ(mine.Of(NodeSignal::tcp_active_opens), 1U);
  EXPECT_EQ(theirs.Of(NodeSignal::tcp_passive_opens), 1U);
}

TEST_F(ProtocolCountersKernelTest, AnInterfaceThatCannotSegmentHasAHeaderForEachSegment) {
  here->Run("ethtool -K weir0 tso off");
  auto [mine, theirs] = Around([&] { SendBulk(); });
  const uint64_t segments = mine.Of(NodeSignal::tcp_segments_out) + mine.Of(NodeSignal::tcp_retransmits);
  const uint64_t packets = Ip4PacketsOut(mine);
  EXPECT_EQ(mine.Link("tx", "packets"), segments);
  EXPECT_LT(packets, segments) << "segmented below IP";
  EXPECT_EQ(mine.Link("tx", "bytes"),
            mine.Of(NodeSignal::ip_bytes_out) + (segments - packets) * kTcpHeaders + segments * kLinkHeader);
  EXPECT_EQ(theirs.Of(NodeSignal::ip_packets_in), segments);
}

TEST_F(ProtocolCountersKernelTest, DatagramsCountWhenTheyAreReadAndMessagesWhenTheyCome) {
  constexpr uint16_t kPort = 5'353;
  there->Enter();
  const kernel::UniqueFd receiver(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto [to, size] = AddressThere(AF_INET, kPort);
  ASSERT_EQ(::bind(receiver.get(), reinterpret_cast<const sockaddr*>(&to), size), 0);
  constexpr uint64_t kSent = 30;
  constexpr uint64_t kTaken = 20;
  char payload[1'000];
  auto [mine, theirs] = Around([&] {
    here->Enter();
    SendDatagrams(AF_INET, kPort, kSent, sizeof(payload));
    for (uint64_t i = 0; i < kTaken; ++i) ASSERT_EQ(::recv(receiver.get(), payload, sizeof(payload), 0), 1'000);
    Ping(5, 56);
  });
  EXPECT_EQ(mine.Of(NodeSignal::udp_datagrams_out), kSent);
  EXPECT_EQ(theirs.Of(NodeSignal::udp_datagrams_in), kTaken) << "the others wait in the socket";
  EXPECT_EQ(theirs.Of(NodeSignal::ip_delivered), kSent + 5);
  EXPECT_EQ(mine.Of(NodeSignal::ip_bytes_out), kSent * 1'028 + 5 * 84);
  EXPECT_EQ(mine.Of(NodeSignal::icmp_messages_out), 5U);
  EXPECT_EQ(theirs.Of(NodeSignal::icmp_messages_in), mine.Nstat("IcmpOutMsgs"));
  EXPECT_EQ(mine.Of(NodeSignal::icmp_messages_in), mine.Nstat("IcmpInMsgs"));
}

TEST_F(ProtocolCountersKernelTest, ErrorsOfIcmpEqualThoseOfNstat) {
  for (const char* limit : {"net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0"}) {
    there->Run(std::string("sysctl -qw ") + limit);
  }
  quiet = false;  // its own messages, and neighbour discovery
  auto [mine, theirs] = Around([&] {
    here->Enter();
    SendDatagrams(AF_INET, 9, 3, 1);
    SendDatagrams(AF_INET6, 9, 3, 1);
    const auto answered = [] {
      const Json nstat = Json::parse(Output("nstat -asz -j"))["kernel"];
      return nstat["Icmp6InDestUnreachs"].get<uint64_t>() >= 3;
    };
    EXPECT_TRUE(kernel::Eventually([] { std::this_thread::sleep_for(std::chrono::milliseconds(10)); }, answered));
  });
  EXPECT_GT(mine.Of(NodeSignal::icmp_unreachable_in), 0U) << "not more than the kernel's own rate limit allows";
  EXPECT_EQ(mine.Of(NodeSignal::icmp_unreachable_in), mine.Nstat("IcmpInDestUnreachs"));
  EXPECT_EQ(theirs.Of(NodeSignal::icmp_unreachable_out), theirs.Nstat("IcmpOutDestUnreachs"));
  EXPECT_GT(mine.Of(NodeSignal::icmp6_unreachable_in), 0U);
  EXPECT_EQ(mine.Of(NodeSignal::icmp6_unreachable_in), mine.Nstat("Icmp6InDestUnreachs"));
  EXPECT_EQ(theirs.Of(NodeSignal::icmp6_unreachable_out), theirs.Nstat("Icmp6OutDestUnreachs"));
  EXPECT_EQ(theirs.Of(NodeSignal::udp6_no_ports), 3U);
}

}  // namespace
}  // namespace weir::agent::node

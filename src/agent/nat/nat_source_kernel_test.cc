// Connection tracking of the running kernel, in namespaces of the test's own: client - router - server, and the agent
// in any of them.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <filesystem>
#include <iterator>
#include <map>
#include <memory>
#include <string>

#include "agent/kernel/net_lab.h"
#include "agent/nat/connection_tracking.h"
#include "agent/nat/nat_source.h"
#include "agent/nat/translation_table.h"
#include "agent/source/ebpf/ebpf_source.h"

namespace weir::agent::nat {
namespace {

using flow::ClientEnds;
using kernel::Lab;
using kernel::Socket;
using model::Address;

constexpr const char* kService = "10.96.0.10";
constexpr uint16_t kServicePort = 80;

Address Ip(const std::string& text) { return *Address::Parse(text); }

class NatKernelTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = kernel::WhyNoKernelTests(); !why.empty()) GTEST_SKIP() << "SKIPPED: " << why;
    Wire(client_, "c0", "1");
    Wire(server_, "s0", "2");
    router_.Run("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
    server_.Enter();
    listener_ = Socket::Listen("10.8.2.2");
    listener6_ = Socket::Listen("fd08:2::2");
  }

  void Wire(const Lab& host, const std::string& port, const std::string& net) {
    router_.Run("ip link add " + port + " type veth peer name eth0 netns " + std::to_string(host.holder()) +
                "; ip addr add 10.8." + net + ".1/24 dev " + port + "; ip -6 addr add fd08:" + net + "::1/64 dev " +
                port + " nodad; ip link set " + port + " up");
    host.Run("ip addr add 10.8." + net + ".2/24 dev eth0; ip -6 addr add fd08:" + net +
             "::2/64 dev eth0 nodad; ip link set eth0 up; ip route add default via 10.8." + net +
             ".1; ip -6 route add default via fd08:" + net + "::1");
  }
  void Nat(const Lab& where, const std::string& chain, const std::string& rule) {
    const std::string priority = chain == "postrouting" ? "100" : "-100";
    where.Run("nft -f - <<'E'\ntable inet nat_" + chain + " {\n chain c {\n  type nat hook " + chain + " priority " +
              priority + ";\n  " + rule + "\n }\n}\nE");
  }
  std::string ToServer() const { return "10.8.2.2:" + std::to_string(listener_.port()); }
  void Dnat(const Lab& where, const std::string& chain) {
    Nat(where, chain, std::string("ip daddr ") + kService + " tcp dport 80 dnat ip to " + ToServer());
  }
  Socket Connect(const std::string& address = kService, uint16_t port = kServicePort) {
    client_.Enter();
    return Socket::Connect(address, port);
  }
  ClientEnds EndsOf(const Socket& socket, const std::string& server = kService, uint16_t port = kServicePort) const {
    ClientEnds ends;
    ends.netns = client_.inode();
    ends.pid = static_cast<uint32_t>(client_.holder());
    ends.client = Ip(server.find(':') == std::string::npos ? "10.8.1.2" : "fd08:1::2");
    ends.client_port = socket.port();
    ends.server = Ip(server);
    ends.server_port = port;
    return ends;
  }
  // As an agent in `where` sees it.
  Followed Follow(const Lab& where, const ClientEnds& ends) {
    where.Enter();
    KernelTracking tracking(clock_);
    EXPECT_TRUE(tracking.Active());
    const Followed followed = tracking.Follow(ends, true);
    EXPECT_EQ(tracking.Probe().state, "on") << tracking.Probe().reason;
    return followed;
  }
  void ExpectServer(const Followed& followed) {
    EXPECT_TRUE(followed.found);
    EXPECT_EQ(followed.server.ToString(), "10.8.2.2");
    EXPECT_EQ(followed.server_port, listener_.port());
  }
  static size_t OpenFiles() {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
  }

  SystemClock clock_;
  Lab router_;
  Lab client_;
  Lab server_;
  Lab elsewhere_;
  Socket listener_;
  Socket listener6_;
};

TEST_F(NatKernelTest, TheAgentsOwnNamespaceTranslates) {
  Dnat(router_, "prerouting");
  const Socket socket = Connect();
  const Followed followed = Follow(router_, EndsOf(socket));
  ExpectServer(followed);
  EXPECT_EQ(followed.client.ToString(), "10.8.1.2");
}

TEST_F(NatKernelTest, TheClientsNamespaceTranslates) {
  Dnat(client_, "output");
  const Socket socket = Connect();
  ExpectServer(Follow(elsewhere_, EndsOf(socket)));
  ClientEnds unknown_process = EndsOf(socket);
  unknown_process.pid = 0;
  ExpectServer(Follow(elsewhere_, unknown_process));
  ExpectServer(Follow(client_, EndsOf(socket)));
}

TEST_F(NatKernelTest, ARoutersNamespaceTranslates) {
  Dnat(router_, "prerouting");
  const Socket socket = Connect();
  ExpectServer(Follow(elsewhere_, EndsOf(socket)));
  ExpectServer(Follow(client_, EndsOf(socket)));
}

TEST_F(NatKernelTest, OneTranslationAfterTheOther) {
  Nat(client_, "output", "ip daddr 10.96.0.10 tcp dport 80 dnat ip to 10.97.0.1:81");
  Nat(router_, "prerouting", "ip daddr 10.97.0.1 tcp dport 81 dnat ip to " + ToServer());
  Nat(router_, "postrouting", "oifname s0 masquerade");
  const Socket socket = Connect();
  const Socket accepted = listener_.Accept();
  const Followed followed = Follow(elsewhere_, EndsOf(socket));
  ExpectServer(followed);
  EXPECT_EQ(followed.client.ToString(), "10.8.2.1") << "what the server's socket says";
}

TEST_F(NatKernelTest, Version6Translates) {
  Nat(router_, "prerouting",
      "ip6 daddr fd96::10 tcp dport 80 dnat ip6 to [fd08:2::2]:" + std::to_string(listener6_.port()));
  const Socket socket = Connect("fd96::10");
  const Followed followed = Follow(router_, EndsOf(socket, "fd96::10"));
  EXPECT_EQ(followed.server.ToString(), "fd08:2::2");
  EXPECT_EQ(followed.server_port, listener6_.port());
}

TEST_F(NatKernelTest, AConnectionThatIsOverIsRemembered) {
  Dnat(router_, "prerouting");
  Socket socket = Connect();
  const ClientEnds ends = EndsOf(socket);
  Socket accepted = listener_.Accept();
  accepted.Close();
  socket.ReceiveEnd();
  socket.Close();
  ExpectServer(Follow(router_, ends));
}

TEST_F(NatKernelTest, WhatIsNotTranslatedIsFoundAsItIs) {
  Dnat(router_, "prerouting");
  const Socket socket = Connect("10.8.2.2", listener_.port());
  ExpectServer(Follow(router_, EndsOf(socket, "10.8.2.2", listener_.port())));
  ClientEnds nobody = EndsOf(socket);
  nobody.client_port = 1;
  EXPECT_FALSE(Follow(router_, nobody).found);
}

TEST_F(NatKernelTest, ARoundOverHoldsNoNamespace) {
  Dnat(client_, "output");
  const Socket socket = Connect();
  elsewhere_.Enter();
  KernelTracking tracking(clock_);
  ASSERT_TRUE(tracking.Active());
  tracking.RoundEnds();
  const size_t before = OpenFiles();
  ASSERT_TRUE(tracking.Active());
  ExpectServer(tracking.Follow(EndsOf(socket), true));
  tracking.RoundEnds();
  EXPECT_EQ(OpenFiles(), before);
}

TEST_F(NatKernelTest, RulesThatComeAfterTheFirstConnectionsAreFoundForNewDestinations) {
  Nat(router_, "prerouting", "ip daddr 10.99.0.1 tcp dport 1 dnat ip to 10.8.2.2:1");  // so that something is tracked
  const Socket plain = Connect("10.8.2.2", listener_.port());
  elsewhere_.Enter();
  KernelTracking tracking(clock_);
  TranslationTable table(tracking, clock_);
  EXPECT_EQ(table.Find(EndsOf(plain, "10.8.2.2", listener_.port())).state, flow::Translation::State::kNone);
  table.RoundEnds();
  Dnat(client_, "output");
  const Socket socket = Connect();
  const flow::Translation found = table.Find(EndsOf(socket));
  EXPECT_EQ(found.state, flow::Translation::State::kTranslated);
  EXPECT_EQ(found.server_port, listener_.port());
}

TEST_F(NatKernelTest, AConnectionThatHasMadeRoomForALaterOneIsNotTakenForIt) {
  Dnat(router_, "prerouting");
  const Socket socket = Connect();
  ClientEnds ends = EndsOf(socket);
  ends.last = true;
  ends.closed = true;  // as one before it, with the same ports, would be
  const Followed followed = Follow(router_, ends);
  EXPECT_TRUE(followed.is_another);
  EXPECT_FALSE(followed.found);
  EXPECT_EQ(followed.server.ToString(), kService);
}

// An agent beside a router that translates; what its flows say of a client's connections.
class NatFlowsTest : public NatKernelTest {
 protected:
  void Start() {
    elsewhere_.Enter();
    nat_ = MakeNatSource(clock_);
    source_ = MakeEbpfSource({.translations = &nat_->translations()}, clock_);
    ASSERT_TRUE(source_->Start().ok());
    nat_->Start();
  }
  void Exchange(size_t bytes, uint16_t service_port = kServicePort) {
    Socket brief = Connect(kService, service_port);
    Socket accepted = listener_.Accept();
    brief.Send(bytes);
    accepted.Receive(bytes);
    brief.Close();
    accepted.ReceiveEnd();
    accepted.Close();
  }
  // "server:port via service" -> bytes the client sent.
  std::map<std::string, uint64_t> Sent() {
    elsewhere_.Enter();
    source_->Poll();
    Collection out;
    EXPECT_TRUE(source_->Collect(clock_.MonotonicNanos(), out).ok());
    std::map<std::string, uint64_t> sent;
    for (const model::SideReport& report : out.reports) {
      if (report.ends.netns != client_.inode() || report.ends.side != model::Side::kClient) continue;
      const bool direct = report.ends.service_address.is_unspecified();
      sent[report.ends.server_address.ToString() + ":" + std::to_string(report.ends.server_port) +
           (direct ? "" : " via " + report.ends.service_address.ToString())] += report.counters.bytes_sent;
    }
    return sent;
  }
  using Named = std::map<std::string, uint64_t>;

  std::unique_ptr<NatSource> nat_;
  std::unique_ptr<Source> source_;
};

TEST_F(NatFlowsTest, ChanceDecidesForEachConnection) {
  server_.Enter();
  Socket other = Socket::Listen("10.8.2.2");
  Nat(client_, "output",
      "ip daddr 10.8.2.2 tcp dport " + std::to_string(listener_.port()) +
          " numgen inc mod 2 == 1 dnat ip to 10.8.2.2:" + std::to_string(other.port()));
  Start();
  for (int i = 0; i < 10; ++i) {
    Socket brief = Connect("10.8.2.2", listener_.port());
    Socket accepted = i % 2 == 0 ? listener_.Accept() : other.Accept();
    brief.Send(i % 2 == 0 ? 1 : 10);
    accepted.Receive(i % 2 == 0 ? 1 : 10);
    brief.Close();
    accepted.ReceiveEnd();
    accepted.Close();
  }
  EXPECT_EQ(Sent(), (Named{{ToServer(), 5}, {"10.8.2.2:" + std::to_string(other.port()) + " via 10.8.2.2", 50}}));
}

TEST_F(NatFlowsTest, AZoneOfItsOwnHidesNoTranslation) {
  router_.Run(
      "nft -f - <<'E'\ntable inet zoned {\n chain raw {\n  type filter hook prerouting priority -300;\n  "
      "ct zone set 7\n }\n}\nE");
  Dnat(router_, "prerouting");
  Start();
  Exchange(100);
  EXPECT_EQ(Sent(), (Named{{ToServer() + " via " + kService, 100}}));
}

TEST_F(NatFlowsTest, ThePortsOfAConnectionThatIsOverAreUsedAgain) {
  server_.Enter();
  Socket other = Socket::Listen("10.8.2.2");
  Nat(router_, "prerouting",
      std::string("ip daddr ") + kService + " tcp dport 80 dnat ip to numgen inc mod 2 map { 0 : 10.8.2.2 . " +
          std::to_string(listener_.port()) + ", 1 : 10.8.2.2 . " + std::to_string(other.port()) + " }");
  Start();
  uint16_t port = 0;
  for (int i = 0; i < 6; ++i) {
    client_.Enter();
    Socket brief = Socket::Make("10.8.1.2");
    brief.Set(SOL_SOCKET, SO_REUSEADDR, 1);
    brief.Bind("10.8.1.2", port);
    ASSERT_EQ(brief.TryConnect(kService, kServicePort), 0);
    port = brief.port();
    Socket accepted = i % 2 == 0 ? listener_.Accept() : other.Accept();
    brief.Send(i % 2 == 0 ? 1 : 10);
    accepted.Receive(i % 2 == 0 ? 1 : 10);
    brief.Abort();
  }
  EXPECT_EQ(Sent(), (Named{{ToServer() + " via " + kService, 3},
                           {"10.8.2.2:" + std::to_string(other.port()) + " via " + kService, 30}}));
}

TEST_F(NatKernelTest, TheSourceOfFlowsReportsTheBackendOfOldAndShortConnections) {
  Dnat(router_, "prerouting");
  Socket old = Connect();
  Socket old_accepted = listener_.Accept();
  elsewhere_.Enter();
  const auto nat = MakeNatSource(clock_);
  const auto source = MakeEbpfSource({.translations = &nat->translations()}, clock_);
  ASSERT_TRUE(source->Start().ok());
  nat->Start();
  Collection first;
  ASSERT_TRUE(source->Collect(clock_.MonotonicNanos(), first).ok());
  old.Send(100);
  old_accepted.Receive(100);
  {
    Socket brief = Connect();
    Socket accepted = listener_.Accept();
    brief.Send(7);
    accepted.Receive(7);
    brief.Close();
    accepted.ReceiveEnd();
    accepted.Close();
  }
  elsewhere_.Enter();
  source->Poll();
  Collection out;
  ASSERT_TRUE(source->Collect(clock_.MonotonicNanos(), out).ok());
  uint64_t sent = 0;
  for (const model::SideReport& report : out.reports) {
    if (report.ends.netns != client_.inode()) continue;
    EXPECT_EQ(report.ends.side, model::Side::kClient);
    EXPECT_EQ(report.ends.server_address.ToString(), "10.8.2.2");
    EXPECT_EQ(report.ends.server_port, listener_.port());
    EXPECT_EQ(report.ends.service_address.ToString(), kService);
    EXPECT_EQ(report.ends.service_port, kServicePort);
    sent += report.counters.bytes_sent;
  }
  EXPECT_EQ(sent, 107U);
}

}  // namespace
}  // namespace weir::agent::nat

// What the running kernel drops, against nft's and the kernel's own counters, in namespaces of the test's own.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "agent/kernel/net_lab.h"
#include "agent/node/drop_reader.h"

namespace weir::agent::node {
namespace {

using kernel::Lab;
using kernel::Output;
using kernel::Socket;

class DropKernelTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = kernel::WhyNoKernelTests(); !why.empty()) GTEST_SKIP() << "SKIPPED: " << why;
    here_.LinkTo(there_);
    reader_.Open();
    ASSERT_TRUE(probes_.reports().empty()) << probes_.reports()[0].reason;
    Read();
  }
  // Adds what was dropped in there_ since the last call: signal and subject -> packets.
  void Read() {
    now_ += 5'000'000'000;
    table_.BeginPass(now_ / 1'000'000, now_);
    reader_.Read(now_, [this](uint32_t inode) -> std::string {
      if (inode == there_.inode()) return "there";
      return inode == here_.inode() ? "here" : "elsewhere";
    });
    for (const model::NodeSample& sample : table_.Take()) {
      if (!sample.subject.starts_with("there/")) continue;
      drops_[std::string(model::Describe(sample.signal).name) + " " + sample.subject.substr(6)] += sample.value;
    }
  }
  // The packets of all kinds that begin so.
  uint64_t Drops(std::string_view prefix) {
    Read();
    uint64_t sum = 0;
    for (const auto& [what, packets] : drops_) sum += what.starts_with(prefix) ? packets : 0;
    return sum;
  }
  std::string All() const {
    std::string text;
    for (const auto& [what, packets] : drops_) text += what + " " + std::to_string(packets) + "\n";
    return text;
  }
  void SendDatagrams(uint16_t port, int count) {
    here_.Enter();
    const kernel::UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    ::inet_pton(AF_INET, "10.9.0.2", &to.sin_addr);
    const std::string data(1'000, 'x');
    for (int i = 0; i < count; ++i) {
      EXPECT_EQ(::sendto(fd.get(), data.data(), data.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 1'000);
    }
  }
  // nft's own counter of the only rule.
  uint64_t NftPackets() {
    there_.Enter();
    const std::string rules = Output("nft list ruleset");
    const size_t at = rules.find("packets ");
    return at == std::string::npos ? 0 : std::stoull(rules.substr(at + 8));
  }
  uint64_t Nstat(const std::string& name) {
    there_.Enter();
    return std::stoull(Output("nstat -asz " + name + " | awk '/^" + name + " / { print $2 }'"));
  }

  SampleTable table_;
  ProbeList probes_;
  DropReader reader_{table_, probes_};
  Lab here_;
  Lab there_;
  Nanos now_ = 1'000'000'000;
  std::map<std::string, uint64_t> drops_;
};

TEST_F(DropKernelTest, NftDropsAreExact) {
  there_.Filter("udp dport 7001 counter drop");
  SendDatagrams(7001, 321);
  ASSERT_TRUE(kernel::Eventually([] {}, [this] { return NftPackets() == 321; }));
  EXPECT_EQ(Drops("drop.rule NETFILTER_DROP in nft_do_chain (udp)"), 321U) << All();
}

TEST_F(DropKernelTest, ADroppedSynIsOfTcp) {
  there_.Filter("tcp dport 7002 counter drop");
  here_.Enter();
  Socket client = Socket::Make("10.9.0.2");
  client.NonBlocking();
  client.TryConnect("10.9.0.2", 7002);
  ASSERT_TRUE(kernel::Eventually([] {}, [this] { return NftPackets() >= 1; }));
  client.Close();
  EXPECT_EQ(Drops("drop.rule NETFILTER_DROP in nft_do_chain (tcp)"), NftPackets()) << All();
}

TEST_F(DropKernelTest, AFullReceiveBufferIsNamedAndCountedAsTheKernelDoes) {
  there_.Enter();
  const kernel::UniqueFd receiver(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const int small = 4'096;
  ASSERT_EQ(::setsockopt(receiver.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(7003);
  ASSERT_EQ(::bind(receiver.get(), reinterpret_cast<sockaddr*>(&at), sizeof(at)), 0);
  SendDatagrams(7003, 500);
  ASSERT_TRUE(kernel::Eventually([] {}, [this] { return Nstat("UdpInDatagrams") + Nstat("UdpRcvbufErrors") >= 490; }));
  EXPECT_GT(Nstat("UdpRcvbufErrors"), 400U);
  EXPECT_EQ(Drops("drop.no_room SOCKET_RCVBUFF in "), Nstat("UdpRcvbufErrors")) << All();
}

TEST_F(DropKernelTest, PortsNobodyListensOnAreUnwanted) {
  SendDatagrams(7004, 50);
  ASSERT_TRUE(kernel::Eventually([] {}, [this] { return Nstat("UdpNoPorts") == 50; }));
  EXPECT_EQ(Drops("drop.unwanted NO_SOCKET in "), 50U) << All();
}

TEST_F(DropKernelTest, OrdinaryConnectionsDropNothing) {
  there_.Enter();
  Socket listener = Socket::Listen("10.9.0.2");
  here_.Enter();
  for (int i = 0; i < 200; ++i) {
    Socket client = Socket::Connect("10.9.0.2", listener.port());
    Socket server = listener.Accept();
    client.Send(10'000);
    server.Receive(10'000);
    server.Send(10'000);
    client.Receive(10'000);
    client.Close();
    server.ReceiveEnd();
    server.Close();
  }
  EXPECT_EQ(Drops("drop.no_room"), 0U) << All();
  EXPECT_EQ(Drops("drop.rule"), 0U) << All();
  EXPECT_EQ(Drops("drop.damaged"), 0U) << All();
}

}  // namespace
}  // namespace weir::agent::node

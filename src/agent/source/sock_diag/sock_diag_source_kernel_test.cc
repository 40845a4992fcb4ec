// The degraded mode on the running kernel: no eBPF, but root for other namespaces.
#include "agent/source/sock_diag/sock_diag_source.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "agent/kernel/net_lab.h"

namespace weir::agent {
namespace {

using kernel::Lab;
using kernel::Pair;
using kernel::Socket;
using model::Side;
using model::SideCounters;
using model::SideReport;

constexpr Nanos kSecond = 1'000'000'000;

class SockDiagSourceTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "SKIPPED: namespaces need root: sudo ./dev test kernel";
  }
  void Start() {
    source_ = MakeSockDiagSource(1'000, clock_);
    const Status status = source_->Start();
    ASSERT_TRUE(status.ok()) << status.message();
  }
  // Collects with a dump and adds the lab's reports to the sums.
  void Collect() {
    clock_.Advance(10 * kSecond);
    Collection collection;
    const Status status = source_->Collect(clock_.MonotonicNanos(), collection);
    EXPECT_TRUE(status.ok()) << status.message();
    client_.counters.open = server_.counters.open = 0;
    for (const SideReport& report : collection.reports) {
      if (report.ends.netns != lab_.inode()) continue;
      SideReport& sum = report.ends.side == Side::kClient ? client_ : server_;
      sum.ends = report.ends;
      if (!report.identity.process.empty()) sum.identity = report.identity;
      sum.counters.bytes_sent += report.counters.bytes_sent;
      sum.counters.bytes_received += report.counters.bytes_received;
      sum.counters.opened += report.counters.opened;
      sum.counters.closed += report.counters.closed;
      sum.counters.failed_refused += report.counters.failed_refused;
      sum.counters.open += report.counters.open;
    }
  }
  // Messages of destroyed sockets are sent by a kernel worker.
  bool CollectUntilClosed(uint64_t connections) {
    return kernel::Eventually([this] { Collect(); },
                              [this, connections] {
                                return client_.counters.closed >= connections && server_.counters.closed >= connections;
                              });
  }

  Lab lab_;
  FakeClock clock_;
  std::unique_ptr<Source> source_;
  SideReport client_;
  SideReport server_;
};

TEST_F(SockDiagSourceTest, ALongConnectionAddsUp) {
  Start();
  Pair pair = kernel::MakePair("127.0.0.1", "127.0.0.1");
  pair.client.Send(1'000);
  pair.server.Receive(1'000);
  Collect();
  EXPECT_EQ(client_.counters.open, 1U);
  EXPECT_EQ(client_.counters.opened, 1U);
  EXPECT_EQ(client_.counters.bytes_sent, 1'000U);
  EXPECT_EQ(server_.counters.bytes_received, 1'000U);
  EXPECT_EQ(server_.ends.server_port, pair.listener.port()) << "the listener tells the direction";
  EXPECT_FALSE(client_.identity.process.empty());
  EXPECT_EQ(client_.identity.process, server_.identity.process);
  pair.server.Send(70);
  pair.client.Receive(70);
  kernel::CloseInOrder(pair);
  ASSERT_TRUE(CollectUntilClosed(1));
  EXPECT_EQ(client_.counters.bytes_sent, 1'000U);
  EXPECT_EQ(client_.counters.bytes_received, 70U);
  EXPECT_EQ(server_.counters.bytes_received, 1'000U);
  EXPECT_EQ(server_.counters.bytes_sent, 70U);
  EXPECT_EQ(client_.counters.opened + server_.counters.opened, 2U);
  EXPECT_EQ(client_.counters.open + server_.counters.open, 0U);
}

TEST_F(SockDiagSourceTest, ShortConnectionsAreHeardOfWhenTheyAreDestroyed) {
  Start();
  Socket listener = Socket::Listen("::");
  Collect();  // learns the listener
  for (int i = 0; i < 200; ++i) {
    Socket client = Socket::Connect(i % 2 == 0 ? "::1" : "127.0.0.1", listener.port());
    Socket server = listener.Accept();
    client.Send(10);
    server.Receive(10);
    client.Close();
    server.ReceiveEnd();
    server.Close();
  }
  ASSERT_TRUE(CollectUntilClosed(200));
  EXPECT_EQ(client_.counters.closed, 200U);
  EXPECT_EQ(server_.counters.closed, 200U);
  EXPECT_EQ(client_.counters.opened, 200U);
  EXPECT_EQ(client_.counters.bytes_sent, 2'000U);
  EXPECT_EQ(server_.counters.bytes_received, 2'000U);
}

TEST_F(SockDiagSourceTest, OlderConnectionsStartFromABaseLineInEveryNamespace) {
  Pair pair = kernel::MakePair("127.0.0.1", "127.0.0.1");
  pair.client.Send(5'000);
  pair.server.Receive(5'000);
  const Lab elsewhere;  // the source starts in another namespace
  Start();
  Collect();
  EXPECT_EQ(client_.counters.open, 1U);
  EXPECT_EQ(server_.counters.open, 1U);
  EXPECT_EQ(client_.counters.opened + client_.counters.bytes_sent, 0U);
  pair.client.Send(3);
  pair.server.Receive(3);
  Collect();
  EXPECT_EQ(client_.counters.bytes_sent, 3U);
  EXPECT_EQ(server_.counters.bytes_received, 3U);
}

size_t OpenDescriptors() {
  size_t count = 0;
  for ([[maybe_unused]] const auto& one : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

TEST_F(SockDiagSourceTest, ANewNamespaceIsJoinedAndAGoneOneLetGo) {
  Start();
  Collect();
  const size_t before = OpenDescriptors();
  {
    const Lab young;
    Pair pair = kernel::MakePair("127.0.0.1", "127.0.0.1");
    clock_.Advance(10 * kSecond);
    Collection collection;
    ASSERT_TRUE(source_->Collect(clock_.MonotonicNanos(), collection).ok());
    uint64_t opened = 0;
    for (const SideReport& report : collection.reports) {
      if (report.ends.netns == young.inode()) opened += report.counters.opened;
    }
    EXPECT_EQ(opened, 2U) << "younger than the agent: opened now";
    EXPECT_GT(OpenDescriptors(), before + 3);
  }
  EXPECT_TRUE(kernel::Eventually([this] { Collect(); }, [before] { return OpenDescriptors() <= before; }))
      << "our sockets must not keep a namespace alive";
}

TEST_F(SockDiagSourceTest, EveryProbeExplainsItself) {
  Start();
  for (const model::ProbeReport& probe : source_->Probes()) {
    SCOPED_TRACE(probe.name);
    EXPECT_EQ(probe.state == "on", probe.reason.empty());
  }
  EXPECT_EQ(source_->mode(), "sock_diag");
}

}  // namespace
}  // namespace weir::agent

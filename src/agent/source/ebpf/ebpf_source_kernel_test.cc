// The whole way from sockets to reports, on the running kernel.
#include "agent/source/ebpf/ebpf_source.h"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <thread>

#include "agent/kernel/net_lab.h"

namespace weir::agent {
namespace {

using kernel::Lab;
using kernel::Pair;
using kernel::Socket;
using model::Side;
using model::SideCounters;
using model::SideReport;

class EbpfSourceKernelTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = kernel::WhyNoKernelTests(); !why.empty()) GTEST_SKIP() << "SKIPPED: " << why;
  }
  void Start() {
    source_ = MakeEbpfSource({.max_sockets = 131'072, .max_flows = 4'096}, clock_);
    const Status status = source_->Start();
    ASSERT_TRUE(status.ok()) << status.message();
  }
  // Adds up the reports of the lab's namespace and one side since the last call.
  SideReport Collect(Side side) {
    if (!collected_) {
      collection_ = {};
      const Status status = source_->Collect(clock_.MonotonicNanos(), collection_);
      EXPECT_TRUE(status.ok()) << status.message();
    }
    collected_ = !collected_;  // both sides are asked for in turn
    SideReport sum;
    for (const SideReport& report : collection_.reports) {
      if (report.ends.netns != lab_.inode() || report.ends.side != side) continue;
      sum.ends = report.ends;
      sum.identity = report.identity;
      Add(report.counters, sum.counters);
    }
    return sum;
  }
  static void Add(const SideCounters& from, SideCounters& to) {
    to.bytes_sent += from.bytes_sent;
    to.bytes_received += from.bytes_received;
    to.opened += from.opened;
    to.closed += from.closed;
    to.closed_reset_by_client += from.closed_reset_by_client;
    to.closed_reset_by_server += from.closed_reset_by_server;
    to.failed_refused += from.failed_refused;
    to.open += from.open;
    to.connect_count += from.connect_count;
    to.rtt_count += from.rtt_count;
  }

  Lab lab_;
  SystemClock clock_;
  std::unique_ptr<Source> source_;
  Collection collection_;
  bool collected_ = false;
};

TEST_F(EbpfSourceKernelTest, TwoThousandShortConnectionsAreExact) {
  Start();
  constexpr uint64_t kConnections = 2'000;
  Socket listener = Socket::Listen("127.0.0.1");
  for (uint64_t i = 0; i < kConnections; ++i) {
    Socket client = Socket::Connect("127.0.0.1", listener.port());
    Socket server = listener.Accept();
    client.Send(100);
    server.Receive(100);
    server.Send(200);
    client.Receive(200);
    client.Close();
    server.ReceiveEnd();
    server.Close();
    if (i % 200 == 0) source_->Poll();
  }
  const SideReport client = Collect(Side::kClient);
  EXPECT_EQ(client.counters.opened, kConnections);
  EXPECT_EQ(client.counters.closed, kConnections);
  EXPECT_EQ(client.counters.open, 0U);
  EXPECT_EQ(client.counters.bytes_sent, 100 * kConnections);
  EXPECT_EQ(client.counters.bytes_received, 200 * kConnections);
  EXPECT_EQ(client.counters.connect_count, kConnections);
  EXPECT_EQ(client.counters.rtt_count, kConnections);
  EXPECT_EQ(client.ends.server_port, listener.port());
  EXPECT_TRUE(client.ends.client_address.is_loopback());
  EXPECT_FALSE(client.identity.process.empty());
  const SideReport server = Collect(Side::kServer);
  EXPECT_EQ(server.counters.opened, kConnections);
  EXPECT_EQ(server.counters.closed, kConnections);
  EXPECT_EQ(server.counters.bytes_sent, 200 * kConnections);
  EXPECT_EQ(server.counters.bytes_received, 100 * kConnections);
  EXPECT_EQ(server.identity.process, client.identity.process) << "from the listener";
}

TEST_F(EbpfSourceKernelTest, SnapshotsThatRaceWithClosesCountNothingTwiceAndForgetNothing) {
  Start();
  constexpr uint64_t kConnections = 5'000;
  Socket listener = Socket::Listen("127.0.0.1");
  std::atomic<bool> done = false;
  std::thread load([&listener, &done] {
    for (uint64_t i = 0; i < kConnections; ++i) {
      Socket client = Socket::Connect("127.0.0.1", listener.port());
      Socket server = listener.Accept();
      client.Send(100);
      server.Receive(100);
      server.Send(30);
      client.Receive(30);
      if (i % 7 == 0) {
        server.Abort();
        EXPECT_EQ(client.Error(), ECONNRESET);
      } else {
        client.Close();
        server.ReceiveEnd();
      }
    }
    done = true;
  });
  SideCounters client;
  SideCounters server;
  for (int last = 0; last < 2;) {
    if (done) ++last;
    const SideCounters client_step = Collect(Side::kClient).counters;
    const SideCounters server_step = Collect(Side::kServer).counters;
    Add(client_step, client);
    Add(server_step, server);
    client.open = client_step.open;
    server.open = server_step.open;
  }
  load.join();
  for (const SideCounters& side : {client, server}) {
    EXPECT_EQ(side.opened, kConnections);
    EXPECT_EQ(side.closed, kConnections);
    EXPECT_EQ(side.open, 0U);
  }
  EXPECT_EQ(client.bytes_sent, 100 * kConnections);
  EXPECT_EQ(client.bytes_received, 30 * kConnections);
  EXPECT_EQ(server.bytes_sent, 30 * kConnections);
  EXPECT_EQ(server.bytes_received, 100 * kConnections);
  EXPECT_EQ(client.closed_reset_by_server, (kConnections + 6) / 7);
  EXPECT_EQ(server.closed_reset_by_server, (kConnections + 6) / 7) << "both ends agree on who did it";
  EXPECT_EQ(client.closed_reset_by_client + server.closed_reset_by_client, 0U);
  EXPECT_EQ(client.connect_count, kConnections);
}

TEST_F(EbpfSourceKernelTest, ALongConnectionAddsUpOverSnapshots) {
  Start();
  Pair pair = kernel::MakePair("::", "127.0.0.1");
  uint64_t client_sent = 0;
  uint64_t server_received = 0;
  for (int i = 0; i < 5; ++i) {
    pair.client.Send(1'000);
    pair.server.Receive(1'000);
    const SideReport client = Collect(Side::kClient);
    const SideReport server = Collect(Side::kServer);
    EXPECT_EQ(client.counters.opened, i == 0 ? 1U : 0U);
    EXPECT_EQ(client.counters.open, 1U);
    EXPECT_EQ(client.counters.bytes_sent, 1'000U);
    EXPECT_EQ(server.ends.client_address.ToString(), "127.0.0.1") << "mapped at the server";
    client_sent += client.counters.bytes_sent;
    server_received += server.counters.bytes_received;
  }
  kernel::CloseInOrder(pair);
  const SideReport client = Collect(Side::kClient);
  const SideReport server = Collect(Side::kServer);
  EXPECT_EQ(client_sent + client.counters.bytes_sent, 5'000U);
  EXPECT_EQ(server_received + server.counters.bytes_received, 5'000U);
  EXPECT_EQ(client.counters.closed, 1U);
  EXPECT_EQ(server.counters.closed, 1U);
  EXPECT_EQ(client.counters.open + server.counters.open, 0U);
}

TEST_F(EbpfSourceKernelTest, ConnectionsOlderThanTheAgentShowWhatTheyDoFromNowOn) {
  Pair pair = kernel::MakePair("127.0.0.1", "127.0.0.1");
  pair.client.Send(50'000);
  pair.server.Receive(50'000);
  Start();
  SideReport client = Collect(Side::kClient);
  SideReport server = Collect(Side::kServer);
  EXPECT_EQ(client.counters.open, 1U);
  EXPECT_EQ(server.counters.open, 1U);
  EXPECT_EQ(client.counters.opened + client.counters.bytes_sent + server.counters.bytes_received, 0U);
  EXPECT_FALSE(server.identity.process.empty());
  pair.client.Send(7);
  pair.server.Receive(7);
  kernel::CloseInOrder(pair);
  client = Collect(Side::kClient);
  server = Collect(Side::kServer);
  EXPECT_EQ(client.counters.bytes_sent, 7U);
  EXPECT_EQ(server.counters.bytes_received, 7U);
  EXPECT_EQ(client.counters.closed, 1U);
  EXPECT_EQ(client.counters.opened, 0U);
}

TEST_F(EbpfSourceKernelTest, RefusalsAndResetsAreTold) {
  Start();
  Pair pair = kernel::MakePair("127.0.0.1", "127.0.0.1");
  pair.server.Abort();
  EXPECT_EQ(pair.client.Error(), ECONNRESET);
  const uint16_t port = pair.listener.port();
  pair.listener.Close();
  EXPECT_EQ(Socket::Make("127.0.0.1").TryConnect("127.0.0.1", port), ECONNREFUSED);
  const SideReport client = Collect(Side::kClient);
  EXPECT_EQ(client.counters.opened, 1U);
  EXPECT_EQ(client.counters.closed, 1U);
  EXPECT_EQ(client.counters.closed_reset_by_server, 1U);
  EXPECT_EQ(client.counters.failed_refused, 1U);
  const SideReport server = Collect(Side::kServer);
  EXPECT_EQ(server.counters.closed, 1U);
  EXPECT_EQ(server.counters.closed_reset_by_server, 1U);
  EXPECT_EQ(server.counters.closed_reset_by_client, 0U);
}

// Lowers the calling thread to what a started source needs; see capabilities(7): a thread's own affair.
void KeepCollectingPrivileges() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct sets[2] = {};
  for (const int capability : {CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH}) {
    sets[CAP_TO_INDEX(capability)].effective |= CAP_TO_MASK(capability);
    sets[CAP_TO_INDEX(capability)].permitted |= CAP_TO_MASK(capability);
  }
  ASSERT_EQ(::syscall(SYS_capset, &header, sets), 0);
}

TEST_F(EbpfSourceKernelTest, CollectingNeedsFewPrivilegesOnceItHasStarted) {
  Start();
  Socket listener = Socket::Listen("127.0.0.1");
  Socket client = Socket::Connect("127.0.0.1", listener.port());
  client.Send(10);
  std::thread([this] {
    KeepCollectingPrivileges();
    source_->Poll();
    EXPECT_EQ(Collect(Side::kClient).counters.bytes_sent, 10U);
    Collection later;  // the accepted side has borrowed its process: descriptor tables are read
    const Status status = source_->Collect(clock_.MonotonicNanos() + 20'000'000'000, later);
    EXPECT_TRUE(status.ok()) << status.message();
  }).join();
}

TEST_F(EbpfSourceKernelTest, EveryProbeExplainsItself) {
  Start();
  for (const model::ProbeReport& probe : source_->Probes()) {
    SCOPED_TRACE(probe.name);
    EXPECT_EQ(probe.state == "on", probe.reason.empty());
  }
  EXPECT_EQ(source_->mode(), "ebpf");
}

}  // namespace
}  // namespace weir::agent

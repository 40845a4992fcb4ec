// Real sockets, real eBPF. Every case here is a way to count wrongly that was met in practice.
#include "agent/kernel/kernel_tracker.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "agent/kernel/group_tree.h"
#include "agent/kernel/net_lab.h"
#include "agent/kernel/program_choice.h"
#include "agent/kernel/stale_key.h"

namespace weir::agent::kernel {
namespace {

bool IsIncoming(const weir_record& record) { return (record.flags & WEIR_SOCKET_INCOMING) != 0; }
bool IsOutgoing(const weir_record& record) { return !IsIncoming(record); }
bool Anything(const weir_record&) { return true; }

uint64_t Payload(const weir_record& record) { return record.bytes_sent - record.bytes_retransmitted; }
uint64_t Received(const weir_record& record) {
  return record.bytes_received - ((record.flags & WEIR_SOCKET_FIN_RECEIVED) != 0 ? 1 : 0);
}

std::string OwnComm() {
  std::string comm(16, '\0');
  const int fd = ::open("/proc/self/comm", O_RDONLY);
  comm.resize(static_cast<size_t>(::read(fd, comm.data(), comm.size())) - 1);  // without the newline
  ::close(fd);
  return comm;
}

class KernelTrackerTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = WhyNoKernelTests(); !why.empty()) GTEST_SKIP() << "SKIPPED: " << why;
    Open({});
  }

  void Open(const KernelOptions& options) {
    tracker_.reset();
    std::vector<model::ProbeReport> probes;
    auto opened = KernelTracker::Open(options, probes);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    tracker_ = *std::move(opened);
  }

  // Until `count` final records of the lab are there.
  void AwaitFinals(size_t count) {
    ASSERT_TRUE(Eventually([this] { tracker_->DrainRing(log_); },
                           [this, count] { return log_.Of(WEIR_RECORD_FINAL).size() >= count; }))
        << log_.Of(WEIR_RECORD_FINAL).size() << " of " << count << " final records";
    EXPECT_EQ(log_.Of(WEIR_RECORD_FINAL).size(), count);
  }
  weir_record OnlyFinal() {
    AwaitFinals(1);
    return log_.Only(WEIR_RECORD_FINAL, Anything);
  }
  void Snapshot(bool complete = false) {
    log_.Clear();
    const Status status = tracker_->Snapshot(complete, log_);
    ASSERT_TRUE(status.ok()) << status.message();
  }

  Lab lab_;
  RecordLog log_{{lab_.inode()}};
  std::unique_ptr<KernelTracker> tracker_;
};

struct Family {
  const char* name;
  const char* listen;
  const char* connect;
  int server_family;
  const char* server_sees;  // the client's address at the server, as the kernel has it
};

class KernelTrackerFamilies : public KernelTrackerTest, public testing::WithParamInterface<Family> {};

INSTANTIATE_TEST_SUITE_P(All, KernelTrackerFamilies,
                         testing::Values(Family{"IPv4", "127.0.0.1", "127.0.0.1", AF_INET, "127.0.0.1"},
                                         Family{"IPv6", "::1", "::1", AF_INET6, "::1"},
                                         Family{"Mapped", "::", "127.0.0.1", AF_INET6, "::ffff:127.0.0.1"}),
                         [](const auto& test) { return test.param.name; });

// Node.js calls its first thread "MainThread", in all of its programs.
TEST_F(KernelTrackerTest, ARuntimesNameForAThreadIsNoNameOfAProcess) {
  Socket listener = Socket::Listen("127.0.0.1");
  const auto client_called = [&](const char* thread) {
    log_.Clear();
    const ThreadName name(thread);
    Socket client = Socket::Connect("127.0.0.1", listener.port());
    Socket server = listener.Accept();
    client.Close();
    server.ReceiveEnd();
    server.Close();
    AwaitFinals(2);
    return std::string(log_.Only(WEIR_RECORD_FINAL, IsOutgoing).comm);
  };
  EXPECT_EQ(client_called("MainThread"), ThreadName::Program());
  EXPECT_EQ(client_called("main-thread"), ThreadName::Program());
  EXPECT_EQ(client_called("Main Thread"), ThreadName::Program());
  EXPECT_EQ(client_called("MainThreads"), "MainThreads");
  EXPECT_EQ(client_called("maintenance"), "maintenance") << "what somebody calls a process is kept";
}

TEST_F(KernelTrackerTest, AListenerOlderThanTheAgentIsNamedAfterItsProgramToo) {
  const ThreadName name("MainThread");
  tracker_.reset();
  const Socket listener = Socket::Listen("127.0.0.1");
  Open({});
  ASSERT_TRUE(tracker_->ReadExisting().ok());
  if (tracker_->existing_program() != kExistingFiles) GTEST_SKIP() << "SKIPPED: this kernel names no processes";
  Snapshot();
  EXPECT_EQ(log_.Only(WEIR_RECORD_LISTEN, Anything).comm, ThreadName::Program());
}

TEST_P(KernelTrackerFamilies, BothEndsOfAConnectionAreExact) {
  Pair pair = MakePair(GetParam().listen, GetParam().connect);
  const uint16_t server_port = pair.listener.port();
  const uint16_t client_port = pair.client.port();
  pair.client.Send(1'000);
  pair.server.Receive(1'000);
  pair.server.Send(1'355);
  pair.client.Receive(1'355);
  CloseInOrder(pair);
  AwaitFinals(2);

  const weir_record client = log_.Only(WEIR_RECORD_FINAL, IsOutgoing);
  EXPECT_EQ(client.local_port, client_port) << "skc_num is 0 by now, inet_sport is not";
  EXPECT_EQ(client.remote_port, server_port);
  EXPECT_EQ(Payload(client), 1'000U) << "SYN and FIN are no payload";
  EXPECT_EQ(Received(client), 1'355U);
  EXPECT_NE(client.flags & WEIR_SOCKET_FIN_RECEIVED, 0U);
  EXPECT_EQ(client.pid, static_cast<uint32_t>(::getpid()));
  EXPECT_EQ(client.comm, OwnComm());
  EXPECT_GT(client.start_ns, 0U);
  EXPECT_GE(client.established_ns, client.start_ns);
  EXPECT_GE(client.time_ns, client.established_ns);
  EXPECT_EQ(client.error, 0U);
  EXPECT_EQ(client.state, TCP_FIN_WAIT2) << "the state it left";
  EXPECT_GT(client.delivered, 0U);
  EXPECT_EQ(client.total_retrans, 0U);

  const weir_record server = log_.Only(WEIR_RECORD_FINAL, IsIncoming);
  EXPECT_EQ(server.local_port, server_port);
  EXPECT_EQ(server.remote_port, client_port);
  EXPECT_EQ(server.family, GetParam().server_family);
  in6_addr expected{};
  inet_pton(GetParam().server_family, GetParam().server_sees, &expected);
  EXPECT_EQ(std::memcmp(server.remote_address, &expected, sizeof(expected)), 0);
  EXPECT_EQ(Payload(server), 1'355U);
  EXPECT_EQ(Received(server), 1'000U);
  EXPECT_NE(server.flags & WEIR_SOCKET_FIN_RECEIVED, 0U);
  EXPECT_EQ(server.start_ns, 0U);
  EXPECT_GT(server.established_ns, 0U);
  EXPECT_EQ(server.pid, 0U) << "born in softirq: the current task was anybody";
  EXPECT_EQ(server.state, TCP_LAST_ACK);
}

TEST_F(KernelTrackerTest, AListenerIsToldAtOnce) {
  const Socket listener = Socket::Listen("127.0.0.1");
  tracker_->DrainRing(log_);
  const weir_record record = log_.Only(WEIR_RECORD_LISTEN, Anything);
  EXPECT_EQ(record.local_port, listener.port());
  EXPECT_EQ(record.pid, static_cast<uint32_t>(::getpid()));
  EXPECT_EQ(record.comm, OwnComm());
}

TEST_F(KernelTrackerTest, TheProcessIsNamedNotTheThread) {
  const Socket listener = Socket::Listen("127.0.0.1");
  std::thread([&listener] {
    ::pthread_setname_np(::pthread_self(), "worker-7");
    Socket::Connect("127.0.0.1", listener.port()).Abort();
  }).join();
  ASSERT_TRUE(
      Eventually([this] { tracker_->DrainRing(log_); }, [this] { return !log_.Of(WEIR_RECORD_FINAL).empty(); }));
  EXPECT_EQ(log_.Only(WEIR_RECORD_FINAL, IsOutgoing).comm, OwnComm());
}

TEST_F(KernelTrackerTest, ARefusedAttempt) {
  Socket listener = Socket::Listen("127.0.0.1");
  const uint16_t port = listener.port();
  listener.Close();
  log_.Clear();
  AwaitFinals(1);  // the listener's own
  log_.Clear();
  EXPECT_EQ(Socket::Make("127.0.0.1").TryConnect("127.0.0.1", port), ECONNREFUSED);
  const weir_record record = OnlyFinal();
  EXPECT_EQ(record.state, TCP_SYN_SENT);
  EXPECT_EQ(record.error, static_cast<uint32_t>(ECONNREFUSED));
  EXPECT_EQ(record.segs_in, 1U);
  EXPECT_EQ(record.segs_out, 1U);
  EXPECT_EQ(record.established_ns, 0U);
  EXPECT_EQ(record.remote_port, port);
}

TEST_F(KernelTrackerTest, AnAttemptWithoutAnswer) {
  lab_.Filter("tcp dport 7001 drop");
  Socket socket = Socket::Make("127.0.0.1");
  socket.Set(IPPROTO_TCP, TCP_SYNCNT, 1);
  EXPECT_EQ(socket.TryConnect("127.0.0.1", 7001), ETIMEDOUT);
  const weir_record record = OnlyFinal();
  EXPECT_EQ(record.state, TCP_SYN_SENT);
  EXPECT_EQ(record.error, static_cast<uint32_t>(ETIMEDOUT));
  EXPECT_EQ(record.segs_in, 0U);
  EXPECT_GE(record.syn_retrans, 1U) << "kernels with linear SYN timeouts send one more";
  EXPECT_EQ(record.segs_out, 1 + record.syn_retrans);
  EXPECT_EQ(record.total_retrans, record.syn_retrans);
}

TEST_F(KernelTrackerTest, AnUnreachableHost) {
  lab_.Filter("tcp dport 7002 reject with icmp type host-unreachable");
  Socket socket = Socket::Make("127.0.0.1");
  EXPECT_EQ(socket.TryConnect("127.0.0.1", 7002), EHOSTUNREACH);
  const weir_record record = OnlyFinal();
  EXPECT_EQ(record.state, TCP_SYN_SENT);
  EXPECT_EQ(record.error, static_cast<uint32_t>(EHOSTUNREACH));
  EXPECT_EQ(record.segs_in, 0U);
}

TEST_F(KernelTrackerTest, AnIcmpPortUnreachableIsNoReset) {
  lab_.Filter("tcp dport 7003 reject with icmp type port-unreachable");
  EXPECT_EQ(Socket::Make("127.0.0.1").TryConnect("127.0.0.1", 7003), ECONNREFUSED);
  const weir_record record = OnlyFinal();
  EXPECT_EQ(record.error, static_cast<uint32_t>(ECONNREFUSED));
  EXPECT_EQ(record.segs_in, 0U) << "this is what tells it from a reset";
}

TEST_F(KernelTrackerTest, AnIcmpErrorThatItsProcessTookIsToldAllTheSame) {
  lab_.Filter("tcp dport 7003 reject with icmp type port-unreachable");
  Socket socket = Socket::Make("127.0.0.1");
  socket.NonBlocking();
  EXPECT_EQ(socket.TryConnect("127.0.0.1", 7003), EINPROGRESS);
  pollfd wanted{socket.fd(), POLLOUT, 0};
  ASSERT_EQ(poll(&wanted, 1, 10'000), 1);
  int error = 0;
  socklen_t size = sizeof(error);
  ASSERT_EQ(getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &size), 0);
  EXPECT_EQ(error, ECONNREFUSED);
  socket.Close();
  const weir_record record = OnlyFinal();
  EXPECT_TRUE(record.error != 0 || (record.flags & WEIR_SOCKET_ERROR_TOLD) != 0) << "flags " << record.flags;
}

TEST_F(KernelTrackerTest, AnAbandonedAttemptAndItsLiveRecord) {
  lab_.Filter("tcp dport 7004 drop");
  Socket socket = Socket::Make("127.0.0.1");
  socket.NonBlocking();
  EXPECT_EQ(socket.TryConnect("127.0.0.1", 7004), EINPROGRESS);
  Snapshot();
  const weir_record live = log_.Only(WEIR_RECORD_LIVE, Anything);
  EXPECT_EQ(live.state, TCP_SYN_SENT) << "still connecting is told, not only how it ended";
  EXPECT_EQ(live.established_ns, 0U);
  log_.Clear();
  socket.Close();
  const weir_record record = OnlyFinal();
  EXPECT_EQ(record.state, TCP_SYN_SENT);
  EXPECT_EQ(record.error, 0U);
  EXPECT_EQ(record.segs_out, 1U);
  EXPECT_NE(record.flags & WEIR_SOCKET_REPORTED, 0U);
  EXPECT_EQ(record.flags & WEIR_SOCKET_ERROR_TOLD, 0U);
}

TEST_F(KernelTrackerTest, NoLocalPortLeft) {
  Pair pair = MakePair("127.0.0.1", "127.0.0.1");
  const std::string used = std::to_string(pair.client.port());
  lab_.Run("echo " + used + " " + used + " > /proc/sys/net/ipv4/ip_local_port_range");
  EXPECT_EQ(Socket::Make("127.0.0.1").TryConnect("127.0.0.1", pair.listener.port()), EADDRNOTAVAIL);
  const weir_record record = OnlyFinal();
  EXPECT_EQ(record.state, TCP_SYN_SENT);
  EXPECT_EQ(record.error, 0U);
  EXPECT_EQ(record.segs_out, 0U);
  EXPECT_EQ(record.local_port, 0U);
}

TEST_F(KernelTrackerTest, AnAbortKeepsItsCountersAndThePeerItsError) {
  Pair pair = MakePair("127.0.0.1", "127.0.0.1");
  pair.client.Send(500);
  pair.server.Receive(500);
  pair.server.Send(70);
  pair.client.Receive(70);
  pair.server.Abort();  // tcp_disconnect() zeroes everything before the socket is destroyed
  EXPECT_EQ(pair.client.Error(), ECONNRESET);
  AwaitFinals(2);
  const weir_record server = log_.Only(WEIR_RECORD_FINAL, IsIncoming);
  EXPECT_EQ(server.state, TCP_ESTABLISHED);
  EXPECT_EQ(server.error, 0U);
  EXPECT_EQ(Payload(server), 70U);
  EXPECT_EQ(Received(server), 500U);
  EXPECT_EQ(server.flags & WEIR_SOCKET_FIN_RECEIVED, 0U) << "nobody sent a FIN: no byte to subtract";
  EXPECT_EQ(server.remote_port, pair.client.port());
  const weir_record client = log_.Only(WEIR_RECORD_FINAL, IsOutgoing);
  EXPECT_EQ(client.error, static_cast<uint32_t>(ECONNRESET));
  EXPECT_EQ(Received(client), 70U);
  EXPECT_EQ(client.flags & WEIR_SOCKET_FIN_RECEIVED, 0U);
}

TEST_F(KernelTrackerTest, AHalfClosedConnectionCountsItsFinInLiveRecordsToo) {
  Pair pair = MakePair("127.0.0.1", "127.0.0.1");
  pair.client.Send(40);
  pair.client.ShutdownWrite();
  pair.server.Receive(40);
  pair.server.ReceiveEnd();
  Snapshot();
  const weir_record server = log_.Only(WEIR_RECORD_LIVE, IsIncoming);
  EXPECT_EQ(server.state, TCP_CLOSE_WAIT);
  EXPECT_EQ(server.bytes_received, 41U);
  EXPECT_EQ(Received(server), 40U);
  EXPECT_EQ(log_.Only(WEIR_RECORD_LIVE, IsOutgoing).flags & WEIR_SOCKET_FIN_RECEIVED, 0U);
}

TEST_F(KernelTrackerTest, AConnectionThatLosesItsPeer) {
  Pair pair = MakePair("127.0.0.1", "127.0.0.1");
  pair.client.Set(IPPROTO_TCP, TCP_USER_TIMEOUT, 700);
  lab_.Filter("tcp dport " + std::to_string(pair.listener.port()) + " drop");
  pair.client.Send(100);
  EXPECT_EQ(pair.client.Error(), ETIMEDOUT);
  const weir_record record = OnlyFinal();
  EXPECT_EQ(record.state, TCP_ESTABLISHED);
  EXPECT_EQ(record.error, static_cast<uint32_t>(ETIMEDOUT));
  EXPECT_GE(record.total_retrans, 1U);
  EXPECT_EQ(record.syn_retrans, 0U);
  EXPECT_EQ(Payload(record), 100U) << "each byte once, however often it was sent";
  EXPECT_GT(record.bytes_sent, 100U);
  EXPECT_TRUE(record.timeouts == 0xffffffff || record.timeouts >= 1) << record.timeouts;
}

TEST_F(KernelTrackerTest, SynRetransmissionsAreKeptApart) {
  Socket listener = Socket::Listen("127.0.0.1");
  lab_.Filter("tcp dport " + std::to_string(listener.port()) + " drop");
  Socket client = Socket::Make("127.0.0.1");
  client.NonBlocking();
  EXPECT_EQ(client.TryConnect("127.0.0.1", listener.port()), EINPROGRESS);
  lab_.Unfilter();  // the first SYN is lost, the second one, after a second, is not
  EXPECT_EQ(client.FinishConnect(std::chrono::seconds(30)), 0);
  Socket server = listener.Accept();
  client.Close();
  server.ReceiveEnd();
  server.Close();
  AwaitFinals(2);
  const weir_record record = log_.Only(WEIR_RECORD_FINAL, IsOutgoing);
  EXPECT_GE(record.syn_retrans, 1U);
  EXPECT_EQ(record.total_retrans, record.syn_retrans) << "no data was sent again";
}

TEST_F(KernelTrackerTest, ASimultaneousOpenIsOutgoing) {
  // A socket connected to itself passes SYN_SENT, SYN_RECV, ESTABLISHED.
  Socket socket = Socket::Make("127.0.0.1");
  socket.Bind("127.0.0.1", 0);
  EXPECT_EQ(socket.TryConnect("127.0.0.1", socket.port()), 0);
  socket.Close();
  const weir_record record = OnlyFinal();
  EXPECT_TRUE(IsOutgoing(record));
  EXPECT_GT(record.start_ns, 0U);
  EXPECT_GE(record.established_ns, record.start_ns);
}

TEST_F(KernelTrackerTest, ABurstOfShortConnectionsIsComplete) {
  constexpr size_t kConnections = 2'000;
  Socket listener = Socket::Listen("127.0.0.1");
  for (size_t i = 0; i < kConnections; ++i) {
    Socket client = Socket::Connect("127.0.0.1", listener.port());
    Socket server = listener.Accept();
    client.Send(10);
    server.Receive(10);
    client.Close();
    server.ReceiveEnd();
    server.Close();
  }
  AwaitFinals(2 * kConnections);
  uint64_t sent = 0;
  uint64_t received = 0;
  size_t incoming = 0;
  for (const weir_record& record : log_.Of(WEIR_RECORD_FINAL)) {
    sent += Payload(record);
    received += Received(record);
    incoming += IsIncoming(record) ? 1 : 0;
  }
  EXPECT_EQ(sent, 10 * kConnections);
  EXPECT_EQ(received, 10 * kConnections);
  EXPECT_EQ(incoming, kConnections);
  EXPECT_EQ(tracker_->Losses().ring_full, 0U);
  Snapshot();
  EXPECT_TRUE(log_.Of(WEIR_RECORD_LIVE).empty()) << "nothing is left behind";
}

TEST_F(KernelTrackerTest, TheFirstRecordWakesWhoSleeps) {
  const auto is_readable = [this] {
    pollfd ring{tracker_->ring_fd(), POLLIN, 0};
    return ::poll(&ring, 1, 10'000) == 1;
  };
  tracker_->DrainRing(log_);
  tracker_->WakeForRecords(true);
  std::thread later([this] {
    lab_.Enter();
    Pair pair = MakePair("127.0.0.1", "127.0.0.1");
    CloseInOrder(pair);
  });
  EXPECT_TRUE(is_readable());
  later.join();
  AwaitFinals(3);  // of the listener too
}

// More than a slice of the list, more than births are remembered, and then a few that are.
TEST_F(KernelTrackerTest, WhoIsBornBetweenSnapshotsIsInTheNextHoweverManyTheyAre) {
  Socket listener = Socket::Listen("127.0.0.1");
  std::vector<Socket> open;
  for (const size_t wanted : {1'500U, 3U, 0U, 1U}) {
    for (size_t i = 0; i < wanted; ++i) {
      open.push_back(Socket::Connect("127.0.0.1", listener.port()));
      open.push_back(listener.Accept());
    }
    Snapshot();
    EXPECT_EQ(log_.Of(WEIR_RECORD_LIVE).size(), 2 * wanted);
  }
  // At addresses of others that were listed and have ended.
  open.resize(open.size() - 2'000);
  for (int i = 0; i < 50; ++i) {
    open.push_back(Socket::Connect("127.0.0.1", listener.port()));
    open.push_back(listener.Accept());
  }
  Snapshot();
  EXPECT_EQ(log_.Of(WEIR_RECORD_LIVE).size(), 100U);
  open.back().Send(1);
  Snapshot();
  EXPECT_EQ(log_.Of(WEIR_RECORD_LIVE).size(), 2U) << "what moved is told";
}

TEST_F(KernelTrackerTest, ConnectionsBetweenNamespacesAreSeenAtBothEnds) {
  const Lab other;
  lab_.LinkTo(other);
  log_ = RecordLog({lab_.inode(), other.inode()});
  for (const auto& [server_address, family] : {std::pair("10.9.0.2", AF_INET), std::pair("fd09::2", AF_INET6)}) {
    log_.Clear();
    other.Enter();
    Pair pair;
    pair.listener = Socket::Listen(server_address);
    lab_.Enter();
    pair.client = Socket::Connect(server_address, pair.listener.port());
    pair.server = pair.listener.Accept();
    pair.client.Send(9);
    pair.server.Receive(9);
    Snapshot();
    EXPECT_EQ(log_.Only(WEIR_RECORD_LIVE, IsOutgoing).netns, lab_.inode());
    EXPECT_EQ(log_.Only(WEIR_RECORD_LIVE, IsIncoming).netns, other.inode());
    CloseInOrder(pair);
    AwaitFinals(2);
    EXPECT_EQ(log_.Only(WEIR_RECORD_FINAL, IsOutgoing).netns, lab_.inode());
    const weir_record server = log_.Only(WEIR_RECORD_FINAL, IsIncoming);
    EXPECT_EQ(server.netns, other.inode());
    EXPECT_EQ(server.family, family);
    pair.listener.Close();
    log_.Clear();
    AwaitFinals(1);
  }
}

TEST_F(KernelTrackerTest, TheControlGroupIsTheCreatorsNotThePeers) {
  const std::string root =
      ::access("/sys/fs/cgroup/unified/cgroup.procs", F_OK) == 0 ? "/sys/fs/cgroup/unified" : "/sys/fs/cgroup";
  const std::string folder = root + "/weir-test-" + std::to_string(::getpid());
  if (::mkdir(folder.c_str(), 0755) != 0) GTEST_SKIP() << "SKIPPED: no writable v2 control groups in " << root;
  struct stat info {};
  ASSERT_EQ(::stat(folder.c_str(), &info), 0);
  const Socket listener = Socket::Listen("127.0.0.1");
  const std::string move =
      "echo $$ > " + folder + "/cgroup.procs; exec 3<>/dev/tcp/127.0.0.1/" + std::to_string(listener.port());
  lab_.Run("bash -c '" + move + "'");
  EXPECT_EQ(::rmdir(folder.c_str()), 0);
  Snapshot();
  tracker_->DrainRing(log_);
  ASSERT_TRUE(
      Eventually([this] { tracker_->DrainRing(log_); }, [this] { return !log_.Of(WEIR_RECORD_FINAL).empty(); }));
  const weir_record client = log_.Only(WEIR_RECORD_FINAL, IsOutgoing);
  EXPECT_EQ(client.cgroup_id, info.st_ino);
  EXPECT_STREQ(client.comm, "bash");
  const weir_record server = log_.Only(WEIR_RECORD_LIVE, IsIncoming);
  EXPECT_NE(server.cgroup_id, info.st_ino) << "accepted in the client's softirq, but the listener's";
  EXPECT_NE(server.cgroup_id, 0U);
}

TEST_F(KernelTrackerTest, AFullMapIsCounted) {
  Open({.max_sockets = 4});
  std::vector<Pair> pairs(20);
  for (Pair& pair : pairs) pair = MakePair("127.0.0.1", "127.0.0.1");
  EXPECT_GE(tracker_->Losses().map_full, 60U - 4U);
}

TEST_F(KernelTrackerTest, SocketsOlderThanAFullMapAreCountedOnce) {
  std::vector<Pair> pairs(20);
  for (Pair& pair : pairs) pair = MakePair("127.0.0.1", "127.0.0.1");
  Open({.max_sockets = 4});
  ASSERT_TRUE(tracker_->ReadExisting().ok());
  const uint64_t counted = tracker_->Losses().map_full;
  EXPECT_GE(counted, 60U - 4U);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(tracker_->ReadExisting().ok());
  // Others on this machine may open sockets meanwhile; scans that count would find these sixty three times more.
  EXPECT_LT(tracker_->Losses().map_full, counted + 100U);
}

TEST_F(KernelTrackerTest, AFullRingIsCountedWithItsBytes) {
  Open({.max_sockets = 1'024, .ring_bytes = 4'096});
  for (int i = 0; i < 40; ++i) {
    Pair pair = MakePair("127.0.0.1", "127.0.0.1");
    pair.client.Send(1'000);
    pair.server.Receive(1'000);
    CloseInOrder(pair);
  }
  const KernelLosses losses = tracker_->Losses();
  EXPECT_GE(losses.ring_full, 80U - 4'096 / sizeof(weir_record));
  EXPECT_GE(losses.ring_full_bytes, 10'000U);
  Snapshot();
  EXPECT_TRUE(log_.Of(WEIR_RECORD_LIVE).empty()) << "lost records leave no sockets behind";
}

TEST_F(KernelTrackerTest, AKeyLeftByTheBootstrapRaceIsPurgedAndNothingElse) {
  Socket listener = Socket::Listen("127.0.0.1");
  const uint16_t port = listener.port();
  listener.Close();
  AwaitFinals(1);
  log_.Clear();
  Socket closed = Socket::Make("127.0.0.1");
  EXPECT_EQ(closed.TryConnect("127.0.0.1", port), ECONNREFUSED);
  const uint64_t pointer = OnlyFinal().socket;
  // The socket is in TCP_CLOSE and open: what a scan would have found just before.
  ASSERT_TRUE(InsertSocketKey(pointer, WEIR_SOCKET_EXISTING));
  ASSERT_TRUE(tracker_->ReadExisting().ok());
  Snapshot();
  EXPECT_TRUE(log_.Of(WEIR_RECORD_LIVE).empty());
  EXPECT_EQ(tracker_->Losses().stale, 1U);
  // A new socket's key looks the same until its state is stored; that one must stay.
  ASSERT_TRUE(InsertSocketKey(pointer, 0));
  ASSERT_TRUE(tracker_->ReadExisting().ok());
  Snapshot();
  EXPECT_EQ(tracker_->Losses().stale, 1U);
  EXPECT_TRUE(log_.Of(WEIR_RECORD_LIVE).empty());
}

class KernelTrackerSnapshots : public KernelTrackerTest, public testing::WithParamInterface<std::string> {
 protected:
  bool TooOld() const {
    utsname kernel{};
    ::uname(&kernel);
    int major = 0;
    int minor = 0;
    EXPECT_EQ(std::sscanf(kernel.release, "%d.%d", &major, &minor), 2);
    const int version = major * 100 + minor;
    return version < (GetParam() == "weir_snapshot_cast" ? 602 : GetParam() == "weir_snapshot_probed" ? 514 : 509);
  }
  void OpenWithProgram(KernelOptions options) {
    options.snapshot_programs = {GetParam()};
    tracker_.reset();
    std::vector<model::ProbeReport> probes;
    auto opened = KernelTracker::Open(options, probes);
    // A kernel may be too old for the program or refuse its kind; anything else is our mistake.
    if (!opened.ok() && (opened.status().message().find("Operation not permitted") != std::string::npos || TooOld())) {
      GTEST_SKIP() << "SKIPPED: " << opened.status().message();
    }
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    tracker_ = *std::move(opened);
    EXPECT_EQ(tracker_->snapshot_program(), GetParam());
  }
};

INSTANTIATE_TEST_SUITE_P(All, KernelTrackerSnapshots,
                         testing::Values("weir_snapshot_cast", "weir_snapshot_probed", "weir_snapshot_iter"),
                         [](const auto& test) { return test.param.substr(std::strlen("weir_snapshot_")); });

TEST_P(KernelTrackerSnapshots, ReportChangedSocketsWithTheirCounters) {
  OpenWithProgram({});
  if (IsSkipped()) return;
  Pair pair = MakePair("::1", "::1");
  pair.client.Send(100);
  pair.server.Receive(100);
  tracker_->DrainRing(log_);
  Snapshot();
  EXPECT_EQ(log_.Of(WEIR_RECORD_LIVE).size(), 2U);
  const weir_record client = log_.Only(WEIR_RECORD_LIVE, IsOutgoing);
  EXPECT_EQ(client.bytes_sent, 100U);
  EXPECT_EQ(client.state, TCP_ESTABLISHED);
  EXPECT_EQ(client.remote_port, pair.listener.port());
  EXPECT_EQ(client.family, AF_INET6);
  EXPECT_EQ(client.comm, OwnComm());
  EXPECT_EQ(client.cgroup_id != 0, true);
  EXPECT_EQ(log_.Only(WEIR_RECORD_LIVE, IsIncoming).bytes_received, 100U);
  const weir_record listener = log_.Only(WEIR_RECORD_LISTEN, Anything);
  EXPECT_EQ(listener.local_port, pair.listener.port());
  EXPECT_GT(listener.max_backlog, 0U);

  Snapshot();
  EXPECT_TRUE(log_.Of(WEIR_RECORD_LIVE).empty()) << "idle";
  EXPECT_EQ(log_.Of(WEIR_RECORD_LISTEN).size(), 1U) << "listeners are told each time";
  Snapshot(/*complete=*/true);
  EXPECT_EQ(log_.Of(WEIR_RECORD_LIVE).size(), 2U);

  pair.server.Send(5);
  pair.client.Receive(5);
  Snapshot();
  EXPECT_EQ(log_.Only(WEIR_RECORD_LIVE, IsIncoming).bytes_sent, 5U);
}

TEST_P(KernelTrackerSnapshots, PassesThatStopAndGoOnLoseAndRepeatNothing) {
  // 12,000 sockets through a ring that takes 2,700 records before live ones must wait; iterators refill 60
  // times.
  OpenWithProgram({.max_sockets = 16'384, .ring_bytes = 1U << 20});
  if (IsSkipped()) return;
  rlimit files{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
  constexpr size_t kPairs = 6'000;
  if (files.rlim_max < 2 * kPairs + 100) GTEST_SKIP() << "SKIPPED: needs " << 2 * kPairs + 100 << " descriptors";
  files.rlim_cur = files.rlim_max;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &files), 0);
  const Lab other;  // half of them elsewhere
  log_ = RecordLog({lab_.inode(), other.inode()});
  std::vector<Socket> sockets;
  for (const Lab* lab : {static_cast<const Lab*>(&lab_), &other}) {
    lab->Enter();
    Socket listener = Socket::Listen("127.0.0.1");
    for (size_t i = 0; i < kPairs / 2; ++i) {
      sockets.push_back(Socket::Connect("127.0.0.1", listener.port()));
      sockets.push_back(listener.Accept());
    }
  }
  Snapshot();
  std::set<uint64_t> pointers;
  for (const weir_record& record : log_.Of(WEIR_RECORD_LIVE)) pointers.insert(record.socket);
  EXPECT_EQ(log_.Of(WEIR_RECORD_LIVE).size(), 2 * kPairs);
  EXPECT_EQ(pointers.size(), 2 * kPairs);
  Snapshot();
  EXPECT_TRUE(log_.Of(WEIR_RECORD_LIVE).empty());
  sockets[4'000].Send(1);
  sockets[4'001].Receive(1);
  Snapshot();
  EXPECT_EQ(log_.Of(WEIR_RECORD_LIVE).size(), 2U);
  Snapshot(/*complete=*/true);
  EXPECT_EQ(log_.Of(WEIR_RECORD_LIVE).size(), 2 * kPairs);
  EXPECT_EQ(tracker_->Losses().ring_full, 0U);
}

class KernelTrackerExisting : public KernelTrackerTest, public testing::WithParamInterface<std::string> {
 protected:
  void OpenWithProgram() {
    Open({.existing_programs = {GetParam()}});
    ASSERT_EQ(tracker_->existing_program(), GetParam());
  }
  bool names_processes() const { return GetParam() != "weir_existing_tcp"; }
};

INSTANTIATE_TEST_SUITE_P(All, KernelTrackerExisting,
                         testing::Values("weir_existing_files", "weir_existing_tasks", "weir_existing_tcp"),
                         [](const auto& test) { return test.param.substr(std::strlen("weir_existing_")); });

TEST_P(KernelTrackerExisting, SocketsOfEveryNamespaceAreFoundWithTheirDirection) {
  tracker_.reset();
  const Lab other;
  Pair there = MakePair("127.0.0.1", "127.0.0.1");
  lab_.Enter();
  Pair here = MakePair("::", "127.0.0.1");
  here.client.Send(11);
  here.server.Receive(11);
  OpenWithProgram();
  const Status status = tracker_->ReadExisting();
  ASSERT_TRUE(status.ok()) << status.message();
  log_ = RecordLog({lab_.inode(), other.inode()});
  Snapshot();
  EXPECT_EQ(log_.Of(WEIR_RECORD_LIVE).size(), 4U);
  EXPECT_EQ(log_.Of(WEIR_RECORD_LISTEN).size(), 2U);
  const auto here_only = [this](bool incoming) {
    return [this, incoming](const weir_record& record) {
      return record.netns == lab_.inode() && IsIncoming(record) == incoming;
    };
  };
  const weir_record client = log_.Only(WEIR_RECORD_LIVE, here_only(false));
  EXPECT_NE(client.flags & WEIR_SOCKET_EXISTING, 0U);
  EXPECT_EQ(client.bytes_sent, 11U);
  EXPECT_EQ(client.start_ns, 0U);
  const weir_record server = log_.Only(WEIR_RECORD_LIVE, here_only(true));
  EXPECT_NE(server.flags & WEIR_SOCKET_EXISTING, 0U);
  EXPECT_EQ(server.bytes_received, 11U);
  for (const weir_record& record : {client, server}) {
    EXPECT_EQ(record.pid, names_processes() ? static_cast<uint32_t>(::getpid()) : 0U);
    EXPECT_EQ(record.comm, names_processes() ? OwnComm() : "");
  }
  CloseInOrder(here);
  CloseInOrder(there);
  log_.Clear();
  AwaitFinals(4);
  for (const weir_record& record : log_.Of(WEIR_RECORD_FINAL)) EXPECT_NE(record.flags & WEIR_SOCKET_EXISTING, 0U);
}

TEST_P(KernelTrackerExisting, WhatTheTracepointKnowsIsKept) {
  OpenWithProgram();
  Pair pair = MakePair("127.0.0.1", "127.0.0.1");
  ASSERT_TRUE(tracker_->ReadExisting().ok());
  Snapshot();
  const weir_record client = log_.Only(WEIR_RECORD_LIVE, IsOutgoing);
  EXPECT_EQ(client.flags & WEIR_SOCKET_EXISTING, 0U);
  EXPECT_GT(client.start_ns, 0U);
  const weir_record server = log_.Only(WEIR_RECORD_LIVE, IsIncoming);
  EXPECT_EQ(server.flags & WEIR_SOCKET_EXISTING, 0U);
  EXPECT_EQ(server.pid, names_processes() ? static_cast<uint32_t>(::getpid()) : 0U)
      << "learnt from the descriptor table";
}

TEST_F(KernelTrackerTest, ProbesSayWhatIsUsed) {
  std::vector<model::ProbeReport> probes;
  ASSERT_TRUE(KernelTracker::Open({}, probes).ok());
  ASSERT_EQ(probes.size(), 8U);
  EXPECT_EQ(probes[0].name, "tcp_state");
  EXPECT_EQ(probes[0].state, "on");
  for (const model::ProbeReport& probe : probes) {
    SCOPED_TRACE(probe.name);
    EXPECT_EQ(probe.state == "on", probe.reason.empty()) << probe.state << ": " << probe.reason;
  }
}

TEST_F(KernelTrackerTest, AProgramThatDoesNotLoadCostsOnlyItself) {
  std::vector<model::ProbeReport> probes;
  auto opened = KernelTracker::Open(
      {.snapshot_programs = {"no_such_program", "weir_snapshot_probed"}, .existing_programs = {"no_such_program"}},
      probes);
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  EXPECT_EQ((*opened)->snapshot_program(), "weir_snapshot_probed");
  EXPECT_EQ((*opened)->ReadExisting().code(), Code::kUnsupported);
  EXPECT_EQ(probes[1].name, "retransmit");
  EXPECT_EQ(probes[1].state, "on");
  EXPECT_EQ(probes[3].state, "fallback");
  EXPECT_NE(probes[3].reason.find("no_such_program"), std::string::npos);
  EXPECT_EQ(probes[4].state, "failed");
  auto impossible = KernelTracker::Open({.snapshot_programs = {"no_such_program"}}, probes);
  EXPECT_EQ(impossible.status().code(), Code::kUnsupported);
}

// A version 2 control group of the test's own, with one below it; the calling thread's process moves between them.
class TestGroup {
 public:
  TestGroup() {
    const auto root = OpenGroupTree();
    if (!root.ok()) return;
    path_ = root->path / ("weir-within-" + std::to_string(::getpid()));
    std::filesystem::create_directories(path_ / "below" / "deeper");
  }
  ~TestGroup() {
    if (path_.empty()) return;
    Enter(path_.parent_path());
    for (const auto& each : {path_ / "below" / "deeper", path_ / "below", path_}) ::rmdir(each.c_str());
  }
  TestGroup(const TestGroup&) = delete;
  TestGroup& operator=(const TestGroup&) = delete;
  const std::filesystem::path& path() const { return path_; }
  static void Enter(const std::filesystem::path& group) { std::ofstream(group / "cgroup.procs") << ::getpid(); }

 private:
  std::filesystem::path path_;
};

TEST_F(KernelTrackerTest, WithinAGroupTracksItsSocketsAloneAndThoseBelow) {
  const TestGroup group;
  if (group.path().empty()) GTEST_SKIP() << "SKIPPED: no version 2 control groups";
  const Pair older_outside = MakePair("127.0.0.1", "127.0.0.1");
  TestGroup::Enter(group.path() / "below" / "deeper");
  const Pair older_inside = MakePair("127.0.0.1", "127.0.0.1");
  Open({.within = group.path() / "below"});
  ASSERT_TRUE(tracker_->ReadExisting().ok());
  std::vector<Pair> pairs;
  for (const auto& place : {group.path().parent_path(), group.path(), group.path() / "below"}) {
    TestGroup::Enter(place);
    pairs.push_back(MakePair("127.0.0.1", "127.0.0.1"));
  }
  // Its listener is within, its client is not.
  pairs.push_back({});
  pairs.back().listener = Socket::Listen("127.0.0.1");
  TestGroup::Enter(group.path());
  pairs.back().client = Socket::Connect("127.0.0.1", pairs.back().listener.port());
  pairs.back().server = pairs.back().listener.Accept();
  Snapshot(true);
  std::multiset<uint16_t> found;
  for (const weir_record& record : log_.Of(WEIR_RECORD_LIVE)) found.insert(record.local_port);
  const std::multiset<uint16_t> wanted{older_inside.client.port(), older_inside.server.port(), pairs[2].client.port(),
                                       pairs[2].server.port(), pairs[3].server.port()};
  EXPECT_EQ(found, wanted);
  EXPECT_EQ(found.count(older_outside.server.port()), 0U);
}

TEST(FindGroup, NamesAreBelowTheRootAndOthersAreRefused) {
  const TestGroup group;
  if (group.path().empty()) GTEST_SKIP() << "SKIPPED: no version 2 control groups, or no right to make one";
  const auto by_name = FindGroup(group.path().filename() / "below");
  ASSERT_TRUE(by_name.ok()) << by_name.status().message();
  EXPECT_EQ(by_name->level, 2U);
  EXPECT_NE(by_name->id, 0U);
  EXPECT_EQ(by_name->path, "/" + (group.path().filename() / "below").string());
  EXPECT_EQ(FindGroup(group.path() / "below")->id, by_name->id);
  EXPECT_EQ(FindGroup(group.path().parent_path())->level, 0U);
  EXPECT_EQ(FindGroup("no/such/group").status().code(), Code::kNotFound);
  EXPECT_EQ(FindGroup("/tmp").status().code(), Code::kInvalid);
}

TEST(IsBelow, ComparesWholeNamesOfVersionTwoGroups) {
  constexpr std::string_view kHybrid = "12:cpu:/weir/n1\n0::/weir/n1/pod\n";
  EXPECT_TRUE(IsBelow(kHybrid, "/weir/n1"));
  EXPECT_TRUE(IsBelow("0::/weir/n1\n", "/weir/n1"));
  EXPECT_TRUE(IsBelow(kHybrid, ""));
  EXPECT_FALSE(IsBelow("0::/weir/n10/pod\n", "/weir/n1"));
  EXPECT_FALSE(IsBelow("0::/weir\n", "/weir/n1"));
  EXPECT_FALSE(IsBelow("12:cpu:/weir/n1\n", "/weir/n1"));
  EXPECT_FALSE(IsBelow("", "/weir/n1"));
}

}  // namespace
}  // namespace weir::agent::kernel

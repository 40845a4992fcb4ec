// Sockets older than the tracker, and whose they are: what stands in the descriptor tables of processes.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <cstring>
#include <functional>
#include <string>

#include "agent/kernel/kernel_tracker.h"
#include "agent/kernel/net_lab.h"
#include "agent/kernel/own_namespaces.h"

namespace weir::agent::kernel {
namespace {

constexpr int kMptcp = 262;  // IPPROTO_MPTCP

bool IsIncoming(const weir_record& record) { return (record.flags & WEIR_SOCKET_INCOMING) != 0; }
bool IsOutgoing(const weir_record& record) { return !IsIncoming(record); }
uint32_t OwnPid() { return static_cast<uint32_t>(::getpid()); }

// A process that holds what its parent held when it was forked.
class Child {
 public:
  explicit Child(const std::function<void()>& first) {
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::prctl(PR_SET_NAME, "heir");
    first();
    ::kill(::getpid(), SIGSTOP);
    for (;;) ::pause();
  }
  ~Child() { End(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Until it has done what it does first.
  void Await() const { EXPECT_EQ(::waitpid(pid_, nullptr, WUNTRACED), pid_); }
  void End() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  uint32_t pid() const { return static_cast<uint32_t>(pid_); }

 private:
  pid_t pid_ = 0;
};

// A version 2 control group of the test's own.
class Group {
 public:
  Group() {
    const bool hybrid = ::access("/sys/fs/cgroup/unified/cgroup.procs", F_OK) == 0;
    folder_ =
        std::string(hybrid ? "/sys/fs/cgroup/unified" : "/sys/fs/cgroup") + "/weir-heir-" + std::to_string(::getpid());
    struct stat info {};
    if (::mkdir(folder_.c_str(), 0755) == 0 && ::stat(folder_.c_str(), &info) == 0) inode_ = info.st_ino;
  }
  ~Group() { ::rmdir(folder_.c_str()); }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  bool made() const { return inode_ != 0; }
  uint64_t inode() const { return inode_; }
  void Join() const {
    const int procs = ::open((folder_ + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC);
    if (::write(procs, "0", 1) != 1) ::_exit(1);
    ::close(procs);
  }

 private:
  std::string folder_;
  uint64_t inode_ = 0;
};

// By each program that reads descriptor tables.
class Existing : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (const std::string why = WhyNoKernelTests(); !why.empty()) GTEST_SKIP() << "SKIPPED: " << why;
  }
  void Open() {
    std::vector<model::ProbeReport> probes;
    auto opened = KernelTracker::Open({.existing_programs = {GetParam()}}, probes);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    tracker_ = *std::move(opened);
    if (tracker_->existing_program().empty()) {
      GTEST_SKIP() << "SKIPPED: this kernel does not take " << GetParam() << " (5.11, 6.7)";
    }
  }
  void Read() {
    const Status status = tracker_->ReadExisting();
    ASSERT_TRUE(status.ok()) << status.message();
    tracker_->DrainRing(log_);
    log_.Clear();
    ASSERT_TRUE(tracker_->Snapshot(true, log_).ok());
  }
  weir_record Of(uint16_t local_port, weir_record_kind kind = WEIR_RECORD_LIVE) const {
    return log_.Only(kind, [local_port](const weir_record& record) { return record.local_port == local_port; });
  }
  void EnableMptcp(const Lab& lab) const { lab.Run("sysctl -qw net.mptcp.enabled=1"); }

  Lab lab_;
  RecordLog log_{{lab_.inode()}};
  std::unique_ptr<KernelTracker> tracker_;
};

INSTANTIATE_TEST_SUITE_P(All, Existing, testing::Values("weir_existing_files", "weir_existing_tasks"),
                         [](const auto& test) { return test.param.substr(std::strlen("weir_existing_")); });

bool HasMptcp() { return ::access("/proc/sys/net/mptcp/enabled", F_OK) == 0; }

TEST_P(Existing, AnMptcpListenerHasItsProcess) {
  if (!HasMptcp()) GTEST_SKIP() << "SKIPPED: this kernel has no MPTCP";
  EnableMptcp(lab_);
  Socket listener = Socket::Make("127.0.0.1", kMptcp);
  listener.Bind("127.0.0.1", 0);
  ASSERT_EQ(::listen(listener.fd(), 8), 0);
  const Socket plain = Socket::Connect("127.0.0.1", listener.port());
  Open();
  if (IsSkipped()) return;
  Read();
  EXPECT_EQ(Of(listener.port(), WEIR_RECORD_LISTEN).pid, OwnPid());
  EXPECT_EQ(Of(plain.port()).pid, OwnPid());
}

TEST_P(Existing, BothEndsOfAnMptcpConnectionAreFound) {
  if (!HasMptcp()) GTEST_SKIP() << "SKIPPED: this kernel has no MPTCP";
  EnableMptcp(lab_);
  Socket listener = Socket::Make("127.0.0.1", kMptcp);
  listener.Bind("127.0.0.1", 0);
  ASSERT_EQ(::listen(listener.fd(), 8), 0);
  Socket client = Socket::Make("127.0.0.1", kMptcp);
  ASSERT_EQ(client.TryConnect("127.0.0.1", listener.port()), 0);
  Socket server = listener.Accept();
  Open();
  if (IsSkipped()) return;
  Read();
  EXPECT_EQ(log_.Only(WEIR_RECORD_LIVE, IsOutgoing).pid, OwnPid());
  EXPECT_EQ(log_.Only(WEIR_RECORD_LIVE, IsIncoming).pid, OwnPid());
  client.Send(100'000);
  server.Receive(100'000);
  log_.Clear();
  ASSERT_TRUE(tracker_->Snapshot(true, log_).ok());
  EXPECT_EQ(log_.Only(WEIR_RECORD_LIVE, IsOutgoing).bytes_sent, 100'000U);
}

// As libp2p and BitTorrent do, so that NAT opens one port only.
TEST_P(Existing, WhoDialsFromThePortItListensOnIsTheClient) {
  Socket server = Socket::Listen("127.0.0.1");
  Socket peer_listener = Socket::Make("127.0.0.1");
  peer_listener.Set(SOL_SOCKET, SO_REUSEPORT, 1);
  peer_listener.Bind("127.0.0.1", 0);
  ASSERT_EQ(::listen(peer_listener.fd(), 8), 0);
  Socket peer = Socket::Make("127.0.0.1");
  peer.Set(SOL_SOCKET, SO_REUSEPORT, 1);
  peer.Bind("127.0.0.1", peer_listener.port());
  ASSERT_EQ(peer.TryConnect("127.0.0.1", server.port()), 0);
  const Socket accepted = server.Accept();
  peer.Send(3'000);
  Open();
  if (IsSkipped()) return;
  Read();
  EXPECT_NE(Of(peer.port()).flags & WEIR_SOCKET_OUTGOING, 0U);
  EXPECT_FALSE(IsIncoming(Of(peer.port())));
  EXPECT_TRUE(IsIncoming(Of(server.port())));
}

TEST_P(Existing, WhatWasAcceptedWithoutABacklogIsIncoming) {
  Socket listener = Socket::Listen("127.0.0.1", 0);
  Socket client = Socket::Connect("127.0.0.1", listener.port());
  Socket server = listener.Accept();
  listener.Close();
  server.Send(2'000);
  client.Receive(2'000);
  client.ShutdownWrite();
  server.ReceiveEnd();
  Open();
  if (IsSkipped()) return;
  Read();
  EXPECT_TRUE(IsIncoming(log_.Only(WEIR_RECORD_LIVE, IsIncoming)));
  EXPECT_EQ(log_.Of(WEIR_RECORD_LIVE).size(), 2U);
}

TEST_P(Existing, AListenerThatWasHandedOverBelongsToWhoHoldsIt) {
  const Group group;
  if (!group.made()) GTEST_SKIP() << "SKIPPED: no writable v2 control groups";
  Open();
  if (IsSkipped()) return;
  Socket listener = Socket::Listen("127.0.0.1");
  const uint16_t port = listener.port();
  Child heir([&group] { group.Join(); });
  heir.Await();
  Read();
  EXPECT_EQ(Of(port, WEIR_RECORD_LISTEN).pid, OwnPid()) << "both hold it";
  listener.Close();
  Read();
  const weir_record record = Of(port, WEIR_RECORD_LISTEN);
  EXPECT_EQ(record.pid, heir.pid());
  EXPECT_STREQ(record.comm, "heir");
  EXPECT_EQ(record.holder_cgroup_id, group.inode());
  EXPECT_NE(record.cgroup_id, group.inode()) << "made here";
  Read();
  EXPECT_EQ(Of(port, WEIR_RECORD_LISTEN).holder_cgroup_id, group.inode()) << "and stays there";
}

TEST_P(Existing, AConnectionThatWasHandedOverBelongsToWhoHoldsItUntilItEnds) {
  const Group group;
  if (!group.made()) GTEST_SKIP() << "SKIPPED: no writable v2 control groups";
  Open();
  if (IsSkipped()) return;
  Pair pair = MakePair("127.0.0.1", "127.0.0.1");
  const uint16_t client_port = pair.client.port();
  Read();
  EXPECT_EQ(Of(client_port).pid, OwnPid());
  Child heir([&group] { group.Join(); });
  heir.Await();
  pair.client.Close();  // the heir's descriptor is left
  pair.server.Close();
  Read();
  EXPECT_EQ(Of(client_port).pid, heir.pid());
  EXPECT_EQ(Of(client_port).holder_cgroup_id, group.inode());
  log_.Clear();
  heir.End();
  ASSERT_TRUE(
      Eventually([this] { tracker_->DrainRing(log_); }, [this] { return log_.Of(WEIR_RECORD_FINAL).size() >= 2; }));
  for (const weir_record& record : log_.Of(WEIR_RECORD_FINAL)) {
    EXPECT_STREQ(record.comm, "heir");
    EXPECT_EQ(record.holder_cgroup_id, group.inode());
  }
}

TEST_P(Existing, ALeakedDescriptorChangesNothing) {
  Open();
  if (IsSkipped()) return;
  Pair pair = MakePair("127.0.0.1", "127.0.0.1");
  Child heir([] {});
  heir.Await();
  Read();
  Read();
  for (const weir_record& record : log_.Of(WEIR_RECORD_LIVE)) EXPECT_EQ(record.pid, OwnPid());
  EXPECT_EQ(log_.Of(WEIR_RECORD_LIVE).size(), 2U);
}

TEST_P(Existing, ARawSocketIsNoConnection) {
  const UniqueFd raw(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP));
  ASSERT_TRUE(raw.valid());
  Open();
  if (IsSkipped()) return;
  Read();
  EXPECT_TRUE(log_.Of(WEIR_RECORD_LIVE).empty());
  EXPECT_EQ(tracker_->Losses().stale, 0U);
}

class Subflows : public Existing {};
INSTANTIATE_TEST_SUITE_P(All, Subflows, testing::Values("weir_existing_files"));

// The kernel's path manager opens it, in a worker.
TEST_P(Subflows, ASecondSubflowBelongsToTheProcessOfTheFirst) {
  if (!HasMptcp()) GTEST_SKIP() << "SKIPPED: this kernel has no MPTCP";
  const Lab server_lab;
  lab_.LinkTo(server_lab);
  log_ = RecordLog({lab_.inode()});
  for (const Lab* lab : {&server_lab, static_cast<const Lab*>(&lab_)}) {
    EnableMptcp(*lab);
    lab->Run("ip mptcp limits set subflow 2 add_addr_accepted 2");
  }
  lab_.Run("ip addr add 10.9.0.3/24 dev weir0; ip mptcp endpoint add 10.9.0.3 dev weir0 subflow");
  Open();
  if (IsSkipped()) return;
  server_lab.Enter();
  Socket listener = Socket::Make("10.9.0.2", kMptcp);
  listener.Bind("10.9.0.2", 0);
  ASSERT_EQ(::listen(listener.fd(), 8), 0);
  lab_.Enter();
  Socket client = Socket::Make("10.9.0.2", kMptcp);
  ASSERT_EQ(client.TryConnect("10.9.0.2", listener.port()), 0);
  Socket server = listener.Accept();
  client.Send(1'000);  // the path manager waits for data
  server.Receive(1'000);
  server.Send(1'000);
  client.Receive(1'000);
  const auto snapshot = [this] {
    log_.Clear();
    ASSERT_TRUE(tracker_->Snapshot(true, log_).ok());
  };
  ASSERT_TRUE(Eventually(snapshot, [this] { return log_.Of(WEIR_RECORD_LIVE).size() == 2; }));
  for (const weir_record& record : log_.Of(WEIR_RECORD_LIVE)) EXPECT_EQ(record.pid, OwnPid()) << record.comm;
}

TEST_P(Subflows, BothEndsOfASimultaneousOpenSaySo) {
  Open();
  if (IsSkipped()) return;
  // A socket that connects to itself meets its own SYN (RFC 9293, 3.5).
  Socket self = Socket::Make("127.0.0.1");
  self.Bind("127.0.0.1", 0);
  ASSERT_EQ(self.TryConnect("127.0.0.1", self.port()), 0);
  log_.Clear();
  ASSERT_TRUE(tracker_->Snapshot(true, log_).ok());
  EXPECT_NE(Of(self.port()).flags & WEIR_SOCKET_SIMULTANEOUS, 0U);
  EXPECT_GT(Of(self.port()).established_ns, 0U);
}

TEST(OwnNamespaces, AProcessNamespaceOfOnesOwnIsNotTheMachines) {
  if (::geteuid() != 0) GTEST_SKIP() << "SKIPPED: needs root";
  const bool here = SharesProcessNamespace();
  EXPECT_EQ(here, ProcShowsMachine());
  const std::string inside = Output("unshare -p -f --mount-proc stat -Lc %i /proc/self/ns/pid");
  EXPECT_EQ(here, Output("stat -Lc %i /proc/self/ns/pid") != inside && here);
  EXPECT_FALSE(SharesProcessNamespace("/nonexistent"));
  EXPECT_FALSE(ProcShowsMachine("/nonexistent"));
}

}  // namespace
}  // namespace weir::agent::kernel

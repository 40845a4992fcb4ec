// Two programs that listen on one port (SO_REUSEPORT): whose a connection was shows when it is closed.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>
#include <set>
#include <string>

#include "agent/kernel/kernel_tracker.h"
#include "agent/kernel/net_lab.h"

namespace weir::agent::kernel {
namespace {

constexpr int kConnections = 40;

// A process that accepts on a port, takes a byte and closes, until it is stopped: then it says how many it took.
class Program {
 public:
  enum class End { kClose, kAbort, kPeerFirst };

  Program(const char* name, uint16_t port, End end) {
    EXPECT_EQ(::pipe2(said_, O_CLOEXEC), 0);
    pid_ = ::fork();
    if (pid_ == 0) Run(name, port, end);
    char ready = 0;
    EXPECT_EQ(::read(said_[0], &ready, 1), 1);
  }
  ~Program() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    ::close(said_[0]);
    ::close(said_[1]);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  uint32_t pid() const { return static_cast<uint32_t>(pid_); }

 private:
  [[noreturn]] void Run(const char* name, uint16_t port, End end) const {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::prctl(PR_SET_NAME, name);
    Socket listener = Socket::Make("127.0.0.1");
    listener.Set(SOL_SOCKET, SO_REUSEPORT, 1);
    listener.Bind("127.0.0.1", port);
    if (::listen(listener.fd(), 64) != 0 || ::write(said_[1], "r", 1) != 1) ::_exit(1);
    for (;;) {
      Socket taken = listener.Accept();
      taken.Receive(1);
      if (end == End::kPeerFirst) taken.ReceiveEnd();
      // Its own pid: what the test compares with.
      const uint32_t self = static_cast<uint32_t>(::getpid());
      if (::send(taken.fd(), &self, sizeof(self), MSG_NOSIGNAL) < 0) ::_exit(1);
      if (end == End::kAbort) {
        taken.ReceiveEnd();
        taken.Abort();
      }
    }
  }

  int said_[2] = {-1, -1};
  pid_t pid_ = -1;
};

class HoldersTest : public testing::TestWithParam<Program::End> {
 protected:
  void SetUp() override {
    if (const std::string why = WhyNoKernelTests(); !why.empty()) GTEST_SKIP() << "SKIPPED: " << why;
    std::vector<model::ProbeReport> probes;
    auto opened = KernelTracker::Open({}, probes);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    tracker_ = *std::move(opened);
  }

  Lab lab_;
  RecordLog log_{{lab_.inode()}};
  std::unique_ptr<KernelTracker> tracker_;
};

INSTANTIATE_TEST_SUITE_P(Ends, HoldersTest,
                         testing::Values(Program::End::kClose, Program::End::kAbort, Program::End::kPeerFirst),
                         [](const auto& test) {
                           return test.param == Program::End::kClose   ? "TheServerCloses"
                                  : test.param == Program::End::kAbort ? "TheServerAborts"
                                                                       : "TheClientClosesFirst";
                         });

TEST_P(HoldersTest, EveryConnectionBelongsToTheProgramThatTookIt) {
  Socket place = Socket::Make("127.0.0.1");  // keeps the port for them
  place.Set(SOL_SOCKET, SO_REUSEPORT, 1);
  place.Bind("127.0.0.1", 0);
  const uint16_t port = place.port();
  const Program shop("shop", port, GetParam());
  const Program bill("bill", port, GetParam());
  tracker_->LearnHolders({port});
  std::map<uint16_t, uint32_t> took;  // by the client's port
  for (int i = 0; i < kConnections; ++i) {
    Socket client = Socket::Connect("127.0.0.1", port);
    client.Send(1);
    if (GetParam() == Program::End::kPeerFirst) client.ShutdownWrite();
    uint32_t pid = 0;
    ASSERT_EQ(::recv(client.fd(), &pid, sizeof(pid), MSG_WAITALL), static_cast<ssize_t>(sizeof(pid)));
    took[client.port()] = pid;
    if (GetParam() == Program::End::kAbort) {
      client.ShutdownWrite();
      EXPECT_EQ(client.Error(), ECONNRESET);
    } else {
      client.ReceiveEnd();
    }
  }
  const auto incoming = [](const weir_record& record) { return (record.flags & WEIR_SOCKET_INCOMING) != 0; };
  const auto count = [&] {
    const auto finals = log_.Of(WEIR_RECORD_FINAL);
    return std::count_if(finals.begin(), finals.end(), incoming);
  };
  ASSERT_TRUE(Eventually([this] { tracker_->DrainRing(log_); }, [&] { return count() >= kConnections; }));
  std::set<std::string> names;
  for (const weir_record& record : log_.Of(WEIR_RECORD_FINAL)) {
    if (!incoming(record)) continue;
    EXPECT_EQ(record.pid, took[record.remote_port]);
    EXPECT_STREQ(record.comm, record.pid == shop.pid() ? "shop" : "bill");
    names.insert(record.comm);
  }
  EXPECT_EQ(names.size(), 2U) << "both took some";
}

}  // namespace
}  // namespace weir::agent::kernel

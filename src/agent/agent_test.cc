#include "agent/agent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <future>
#include <mutex>
#include <utility>

#include "agent/export/spool.h"
#include "agent/export/temporary_directory.h"
#include "agent/start.h"
#include "wire/batch_codec.h"

namespace weir::agent {
namespace {

using testing::HasSubstr;

std::string ThisThreadsName() {
  char name[16] = "";
  pthread_getname_np(pthread_self(), name, sizeof(name));
  return name;
}

// What a test sees of a source that the agent owns.
struct SourceLog {
  Status start_status;
  int collections = 0;
  bool destroyed = false;
  std::vector<std::string> threads;
  int wake_fd = -1;  // waits to be woken instead of being polled
  std::promise<void> polled;
};

class FakeSource final : public Source {
 public:
  FakeSource(std::string mode, SourceLog& log) : mode_(std::move(mode)), log_(log) {}
  ~FakeSource() override { log_.destroyed = true; }
  std::string_view mode() const override { return mode_; }
  Status Start() override {
    log_.threads.push_back(ThisThreadsName());
    return log_.start_status;
  }
  void Poll() override {
    if (std::exchange(log_.wake_fd, -1) >= 0) log_.polled.set_value();
  }
  std::chrono::milliseconds poll_period() const override {
    return std::chrono::milliseconds(log_.wake_fd >= 0 ? 0 : 50);
  }
  int wake_fd() const override { return log_.wake_fd; }
  Status Collect(Nanos, Collection& out) override {
    ++log_.collections;
    log_.threads.push_back(ThisThreadsName());
    out.reports.resize(1);
    return Status::Ok();
  }
  std::vector<model::ProbeReport> Probes() const override { return {{mode_ + "_probe", "on", "", ""}}; }

 private:
  const std::string mode_;
  SourceLog& log_;
};

class FakeServer final : public wire::BatchSink {
 public:
  Result<wire::Ack> Send(const std::string& encoded_batch, UnixMillis) override {
    const std::lock_guard lock(mutex_);
    thread_ = ThisThreadsName();
    if (away_) return Status::Unavailable("away");
    batches_.push_back(*wire::DecodeBatch(encoded_batch));
    changed_.notify_all();
    return wire::Ack{.duplicate = false, .watermark = batches_.back().sequence};
  }
  void WaitForBatches(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this, count] { return batches_.size() >= count; });
  }
  std::vector<model::AgentBatch> batches() {
    const std::lock_guard lock(mutex_);
    return batches_;
  }
  std::string thread() {
    const std::lock_guard lock(mutex_);
    return thread_;
  }
  void GoAway() {
    const std::lock_guard lock(mutex_);
    away_ = true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<model::AgentBatch> batches_;
  std::string thread_;
  bool away_ = false;
};

struct AgentTest : testing::Test {
  AgentTest() {
    options.node = "test-node";
    options.interval = std::chrono::milliseconds(100);
    options.data_dir = temporary.path() / "data";
    options.node_signals = false;     // of the machine the test runs on
    options.drop_privileges = false;  // the process has other tests to run
  }
  Result<std::unique_ptr<Agent>> Start() {
    std::vector<std::unique_ptr<Source>> candidates;
    candidates.push_back(std::make_unique<FakeSource>("ebpf", ebpf));
    candidates.push_back(std::make_unique<FakeSource>("sock_diag", sock_diag));
    return StartAgent(options, std::move(candidates), server, clock);
  }
  TemporaryDirectory temporary;
  SystemClock clock;
  AgentOptions options;
  SourceLog ebpf;
  SourceLog sock_diag;
  FakeServer server;
};

TEST_F(AgentTest, CollectsWithTheFirstSourceAndSends) {
  auto agent = Start();
  ASSERT_TRUE(agent.ok()) << agent.status().message();
  EXPECT_EQ((*agent)->mode(), "ebpf");
  server.WaitForBatches(3);
  (*agent)->Stop();
  (*agent)->Stop();
  const auto batches = server.batches();
  EXPECT_EQ(batches.size(), static_cast<size_t>(ebpf.collections)) << "the last collection was sent too";
  EXPECT_TRUE(sock_diag.threads.empty());
  for (size_t i = 0; i < batches.size(); ++i) {
    EXPECT_EQ(batches[i].node, "test-node");
    EXPECT_THAT(batches[i].agent_id, testing::MatchesRegex("[0-9a-f]{32}"));
    EXPECT_THAT(batches[i].version, testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+"));
    EXPECT_EQ(batches[i].probes.size(), 2U) << "the source's, and node_signals: off";
    if (i > 0) {
      EXPECT_EQ(batches[i].start, batches[i - 1].end);
    }
    if (i + 1 < batches.size()) {
      EXPECT_EQ(batches[i].end % 100, 0) << "on a multiple of the interval";
    }
  }
}

TEST_F(AgentTest, PollsASourceThatWakesIt) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  ebpf.wake_fd = pipe[0];
  auto agent = Start();
  ASSERT_TRUE(agent.ok());
  server.WaitForBatches(2);
  std::future<void> polled = ebpf.polled.get_future();
  EXPECT_EQ(polled.wait_for(std::chrono::seconds(0)), std::future_status::timeout) << "nobody woke it";
  ASSERT_EQ(::write(pipe[1], "r", 1), 1);
  EXPECT_EQ(polled.wait_for(std::chrono::seconds(10)), std::future_status::ready);
  (*agent)->Stop();
  for (const int end : pipe) ::close(end);
}

TEST_F(AgentTest, CallsTheSourceOnOneThreadAndTheSinkOnAnother) {
  auto agent = Start();
  ASSERT_TRUE(agent.ok());
  server.WaitForBatches(1);
  (*agent)->Stop();
  EXPECT_THAT(ebpf.threads, testing::Each("weir-agent"));
  EXPECT_EQ(server.thread(), "weir-export");
  EXPECT_TRUE(ebpf.destroyed) << "on its own thread, which has ended";
}

TEST_F(AgentTest, ADegradedAgentSaysSoInEveryBatch) {
  ebpf.start_status = Status::Denied("load tcp_state: operation not permitted");
  auto agent = Start();
  ASSERT_TRUE(agent.ok()) << agent.status().message();
  EXPECT_EQ((*agent)->mode(), "sock_diag");
  server.WaitForBatches(2);
  (*agent)->Stop();
  for (const auto& batch : server.batches()) {
    EXPECT_EQ(batch.mode, "sock_diag");
    ASSERT_EQ(batch.probes.size(), 3U);
    EXPECT_EQ(batch.probes[1].name, "ebpf");
    EXPECT_EQ(batch.probes[1].state, "failed");
    EXPECT_EQ(batch.probes[1].reason, "load tcp_state: operation not permitted");
    EXPECT_THAT(batch.probes[1].hint, HasSubstr("CAP_BPF"));
  }
}

TEST_F(AgentTest, SwitchedOffEbpfIsVisibleToo) {
  options.allow_ebpf = false;
  std::vector<std::unique_ptr<Source>> candidates;
  candidates.push_back(std::make_unique<FakeSource>("sock_diag", sock_diag));
  auto agent = StartAgent(options, std::move(candidates), server, clock);
  ASSERT_TRUE(agent.ok());
  (*agent)->Stop();
  ASSERT_FALSE(server.batches().empty());
  ASSERT_EQ(server.batches()[0].probes.size(), 3U);
  EXPECT_EQ(server.batches()[0].probes[1].name, "ebpf");
  EXPECT_EQ(server.batches()[0].probes[1].state, "off");
}

TEST_F(AgentTest, FailsWhenNothingStartsAndSaysWhyOfEach) {
  ebpf.start_status = Status::Unsupported("no BTF");
  sock_diag.start_status = Status::Denied("netlink refused");
  const auto agent = Start();
  ASSERT_FALSE(agent.ok());
  EXPECT_EQ(agent.status().code(), Code::kDenied);
  EXPECT_THAT(agent.status().message(), HasSubstr("ebpf: no BTF; sock_diag: netlink refused"));
  EXPECT_TRUE(ebpf.destroyed);
  ebpf.start_status = Status::Ok();
  EXPECT_TRUE(Start().ok()) << "the data directory is free again";
}

TEST_F(AgentTest, RefusesOptionsOutOfBounds) {
  for (const int interval_ms : {0, 99, 60'001}) {
    options.interval = std::chrono::milliseconds(interval_ms);
    EXPECT_EQ(Start().status().code(), Code::kInvalid) << interval_ms;
  }
  options.interval = std::chrono::milliseconds(100);
  options.data_dir = "";
  EXPECT_EQ(Start().status().code(), Code::kInvalid);
}

TEST_F(AgentTest, TwoAgentsDoNotShareADirectory) {
  auto first = Start();
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(Start().status().code(), Code::kConflict);
}

TEST_F(AgentTest, SendsTheLimitsOfTheNodeUnlessSwitchedOff) {
  options.node_signals = true;
  auto agent = Start();
  ASSERT_TRUE(agent.ok()) << agent.status().message();
  server.WaitForBatches(2);
  (*agent)->Stop();
  size_t passes = 0;
  for (const auto& batch : server.batches()) {
    for (const model::NodeSample& sample : batch.node_samples) {
      if (sample.signal == model::NodeSignal::node_pass_us) ++passes;
      EXPECT_EQ(sample.time / 1'000'000'000, batch.end / 1'000'000'000);
    }
    EXPECT_THAT(batch.probes, testing::Contains(testing::Field(&model::ProbeReport::name, "node_interfaces")));
  }
  EXPECT_GE(passes, 2U) << "one before the first batch, one when stopping";
}

TEST_F(AgentTest, TheNodeIsTheHostUnlessItIsNamed) {
  options.node = "";
  auto agent = Start();
  ASSERT_TRUE(agent.ok());
  (*agent)->Stop();
  char host[256] = "";
  gethostname(host, sizeof(host) - 1);
  EXPECT_EQ(server.batches().at(0).node, host);
}

TEST_F(AgentTest, StopSpoolsTheLastIntervalAndTheNextAgentSendsIt) {
  server.GoAway();
  {
    auto agent = Start();
    ASSERT_TRUE(agent.ok());
    (*agent)->Stop();
  }
  EXPECT_TRUE(server.batches().empty());
  const int collected = ebpf.collections;
  ASSERT_GE(collected, 1);
  {
    auto spool = Spool::Open(options.data_dir / "spool", options.spool_limit_bytes);
    ASSERT_TRUE(spool.ok());
    EXPECT_EQ((*spool)->batches(), static_cast<size_t>(collected));
  }
  FakeServer back;
  std::vector<std::unique_ptr<Source>> candidates;
  candidates.push_back(std::make_unique<FakeSource>("ebpf", ebpf));
  auto agent = StartAgent(options, std::move(candidates), back, clock);
  ASSERT_TRUE(agent.ok());
  back.WaitForBatches(static_cast<size_t>(collected) + 1);
  (*agent)->Stop();
  const auto batches = back.batches();
  for (size_t i = 1; i < batches.size(); ++i) {
    EXPECT_GT(batches[i].sequence, batches[i - 1].sequence);
    EXPECT_EQ(batches[i].agent_id, batches[0].agent_id);
  }
}

// In a process of its own, for privileges do not come back.
TEST_F(AgentTest, EveryThreadLowersItsPrivileges) {
  options.drop_privileges = true;
  options.interval = std::chrono::milliseconds(60'000);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto agent = Start();
    if (!agent.ok()) _exit(100);
    int lowered = 0;
    for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
      std::ifstream file(thread.path() / "status");
      std::string name;
      uint64_t effective = UINT64_MAX;
      for (std::string line; std::getline(file, line);) {
        if (line.starts_with("Name:")) name = line.substr(6);
        if (line.starts_with("CapEff:")) effective = std::stoull(line.substr(8), nullptr, 16);
      }
      // Sanitizers bring a thread of their own, which nobody asks to lower anything.
      const bool ours = name.starts_with("weir-") || thread.path().filename() == std::to_string(getpid());
      const uint64_t chown = 1;  // CAP_CHOWN, bit 0: root has it, nothing here needs it
      if (ours && (effective & chown) == 0) ++lowered;
    }
    (*agent)->Stop();
    _exit(lowered);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 3) << "the caller, weir-agent and weir-export";
}

}  // namespace
}  // namespace weir::agent

// The source's own decisions, over a tracker that plays the kernel.
#include "agent/source/ebpf/ebpf_source.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "agent/flow/record_builder.h"
#include "base/metrics.h"

namespace weir::agent {
namespace {

using flow::RecordBuilder;

constexpr Nanos kSecond = 1'000'000'000;

struct FakeKernel {
  std::vector<weir_record> ring;      // handed out by the next DrainRing
  std::vector<weir_record> snapshot;  // handed out by the next Snapshot
  kernel::KernelLosses losses;
  Status snapshot_status;
  Status existing_status;
  int scans = 0;
  std::vector<uint64_t> lossy_groups;
  std::vector<bool> snapshots;  // complete or not
  bool arrivals_suspended = false;
  std::set<uint16_t> shared_ports;
  int ring_fd = -1;
  bool wakes = false;
};

class FakeTracker final : public kernel::SocketTracker {
 public:
  explicit FakeTracker(FakeKernel& kernel) : kernel_(kernel) {}
  void DrainRing(kernel::RecordSink& sink) override {
    for (const weir_record& record : std::exchange(kernel_.ring, {})) sink.OnRecord(record);
  }
  Status Snapshot(bool complete, kernel::RecordSink& sink) override {
    kernel_.snapshots.push_back(complete);
    DrainRing(sink);
    for (const weir_record& record : std::exchange(kernel_.snapshot, {})) sink.OnRecord(record);
    return kernel_.snapshot_status;
  }
  Status ReadExisting() override {
    ++kernel_.scans;
    return kernel_.existing_status;
  }
  kernel::KernelLosses Losses() override { return kernel_.losses; }
  void OnReceiveLoss(std::span<const uint64_t> groups, Nanos) override {
    kernel_.lossy_groups.insert(kernel_.lossy_groups.end(), groups.begin(), groups.end());
  }
  void SuspendArrivals(bool suspended) override { kernel_.arrivals_suspended = suspended; }
  void LearnHolders(const std::set<uint16_t>& ports) override { kernel_.shared_ports = ports; }
  int ring_fd() const override { return kernel_.ring_fd; }
  void WakeForRecords(bool wake) override { kernel_.wakes = wake; }

 private:
  FakeKernel& kernel_;
};

class EbpfSourceTest : public testing::Test {
 protected:
  Collection Collect() {
    clock_.Advance(kSecond);
    Collection collection;
    status_ = source_->Collect(clock_.MonotonicNanos(), collection);
    return collection;
  }

  FakeClock clock_;
  FakeKernel kernel_;
  Status status_;
  std::unique_ptr<Source> source_ = MakeEbpfSource(
      {}, clock_,
      [this](const kernel::KernelOptions&, std::vector<model::ProbeReport>& probes) {
        probes.push_back({"existing_sockets", "on", "", ""});
        return Result<std::unique_ptr<kernel::SocketTracker>>(std::make_unique<FakeTracker>(kernel_));
      },
      source::SystemSurroundings(clock_));
};

TEST_F(EbpfSourceTest, PollsAndSnapshotsBecomeOneCollection) {
  ASSERT_TRUE(source_->Start().ok());
  EXPECT_EQ(kernel_.scans, 1) << "older sockets are looked for after attaching";
  kernel_.ring = {RecordBuilder().Outgoing(1, 2).Final().Bytes(5, 0)};
  source_->Poll();
  kernel_.ring = {RecordBuilder().Outgoing(3, 4).Final().Bytes(6, 0)};
  kernel_.snapshot = {RecordBuilder().Socket(9).Outgoing(5, 6).Bytes(7, 0)};
  const Collection collection = Collect();
  ASSERT_TRUE(status_.ok());
  ASSERT_EQ(collection.reports.size(), 1U);
  EXPECT_EQ(collection.reports[0].counters.bytes_sent, 18U);
  EXPECT_EQ(collection.reports[0].counters.opened, 3U);
  EXPECT_EQ(collection.reports[0].counters.open, 1U);
  EXPECT_FALSE(collection.local_addresses.empty());
  EXPECT_EQ(Read(Metric::agent_sockets), 1U);
  EXPECT_TRUE(Collect().reports.empty());
}

TEST_F(EbpfSourceTest, PortsOfSeveralProgramsAskForTheHoldersOfTheirConnections) {
  ASSERT_TRUE(source_->Start().ok());
  kernel_.ring = {RecordBuilder().Socket(1).Listen("0.0.0.0", 80, "old", 5)};
  source_->Poll();
  EXPECT_TRUE(kernel_.shared_ports.empty());
  kernel_.ring = {RecordBuilder().Socket(2).Listen("0.0.0.0", 80, "new", 6)};
  source_->Poll();
  EXPECT_EQ(kernel_.shared_ports, std::set<uint16_t>{80}) << "before the first connection may end";
  for (int i = 0; i < 4; ++i) {
    kernel_.snapshot = {RecordBuilder().Socket(2).Listen("0.0.0.0", 80, "new", 6)};
    (void)Collect();
  }
  EXPECT_TRUE(kernel_.shared_ports.empty()) << "one of them is gone";
}

TEST(NextPollPeriod, IsShortEnoughForAThousandRecordsWithinItsBounds) {
  using std::chrono::milliseconds;
  EXPECT_EQ(NextPollPeriod(milliseconds(100), 0), kLongestPollPeriod);
  EXPECT_EQ(NextPollPeriod(milliseconds(100), 10 * kRecordsPerPoll), milliseconds(10));
  EXPECT_EQ(NextPollPeriod(milliseconds(100), 4 * kRecordsPerPoll), milliseconds(25));
  EXPECT_EQ(NextPollPeriod(milliseconds(25), kRecordsPerPoll), milliseconds(25));
  EXPECT_EQ(NextPollPeriod(milliseconds(10), 1), kLongestPollPeriod);
  EXPECT_EQ(NextPollPeriod(milliseconds(100), ~uint64_t{0}), kShortestPollPeriod);
}

TEST_F(EbpfSourceTest, PollsMoreOftenWhileMuchEnds) {
  ASSERT_TRUE(source_->Start().ok());
  EXPECT_EQ(source_->poll_period(), kLongestPollPeriod);
  kernel_.ring.assign(4 * kRecordsPerPoll, RecordBuilder().Outgoing(1, 2).Final());
  source_->Poll();
  EXPECT_EQ(source_->poll_period(), kLongestPollPeriod / 4);
  source_->Poll();
  EXPECT_EQ(source_->poll_period(), kLongestPollPeriod);
}

TEST_F(EbpfSourceTest, WaitsToBeWokenWhileNothingEnds) {
  kernel_.ring_fd = 9;
  ASSERT_TRUE(source_->Start().ok());
  EXPECT_EQ(source_->poll_period(), kLongestPollPeriod);
  EXPECT_EQ(source_->wake_fd(), -1);
  source_->Poll();
  EXPECT_EQ(source_->poll_period().count(), 0);
  EXPECT_EQ(source_->wake_fd(), 9);
  EXPECT_TRUE(kernel_.wakes);
  kernel_.ring = {RecordBuilder().Outgoing(1, 2).Final()};
  source_->Poll();
  EXPECT_EQ(source_->poll_period(), kLongestPollPeriod);
  EXPECT_EQ(source_->wake_fd(), -1) << "it would be readable all the time";
  EXPECT_FALSE(kernel_.wakes);
}

TEST_F(EbpfSourceTest, LostFinalRecordsAreCountedAndTheirSocketsLookedFor) {
  ASSERT_TRUE(source_->Start().ok());
  kernel_.snapshot = {RecordBuilder().Outgoing(1, 2)};
  (void)Collect();
  const uint64_t before = Read(Metric::agent_kernel_ring_full);
  kernel_.losses.ring_full = 3;
  kernel_.snapshot_status = Status::Unavailable("busy");
  (void)Collect();
  EXPECT_EQ(status_.code(), Code::kUnavailable);
  EXPECT_EQ(Read(Metric::agent_sockets), 1U) << "a broken snapshot sweeps nothing";
  kernel_.snapshot_status = Status::Ok();
  const Collection collection = Collect();
  EXPECT_EQ(Read(Metric::agent_kernel_ring_full) - before, 3U);
  ASSERT_EQ(collection.reports.size(), 1U);
  EXPECT_EQ(collection.reports[0].counters.closed, 1U);
  EXPECT_EQ(Read(Metric::agent_sockets), 0U);
  (void)Collect();
  EXPECT_EQ(kernel_.snapshots, (std::vector<bool>{false, true, true, false}));
}

TEST_F(EbpfSourceTest, UntrackedSocketsAreCounted) {
  ASSERT_TRUE(source_->Start().ok());
  const uint64_t before = Read(Metric::agent_kernel_map_full);
  kernel_.losses.map_full = 5;
  (void)Collect();
  (void)Collect();
  EXPECT_EQ(Read(Metric::agent_kernel_map_full) - before, 5U);
}

TEST_F(EbpfSourceTest, DescriptorsAreScannedAtALimitedRateWhileProcessesAreBorrowed) {
  ASSERT_TRUE(source_->Start().ok());
  (void)Collect();
  EXPECT_EQ(kernel_.scans, 1) << "nothing to ask";
  kernel_.ring = {RecordBuilder().Listen("0.0.0.0", 80, "nginx", 9)};
  kernel_.snapshot = {RecordBuilder().Incoming(5).Ends("10.0.0.2", 80, "10.0.0.1", 40'000)};
  (void)Collect();
  (void)Collect();
  EXPECT_EQ(kernel_.scans, 2);
  (void)Collect();
  EXPECT_EQ(kernel_.scans, 2) << "too soon";
  clock_.Advance(10 * kSecond);
  (void)Collect();
  EXPECT_EQ(kernel_.scans, 3);
}

TEST_F(EbpfSourceTest, SocketsThatMayHaveChangedHandsAreLookedForSeldom) {
  ASSERT_TRUE(source_->Start().ok());
  clock_.Advance(50 * kSecond);
  (void)Collect();
  EXPECT_EQ(kernel_.scans, 1);
  clock_.Advance(10 * kSecond);
  (void)Collect();
  EXPECT_EQ(kernel_.scans, 2);
  (void)Collect();
  EXPECT_EQ(kernel_.scans, 2);
}

TEST_F(EbpfSourceTest, WithoutOlderSocketsItStartsAndSaysSo) {
  kernel_.existing_status = Status::Unsupported("no such program");
  ASSERT_TRUE(source_->Start().ok());
  EXPECT_EQ(source_->Probes().at(0).state, "failed");
  EXPECT_EQ(source_->Probes().at(0).reason, "no such program");
}

TEST_F(EbpfSourceTest, RestrainedItReadsOpenSocketsLessOftenAndEndsAllTheSame) {
  ASSERT_TRUE(source_->Start().ok());
  EXPECT_EQ(source_->Dispensable(), MaskOf(GivenUp::kSnapshots) | MaskOf(GivenUp::kNewFlows));
  Restraint restraint;
  restraint.Set(GivenUp::kSnapshots, "too busy");
  source_->Restrain(restraint);
  uint64_t closed = 0;
  for (uint64_t i = 0; i < 10; ++i) {
    kernel_.ring = {RecordBuilder().Outgoing(i + 1, 2).Final().Bytes(5, 0)};
    for (const model::SideReport& report : Collect().reports) closed += report.counters.closed;
    EXPECT_EQ(closed, i + 1);
  }
  EXPECT_EQ(kernel_.snapshots.size(), 2U);
  source_->Restrain({});
  (void)Collect();
  (void)Collect();
  EXPECT_EQ(kernel_.snapshots.size(), 4U);
}

TEST_F(EbpfSourceTest, LossesWhileRestrainedAreMadeUpForByTheNextSnapshot) {
  ASSERT_TRUE(source_->Start().ok());
  Restraint restraint;
  restraint.Set(GivenUp::kSnapshots, "too busy");
  source_->Restrain(restraint);
  kernel_.losses.ring_full = 1;
  for (int i = 0; i < 5; ++i) (void)Collect();
  EXPECT_EQ(kernel_.snapshots, std::vector<bool>{true});
}

TEST_F(EbpfSourceTest, WhatIsGivenUpIsSaidByItsProbe) {
  const auto source = MakeEbpfSource(
      {}, clock_,
      [this](const kernel::KernelOptions&, std::vector<model::ProbeReport>& probes) {
        probes = {{"snapshot", "on", "", ""}, {"receive_loss", "on", "", ""}};
        return Result<std::unique_ptr<kernel::SocketTracker>>(std::make_unique<FakeTracker>(kernel_));
      },
      source::SystemSurroundings(clock_));
  ASSERT_TRUE(source->Start().ok());
  EXPECT_NE(source->Dispensable() & MaskOf(GivenUp::kArrivals), 0U);
  Restraint restraint;
  restraint.Set(GivenUp::kArrivals, "because");
  source->Restrain(restraint);
  EXPECT_TRUE(kernel_.arrivals_suspended);
  EXPECT_EQ(source->Probes()[0].state, "on");
  EXPECT_EQ(source->Probes()[1].state, "off");
  EXPECT_EQ(source->Probes()[1].reason, "because");
  restraint.Set(GivenUp::kSnapshots, "this too");
  source->Restrain(restraint);
  EXPECT_EQ(source->Probes()[0].state, "fallback");
  EXPECT_NE(source->Dispensable() & MaskOf(GivenUp::kArrivals), 0U) << "whether it is given up or not";
  source->Restrain({});
  EXPECT_FALSE(kernel_.arrivals_suspended);
  EXPECT_EQ(source->Probes()[1].state, "on");
}

TEST_F(EbpfSourceTest, AKernelThatCannotIsTold) {
  const auto source = MakeEbpfSource(
      {}, clock_,
      [](const kernel::KernelOptions&, std::vector<model::ProbeReport>& probes) {
        probes.push_back({"tcp_state", "failed", "refused", "run as root"});
        return Result<std::unique_ptr<kernel::SocketTracker>>(Status::Denied("refused; run as root"));
      },
      source::SystemSurroundings(clock_));
  EXPECT_EQ(source->Start().code(), Code::kDenied);
  EXPECT_EQ(source->Probes().at(0).hint, "run as root");
  source->Poll();  // harmless
  Collection collection;
  EXPECT_EQ(source->Collect(kSecond, collection).code(), Code::kUnavailable);
}

}  // namespace
}  // namespace weir::agent

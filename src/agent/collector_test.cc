#include "agent/collector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/metrics.h"

namespace weir::agent {
namespace {

constexpr Nanos kMs = 1'000'000;

class FakeSource final : public Source {
 public:
  std::string_view mode() const override { return "ebpf"; }
  Status Start() override { return Status::Ok(); }
  void Poll() override { ++polls; }
  std::chrono::milliseconds poll_period() const override { return period; }
  Status Collect(Nanos now_monotonic, Collection& out) override {
    collected_at.push_back(now_monotonic);
    out.reports.resize(2);
    out.local_addresses = {*model::Address::Parse("10.0.0.1")};
    return collect_status;
  }
  std::vector<model::ProbeReport> Probes() const override { return {{"tcp_state", "on", "", ""}}; }

  int polls = 0;
  std::chrono::milliseconds period{100};
  Status collect_status;
  std::vector<Nanos> collected_at;
};

struct CollectorTest : testing::Test {
  CollectorTest() {
    CollectorOptions options;
    options.agent_id = "id";
    options.node = "node";
    options.version = "9.9";
    options.start_probes = {{"kprobe", "failed", "why", "what to do"}};
    collector.emplace(
        std::move(options), source, [this](model::AgentBatch batch) { batches.push_back(batch); }, clock);
  }
  // Runs the loop as its thread would, for this long.
  void RunFor(Nanos time) {
    const Nanos end = clock.MonotonicNanos() + time;
    for (;;) {
      const Nanos next = collector->RunDue();
      if (next == 0) continue;
      if (clock.MonotonicNanos() + next > end) break;
      clock.Advance(next);
    }
    clock.Advance(end - clock.MonotonicNanos());
  }
  FakeClock clock;
  FakeSource source;
  std::vector<model::AgentBatch> batches;
  std::optional<Collector> collector;
};

TEST_F(CollectorTest, PollsAtItsPeriodAndCollectsEveryInterval) {
  const uint64_t ticks = Read(Metric::agent_ticks);
  RunFor(3'050 * kMs);
  EXPECT_EQ(source.polls, 31);
  ASSERT_EQ(batches.size(), 3U);
  EXPECT_EQ(Read(Metric::agent_ticks), ticks + 3);
  EXPECT_EQ(source.collected_at[1] - source.collected_at[0], 1'000 * kMs);
  EXPECT_EQ(batches[1].start, batches[0].end);
  EXPECT_EQ(batches[1].end - batches[1].start, 1'000);
  EXPECT_EQ(batches[1].end % 1'000, 0);
}

TEST_F(CollectorTest, ASourceWithoutPollingIsNotPolled) {
  source.period = std::chrono::milliseconds(0);
  RunFor(2'050 * kMs);
  EXPECT_EQ(source.polls, 0);
  EXPECT_EQ(batches.size(), 2U);
}

TEST_F(CollectorTest, ASourceThatWakesTheLoopIsPolledAtOnceAndFromThenOnAtItsPeriod) {
  source.period = std::chrono::milliseconds(0);
  EXPECT_GT(collector->RunDue(), 100 * kMs);
  EXPECT_EQ(source.polls, 0);
  source.period = std::chrono::milliseconds(10);
  EXPECT_LE(collector->RunDue(true), 10 * kMs);
  EXPECT_EQ(source.polls, 1);
  clock.Advance(10 * kMs);
  (void)collector->RunDue();
  EXPECT_EQ(source.polls, 2);
}

TEST_F(CollectorTest, ABatchTellsWhoWhatAndHow) {
  RunFor(1'000 * kMs);
  ASSERT_EQ(batches.size(), 1U);
  const model::AgentBatch& batch = batches[0];
  EXPECT_EQ(batch.agent_id, "id");
  EXPECT_EQ(batch.node, "node");
  EXPECT_EQ(batch.mode, "ebpf");
  EXPECT_EQ(batch.version, "9.9");
  EXPECT_EQ(batch.reports.size(), 2U);
  EXPECT_EQ(batch.local_addresses.size(), 1U);
  ASSERT_EQ(batch.probes.size(), 2U);
  EXPECT_EQ(batch.probes[0].name, "tcp_state");
  EXPECT_EQ(batch.probes[1].name, "kprobe");
  EXPECT_EQ(batch.probes[1].hint, "what to do");
}

TEST_F(CollectorTest, ABatchCarriesTheAgentsCountersAndNoOthers) {
  RunFor(1'000 * kMs);
  std::map<std::string, uint64_t> counters;
  for (const auto& counter : batches.at(0).counters) counters[counter.name] = counter.value;
  EXPECT_EQ(counters.at("weir_agent_ticks_total"), Read(Metric::agent_ticks));
  EXPECT_EQ(counters.count("weir_agent_spool_bytes"), 1U);
  for (const auto& [name, value] : counters) EXPECT_THAT(name, testing::StartsWith("weir_agent_"));
}

TEST_F(CollectorTest, CountsLateTicks) {
  const uint64_t late = Read(Metric::agent_ticks_late);
  RunFor(1'000 * kMs);
  EXPECT_EQ(Read(Metric::agent_ticks_late), late);
  clock.Advance(1'600 * kMs);
  collector->RunDue();
  EXPECT_EQ(Read(Metric::agent_ticks_late), late + 1);
  EXPECT_EQ(batches.size(), 2U);
}

TEST_F(CollectorTest, AFailedCollectionIsReportedNotHidden) {
  source.collect_status = Status::Internal("iterator: no memory");
  RunFor(1'000 * kMs);
  ASSERT_EQ(batches.size(), 1U);
  const model::ProbeReport& last = batches[0].probes.back();
  EXPECT_EQ(last.name, "collect");
  EXPECT_EQ(last.state, "failed");
  EXPECT_EQ(last.reason, "iterator: no memory");
  source.collect_status = Status::Ok();
  RunFor(1'000 * kMs);
  EXPECT_EQ(batches.back().probes.back().name, "kprobe");
}

TEST_F(CollectorTest, FinishCollectsWhatIsLeft) {
  RunFor(1'400 * kMs);
  collector->Finish();
  ASSERT_EQ(batches.size(), 2U);
  EXPECT_EQ(batches[1].start, batches[0].end);
  EXPECT_EQ(batches[1].end - batches[1].start, 400);
}

}  // namespace
}  // namespace weir::agent

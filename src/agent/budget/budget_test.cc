#include "agent/budget/budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "agent/budget/agent_threads.h"
#include "base/metrics.h"

namespace weir::agent::budget {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr Nanos kSecond = 1'000'000'000;

class BudgetTest : public testing::Test {
 protected:
  // An interval of a second in which threads used `cores` and programs, where the kernel tells, `kernel`.
  model::ProbeReport Interval(Budget& budget, double cores, double kernel = -1) {
    reading_.at += kSecond;
    reading_.threads += static_cast<Nanos>(cores * kSecond);
    if (kernel >= 0) reading_.programs.Add({100, static_cast<uint64_t>(kernel * kSecond)});
    model::AgentBatch batch;
    budget.OnInterval(batch);
    return batch.probes.empty() ? model::ProbeReport{} : batch.probes[0];
  }
  Budget::Wiring Wiring() {
    return {.read = [this] { return reading_; },
            .there = [this] { return there_; },
            .restrain = [this](const Restraint& restraint) { restraint_ = restraint; }};
  }

  Reading reading_{.at = 5 * kSecond, .threads = 0, .programs = {}, .memory_bytes = 30 << 20};
  GivenUpMask there_ = kAllGivenUps;
  Restraint restraint_;
};

TEST_F(BudgetTest, SaysWhatWasUsedAndWhatIsNotKnown) {
  Budget budget({.cores = 0.1, .memory_bytes = 0}, Wiring());
  EXPECT_EQ(Interval(budget, 9).reason, "nothing measured yet");
  model::ProbeReport probe = Interval(budget, 0.05);
  EXPECT_EQ(probe.state, "on");
  EXPECT_EQ(probe.reason,
            "0.050 of a core used of 0.1, kernel programs unknown: kernel.bpf_stats_enabled is 0; 30 MiB of memory");
  probe = Interval(budget, 0.05, 0.02);
  EXPECT_THAT(probe.reason, StartsWith("0.070 of a core used of 0.1, kernel programs included"));
  EXPECT_EQ(Read(Metric::agent_memory_bytes), uint64_t{30} << 20);
}

TEST_F(BudgetTest, RestrainsAndSaysWhyAndWhatToDo) {
  Budget budget({.cores = 0.1, .memory_bytes = 0}, Wiring());
  const uint64_t changes = Read(Metric::agent_budget_changes);
  (void)Interval(budget, 0);
  model::ProbeReport probe;
  for (uint32_t i = 0; i < Ladder::kPatience; ++i) probe = Interval(budget, 0.08, 0.05);
  EXPECT_EQ(restraint_.mask(), MaskOf(GivenUp::kRequests));
  EXPECT_EQ(restraint_.Why(GivenUp::kRequests),
            "given up to stay within the budget: 0.130 of a core used, --cpu-budget is 0.1");
  EXPECT_EQ(probe.state, "fallback");
  EXPECT_THAT(probe.reason, StartsWith("given up: requests; 0.130 of a core used"));
  EXPECT_THAT(probe.hint, HasSubstr("--cpu-budget"));
  EXPECT_EQ(Read(Metric::agent_budget_given_up), 1U);
  for (uint32_t i = 0; i < Ladder::kWait; ++i) probe = Interval(budget, 0.01);
  EXPECT_EQ(restraint_.mask(), 0U);
  EXPECT_EQ(probe.state, "on");
  EXPECT_EQ(Read(Metric::agent_budget_given_up), 0U);
  EXPECT_EQ(Read(Metric::agent_budget_changes) - changes, 2U);
}

TEST_F(BudgetTest, WhenNothingIsLeftItSaysSo) {
  there_ = 0;
  Budget budget({.cores = 0, .memory_bytes = 20 << 20}, Wiring());
  (void)Interval(budget, 0);
  model::ProbeReport probe;
  for (uint32_t i = 0; i < 2 * Ladder::kPatience; ++i) probe = Interval(budget, 0.01);
  EXPECT_EQ(probe.state, "fallback");
  EXPECT_THAT(probe.reason, StartsWith("nothing can be given up; still over the budget"));
  EXPECT_THAT(probe.reason, HasSubstr("30 MiB of memory of 20 MiB"));
  EXPECT_EQ(restraint_.mask(), 0U);
}

TEST_F(BudgetTest, ProgramsThatGoTakeTheirTimeAlong) {
  Budget budget({.cores = 0.1, .memory_bytes = 0}, Wiring());
  (void)Interval(budget, 0, 5);
  reading_.programs = {1, 1};  // unloaded, others loaded
  EXPECT_THAT(Interval(budget, 0.01).reason, StartsWith("0.010 of a core"));
}

TEST_F(BudgetTest, WithoutALimitItCountsAndIsSilent) {
  Budget budget({}, Wiring());
  const uint64_t before = Read(Metric::agent_cpu_microseconds);
  (void)Interval(budget, 0);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(Interval(budget, 2).name, "");
  EXPECT_EQ(Read(Metric::agent_cpu_microseconds) - before, 100'000'000U);
  EXPECT_EQ(restraint_.mask(), 0U);
}

TEST(AgentThreads, CountThoseThatRunAndThoseThatHaveEnded) {
  const Nanos before = CpuOfAgentThreads();
  Nanos inside = 0;
  std::thread([&] {
    CountThisThread();
    CountThisThread();
    for (const Nanos begin = CpuOfAgentThreads(); CpuOfAgentThreads() < begin + 5'000'000;) {
    }
    inside = CpuOfAgentThreads();
  }).join();
  EXPECT_GE(inside, before + 5'000'000);
  EXPECT_GE(CpuOfAgentThreads(), inside) << "what has ended is not forgotten";
  std::thread([] {
    for (std::atomic<int> i = 0; i < 2'000'000; ++i) {
    }
  }).join();
  EXPECT_LT(CpuOfAgentThreads(), inside + 5'000'000) << "others do not count";
}

TEST(ResidentBytes, AreSomeMegabytes) {
  EXPECT_GT(ResidentBytes(), uint64_t{1} << 20);
  EXPECT_LT(ResidentBytes(), uint64_t{1} << 40);
}

}  // namespace
}  // namespace weir::agent::budget

#include "agent/budget/ladder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::agent::budget {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr Limits kHalf{.cores = 0.5, .memory_bytes = 1'000};
constexpr Usage kCalm{.cores = 0.1, .memory_bytes = 100};
constexpr Usage kBusy{.cores = 0.6, .memory_bytes = 100};
constexpr Usage kLarge{.cores = 0.1, .memory_bytes = 1'001};

// Decisions until `count` intervals have passed; "+" in front of what is taken back.
std::vector<std::string> Pass(Ladder& ladder, uint32_t count, const Usage& usage, GivenUpMask there = kAllGivenUps) {
  std::vector<std::string> decisions;
  for (uint32_t i = 0; i < count; ++i) {
    if (const auto decision = ladder.OnInterval(usage, there)) {
      decisions.push_back((decision->give_up ? "" : "+") +
                          std::string(kGivenUpDescriptions[static_cast<size_t>(decision->what)].name));
    }
  }
  return decisions;
}

TEST(Ladder, GivesUpInItsOrderAndOneAtATime) {
  Ladder ladder(kHalf);
  EXPECT_THAT(Pass(ladder, Ladder::kPatience - 1, kBusy), IsEmpty());
  EXPECT_THAT(Pass(ladder, 1, kBusy), ElementsAre("requests"));
  EXPECT_THAT(Pass(ladder, Ladder::kPatience - 1, kBusy), IsEmpty()) << "each step gets time to help";
  EXPECT_THAT(Pass(ladder, 30, kBusy),
              ElementsAre("UDP and DNS", "late arrivals", "10 ms rates", "four of five snapshots"));
  EXPECT_TRUE(ladder.exhausted()) << "fewer flows save no CPU";
}

TEST(Ladder, APeakIsNotALoad) {
  Ladder ladder(kHalf);
  for (int i = 0; i < 50; ++i) {
    EXPECT_THAT(Pass(ladder, Ladder::kPatience - 1, kBusy), IsEmpty());
    EXPECT_THAT(Pass(ladder, 1, kCalm), IsEmpty());
  }
}

TEST(Ladder, GivesUpWhatHelpsAndWhatIsThere) {
  Ladder memory(kHalf);
  EXPECT_THAT(Pass(memory, 30, kLarge), ElementsAre("requests", "UDP and DNS", "10 ms rates", "new flows"));
  Ladder both(kHalf);
  EXPECT_THAT(Pass(both, 30, {.cores = 0.6, .memory_bytes = 1'001}).size(), kGivenUps);
  Ladder bare(kHalf);
  const GivenUpMask there = MaskOf(GivenUp::kSnapshots) | MaskOf(GivenUp::kNewFlows);
  EXPECT_THAT(Pass(bare, 30, kBusy, there), ElementsAre("four of five snapshots"));
}

TEST(Ladder, WithoutALimitNothingIsEverGivenUp) {
  Ladder ladder(Limits{});
  EXPECT_THAT(Pass(ladder, 1'000, {.cores = 64, .memory_bytes = uint64_t{1} << 40}), IsEmpty());
  Ladder cpu(Limits{.cores = 0.5, .memory_bytes = 0});
  EXPECT_THAT(Pass(cpu, 1'000, kLarge), IsEmpty());
}

TEST(Ladder, TakesBackTheLastFirstAndEachAfterItsWait) {
  Ladder ladder(kHalf);
  (void)Pass(ladder, 3 * Ladder::kPatience, kBusy);
  EXPECT_THAT(Pass(ladder, Ladder::kWait - 1, kCalm), IsEmpty());
  EXPECT_THAT(Pass(ladder, 1, kCalm), ElementsAre("+late arrivals"));
  EXPECT_THAT(Pass(ladder, 2 * Ladder::kWait, kCalm), ElementsAre("+UDP and DNS", "+requests"));
  EXPECT_THAT(ladder.given_up(), IsEmpty());
}

TEST(Ladder, JustBelowTheLimitIsNoReasonToTakeBack) {
  Ladder ladder(kHalf);
  (void)Pass(ladder, Ladder::kPatience, kBusy);
  EXPECT_THAT(Pass(ladder, 1'000, {.cores = 0.4, .memory_bytes = 100}), IsEmpty());
  EXPECT_THAT(Pass(ladder, 1'000, {.cores = 0.1, .memory_bytes = 800}), IsEmpty());
  (void)Pass(ladder, Ladder::kWait - 1, kCalm);
  EXPECT_THAT(Pass(ladder, 1, kBusy), IsEmpty());
  EXPECT_THAT(Pass(ladder, Ladder::kWait - 1, kCalm), IsEmpty()) << "an interval over the limit begins the wait anew";
}

TEST(Ladder, WhatProvesTooEarlyWaitsLonger) {
  Ladder ladder(kHalf);
  (void)Pass(ladder, Ladder::kPatience, kBusy);
  uint32_t wait = Ladder::kWait;
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(ladder.wait(), wait);
    EXPECT_THAT(Pass(ladder, wait, kCalm), ElementsAre("+requests"));
    EXPECT_THAT(Pass(ladder, Ladder::kPatience, kBusy), ElementsAre("requests"));
    wait = std::min(2 * wait, Ladder::kLongestWait);
  }
  EXPECT_EQ(wait, Ladder::kLongestWait);
  EXPECT_THAT(Pass(ladder, wait, kCalm), ElementsAre("+requests"));
  EXPECT_THAT(Pass(ladder, wait, kCalm), IsEmpty());
  EXPECT_EQ(ladder.wait(), Ladder::kWait) << "it has proved itself";
}

}  // namespace
}  // namespace weir::agent::budget

#include "agent/schedule.h"

#include <gtest/gtest.h>

namespace weir::agent {
namespace {

using std::chrono::milliseconds;

constexpr Nanos kMs = 1'000'000;
constexpr UnixMillis kEpoch = 1'700'000'000'000;  // a multiple of every interval used here
constexpr Nanos kHour = 3'600'000 * kMs;

struct ScheduleTest : testing::Test {
  Nanos Until(const Schedule& schedule) const { return schedule.due() - clock.MonotonicNanos(); }
  // Lets the schedule's own waiting time pass, and `more`.
  Tick Next(Schedule& schedule, Nanos more = 0) {
    clock.Advance(Until(schedule) + more);
    return schedule.Take();
  }
  FakeClock clock{kEpoch * kMs};
};

TEST_F(ScheduleTest, TicksOnMultiplesOfTheInterval) {
  clock.Advance(300 * kMs);
  Schedule schedule(milliseconds(1'000), clock);
  EXPECT_EQ(Until(schedule), 700 * kMs);
  Tick tick = Next(schedule);
  EXPECT_EQ(tick.start, kEpoch + 300);
  EXPECT_EQ(tick.end, kEpoch + 1'000);
  tick = Next(schedule);
  EXPECT_EQ(tick.start, kEpoch + 1'000);
  EXPECT_EQ(tick.end, kEpoch + 2'000);
  EXPECT_FALSE(tick.late);
}

TEST_F(ScheduleTest, ATickServedALittleLateStillStandsForItsMultiple) {
  Schedule schedule(milliseconds(1'000), clock);
  Tick tick = Next(schedule, 20 * kMs);
  EXPECT_EQ(tick.end, kEpoch + 1'000);
  EXPECT_FALSE(tick.late);
  EXPECT_EQ(Until(schedule), 980 * kMs) << "no drift";
  tick = Next(schedule);
  EXPECT_EQ(tick.start, kEpoch + 1'000);
  EXPECT_EQ(tick.end, kEpoch + 2'000);
}

TEST_F(ScheduleTest, LateMeansMoreThanHalfAnInterval) {
  Schedule schedule(milliseconds(1'000), clock);
  EXPECT_FALSE(Next(schedule, 500 * kMs).late);
  EXPECT_TRUE(Next(schedule, 500 * kMs + 1).late);
}

TEST_F(ScheduleTest, AfterAStallOneIntervalCoversItAll) {
  Schedule schedule(milliseconds(1'000), clock);
  const Tick tick = Next(schedule, 2'300 * kMs);
  EXPECT_TRUE(tick.late);
  EXPECT_EQ(tick.start, kEpoch);
  EXPECT_EQ(tick.end, kEpoch + 3'000);
  EXPECT_EQ(Until(schedule), 700 * kMs) << "the missed ticks are not made up for";
  EXPECT_EQ(Next(schedule).start, kEpoch + 3'000);
}

TEST_F(ScheduleTest, ASlewedClockDoesNotTickTwiceForOneMultiple) {
  Schedule schedule(milliseconds(1'000), clock);
  clock.Advance(Until(schedule));
  clock.StepWall(-1 * kMs);  // the wall clock has not quite got there
  const Tick tick = schedule.Take();
  EXPECT_EQ(tick.end, kEpoch + 1'000);
  EXPECT_EQ(Until(schedule), 1'001 * kMs);
}

TEST_F(ScheduleTest, AWallClockStepMovesTheIntervalNotItsLength) {
  for (const Nanos step : {kHour, -kHour, 100 * kHour, -100 * kHour}) {
    SCOPED_TRACE(step);
    Schedule schedule(milliseconds(1'000), clock);
    Next(schedule);
    clock.Advance(400 * kMs);
    clock.StepWall(step);
    const Tick tick = Next(schedule);
    EXPECT_EQ(tick.end - tick.start, 1'000);
    EXPECT_EQ(tick.end, (clock.WallMillis() + 125) / 1'000 * 1'000);
    EXPECT_FALSE(tick.late) << "a stepped clock is not a lack of CPU";
    EXPECT_EQ(Next(schedule).start, tick.end) << "and all is well again";
  }
}

TEST_F(ScheduleTest, AnIntervalNeverExceedsWhatTheWireCarries) {
  Schedule schedule(milliseconds(60'000), clock);
  const Tick tick = Next(schedule, 3 * kHour);
  EXPECT_EQ(tick.end - tick.start, 3'600'000);
}

TEST_F(ScheduleTest, FinishEndsTheIntervalNow) {
  Schedule schedule(milliseconds(1'000), clock);
  Next(schedule);
  clock.Advance(250 * kMs);
  Tick tick = schedule.Finish();
  EXPECT_EQ(tick.start, kEpoch + 1'000);
  EXPECT_EQ(tick.end, kEpoch + 1'250);
  tick = schedule.Finish();
  EXPECT_EQ(tick.start, kEpoch + 1'250);
  EXPECT_EQ(tick.end, kEpoch + 1'251) << "never empty";
}

TEST(Schedule, WorksIn1970) {
  FakeClock clock(5);
  Schedule schedule(milliseconds(100), clock);
  const Tick now = schedule.Finish();
  EXPECT_GT(now.start, 0);
  EXPECT_GE(now.end, now.start);
}

}  // namespace
}  // namespace weir::agent

#include "store/resolution.h"

#include <gtest/gtest.h>

#include "store/disk_room.h"
#include "store/retention.h"
#include "store/tables.h"

namespace weir::store {
namespace {

constexpr int64_t kHour = 3600 * kSecond;
constexpr int64_t kDay = 24 * kHour;
constexpr UnixMillis kNow = 1'764'000'000'000;
constexpr HeldSince kEverything{};

size_t Choose(int64_t length, int64_t bucket = 0, const HeldSince& held = kEverything) {
  return ChooseLevel({kNow - length, kNow}, bucket, held);
}

TEST(Resolution, LongRangesReadCoarserTables) {
  EXPECT_EQ(Choose(1), 0U);
  EXPECT_EQ(Choose(kHour), 0U);
  EXPECT_EQ(Choose(kHour + kHour / 60), 0U) << "an hour that begins with a whole step";
  EXPECT_EQ(Choose(kHour + kHour / 60 + 1), 1U);
  EXPECT_EQ(Choose(6 * kHour), 1U);
  EXPECT_EQ(Choose(6 * kHour + 6 * kHour / 60 + 1), 2U);
  EXPECT_EQ(Choose(7 * kDay), 2U);
  EXPECT_EQ(Choose(8 * kDay), 4U);
  EXPECT_EQ(Choose(400 * kDay), 4U);
}

TEST(Resolution, TheStepOfALengthIsASixtiethOfItAtMost) {
  EXPECT_EQ(StepOfLength(0), 1);
  EXPECT_EQ(StepOfLength(600 * kSecond - 1), 1);
  EXPECT_EQ(StepOfLength(600 * kSecond), 10 * kSecond);
  EXPECT_EQ(StepOfLength(kHour), 60 * kSecond);
  EXPECT_EQ(StepOfLength(5 * kHour), 300 * kSecond);
  EXPECT_EQ(StepOfLength(7 * kDay), kHour);
}

TEST(Resolution, BucketsAreWholeSteps) {
  EXPECT_EQ(Choose(5 * kHour, 1 * kSecond), 0U);
  EXPECT_EQ(Choose(5 * kHour, 15 * kSecond), 0U);
  EXPECT_EQ(Choose(5 * kHour, 30 * kSecond), 1U);
  EXPECT_EQ(Choose(kDay, 90 * kSecond), 1U);
  EXPECT_EQ(Choose(30 * kDay, 60 * kSecond), 2U);
  EXPECT_EQ(Choose(30 * kDay, 5 * 60 * kSecond), 3U);
  EXPECT_EQ(Choose(30 * kDay, kHour), 4U);
}

TEST(Resolution, WhatIsNoLongerHeldIsReadFromWhereItIs) {
  const HeldSince held{kNow - kDay, kNow - 3 * kDay, kNow - 30 * kDay, kNow - 30 * kDay, 0};
  EXPECT_EQ(Choose(kHour, 0, held), 0U);
  const auto at = [&](int64_t age, int64_t bucket) {
    return ChooseLevel({kNow - age, kNow - age + kHour}, bucket, held);
  };
  EXPECT_EQ(at(2 * kDay, 0), 1U);
  EXPECT_EQ(at(10 * kDay, 0), 2U);
  EXPECT_EQ(at(60 * kDay, 0), 4U);
  EXPECT_EQ(at(60 * kDay, 60 * kSecond), 2U) << "no finer bucket reaches back as far";
  const HeldSince empty{kNow, kNow, kNow, kNow, kNow};
  EXPECT_EQ(Choose(kHour, 0, empty), 0U) << "no coarser level helps";
}

TEST(Resolution, RangesAreWidenedToWholeSteps) {
  const TimeRange range = AlignRange({61'001, 119'999}, 2);
  EXPECT_EQ(range.from, 60'000);
  EXPECT_EQ(range.to, 120'000);
  EXPECT_EQ(AlignRange({60'000, 120'000}, 2).to, 120'000);
  EXPECT_EQ(AlignRange({-5, INT64_MAX}, 4).from, 0);
  EXPECT_GT(AlignRange({-5, INT64_MAX}, 4).to, kNow);
}

uint64_t Budget(uint64_t budget, uint64_t held, const DiskSpace& space) {
  return BudgetOnDisk(budget, held, DiskReserve(space), space);
}

TEST(Tables, TheBeginningIsHeldUnlessACoarserTableBeganEarlier) {
  const auto us = [](UnixMillis time) { return static_cast<uint64_t>(time) * 1000; };
  TableStates states{};
  EXPECT_EQ(HeldSinceOf(states), HeldSince{});
  states[0] = {us(kNow - kHour), us(kNow), 0, 0};
  states[1] = {us(kNow - kHour) + 5, us(kNow), 0, 0};
  EXPECT_EQ(HeldSinceOf(states), HeldSince{}) << "nothing was dropped";
  states[2] = {us(kNow - 2 * kDay), us(kNow), 0, 0};
  const HeldSince held = HeldSinceOf(states);
  EXPECT_EQ(held[0], kNow - kHour);
  EXPECT_EQ(held[1], kNow - kHour);
  EXPECT_EQ(held[2], 0);
  states[0] = {};
  EXPECT_EQ(HeldSinceOf(states)[0], kNow + 1) << "an emptied table holds what is to come";
}

TEST(Tables, NumbersAreParsedOrRefused) {
  const auto rows = ParseNumbers("1\t18446744073709551615\n0\t7\n");
  ASSERT_TRUE(rows.ok());
  EXPECT_EQ(*rows, (std::vector<std::vector<uint64_t>>{{1, ~0ULL}, {0, 7}}));
  EXPECT_TRUE(ParseNumbers("")->empty());
  for (const std::string_view wrong : {"x\n", "1\t\n", "-1\n", "1 2\n", "18446744073709551616\n", "\\N\n"}) {
    EXPECT_FALSE(ParseNumbers(wrong).ok()) << wrong;
  }
}

// One raw, 10 s and 1 m partition per hour resp. day, all rolled up.
struct Held {
  std::vector<Partition> partitions;
  TableStates states{};
};
Held TwoDays() {
  Held held;
  const auto now_us = static_cast<uint64_t>(kNow) * 1000;
  for (uint64_t hour = now_us / kHourUs - 47; hour <= now_us / kHourUs; ++hour) {
    held.partitions.push_back({0, hour, 100, 1000});
    held.partitions.push_back({1, hour, 10, 100});
  }
  for (uint64_t day = now_us / (24 * kHourUs) - 1; day <= now_us / (24 * kHourUs); ++day) {
    held.partitions.push_back({2, day, 1, 10});
  }
  held.partitions.push_back({4, now_us / (720 * kHourUs), 1, 1});
  for (TableState& state : held.states) state.watermark = {now_us, kNow};
  return held;
}

TEST(Retention, DropsWhatIsPastItsAge) {
  Held held = TwoDays();
  uint64_t excess = 1;
  const auto dropped = PartitionsToDrop(held.partitions, {}, held.states, kNow, &excess);
  EXPECT_EQ(excess, 0U);
  ASSERT_EQ(dropped.size(), 23U) << "48 hours less the 24 kept and the one that straddles the limit";
  for (const Partition& partition : dropped) {
    EXPECT_EQ(partition.level, 0U);
    EXPECT_LE(partition.end_us() / 1000, static_cast<uint64_t>(kNow - kDay));
  }
}

// Of a clock that was set ahead after `at`.
class JumpedClock final : public Clock {
 public:
  JumpedClock(UnixMillis at, int64_t by) : at_(at), by_(by) {}
  Nanos WallNanos() const override { return 0; }
  Nanos MonotonicNanos() const override { return 0; }
  int64_t SkippedSince(UnixMillis stamp) const override { return stamp <= at_ ? by_ : 0; }

 private:
  UnixMillis at_;
  int64_t by_;
};

TEST(Retention, AgeIsElapsedTimeWhateverTheClockWasSetTo) {
  Held held = TwoDays();
  const UnixMillis ahead = kNow + 500 * kDay;
  for (TableState& state : held.states) state.watermark = {static_cast<uint64_t>(ahead) * 1000, ahead};
  uint64_t excess = 1;
  EXPECT_FALSE(PartitionsToDrop(held.partitions, {}, held.states, ahead, &excess).empty()) << "as the clock has it";
  const JumpedClock clock(kNow, 500 * kDay);
  const auto dropped = PartitionsToDrop(held.partitions, {}, held.states, ahead, &excess, &clock);
  EXPECT_EQ(dropped.size(), 23U) << "what is past its age without the jump";
  for (const Partition& partition : dropped) EXPECT_EQ(partition.level, 0U);
}

TEST(DiskRoom, TheBudgetGivesWayToADiskThatIsSmaller) {
  constexpr uint64_t kMiB = uint64_t{1} << 20;
  constexpr uint64_t kGiB = uint64_t{1} << 30;
  EXPECT_EQ(Budget(10 * kGiB, kGiB, {100 * kGiB, 50 * kGiB}), 10 * kGiB) << "there is room";
  EXPECT_EQ(Budget(10 * kGiB, 2 * kGiB, {4 * kGiB, 2 * kGiB}), 7 * kGiB / 2) << "all but an eighth";
  EXPECT_EQ(Budget(10 * kGiB, 20 * kMiB, {24 * kMiB, 1 * kMiB}), 18 * kMiB) << "a sixth goes";
  EXPECT_EQ(DiskReserve({1000 * kGiB, 0}), 2 * kGiB);
  EXPECT_EQ(Budget(10 * kGiB, 300 * kMiB, {100 * kGiB, 0}), 256 * kMiB) << "others fill it: some history stays";
  EXPECT_EQ(Budget(kMiB, 20 * kMiB, {24 * kMiB, 1 * kMiB}), kMiB) << "a budget that fits is kept to";
}

TEST(Retention, NeverDropsWhatIsNotRolledUp) {
  Held held = TwoDays();
  uint64_t excess = 0;
  held.states[1].watermark.received = static_cast<uint64_t>(kNow - 40 * kHour) * 1000;
  for (const Partition& partition : PartitionsToDrop(held.partitions, {}, held.states, kNow, &excess)) {
    EXPECT_LE(partition.end_us() - 1, held.states[1].watermark.received);
  }
}

TEST(Retention, NeverDropsWhatIsNotSettled) {
  Held held = TwoDays();
  uint64_t excess = 0;
  held.states[0].newest = kNow;
  held.states[1].watermark.start = kNow - 40 * kHour;
  const auto dropped = PartitionsToDrop(held.partitions, {}, held.states, kNow, &excess);
  EXPECT_EQ(dropped.size(), 6U) << "seven hours lie before, but one ends just there";
  for (const Partition& partition : dropped) {
    EXPECT_LT(static_cast<UnixMillis>(partition.end_us() / 1000), held.states[1].watermark.start);
  }
}

TEST(Retention, FitsTheBudgetOldestFirstAndRawBeforeItsRollUps) {
  Held held = TwoDays();
  Retention retention;
  retention.raw_seconds = retention.ten_seconds_seconds = 30 * 24 * 3600;
  retention.disk_budget_bytes = 50'000;  // of 52'821
  uint64_t excess = 1;
  const auto dropped = PartitionsToDrop(held.partitions, retention, held.states, kNow, &excess);
  EXPECT_EQ(excess, 0U);
  ASSERT_EQ(dropped.size(), 5U);
  EXPECT_EQ(dropped[0].level, 0U);
  EXPECT_EQ(dropped[1].level, 1U);
  EXPECT_EQ(dropped[0].id, dropped[1].id);
  EXPECT_EQ(dropped[4].id, dropped[0].id + 2);
}

TEST(Retention, KeepsTheWatermarksWhateverTheBudget) {
  Held held = TwoDays();
  Retention retention;
  retention.disk_budget_bytes = 0;
  uint64_t excess = 0;
  size_t raw = 0;
  for (const Partition& partition : PartitionsToDrop(held.partitions, retention, held.states, kNow, &excess)) {
    raw += partition.level == 0 ? 1 : 0;
    if (partition.level == 0) continue;
    EXPECT_LE(partition.end_us(), held.states[partition.level].watermark.received);
  }
  EXPECT_EQ(raw, 48U) << "raw rows may all go once they are rolled up";
  EXPECT_EQ(excess, 111U) << "the newest partition of each roll-up";
}

}  // namespace
}  // namespace weir::store

// Who judges what came late: by the sender's own stamps, by the connection's round trip, or not at all.
#include "bpf/late_arrival.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

namespace weir::agent::kernel {
namespace {

constexpr weir_stamp kNone{0, 0};
constexpr weir_u64 kMicrosecond = 1'000;
constexpr weir_u32 kFar = 20'000;  // us
constexpr weir_u32 kNear = 50;

constexpr weir_stamp At(weir_u32 value) { return {value, 1}; }

TEST(LateArrival, WhatWasSentAfterItsSuccessorWasSentAgainHoweverSoonItComes) {
  EXPECT_EQ(weir_judge_late(At(100), At(101), 1, kFar), WEIR_LATE_SENT_AGAIN);
  EXPECT_EQ(weir_judge_late(At(100), At(101), 1, kNear), WEIR_LATE_SENT_AGAIN);
  EXPECT_EQ(weir_judge_late(At(0xffffffff), At(0), 1, kFar), WEIR_LATE_SENT_AGAIN) << "stamps wrap";
}

TEST(LateArrival, WhatWasSentBeforeItsSuccessorWasOvertakenHoweverLateItComes) {
  EXPECT_EQ(weir_judge_late(At(101), At(100), 1'000'000'000, kNear), WEIR_LATE_OVERTAKEN);
  EXPECT_EQ(weir_judge_late(At(3), At(0xfffffff0), 1'000'000'000, kFar), WEIR_LATE_OVERTAKEN);
}

TEST(LateArrival, WithinATickHalfARoundTripTells) {
  EXPECT_EQ(weir_judge_late(At(7), At(7), 9'999 * kMicrosecond, kFar), WEIR_LATE_OVERTAKEN);
  EXPECT_EQ(weir_judge_late(At(7), At(7), 10'000 * kMicrosecond, kFar), WEIR_LATE_SENT_AGAIN);
  EXPECT_EQ(weir_judge_late(kNone, At(7), 9'999 * kMicrosecond, kFar), WEIR_LATE_OVERTAKEN);
  EXPECT_EQ(weir_judge_late(At(7), kNone, 20'000 * kMicrosecond, kFar), WEIR_LATE_SENT_AGAIN);
}

// On one machine, or in one rack, what was dropped is back within microseconds.
TEST(LateArrival, OfShortRoundTripsTimeTellsNothing) {
  for (const weir_u64 age : {weir_u64{1}, 15 * kMicrosecond, 5'000 * kMicrosecond}) {
    EXPECT_EQ(weir_judge_late(At(7), At(7), age, kNear), WEIR_LATE_UNKNOWN);
    EXPECT_EQ(weir_judge_late(kNone, kNone, age, WEIR_TELLING_RTT_US - 1), WEIR_LATE_UNKNOWN);
    EXPECT_EQ(weir_judge_late(kNone, kNone, age, WEIR_RTT_UNKNOWN), WEIR_LATE_UNKNOWN);
  }
}

TEST(LateArrival, StampsStandWhereSendersPutThem) {
  std::array<weir_u8, WEIR_STAMP_END> header{};
  EXPECT_EQ(weir_stamp_of(header.data()).known, 0U);
  const std::array<weir_u8, 8> option{1, 1, 8, 10, 0xfe, 0xdc, 0xba, 0x98};
  std::copy(option.begin(), option.end(), header.begin() + WEIR_STAMP_OFFSET);
  EXPECT_EQ(weir_stamp_of(header.data()).known, 1U);
  EXPECT_EQ(weir_stamp_of(header.data()).value, 0xfedcba98U);
  header[WEIR_STAMP_OFFSET] = 5;  // SACK in front
  EXPECT_EQ(weir_stamp_of(header.data()).known, 0U);
}

}  // namespace
}  // namespace weir::agent::kernel

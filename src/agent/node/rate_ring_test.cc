#include "agent/node/rate_ring.h"

#include <gtest/gtest.h>

#include <map>
#include <numeric>

namespace weir::agent::node {
namespace {

struct RateRingTest : testing::Test {
  RateRing ring{[this](uint32_t ifindex) -> Result<LinkCounters> {
                  ++reads[ifindex];
                  clock.Advance(cost);
                  if (gone) return Status::NotFound("gone");
                  return counters;
                },
                clock};
  void Step(uint64_t bytes, Nanos period = kRatePeriod) {
    clock.Advance(period);
    counters.rx_bytes += bytes;
    counters.rx_packets += bytes / 100;
    ring.Step();
  }
  std::optional<model::RateWindow> Last(Nanos span) {
    return ring.Cut(7, clock.MonotonicNanos() - span, clock.MonotonicNanos());
  }
  FakeClock clock;
  LinkCounters counters;
  std::map<uint32_t, int> reads;
  Nanos cost = 0;
  bool gone = false;
};

uint64_t Sum(const std::vector<uint64_t>& values) { return std::accumulate(values.begin(), values.end(), uint64_t{0}); }

TEST_F(RateRingTest, AWindowIsTheStepsWithin) {
  ring.Track({{7, "eth0"}});
  EXPECT_FALSE(Last(kRatePeriod * 10).has_value());
  Step(0);
  Step(1'000);
  Step(0);
  Step(3'000, kRatePeriod * 4);  // no CPU for a while
  const auto window = Last(kRatePeriod * 100);
  ASSERT_TRUE(window.has_value());
  EXPECT_EQ(window->subject, "eth0");
  EXPECT_EQ(window->rx_bytes, (std::vector<uint64_t>{1'000, 0, 3'000}));
  EXPECT_EQ(window->rx_packets, (std::vector<uint64_t>{10, 0, 30}));
  EXPECT_EQ(window->tx_bytes, (std::vector<uint64_t>{0, 0, 0}));
  EXPECT_EQ(window->step_us, (std::vector<uint32_t>{10'000, 10'000, 40'000}));
  EXPECT_EQ(window->start, clock.WallMillis() - 60);
  EXPECT_FALSE(ring.Cut(8, 0, clock.MonotonicNanos()).has_value()) << "an interface nobody tracks";
}

TEST_F(RateRingTest, PausedItReadsNothingAndForgets) {
  ring.Track({{7, "eth0"}});
  Step(0);
  Step(kBusyBytesPerSecond / 100);
  ring.Pause(true);
  EXPECT_EQ(ring.Period(), kIdleRatePeriod);
  const int before = reads[7];
  Step(1'000);
  EXPECT_EQ(reads[7], before);
  EXPECT_FALSE(Last(kRatePeriod * 100).has_value());
  ring.Pause(false);
  Step(1'000);
  Step(5'000);
  EXPECT_EQ(Last(kRatePeriod * 100)->rx_bytes, std::vector<uint64_t>{5'000});
}

TEST_F(RateRingTest, ReadsSlowlyWhileNothingGoesOn) {
  ring.Track({{7, "eth0"}});
  Step(1'000'000);
  EXPECT_EQ(ring.Period(), kIdleRatePeriod) << "one reading is no rate";
  Step(kBusyBytesPerSecond / 100);
  EXPECT_EQ(ring.Period(), kRatePeriod);
  Step(0, kBusyFor - kRatePeriod);
  EXPECT_EQ(ring.Period(), kRatePeriod);
  Step(kBusyBytesPerSecond / 100 - 1, 2 * kRatePeriod);
  EXPECT_EQ(ring.Period(), kIdleRatePeriod);
}

TEST_F(RateRingTest, HoldsThirtySecondsAndNoMore) {
  ring.Track({{7, "eth0"}});
  for (size_t i = 0; i < kRateSlots + 500; ++i) Step(1);
  const auto window = Last(kRatePeriod * 10'000);
  ASSERT_TRUE(window.has_value());
  EXPECT_EQ(window->step_us.size(), kRateSlots - 1);
  EXPECT_EQ(Sum(window->rx_bytes), kRateSlots - 1);
}

TEST_F(RateRingTest, KeepsWhatItKnowsOfInterfacesThatStay) {
  ring.Track({{7, "eth0"}, {8, "eth1"}});
  Step(0);
  Step(5);
  ring.Track({{9, "eth2"}, {7, "lan0"}});
  Step(6);
  const auto window = Last(kRatePeriod * 100);
  ASSERT_TRUE(window.has_value());
  EXPECT_EQ(Sum(window->rx_bytes), 11U);
  EXPECT_EQ(reads[8], 2);
}

TEST_F(RateRingTest, ADeviceThatIsResetOrGoneIsNoBurst) {
  ring.Track({{7, "eth0"}});
  Step(1'000);
  counters.rx_bytes = 0;
  Step(0);
  gone = true;
  Step(0);
  gone = false;
  Step(5);
  const auto window = Last(kRatePeriod * 100);
  ASSERT_TRUE(window.has_value());
  EXPECT_EQ(window->rx_bytes, (std::vector<uint64_t>{0, 5}));
}

TEST_F(RateRingTest, LeavesOutTheLastInterfacesWhenReadingCostsTooMuch) {
  ring.Track({{7, "eth0"}, {8, "a"}, {9, "b"}, {10, "c"}});
  cost = kMaxRoundNanos / 3;  // four of them are too many
  for (int i = 0; i < 100; ++i) Step(0);
  EXPECT_EQ(ring.coverage(), std::pair(size_t{2}, size_t{4}));
  for (int i = 0; i < 300; ++i) Step(0);
  EXPECT_EQ(reads[7], 400) << "the first is read all the time";
  EXPECT_EQ(reads[9], 100);
  EXPECT_EQ(ring.coverage().first, 2U) << "two are cheap enough";
}

}  // namespace
}  // namespace weir::agent::node

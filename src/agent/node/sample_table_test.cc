#include "agent/node/sample_table.h"

#include <gtest/gtest.h>

#include "base/metrics.h"

namespace weir::agent::node {
namespace {

using model::NodeSignal;

constexpr Nanos kSecondNanos = 1'000'000'000;
constexpr UnixMillis kNoon = 1'700'000'000'000;

struct SampleTableTest : testing::Test {
  void Pass(int second) { table.BeginPass(kNoon + second * 1'000, (second + 100) * kSecondNanos); }
  uint64_t Drops(std::string_view name, uint64_t value, bool is_new = false) {
    return table.Add({1, 7, name, is_new}, NodeSignal::qdisc_drops, value, Width::k32);
  }
  SampleTable table;
};

TEST_F(SampleTableTest, TheFirstValueIsTheBaseLineUnlessTheObjectIsNew) {
  Pass(0);
  table.SetPeriod(5'000);
  EXPECT_EQ(Drops("eth0 tbf 1:", 100), 0U);
  EXPECT_EQ(table.Add({1, 8, "new", true}, NodeSignal::qdisc_drops, 40), 40U);
  Pass(5);
  EXPECT_EQ(Drops("eth0 tbf 1:", 103), 3U);
  EXPECT_EQ(Drops("eth0 tbf 1:", 103), 0U);
  EXPECT_EQ(table.Take(), (std::vector<model::NodeSample>{
                              {NodeSignal::qdisc_drops, "new", 1, 40, kNoon, 5'000},
                              {NodeSignal::qdisc_drops, "eth0 tbf 1:", 1, 3, kNoon + 5'000, 5'000},
                          }))
      << "nothing is sent for a counter at rest";
  EXPECT_TRUE(table.Take().empty());
}

TEST_F(SampleTableTest, ACounterThatGoesBackwardsIsAResetNotAHugeAddition) {
  Pass(0);
  Drops("eth0", 1'000);
  const uint64_t resets = Read(Metric::agent_node_resets);
  Pass(1);
  EXPECT_EQ(Drops("eth0", 10), 0U);
  EXPECT_EQ(Read(Metric::agent_node_resets), resets + 1);
  Pass(2);
  EXPECT_EQ(Drops("eth0", 12), 2U) << "counting goes on from the new value";
}

TEST_F(SampleTableTest, AnInodeThatIsGivenAgainBeginsAnew) {
  Pass(0);
  Drops("eth0", 1'000);
  table.Add({2, 7, "eth0", false}, NodeSignal::qdisc_drops, 50);
  table.ForgetNamespaces([](uint32_t netns) { return netns == 1; });
  Pass(5);
  EXPECT_EQ(Drops("eth0", 1'200, true), 1'200U);
  EXPECT_EQ(table.Add({2, 7, "eth0", false}, NodeSignal::qdisc_drops, 51), 1U);
}

TEST_F(SampleTableTest, ACounterOf32BitsWraps) {
  const uint64_t resets = Read(Metric::agent_node_resets);
  Pass(0);
  Drops("eth0", 0xffff'fff0);
  Pass(1);
  EXPECT_EQ(Drops("eth0", 0x10), 0x20U);
  EXPECT_EQ(Read(Metric::agent_node_resets), resets);
  table.Add({1, 9, "wide", false}, NodeSignal::interface_rx_bytes, 0xffff'fff0);
  EXPECT_EQ(table.Add({1, 9, "wide", false}, NodeSignal::interface_rx_bytes, 0x10), 0U) << "64 bits do not";
  EXPECT_EQ(Read(Metric::agent_node_resets), resets + 1);
}

TEST_F(SampleTableTest, ARenamedInterfaceGoesOnCounting) {
  Pass(0);
  Drops("eth0", 5);
  Pass(1);
  EXPECT_EQ(Drops("lan0", 9), 4U);
  EXPECT_EQ(table.Take().back().subject, "lan0");
}

TEST_F(SampleTableTest, AnObjectThatWasAwayForLongBeginsAgain) {
  Pass(0);
  Drops("eth0", 5);
  for (int second = 10; second <= 120; second += 10) Pass(second);
  EXPECT_EQ(table.values(), 0U);
  EXPECT_EQ(Drops("eth0", 500), 0U) << "what it did meanwhile is not known";
}

TEST_F(SampleTableTest, LevelsAreSentWhenTheyChangeAndNowAndThen) {
  const auto level = [&](uint64_t value) {
    table.Add({0, 0, "", false}, NodeSignal::conntrack_entries, value);
    return table.Take().size();
  };
  Pass(0);
  EXPECT_EQ(level(0), 1U) << "zero is a level too";
  Pass(1);
  EXPECT_EQ(level(0), 0U);
  EXPECT_EQ(level(4), 1U);
  Pass(15);
  EXPECT_EQ(level(4), 1U - 1U);
  Pass(16);
  EXPECT_EQ(level(4), 1U);
}

TEST_F(SampleTableTest, NonsenseAndFloodsAreBounded) {
  Pass(0);
  EXPECT_EQ(table.Add({1, 1, "x", true}, NodeSignal::interface_rx_bytes, ~uint64_t{0}), 0U);
  const uint64_t dropped = Read(Metric::agent_node_samples_dropped);
  for (uint64_t i = 0; i < model::kMaxNodeSamples + 5; ++i) {
    table.Add({1, 100 + i, "y", true}, NodeSignal::interface_rx_bytes, 1);
  }
  EXPECT_EQ(table.Take().size(), model::kMaxNodeSamples);
  EXPECT_EQ(Read(Metric::agent_node_samples_dropped), dropped + 5);
}

}  // namespace
}  // namespace weir::agent::node

#include "agent/export/batch_split.h"

#include <gtest/gtest.h>

#include "wire/batch_codec.h"

namespace weir::agent {
namespace {

model::AgentBatch Interval(size_t reports) {
  model::AgentBatch interval;
  interval.node = "n";
  interval.start = 1;
  interval.end = 2;
  interval.probes = {{"p", "on", "", ""}};
  interval.counters = {{"c", 1}};
  interval.local_addresses = {*model::Address::Parse("10.0.0.1")};
  interval.reports.resize(reports);
  for (size_t i = 0; i < reports; ++i) interval.reports[i].counters.bytes_sent = i;
  return interval;
}

TEST(SplitInterval, KeepsASmallOneWhole) {
  for (const size_t reports : {0U, 1U, 10U}) {
    const auto parts = SplitInterval(Interval(reports), 10);
    ASSERT_EQ(parts.size(), 1U);
    EXPECT_EQ(parts[0].reports.size(), reports);
    EXPECT_EQ(parts[0].probes.size(), 1U);
    EXPECT_EQ(parts[0].counters.size(), 1U);
  }
}

TEST(SplitInterval, KeepsOrderAndLosesNothing) {
  for (const size_t reports : {11U, 20U, 25U}) {
    SCOPED_TRACE(reports);
    const auto parts = SplitInterval(Interval(reports), 10);
    ASSERT_EQ(parts.size(), (reports + 9) / 10);
    uint64_t next = 0;
    for (size_t i = 0; i < parts.size(); ++i) {
      const bool last = i + 1 == parts.size();
      EXPECT_EQ(parts[i].node, "n");
      EXPECT_EQ(parts[i].end, 2);
      EXPECT_EQ(parts[i].local_addresses.size(), 1U);
      EXPECT_EQ(parts[i].probes.size(), last ? 1U : 0U) << "they describe the interval, so they come once";
      EXPECT_EQ(parts[i].counters.size(), last ? 1U : 0U);
      EXPECT_LE(parts[i].reports.size(), 10U);
      EXPECT_GE(parts[i].reports.size(), 1U);
      for (const auto& report : parts[i].reports) EXPECT_EQ(report.counters.bytes_sent, next++);
    }
    EXPECT_EQ(next, reports);
  }
}

TEST(SplitInterval, TheNodesSamplesTravelOnce) {
  model::AgentBatch interval = Interval(25);
  interval.node_samples.resize(3);
  interval.rate_windows.resize(1);
  const auto parts = SplitInterval(std::move(interval), 10);
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_TRUE(parts[0].node_samples.empty() && parts[0].rate_windows.empty() && parts[1].node_samples.empty());
  EXPECT_EQ(parts[2].node_samples.size(), 3U);
  EXPECT_EQ(parts[2].rate_windows.size(), 1U);
}

TEST(SplitInterval, CutsLocalAddressesToWhatABatchCarries) {
  model::AgentBatch interval = Interval(1);
  interval.local_addresses.resize(wire::kMaxLocalAddresses + 1);
  EXPECT_EQ(SplitInterval(std::move(interval), 10)[0].local_addresses.size(), wire::kMaxLocalAddresses);
}

}  // namespace
}  // namespace weir::agent

// The node's part of the store against sums made by hand.
#include "store/node_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "store/store_fixture.h"

namespace weir::store {
namespace {

using model::NodeSignal;

constexpr int64_t kMinuteMs = 60'000;

struct NodeStoreTest : StoreTest {
  void SetUp() override {
    StoreTest::SetUp();
    if (IsSkipped()) return;
    Reopen();
    now = SystemClock().WallMillis() / kMinuteMs * kMinuteMs;
  }
  NodeStore& node() { return *store().node(); }
  static model::NodeSample Sample(NodeSignal signal, std::string subject, uint64_t value, UnixMillis time) {
    return {signal, std::move(subject), 7, value, time, 1'000};
  }
  NodeBatch Batch(uint64_t sequence, std::vector<model::NodeSample> samples, std::string agent = std::string(32, 'a'),
                  std::string name = "n1") {
    return {std::move(agent), sequence, std::move(name), std::move(samples), {}};
  }
  NodeTotals All(NodeTotalsQuery query = {}) {
    if (query.range.to == 0) query.range = {now - 10 * kMinuteMs, now + 10 * kMinuteMs};
    auto totals = node().Totals(query);
    EXPECT_TRUE(totals.ok()) << totals.status().message();
    return totals.ok() ? *totals : NodeTotals{};
  }
  UnixMillis now = 0;
};

TEST_F(NodeStoreTest, TotalsAreSumsLevelsAndTimes) {
  ASSERT_TRUE(node()
                  .Insert({Batch(1, {Sample(NodeSignal::qdisc_drops, "eth0 tbf 1:", 10, now),
                                     Sample(NodeSignal::conntrack_entries, "", 500, now)}),
                           Batch(2, {Sample(NodeSignal::qdisc_drops, "eth0 tbf 1:", 30, now + 1'000),
                                     Sample(NodeSignal::conntrack_entries, "", 200, now + 1'000)})})
                  .ok());
  const NodeTotals all = All();
  EXPECT_TRUE(all.complete);
  ASSERT_EQ(all.totals.size(), 2U);
  const NodeTotal& level = all.totals[0];
  EXPECT_EQ(level.signal, NodeSignal::conntrack_entries);
  EXPECT_EQ(level.last, 200U);
  EXPECT_EQ(level.highest, 500U);
  const NodeTotal& drops = all.totals[1];
  EXPECT_EQ(drops.node, "n1");
  EXPECT_EQ(drops.subject, "eth0 tbf 1:");
  EXPECT_EQ(drops.netns, 7U);
  EXPECT_EQ(drops.sum, 40U);
  EXPECT_EQ(drops.highest, 30U);
  EXPECT_EQ(drops.samples, 2U);
  EXPECT_EQ(drops.first_time, now);
  EXPECT_EQ(drops.last_time, now + 1'000);
  EXPECT_EQ(All({.range = {now, now + 1'000}}).totals.at(1).sum, 10U) << "the end is exclusive";
  EXPECT_EQ(All({.signals = {NodeSignal::qdisc_drops}}).totals.size(), 1U);
  EXPECT_EQ(All({.node = "n2"}).totals.size(), 0U);
  EXPECT_FALSE(All({.limit = 1}).complete);
}

TEST_F(NodeStoreTest, ARepetitionIsNotCountedTwiceEvenAfterARestart) {
  const auto drops = [&] {
    const NodeTotals all = All();
    return all.totals.empty() ? 0 : all.totals[0].sum;
  };
  const NodeBatch batch = Batch(5, {Sample(NodeSignal::qdisc_drops, "q", 10, now)});
  ASSERT_TRUE(node().Insert({batch}).ok());
  ASSERT_TRUE(node().Insert({batch}).ok());
  EXPECT_EQ(drops(), 10U);
  Close();
  Reopen();
  ASSERT_TRUE(node().Insert({batch, Batch(6, {Sample(NodeSignal::qdisc_drops, "q", 1, now)})}).ok());
  EXPECT_EQ(drops(), 11U);
  ASSERT_TRUE(node().Insert({Batch(5, {Sample(NodeSignal::qdisc_drops, "q", 100, now)}, std::string(32, 'b'))}).ok());
  EXPECT_EQ(drops(), 111U) << "another agent's sequence is its own";
}

TEST_F(NodeStoreTest, MinutesAddUpToTheSame) {
  std::mt19937_64 random(7);
  std::map<std::string, uint64_t> expected;
  std::vector<NodeBatch> batches;
  for (uint64_t sequence = 1; sequence <= 40; ++sequence) {
    std::vector<model::NodeSample> samples;
    for (int i = 0; i < 50; ++i) {
      const std::string subject = "eth" + std::to_string(random() % 5);
      const uint64_t value = random() % 1'000'000;
      samples.push_back(Sample(NodeSignal::interface_rx_bytes, subject, value,
                               now - static_cast<int64_t>(random() % (5 * kMinuteMs))));
      expected[subject] += value;
    }
    batches.push_back(Batch(sequence, std::move(samples)));
  }
  const auto sums = [&](const TimeRange& range) {
    std::map<std::string, uint64_t> found;
    for (const NodeTotal& total : All({.range = range}).totals) found[total.subject] += total.sum;
    return found;
  };
  const TimeRange shortly{now - 6 * kMinuteMs, now + 1};
  const TimeRange long_range{now - 600 * kMinuteMs, now + 1};
  for (size_t i = 0; i < 20; ++i) ASSERT_TRUE(node().Insert({batches[i]}).ok());
  ASSERT_TRUE(store().Maintain(now).ok());  // rolls up
  ASSERT_TRUE(node().Insert({batches.begin() + 20, batches.end()}).ok());
  EXPECT_EQ(sums(shortly), expected);
  EXPECT_EQ(sums(long_range), expected) << "minutes, and what is not rolled up yet";
  Close();
  Reopen();
  ASSERT_TRUE(store().Maintain(now + 2 * kMinuteMs).ok());
  EXPECT_EQ(sums(long_range), expected);
  const auto series = node().Series({.range = long_range,
                                     .node = "n1",
                                     .signal = NodeSignal::interface_rx_bytes,
                                     .subject = "",
                                     .any_subject = true,
                                     .step_ms = 1'000});
  ASSERT_TRUE(series.ok());
  EXPECT_EQ(series->step_ms, kMinuteMs) << "a long range has minutes only";
  uint64_t in_series = 0;
  for (const NodePoint& point : series->points) in_series += point.value;
  uint64_t in_all = 0;
  for (const auto& [subject, value] : expected) in_all += value;
  EXPECT_EQ(in_series, in_all);
}

TEST_F(NodeStoreTest, SeriesAreStepsInOrder) {
  ASSERT_TRUE(node()
                  .Insert({Batch(1, {Sample(NodeSignal::qdisc_drops, "q", 3, now + 2'500),
                                     Sample(NodeSignal::qdisc_drops, "q", 4, now + 2'900),
                                     Sample(NodeSignal::qdisc_drops, "q", 1, now + 100),
                                     Sample(NodeSignal::qdisc_drops, "other", 9, now + 100),
                                     Sample(NodeSignal::qdisc_backlog, "q", 5, now),
                                     Sample(NodeSignal::qdisc_backlog, "q", 2, now + 1)})})
                  .ok());
  NodeSeriesQuery query{.range = {now, now + 5'000}, .node = "n1", .signal = NodeSignal::qdisc_drops, .subject = "q"};
  auto series = node().Series(query);
  ASSERT_TRUE(series.ok());
  ASSERT_EQ(series->points.size(), 2U);
  EXPECT_EQ(series->points[0].time, now);
  EXPECT_EQ(series->points[0].value, 1U);
  EXPECT_EQ(series->points[1].time, now + 2'000);
  EXPECT_EQ(series->points[1].value, 7U);
  query.signal = NodeSignal::qdisc_backlog;
  EXPECT_EQ(node().Series(query)->points.at(0).value, 5U) << "of a level, the highest";
}

TEST_F(NodeStoreTest, WindowsComeBackAsTheyWereAndOnce) {
  NodeBatch batch = Batch(1, {});
  model::RateWindow window;
  window.subject = "eth0";
  window.cause = NodeSignal::allowance_bandwidth_in;
  window.cause_subject = "eth0";
  window.event = now;
  window.start = now - 8'000;
  window.step_us = {10'000, 20'000};
  window.rx_bytes = {0, uint64_t{1} << 52};
  window.tx_bytes = {1, 2};
  window.rx_packets = {3, 4};
  window.tx_packets = {5, 6};
  batch.windows = {window, window};
  batch.windows[1].event = now - 1;
  ASSERT_TRUE(node().Insert({batch}).ok());
  Close();
  Reopen();
  ASSERT_TRUE(node().Insert({batch}).ok()) << "as after a crash between windows and samples";
  const auto windows = node().RateWindows({now - 1'000, now + 1}, "", 10);
  ASSERT_TRUE(windows.ok()) << windows.status().message();
  ASSERT_EQ(windows->size(), 2U);
  EXPECT_EQ((*windows)[0].node, "n1");
  EXPECT_EQ((*windows)[0].window, window) << "the latest first";
  EXPECT_EQ(node().RateWindows({now, now + 1}, "n1", 10)->size(), 1U);
  EXPECT_EQ(node().RateWindows({now, now + 1}, "n2", 10)->size(), 0U);
}

TEST_F(NodeStoreTest, HostileNamesAreText) {
  std::vector<model::NodeSample> samples;
  for (const std::string& text : HostileTexts()) {
    if (text.size() <= model::kMaxStringBytes) samples.push_back(Sample(NodeSignal::qdisc_drops, text, 1, now));
  }
  ASSERT_TRUE(node().Insert({Batch(1, samples, "agent'", "node'); DROP TABLE weir.node_samples; --")}).ok());
  const NodeTotals all = All();
  ASSERT_FALSE(all.totals.empty());
  EXPECT_EQ(all.totals[0].node, "node'); DROP TABLE weir.node_samples; --");
  uint64_t sum = 0;
  for (const NodeTotal& total : all.totals) sum += total.sum;
  EXPECT_EQ(sum, samples.size());
}

TEST_F(NodeStoreTest, AFullInsertIsOnePart) {
  std::vector<model::NodeSample> samples;
  for (size_t i = 0; i < 100'000; ++i) {
    samples.push_back(
        Sample(NodeSignal::interface_rx_bytes, "interface-with-a-long-name-" + std::to_string(i % 500), i, now));
  }
  ASSERT_TRUE(node().Insert({Batch(1, samples)}).ok());
  uint64_t sum = 0;
  for (const NodeTotal& total : All().totals) sum += total.sum;
  EXPECT_EQ(sum, uint64_t{100'000} * 99'999 / 2);
}

TEST_F(NodeStoreTest, TheNewestPartitionStaysWhateverItsAge) {
  Close();
  Retention retention;
  retention.raw_seconds = 60;
  Reopen(retention);
  const NodeBatch batch = Batch(9, {Sample(NodeSignal::qdisc_drops, "q", 10, now)});
  ASSERT_TRUE(node().Insert({batch}).ok());
  ASSERT_TRUE(store().Maintain(now).ok());
  ASSERT_TRUE(store().Maintain(now + 3 * 3'600'000).ok());
  EXPECT_EQ(All().totals.at(0).sum, 10U);
  Close();
  Reopen(retention);
  ASSERT_TRUE(node().Insert({batch}).ok());
  EXPECT_EQ(All().totals.at(0).sum, 10U);
}

}  // namespace
}  // namespace weir::store

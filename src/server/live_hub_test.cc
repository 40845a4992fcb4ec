#include "server/live_hub.h"

#include <gtest/gtest.h>

#include <functional>
#include <future>

#include "server/test_support.h"

namespace weir::server {
namespace {

std::vector<model::FlowRow> RowsAt(UnixMillis end, size_t count) {
  model::FlowRow row;
  row.start = end - 1'000;
  row.end = end;
  return {count, row};
}

size_t RowsSince(const LiveHub& hub, UnixMillis since) {
  size_t rows = 0;
  for (const LiveBlockRef& block : hub.Since(since).blocks) rows += block->rows.size();
  return rows;
}

struct ScriptedSink final : LiveSink {
  void Take(const LiveBlockRef& block) override {
    if (take) take(block);
  }
  TimePoint Tick() override { return tick ? tick() : TimePoint::max(); }
  std::function<void(const LiveBlockRef&)> take;
  std::function<TimePoint()> tick;
};

TEST(LiveHub, KeepsTheWindowAndTheBound) {
  LiveHub hub({.window = std::chrono::seconds(10), .max_rows = 5});
  hub.Publish(RowsAt(kNoon, 2), kNoon);
  hub.Publish(RowsAt(kNoon + 1'000, 2), kNoon + 1'000);
  EXPECT_EQ(RowsSince(hub, 0), 4U);
  EXPECT_EQ(RowsSince(hub, kNoon), 2U);
  hub.Publish(RowsAt(kNoon + 2'000, 2), kNoon + 2'000);
  EXPECT_EQ(RowsSince(hub, 0), 4U) << "the oldest block made room";
  hub.Publish(RowsAt(kNoon + 20'000, 1), kNoon + 20'000);
  EXPECT_EQ(RowsSince(hub, 0), 1U) << "the others are too old";
}

TEST(LiveHub, LateRowsAreForSinksThatWantAllAndNotForTheRing) {
  LiveHub hub({.window = std::chrono::seconds(10)});
  BlockLog log;
  hub.Start();
  hub.AddSink(log);
  auto rows = RowsAt(kNoon - 11'000, 2);
  rows.push_back(RowsAt(kNoon, 1)[0]);
  hub.Publish(rows, kNoon);
  hub.Stop();
  EXPECT_EQ(RowsSince(hub, 0), 1U);
  ASSERT_EQ(log.blocks.size(), 2U);
  EXPECT_FALSE(log.blocks[0]->late);
  EXPECT_EQ(log.blocks[0]->rows.size(), 1U);
  EXPECT_TRUE(log.blocks[1]->late);
  EXPECT_EQ(log.blocks[1]->rows.size(), 2U);
}

TEST(LiveHub, ABigStepOfTheWriterBecomesSeveralBlocksInOrder) {
  LiveHub hub;
  BlockLog log;
  hub.Start();
  hub.AddSink(log, {.max_queued_items = 1'000'000});
  std::vector<model::FlowRow> rows = RowsAt(kNoon, 50'000);
  for (size_t i = 0; i < rows.size(); ++i) rows[i].bytes_to_server = i;
  for (size_t i = 0; i < rows.size(); i += 5) rows[i].end = 1;  // late
  hub.Publish(rows, kNoon);
  hub.Stop();
  uint64_t number = 0;
  size_t late = 0;
  size_t all = 0;
  for (const LiveBlockRef& block : log.blocks) {
    EXPECT_EQ(block->number, ++number);
    uint64_t last = 0;
    for (const model::FlowRow& row : block->rows) {
      EXPECT_EQ(row.end == 1, block->late);
      EXPECT_GE(row.bytes_to_server, last);
      last = row.bytes_to_server;
    }
    all += block->rows.size();
    if (block->late) late += block->rows.size();
  }
  EXPECT_EQ(all, 50'000U);
  EXPECT_EQ(late, 10'000U);
  EXPECT_GE(log.blocks.size(), 3U);
}

TEST(LiveHub, ASlowSinkLosesBlocksCountedAndNobodyElseDoes) {
  LiveHub hub;
  hub.Start();
  std::promise<void> entered;
  std::promise<void> go_on;
  std::shared_future<void> gate(go_on.get_future());
  ScriptedSink first;
  first.take = [&, blocks = 0](const LiveBlockRef&) mutable {
    if (++blocks > 1) return;
    entered.set_value();
    gate.wait();
  };
  BlockLog slow;
  BlockLog roomy;
  hub.AddSink(first, {.max_queued_items = 100});
  hub.AddSink(slow, {.max_queued_items = 10});
  hub.AddSink(roomy, {.max_queued_items = 100});
  const uint64_t dropped = Read(Metric::server_live_dropped);
  hub.Publish(RowsAt(kNoon, 4), kNoon);
  entered.get_future().wait();
  for (int i = 0; i < 2; ++i) hub.Publish(RowsAt(kNoon, 4), kNoon);  // 4 + 4 + 4 > 10
  EXPECT_EQ(Read(Metric::server_live_dropped), dropped + 4);
  hub.Publish(RowsAt(kNoon, 2), kNoon);  // fits
  EXPECT_EQ(Read(Metric::server_live_dropped), dropped + 4);
  go_on.set_value();
  hub.Stop();
  EXPECT_EQ(slow.blocks.size(), 3U);
  EXPECT_EQ(slow.lost, 4U);
  EXPECT_EQ(roomy.blocks.size(), 4U);
  EXPECT_EQ(roomy.blocks[0], slow.blocks[0]) << "shared, not copied";
  EXPECT_EQ(RowsSince(hub, 0), 14U) << "the ring has them all";
}

TEST(LiveHub, ABlockLargerThanTheQueueGoesThroughAlone) {
  LiveHub hub;
  BlockLog log;
  hub.Start();
  hub.AddSink(log, {.max_queued_items = 3});
  hub.Publish(RowsAt(kNoon, 50), kNoon);
  hub.Stop();
  ASSERT_EQ(log.blocks.size(), 1U);
  EXPECT_EQ(log.lost, 0U);
}

// Who takes the history and then what has higher numbers misses nothing and has nothing twice, whenever it asks.
TEST(LiveHub, HistoryAndBlocksFitTogether) {
  LiveHub hub;
  hub.Start();
  constexpr size_t kBlocks = 300;
  std::vector<uint64_t> seen;
  uint64_t after = 0;
  bool joined = false;
  ScriptedSink sink;
  sink.take = [&](const LiveBlockRef& block) {
    if (joined && block->number > after) seen.push_back(block->rows[0].bytes_to_server);
  };
  sink.tick = [&] {
    if (!std::exchange(joined, true)) {
      const LiveHub::History history = hub.Since(0);
      for (const LiveBlockRef& block : history.blocks) seen.push_back(block->rows[0].bytes_to_server);
      after = history.last;
    }
    return LiveSink::TimePoint::max();
  };
  std::thread publisher([&] {
    for (size_t i = 0; i < kBlocks; ++i) {
      auto rows = RowsAt(kNoon, 1);
      rows[0].bytes_to_server = i;
      hub.Publish(std::move(rows), kNoon);
    }
  });
  hub.AddSink(sink);
  publisher.join();
  hub.Stop();
  ASSERT_EQ(seen.size(), kBlocks);
  for (size_t i = 0; i < kBlocks; ++i) EXPECT_EQ(seen[i], i);
}

TEST(LiveHub, TicksComeWhenTheyAreDueAndWhenWoken) {
  LiveHub hub;
  hub.Start();
  std::promise<void> third;
  ScriptedSink timed;
  timed.tick = [&, ticks = 0]() mutable {
    if (++ticks == 3) third.set_value();
    return std::chrono::steady_clock::now() + std::chrono::milliseconds(1);
  };
  hub.AddSink(timed);
  third.get_future().wait();

  std::promise<void> added;
  std::promise<void> woken;
  ScriptedSink sleeper;
  sleeper.tick = [&, ticks = 0]() mutable {
    ++ticks;
    if (ticks == 1) added.set_value();
    if (ticks == 2) woken.set_value();
    return LiveSink::TimePoint::max();
  };
  const uint64_t id = hub.AddSink(sleeper);
  added.get_future().wait();
  hub.Wake(id);
  woken.get_future().wait();
  hub.Stop();
}

TEST(LiveHub, ARemovedSinkIsNeverCalledAgain) {
  LiveHub hub;
  hub.Start();
  std::atomic<bool> alive{true};
  std::atomic<bool> called_dead{false};
  ScriptedSink doomed;
  doomed.take = [&](const LiveBlockRef&) { called_dead = called_dead || !alive; };
  BlockLog other;
  const uint64_t id = hub.AddSink(doomed);
  hub.AddSink(other);
  for (int i = 0; i < 50; ++i) {
    hub.Publish(RowsAt(kNoon, 1), kNoon);
    if (i != 25) continue;
    hub.RemoveSink(id);
    alive = false;
  }
  hub.Stop();
  EXPECT_EQ(other.blocks.size(), 50U);
  EXPECT_FALSE(called_dead);
}

TEST(LiveHub, ASinkMayRemoveItself) {
  LiveHub hub;
  hub.Start();
  std::promise<uint64_t> id;
  std::shared_future<uint64_t> known(id.get_future());
  int calls = 0;
  ScriptedSink sink;
  sink.take = [&](const LiveBlockRef&) {
    ++calls;
    hub.RemoveSink(known.get());
  };
  id.set_value(hub.AddSink(sink));
  for (int i = 0; i < 5; ++i) hub.Publish(RowsAt(kNoon, 1), kNoon);
  hub.Stop();
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace weir::server

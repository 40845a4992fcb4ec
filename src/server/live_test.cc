#include "server/live.h"

#include <gtest/gtest.h>

#include <future>

#include "base/metrics.h"
#include "server/test_support.h"

namespace weir::server {
namespace {

std::vector<model::FlowRow> RowsAt(UnixMillis end, size_t count) {
  model::FlowRow row;
  row.start = end - 1'000;
  row.end = end;
  return {count, row};
}

bool All(const model::FlowRow&) { return true; }

TEST(Live, KeepsTheWindowAndTheBound) {
  Live live({.window = std::chrono::seconds(10), .max_rows = 5, .max_queued_rows = 10});
  live.Publish(RowsAt(kNoon, 2), kNoon);
  live.Publish(RowsAt(kNoon + 1'000, 2), kNoon + 1'000);
  EXPECT_EQ(live.Rows(0, All).size(), 4U);
  EXPECT_EQ(live.Rows(kNoon, All).size(), 2U);
  live.Publish(RowsAt(kNoon + 2'000, 2), kNoon + 2'000);
  EXPECT_EQ(live.Rows(0, All).size(), 4U) << "the oldest block made room";
  live.Publish(RowsAt(kNoon + 20'000, 1), kNoon + 20'000);
  EXPECT_EQ(live.Rows(0, All).size(), 1U) << "the others are too old";
  live.Publish(RowsAt(kNoon + 20'000, 50), kNoon + 20'000);
  EXPECT_EQ(live.Rows(0, All).size(), 5U);
}

TEST(Live, LateReportsAreNotNews) {
  Live live({.window = std::chrono::seconds(10)});
  live.Publish(RowsAt(kNoon - 11'000, 2), kNoon);
  EXPECT_TRUE(live.Rows(0, All).empty());
}

TEST(Live, ASlowListenerLosesRowsCountedAndNobodyElseWaits) {
  Live live({.max_queued_rows = 10});
  live.Start();
  std::promise<void> entered;
  std::promise<void> go_on;
  std::shared_future<void> gate(go_on.get_future());
  std::promise<void> got_last;
  int blocks = 0;
  live.AddListener([&](const std::vector<model::FlowRow>&) {
    if (++blocks == 1) {
      entered.set_value();
      gate.wait();
    }
    if (blocks == 3) got_last.set_value();
  });
  const uint64_t dropped = Read(Metric::server_live_dropped);
  live.Publish(RowsAt(kNoon, 4), kNoon);
  entered.get_future().wait();
  live.Publish(RowsAt(kNoon, 4), kNoon);
  live.Publish(RowsAt(kNoon, 4), kNoon);  // 4 in hand + 4 queued + 4 > 10
  EXPECT_EQ(Read(Metric::server_live_dropped), dropped + 4);
  live.Publish(RowsAt(kNoon, 2), kNoon);
  EXPECT_EQ(Read(Metric::server_live_dropped), dropped + 4);
  go_on.set_value();
  got_last.get_future().wait();
  EXPECT_EQ(live.Rows(0, All).size(), 14U) << "the ring has them all";
}

TEST(Live, ARemovedListenerIsNeverCalledAgain) {
  Live live({});
  live.Start();
  bool alive = true;
  bool called_dead = false;
  const uint64_t id = live.AddListener([&](const std::vector<model::FlowRow>&) { called_dead |= !alive; });
  std::promise<void> second_heard;
  int heard = 0;
  live.AddListener([&](const std::vector<model::FlowRow>&) {
    if (++heard == 50) second_heard.set_value();
  });
  for (int i = 0; i < 50; ++i) {
    live.Publish(RowsAt(kNoon, 1), kNoon);
    if (i == 25) {
      live.RemoveListener(id);
      alive = false;
    }
  }
  second_heard.get_future().wait();
  live.Stop();
  EXPECT_FALSE(called_dead);
}

TEST(Live, AListenerMayRemoveItself) {
  Live live({});
  live.Start();
  std::promise<void> done;
  uint64_t id = 0;
  std::atomic<int> calls{0};
  id = live.AddListener([&](const std::vector<model::FlowRow>&) {
    ++calls;
    live.RemoveListener(id);
    done.set_value();
  });
  live.Publish(RowsAt(kNoon, 1), kNoon);
  done.get_future().wait();
  live.Publish(RowsAt(kNoon, 1), kNoon);
  live.Stop();
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace weir::server

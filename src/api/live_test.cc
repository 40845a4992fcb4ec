// Live viewers: replay, filters, slow readers, goodbye. Streams are fakes that can be told to be full.
#include "api/live.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>

#include "api/fakes.h"
#include "api/json.h"
#include "base/metrics.h"

namespace weir::api {
namespace {

using testing::HasSubstr;

constexpr std::chrono::seconds kPatience{20};  // a hang, not a slow machine

class FakeStream final : public net::EventStream {
 public:
  bool Send(std::string_view event, std::string_view data) override {
    const std::lock_guard lock(mutex_);
    ++attempts_;
    changed_.notify_all();
    if (closed_ || full_) return false;
    events_.emplace_back(event, data);
    return true;
  }
  bool closed() const override {
    const std::lock_guard lock(mutex_);
    return closed_;
  }
  void SetFull(bool full) {
    const std::lock_guard lock(mutex_);
    full_ = full;
  }
  void Close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  // Waits until `wanted` events of that name have come, and returns the data of all of them.
  std::vector<Json> Await(std::string_view name, size_t wanted) {
    std::unique_lock lock(mutex_);
    std::vector<Json> found;
    const bool came = changed_.wait_for(lock, kPatience, [&] {
      found.clear();
      for (const auto& [event, data] : events_) {
        if (event == name) found.push_back(Json::parse(data));
      }
      return found.size() >= wanted;
    });
    EXPECT_TRUE(came) << "only " << found.size() << " of " << wanted << " " << name;
    return found;
  }
  // Ports of all rows so far, once there are `wanted`.
  std::vector<int> AwaitPorts(size_t wanted) {
    std::unique_lock lock(mutex_);
    std::vector<int> ports;
    size_t read = 0;  // of the events
    const bool came = changed_.wait_for(lock, kPatience, [&] {
      for (; read < events_.size(); ++read) {
        if (events_[read].first != "rows") continue;
        const Json parsed = Json::parse(events_[read].second);
        for (const Json& row : parsed["rows"]) ports.push_back(row["server_port"].get<int>());
      }
      return ports.size() >= wanted;
    });
    EXPECT_TRUE(came) << "only " << ports.size() << " of " << wanted << " rows";
    return ports;
  }
  void AwaitAttempts(size_t more) {
    std::unique_lock lock(mutex_);
    const size_t until = attempts_ + more;
    EXPECT_TRUE(changed_.wait_for(lock, kPatience, [&] { return attempts_ >= until; }));
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::pair<std::string, std::string>> events_;
  size_t attempts_ = 0;
  bool full_ = false;
  bool closed_ = false;
};

model::FlowRow Row(uint16_t port, UnixMillis start = 1'700'000'000'000) {
  model::FlowRow row;
  row.server_port = port;
  row.start = start;
  row.end = start + 1'000;
  row.bytes_to_server = port;
  return row;
}

model::Filter FilterOf(const char* text) {
  Result<model::Filter> filter = model::Filter::Parse(text);
  EXPECT_TRUE(filter.ok());
  return *filter;
}

class LiveTest : public testing::Test {
 protected:
  void Open(LiveOptions options = {}) { viewers_ = std::make_unique<LiveViewers>(server_.live(), clock_, options); }
  std::shared_ptr<FakeStream> Watch(const char* filter = "", int64_t replay_ms = 0) {
    auto stream = std::make_shared<FakeStream>();
    EXPECT_TRUE(viewers_->Join(stream, FilterOf(filter), replay_ms));
    stream->Await("columns", 1);
    return stream;
  }

  FakeServer server_;
  FakeClock clock_;
  std::unique_ptr<LiveViewers> viewers_;
};

TEST_F(LiveTest, SendsColumnsThenRowsToEveryViewer) {
  Open();
  const auto a = Watch();
  const auto b = Watch();
  server_.Publish({Row(1), Row(2)});
  server_.Publish({Row(3)});
  EXPECT_EQ(a->AwaitPorts(3), (std::vector{1, 2, 3}));
  EXPECT_EQ(b->AwaitPorts(3), (std::vector{1, 2, 3}));
  const Json columns = a->Await("columns", 1)[0]["columns"];
  EXPECT_EQ(columns[0]["name"], "protocol");
  EXPECT_EQ(a->Await("rows", 1)[0]["dropped"], 0);
  EXPECT_EQ(a->Await("rows", 1)[0]["rows"][0].size(), columns.size());
}

TEST_F(LiveTest, FiltersForEachViewer) {
  Open();
  const auto odd = Watch("server_port in (1, 3)");
  const auto all = Watch();
  server_.Publish({Row(1), Row(2), Row(3)});
  EXPECT_EQ(all->AwaitPorts(3), (std::vector{1, 2, 3}));
  EXPECT_EQ(odd->AwaitPorts(2), (std::vector{1, 3}));
}

TEST_F(LiveTest, ReplaysTheLastRowsWithoutRepeatingThem) {
  const UnixMillis now = clock_.WallMillis();
  Open();
  const auto first = Watch();
  server_.Publish({Row(1, now - 60'000), Row(2, now - 20'000), Row(3, now - 10'000)});
  first->AwaitPorts(3);
  const auto stream = Watch("server_port != 3", 30'000);
  EXPECT_EQ(stream->AwaitPorts(1), (std::vector{2}));
  server_.Publish({Row(2, now - 20'000), Row(4, now)});  // the same numbers again are a row of their own
  EXPECT_EQ(stream->AwaitPorts(3), (std::vector{2, 2, 4}));
}

// While rows come in, viewers who join get each row once, whether they find it in the replay or live.
TEST_F(LiveTest, WhoJoinsInTheMiddleGetsEveryRowOnce) {
  constexpr uint16_t kRows = 400;
  Open();
  std::thread publisher([&] {
    for (uint16_t i = 0; i < kRows; ++i) server_.Publish({Row(i)});
  });
  std::vector<std::shared_ptr<FakeStream>> streams;
  for (int i = 0; i < 8; ++i) streams.push_back(Watch("", 60'000));
  publisher.join();
  for (const auto& stream : streams) {
    const std::vector<int> ports = stream->AwaitPorts(kRows);
    ASSERT_EQ(ports.size(), kRows);
    for (int i = 0; i < kRows; ++i) ASSERT_EQ(ports[static_cast<size_t>(i)], i);
  }
}

TEST_F(LiveTest, LateReportsAreNoNews) {
  Open();
  const auto stream = Watch();
  const UnixMillis now = clock_.WallMillis();
  server_.Publish({Row(1, now - 600'000), Row(2, now)});
  server_.Publish({Row(3, now)});
  EXPECT_EQ(stream->AwaitPorts(2), (std::vector{2, 3}));
}

TEST_F(LiveTest, ALongReplayComesInPiecesAndWaitsForRoom) {
  const UnixMillis now = clock_.WallMillis();
  std::vector<model::FlowRow> rows;
  for (uint16_t i = 0; i < 1'000; ++i) rows.push_back(Row(i, now - 1'000));
  server_.Publish(std::move(rows));
  Open();
  auto stream = std::make_shared<FakeStream>();
  stream->SetFull(true);
  viewers_->Join(stream, {}, 60'000);
  stream->AwaitAttempts(3);
  stream->SetFull(false);
  const std::vector<int> ports = stream->AwaitPorts(1'000);
  ASSERT_EQ(ports.size(), 1'000U);
  for (int i = 0; i < 1'000; ++i) EXPECT_EQ(ports[static_cast<size_t>(i)], i);
  EXPECT_GT(stream->Await("rows", 2).size(), 1U);
}

TEST_F(LiveTest, ASlowReaderLosesRowsIsToldSoAndHoldsUpNobody) {
  const uint64_t dropped_before = Read(Metric::server_live_dropped);
  LiveOptions options;
  options.max_backlog_bytes = 20'000;  // about ten rows
  Open(options);
  const auto slow = Watch();
  const auto quick = Watch();
  slow->SetFull(true);
  for (uint16_t i = 0; i < 100; ++i) {
    server_.Publish({Row(i)});
    quick->AwaitPorts(i + 1U);
  }
  slow->SetFull(false);
  const std::vector<Json> told = slow->Await("dropped", 1);
  const auto lost = told[0]["rows"].get<size_t>();
  EXPECT_GT(lost, 50U);
  EXPECT_LT(lost, 100U);
  EXPECT_EQ(slow->AwaitPorts(100 - lost).size(), 100 - lost);
  server_.Publish({Row(1'000)});
  EXPECT_EQ(slow->AwaitPorts(101 - lost).back(), 1'000);  // and goes on
  EXPECT_EQ(Read(Metric::server_live_dropped), dropped_before + lost);
}

TEST_F(LiveTest, HeartbeatsTellTheTime) {
  LiveOptions options;
  options.heartbeat = std::chrono::milliseconds(1);
  Open(options);
  const auto stream = Watch();
  EXPECT_EQ(stream->Await("heartbeat", 3)[0]["time"], "2023-11-14T22:13:20.000Z");
}

TEST_F(LiveTest, ViewersAreBoundedAndLeave) {
  LiveOptions options;
  options.max_viewers = 2;
  options.heartbeat = std::chrono::milliseconds(1);
  Open(options);
  const auto first = Watch();
  const auto second = Watch();
  EXPECT_FALSE(viewers_->HasRoom());
  EXPECT_FALSE(viewers_->Join(std::make_shared<FakeStream>(), {}, 0));
  first->Close();
  while (!viewers_->HasRoom()) second->AwaitAttempts(1);  // each is a heartbeat, after which those who left are removed
  Watch();
}

TEST_F(LiveTest, NobodyWatchesNothingIsKept) {
  Open();
  server_.Publish({Row(1)});
  const auto stream = Watch();
  server_.Publish({Row(2)});
  EXPECT_EQ(stream->AwaitPorts(1), (std::vector{2}));
}

TEST_F(LiveTest, StopEndsStreamsAndNobodyJoinsAfterwards) {
  Open();
  std::shared_ptr<FakeStream> stream = Watch();
  viewers_->Stop();
  EXPECT_EQ(stream.use_count(), 1);  // letting go is what ends a stream
  EXPECT_FALSE(viewers_->Join(stream, {}, 0));
  server_.Publish({Row(1)});
  viewers_->Stop();
}

}  // namespace
}  // namespace weir::api

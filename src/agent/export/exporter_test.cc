#include "agent/export/exporter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <set>

#include "agent/export/batch_split.h"
#include "agent/export/temporary_directory.h"
#include "base/metrics.h"
#include "wire/batch_codec.h"

namespace weir::agent {
namespace {

constexpr Nanos kSecond = 1'000'000'000;
constexpr UnixMillis kEpoch = 1'700'000'000'000;

// A server that keeps the contract of wire::Ack: it remembers its watermark and stores nothing at or below
// it.
class FakeServer : public wire::BatchSink {
 public:
  Result<wire::Ack> Send(const std::string& encoded_batch, UnixMillis) override {
    ++attempts;
    if (away) return Status(away_code, "away");
    const Result<model::AgentBatch> batch = wire::DecodeBatch(encoded_batch);
    EXPECT_TRUE(batch.ok()) << batch.status().message();
    if (refuse == IntervalOf(*batch)) return Status(refuse_code, "refused");
    const bool duplicate = batch->sequence <= watermark;
    if (!duplicate) {
      watermark = batch->sequence;
      stored.push_back(*batch);
    }
    if (lose_next_ack) {
      lose_next_ack = false;
      return Status::Unavailable("connection reset");
    }
    return wire::Ack{.duplicate = duplicate, .watermark = watermark};
  }
  static int64_t IntervalOf(const model::AgentBatch& batch) { return (batch.start - kEpoch) / 1'000; }
  std::vector<int64_t> Intervals() const {
    std::vector<int64_t> intervals;
    for (const auto& batch : stored) intervals.push_back(IntervalOf(batch));
    return intervals;
  }

  bool away = false;
  Code away_code = Code::kUnavailable;
  int64_t refuse = -1;
  Code refuse_code = Code::kInvalid;
  bool lose_next_ack = false;
  uint64_t watermark = 0;
  int attempts = 0;
  std::vector<model::AgentBatch> stored;
};

model::AgentBatch Interval(int64_t number, size_t reports = 1) {
  model::AgentBatch batch;
  batch.agent_id = std::string(32, 'a');
  batch.node = "node";
  batch.mode = "ebpf";
  batch.start = kEpoch + number * 1'000;
  batch.end = batch.start + 1'000;
  batch.counters = {{"weir_agent_ticks_total", 1}};
  batch.reports.resize(reports);
  return batch;
}

struct ExporterTest : testing::Test {
  ExporterTest() { Reopen(); }
  void Reopen(std::function<void(ExporterOptions&)> change = {}) {
    exporter.reset();
    ExporterOptions options;
    options.spool_directory = temporary.path() / "spool";
    if (change) change(options);
    auto opened = Exporter::Open(options, server, clock);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    exporter = *std::move(opened);
  }
  // Submits, and gives the exporter a round, as its thread would.
  Nanos Submit(int64_t number) {
    exporter->Submit(Interval(number));
    return exporter->RunOnce();
  }
  void Wait() {
    clock.Advance(30 * kSecond);
    exporter->RunOnce();
  }
  size_t Spooled() {
    return static_cast<size_t>(std::count_if(std::filesystem::directory_iterator(temporary.path() / "spool"), {},
                                             [](const auto& entry) { return entry.is_regular_file(); }));
  }

  TemporaryDirectory temporary;
  FakeClock clock;
  FakeServer server;
  std::unique_ptr<Exporter> exporter;
};

TEST_F(ExporterTest, SendsInOrderWithGrowingSequencesFromTheClock) {
  const uint64_t sent = Read(Metric::agent_batches_sent);
  const auto now_us = static_cast<uint64_t>(clock.WallNanos() / 1'000);
  for (int i = 0; i < 3; ++i) exporter->Submit(Interval(i));
  EXPECT_EQ(exporter->RunOnce(), Exporter::kNothingToDo);
  EXPECT_EQ(server.Intervals(), (std::vector<int64_t>{0, 1, 2}));
  EXPECT_EQ(server.stored[0].sequence, now_us);
  EXPECT_EQ(server.stored[1].sequence, now_us + 1);
  EXPECT_EQ(Read(Metric::agent_batches_sent), sent + 3);
  EXPECT_EQ(Spooled(), 0U) << "a healthy server costs no disk";
  clock.Advance(kSecond);
  Submit(3);
  EXPECT_EQ(server.stored[3].sequence, now_us + 1'000'000);
}

TEST_F(ExporterTest, KeepsEverythingOnDiskWhileTheServerIsAwayAndThenSendsInOrder) {
  const uint64_t retried = Read(Metric::agent_batches_retried);
  server.away = true;
  for (int i = 0; i < 10; ++i) {
    Submit(i);
    EXPECT_EQ(Spooled(), static_cast<size_t>(i) + 1);
  }
  EXPECT_EQ(server.attempts, 1) << "no hammering";
  EXPECT_EQ(Read(Metric::agent_batches_retried), retried + 1);
  server.away = false;
  exporter->Submit(Interval(10));  // behind the ten on disk
  Wait();
  EXPECT_EQ(server.Intervals(), (std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
  EXPECT_EQ(Spooled(), 0U);
}

TEST_F(ExporterTest, BacksOffBetweenTheBoundsAndStartsAnewAfterSuccess) {
  server.away = true;
  Nanos wait = Submit(0);
  EXPECT_GE(wait, kSecond / 5);
  EXPECT_LE(wait, 2 * kSecond / 5);
  Nanos longest = 0;
  for (int i = 1; i < 50; ++i) {
    clock.Advance(wait - 1);
    EXPECT_EQ(exporter->RunOnce(), 1) << "not a nanosecond early";
    EXPECT_EQ(server.attempts, i);
    clock.Advance(1);
    wait = exporter->RunOnce();
    EXPECT_EQ(server.attempts, i + 1);
    EXPECT_GE(wait, kSecond / 5);
    EXPECT_LE(wait, 30 * kSecond);
    longest = std::max(longest, wait);
  }
  EXPECT_GT(longest, 10 * kSecond) << "and it grows";
  server.away = false;
  clock.Advance(wait);
  EXPECT_EQ(exporter->RunOnce(), Exporter::kNothingToDo);
  server.away = true;
  EXPECT_LE(Submit(1), 2 * kSecond / 5);
}

TEST_F(ExporterTest, ALostAcknowledgementIsNotCountedTwice) {
  server.lose_next_ack = true;
  Submit(0);
  Submit(1);
  Wait();
  EXPECT_EQ(server.Intervals(), (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(Spooled(), 0U);
}

TEST_F(ExporterTest, ALostAcknowledgementAcrossARestartIsNotCountedTwice) {
  server.lose_next_ack = true;
  Submit(0);
  Submit(1);
  EXPECT_EQ(Spooled(), 2U);
  Reopen();
  Submit(2);
  EXPECT_EQ(server.Intervals(), (std::vector<int64_t>{0, 1, 2}));
}

TEST_F(ExporterTest, SequencesGrowAcrossARestartWithTheClockSetBack) {
  server.away = true;
  Submit(0);
  clock.StepWall(-86'400 * kSecond);
  Reopen();
  server.away = false;
  Submit(1);
  EXPECT_EQ(server.Intervals(), (std::vector<int64_t>{0, 1}));
  EXPECT_GT(server.stored[1].sequence, server.stored[0].sequence);
  EXPECT_EQ(server.attempts, 3) << "nothing had to be renumbered";
}

TEST_F(ExporterTest, RenumbersWhenTheServersWatermarkIsAheadOfTheClock) {
  server.watermark = static_cast<uint64_t>(clock.WallNanos() / 1'000) + 1'000'000'000;
  const uint64_t watermark = server.watermark;
  exporter->Submit(Interval(0));
  exporter->Submit(Interval(1));
  exporter->RunOnce();
  Submit(2);
  EXPECT_EQ(server.Intervals(), (std::vector<int64_t>{0, 1, 2}));
  EXPECT_EQ(server.stored[0].sequence, watermark + 1);
  EXPECT_EQ(server.attempts, 4) << "only the first had to find out";
}

TEST_F(ExporterTest, RenumbersFromTheSpoolToo) {
  server.watermark = static_cast<uint64_t>(clock.WallNanos() / 1'000) + 1'000'000'000;
  server.away = true;
  for (int i = 0; i < 3; ++i) Submit(i);  // the first has been attempted, so "duplicate" alone proves nothing
  EXPECT_EQ(Spooled(), 3U);
  server.away = false;
  Wait();
  EXPECT_EQ(server.Intervals(), (std::vector<int64_t>{0, 1, 2}));
  EXPECT_EQ(Spooled(), 0U);
}

TEST_F(ExporterTest, ARenumberedBatchWhoseAcknowledgementIsLostIsNotCountedTwice) {
  server.watermark = static_cast<uint64_t>(clock.WallNanos() / 1'000) + 1'000'000'000;
  server.away = true;
  for (int i = 0; i < 3; ++i) Submit(i);
  server.away = false;
  server.lose_next_ack = true;  // of the attempt that finds out
  Wait();
  server.lose_next_ack = true;  // of the renumbered one
  Wait();
  Wait();
  Wait();
  EXPECT_EQ(server.Intervals(), (std::vector<int64_t>{0, 1, 2}));
  EXPECT_EQ(Spooled(), 0U);
}

TEST_F(ExporterTest, AServerWhoseWatermarkRunsAwayDoesNotKeepItBusy) {
  class Runaway : public wire::BatchSink {
   public:
    Result<wire::Ack> Send(const std::string& bytes, UnixMillis) override {
      ++attempts;
      return wire::Ack{.duplicate = true, .watermark = endless ? UINT64_MAX : wire::DecodeBatch(bytes)->sequence + 9};
    }
    int attempts = 0;
    bool endless = false;
  } runaway;
  ExporterOptions options;
  options.spool_directory = temporary.path() / "other";
  auto opened = Exporter::Open(options, runaway, clock);
  ASSERT_TRUE(opened.ok());
  (*opened)->Submit(Interval(0));
  EXPECT_NE((*opened)->RunOnce(), Exporter::kNothingToDo);
  EXPECT_EQ(runaway.attempts, 2);
  runaway.endless = true;
  clock.Advance(30 * kSecond);
  EXPECT_NE((*opened)->RunOnce(), Exporter::kNothingToDo);
  EXPECT_EQ(runaway.attempts, 3);
}

TEST_F(ExporterTest, WhatTheServerRefusesForGoodIsDroppedAndCounted) {
  for (const Code code : {Code::kInvalid, Code::kConflict}) {
    const uint64_t rejected = Read(Metric::agent_batches_rejected);
    server.stored.clear();
    server.refuse = 1;
    server.refuse_code = code;
    for (int i = 0; i < 3; ++i) exporter->Submit(Interval(i));
    EXPECT_EQ(exporter->RunOnce(), Exporter::kNothingToDo);
    EXPECT_EQ(server.Intervals(), (std::vector<int64_t>{0, 2}));
    EXPECT_EQ(Read(Metric::agent_batches_rejected), rejected + 1);
  }
}

TEST_F(ExporterTest, ADenialIsKeptAndTriedAgain) {
  for (const Code code : {Code::kDenied, Code::kExhausted, Code::kInternal}) {
    server.stored.clear();
    server.away = true;
    server.away_code = code;
    Submit(0);
    EXPECT_EQ(Spooled(), 1U);
    server.away = false;
    Wait();
    EXPECT_EQ(server.Intervals(), std::vector<int64_t>{0});
  }
}

TEST_F(ExporterTest, ADiskThatTakesNothingLeavesBatchesInMemoryUpToTheBound) {
  Reopen([](ExporterOptions& options) {
    options.max_queued_batches = 3;
    options.spool_limit_bytes = 0;
  });
  const uint64_t dropped = Read(Metric::agent_spool_dropped);
  server.away = true;
  for (int i = 0; i < 5; ++i) Submit(i);
  EXPECT_EQ(Read(Metric::agent_spool_dropped), dropped + 2);
  server.away = false;
  Wait();
  EXPECT_EQ(server.Intervals(), (std::vector<int64_t>{2, 3, 4})) << "the oldest went first";
}

TEST_F(ExporterTest, ADiskThatRecoversTakesOverInOrder) {
  server.away = true;
  Submit(0);
  std::filesystem::rename(temporary.path() / "spool", temporary.path() / "gone");
  Submit(1);
  Submit(2);
  std::filesystem::rename(temporary.path() / "gone", temporary.path() / "spool");
  EXPECT_EQ(Spooled(), 1U);
  Submit(3);
  EXPECT_EQ(Spooled(), 4U);
  server.away = false;
  Wait();
  EXPECT_EQ(server.Intervals(), (std::vector<int64_t>{0, 1, 2, 3}));
}

TEST_F(ExporterTest, MemoryIsBoundedInBytesToo) {
  Reopen([](ExporterOptions& options) { options.max_queued_bytes = 1; });
  const uint64_t dropped = Read(Metric::agent_spool_dropped);
  exporter->Submit(Interval(0));
  EXPECT_EQ(Read(Metric::agent_spool_dropped), dropped + 1);
  EXPECT_EQ(exporter->RunOnce(), Exporter::kNothingToDo);
  EXPECT_TRUE(server.stored.empty());
}

TEST_F(ExporterTest, DrainingASpoolDoesNotLetNewBatchesPileUpInMemory) {
  server.away = true;
  Submit(0);
  server.away = false;
  for (int i = 1; i <= 10; ++i) exporter->Submit(Interval(i));
  Wait();
  EXPECT_EQ(server.Intervals(), (std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
}

TEST_F(ExporterTest, AnIntervalBeyondTheBoundsTravelsInParts) {
  exporter->Submit(Interval(0, kReportsPerBatch + 1));
  exporter->RunOnce();
  ASSERT_EQ(server.stored.size(), 2U);
  EXPECT_EQ(server.stored[0].reports.size(), kReportsPerBatch);
  EXPECT_TRUE(server.stored[0].counters.empty());
  EXPECT_EQ(server.stored[1].reports.size(), 1U);
  EXPECT_EQ(server.stored[1].counters.size(), 1U);
  EXPECT_GT(server.stored[1].sequence, server.stored[0].sequence);
}

TEST_F(ExporterTest, OneReportThatCannotTravelCostsNoOther) {
  const uint64_t rejected = Read(Metric::agent_batches_rejected);
  model::AgentBatch interval = Interval(0, 7);
  interval.reports[4].ends.protocol = model::Protocol{0};
  exporter->Submit(std::move(interval));
  exporter->RunOnce();
  size_t reports = 0;
  for (const auto& batch : server.stored) reports += batch.reports.size();
  EXPECT_EQ(reports, 6U);
  EXPECT_EQ(Read(Metric::agent_batches_rejected), rejected + 1);
  EXPECT_EQ(std::count_if(server.stored.begin(), server.stored.end(),
                          [](const auto& batch) { return !batch.counters.empty(); }),
            1);
}

// ---- With its thread ----

TEST_F(ExporterTest, TheThreadSendsWhatIsSubmittedAndStopLeavesNothingBehind) {
  const SystemClock system;
  ExporterOptions options;
  options.spool_directory = temporary.path() / "threaded";
  auto opened = Exporter::Open(options, server, system);
  ASSERT_TRUE(opened.ok());
  std::atomic<bool> ran{false};
  (*opened)->Start([&ran] { ran = true; });
  for (int i = 0; i < 20; ++i) (*opened)->Submit(Interval(i));
  (*opened)->Stop(std::chrono::seconds(60));
  (*opened)->Stop(std::chrono::seconds(60));
  EXPECT_TRUE(ran);
  EXPECT_EQ(server.stored.size(), 20U);
}

// Hangs until it is aborted, like a server that accepts and never answers.
class HangingServer : public wire::BatchSink {
 public:
  Result<wire::Ack> Send(const std::string&, UnixMillis) override {
    std::unique_lock lock(mutex);
    hanging = true;
    changed.notify_all();
    changed.wait(lock, [this] { return aborted; });
    return Status::Unavailable("aborted");
  }
  void Abort() override {
    const std::lock_guard lock(mutex);
    aborted = true;
    changed.notify_all();
  }
  void WaitUntilHanging() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [this] { return hanging; });
  }
  std::mutex mutex;
  std::condition_variable changed;
  bool hanging = false;
  bool aborted = false;
};

TEST_F(ExporterTest, StopSpoolsWhatAHangingServerDidNotTake) {
  const SystemClock system;
  HangingServer hanging;
  ExporterOptions options;
  options.spool_directory = temporary.path() / "threaded";
  {
    auto opened = Exporter::Open(options, hanging, system);
    ASSERT_TRUE(opened.ok());
    (*opened)->Start({});
    (*opened)->Submit(Interval(0));
    hanging.WaitUntilHanging();
    (*opened)->Submit(Interval(1));
    (*opened)->Stop(std::chrono::milliseconds(20));
  }
  auto spool = Spool::Open(options.spool_directory, options.spool_limit_bytes);
  ASSERT_TRUE(spool.ok());
  EXPECT_EQ((*spool)->batches(), 2U);
  EXPECT_EQ(FakeServer::IntervalOf(*wire::DecodeBatch((*spool)->Oldest()->bytes)), 0);
}

TEST(Backoff, SpreadsOverTheWholeRangeAndNeverLeavesIt) {
  Backoff backoff(200, 30'000, 1);
  std::set<Nanos> seen;
  for (int i = 0; i < 1'000; ++i) {
    const Nanos wait = backoff.Next();
    ASSERT_GE(wait, 200);
    ASSERT_LE(wait, 30'000);
    seen.insert(wait / 3'001);
  }
  EXPECT_EQ(seen.size(), 10U) << "every tenth of the range is used";
  Backoff other(200, 30'000, 2);
  backoff.Reset();
  EXPECT_LE(backoff.Next(), 400);
  std::vector<Nanos> a, b;
  for (int i = 0; i < 10; ++i) a.push_back(backoff.Next()), b.push_back(other.Next());
  EXPECT_NE(a, b) << "agents with different seeds do not march in step";
}

}  // namespace
}  // namespace weir::agent

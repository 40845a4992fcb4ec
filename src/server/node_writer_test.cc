// The way of a batch's node samples through intake and writer.
#include <gtest/gtest.h>

#include <optional>

#include "server/test_support.h"
#include "server/writer.h"

namespace weir::server {
namespace {

using model::AgentBatch;
using model::NodeSignal;

// Keeps batches in memory; recognises repetitions by sequence, as the real one does.
class MemoryNodeStore final : public store::NodeStore {
 public:
  Status Insert(const std::vector<store::NodeBatch>& batches) override {
    if (failing) return Status::Exhausted("disk full");
    for (const store::NodeBatch& batch : batches) {
      uint64_t& highest = stored[batch.agent];
      if (batch.sequence <= highest) continue;
      highest = batch.sequence;
      kept.push_back(batch);
    }
    return Status::Ok();
  }
  Result<store::NodeTotals> Totals(const store::NodeTotalsQuery&) override { return Status::Unsupported("not here"); }
  Result<store::NodeSeries> Series(const store::NodeSeriesQuery&) override { return Status::Unsupported("not here"); }
  Result<std::vector<store::StoredRateWindow>> RateWindows(const store::TimeRange&, const std::string&,
                                                           uint32_t) override {
    return Status::Unsupported("not here");
  }
  bool failing = false;
  std::map<std::string, uint64_t> stored;
  std::vector<store::NodeBatch> kept;
};

struct StoreWithNodes final : MemoryStore {
  store::NodeStore* node() override { return &nodes; }
  MemoryNodeStore nodes;
};

struct NodeWriterTest : testing::Test {
  ~NodeWriterTest() override { intake.Close(); }
  static AgentBatch WithSamples(int64_t tick, std::vector<model::SideReport> reports) {
    AgentBatch batch = Batch(1, tick, std::move(reports));
    batch.node_samples = {{NodeSignal::qdisc_drops, "eth0 tbf 1:", 0, 3, batch.end - 100, 1'000}};
    return batch;
  }
  std::shared_ptr<std::optional<Status>> Send(AgentBatch batch, UnixMillis sent_at = kNoon) {
    auto answer = std::make_shared<std::optional<Status>>();
    intake.Accept(std::move(batch), sent_at, [answer](Result<wire::Ack> result) { *answer = result.status(); });
    return answer;
  }
  static std::string Text(const std::shared_ptr<std::optional<Status>>& answer) {
    return !*answer ? "waiting" : (*answer)->ok() ? "ok" : std::string(CodeName((*answer)->code()));
  }
  FakeClock clock;
  StoreWithNodes store;
  Intake intake{{}, clock, {}};
  LiveHub live;
  Writer writer{{}, intake, store, live, clock};
};

TEST_F(NodeWriterTest, ABatchOfSamplesAloneIsAnsweredWhenTheyAreStored) {
  const auto answer = Send(WithSamples(0, {}));
  EXPECT_EQ(Text(answer), "waiting");
  writer.Step();
  EXPECT_EQ(Text(answer), "ok");
  ASSERT_EQ(store.nodes.kept.size(), 1U);
  EXPECT_EQ(store.nodes.kept[0].node, "node1");
  EXPECT_EQ(store.nodes.kept[0].agent, AgentId(1));
  EXPECT_EQ(intake.pending_reports(), 0U);
}

TEST_F(NodeWriterTest, SinksGetTheSamplesOnceStoredAndOnceOnly) {
  BlockLog log;
  live.Start();
  live.AddSink(log);
  store.nodes.failing = true;
  Send(WithSamples(0, {}));
  writer.Step();
  store.nodes.failing = false;
  clock.Advance(10'000'000'000);
  writer.Step();
  writer.Step();
  live.Stop();
  ASSERT_EQ(log.blocks.size(), 1U);
  ASSERT_EQ(log.blocks[0]->nodes.size(), 1U);
  EXPECT_EQ(log.blocks[0]->nodes[0].node, "node1");
  EXPECT_EQ(log.blocks[0]->nodes[0].samples.size(), 1U);
  EXPECT_TRUE(live.Since(0).blocks.empty()) << "the ring is for rows";
}

TEST_F(NodeWriterTest, AFailureIsRepeatedAndNothingIsAnsweredBefore) {
  store.nodes.failing = true;
  const auto alone = Send(WithSamples(0, {}));
  const auto both = Send(WithSamples(1, {ClientReport({}, 5)}));
  writer.Step();
  EXPECT_EQ(Text(alone), "waiting");
  EXPECT_EQ(Text(both), "waiting");
  EXPECT_TRUE(store.rows().empty()) << "the samples of a batch are stored before its flows";
  store.nodes.failing = false;
  clock.Advance(10'000'000'000);
  writer.Step();
  EXPECT_EQ(Text(alone), "ok");
  EXPECT_EQ(Text(both), "ok");
  EXPECT_EQ(store.nodes.kept.size(), 2U);
  EXPECT_EQ(store.rows().size(), 1U);
}

TEST_F(NodeWriterTest, ARepetitionAfterACrashBetweenTheTwoStoresEachOnce) {
  store.Fail(true);  // the flows
  Send(WithSamples(0, {ClientReport({}, 5)}));
  writer.Step();
  EXPECT_EQ(store.nodes.kept.size(), 1U);
  EXPECT_TRUE(store.rows().empty());
  store.Fail(false);
  Intake intake_again({}, clock, *store.Watermarks());
  Writer writer_again({}, intake_again, store, live, clock);
  std::optional<Status> answer;
  intake_again.Accept(WithSamples(0, {ClientReport({}, 5)}), kNoon,
                      [&](Result<wire::Ack> result) { answer = result.status(); });
  clock.Advance(2'000'000'000);
  writer_again.Step();
  ASSERT_TRUE(answer.has_value());
  EXPECT_TRUE(answer->ok());
  EXPECT_EQ(store.nodes.kept.size(), 1U);
  EXPECT_EQ(store.rows().size(), 1U);
  intake_again.Close();
}

TEST_F(NodeWriterTest, TheClocksCorrectionShiftsSamplesToo) {
  AgentBatch batch = WithSamples(60, {});  // a minute fast
  batch.rate_windows.resize(1);
  batch.rate_windows[0].event = batch.rate_windows[0].start = batch.end;
  Send(std::move(batch), kNoon + 60'000);
  writer.Step();
  ASSERT_EQ(store.nodes.kept.size(), 1U);
  EXPECT_EQ(store.nodes.kept[0].samples[0].time, kNoon - 100);
  EXPECT_EQ(store.nodes.kept[0].windows[0].event, kNoon);
}

TEST_F(NodeWriterTest, NonsenseIsRefusedWhole) {
  AgentBatch beyond = WithSamples(0, {});
  beyond.node_samples[0].value = ~uint64_t{0};
  AgentBatch elsewhen = WithSamples(0, {});
  elsewhen.node_samples[0].time = 1;
  AgentBatch flood = WithSamples(0, {});
  flood.node_samples.resize(model::kMaxNodeSamples + 1, flood.node_samples[0]);
  AgentBatch window = WithSamples(0, {});
  window.rate_windows.resize(1);
  for (AgentBatch* batch : {&beyond, &elsewhen, &flood, &window}) EXPECT_EQ(Text(Send(std::move(*batch))), "invalid");
}

}  // namespace
}  // namespace weir::server

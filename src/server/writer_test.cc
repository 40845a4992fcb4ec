#include "server/writer.h"

#include <gtest/gtest.h>

#include <optional>
#include <random>

#include "base/metrics.h"
#include "server/test_support.h"

namespace weir::server {
namespace {

using model::AgentBatch;

class WriterTest : public testing::Test {
 protected:
  // A server's inside without its threads; a new one on the same store is a restart.
  struct House {
    House(MemoryStore& store, const Clock& clock)
        : intake({}, clock, *store.Watermarks()), writer({}, intake, store, live, clock) {}
    ~House() { intake.Close(); }
    Intake intake;
    LiveHub live;
    Writer writer;
  };

  std::shared_ptr<std::optional<Status>> Send(AgentBatch batch) {
    auto answer = std::make_shared<std::optional<Status>>();
    house_->intake.Accept(std::move(batch), clock_.WallMillis(),
                          [answer](Result<wire::Ack> result) { *answer = result.status(); });
    return answer;
  }
  static std::string Text(const std::shared_ptr<std::optional<Status>>& answer) {
    return !*answer ? "waiting" : (*answer)->ok() ? "ok" : std::string(CodeName((*answer)->code()));
  }
  void Step(int64_t after_ms = 0) {
    clock_.Advance(after_ms * 1'000'000);
    house_->writer.Step();
  }

  FakeClock clock_;
  MemoryStore store_;
  std::unique_ptr<House> house_ = std::make_unique<House>(store_, clock_);
  const std::vector<std::string> local1_{"10.0.1.1"};
  const std::vector<std::string> local2_{"10.0.2.1"};
};

TEST_F(WriterTest, AcknowledgesAfterTheInsert) {
  const auto answer = Send(Batch(1, 0, {ClientReport({}, 5)}));
  EXPECT_EQ(Text(answer), "waiting");
  Step();
  EXPECT_EQ(Text(answer), "ok");
  EXPECT_EQ(TotalsOf(store_.rows()).to_server, 5U);
}

TEST_F(WriterTest, BothHalvesWaitForEachOtherAndShareOneInsert) {
  Send(Batch(1, -1, {}, local1_));
  Send(Batch(2, -1, {}, local2_));
  Step();
  const auto client = Send(Batch(1, 0, {ClientReport({}, 5)}, local1_));
  Step(300);
  EXPECT_EQ(Text(client), "waiting") << "the server's node is alive and may report the same interval";
  const auto server = Send(Batch(2, 0, {ServerReport({}, 5)}, local2_));
  Step(300);
  EXPECT_EQ(Text(client), "ok");
  EXPECT_EQ(Text(server), "ok");
  ASSERT_EQ(store_.rows().size(), 1U);
  EXPECT_EQ(model::ReportedBy(store_.rows()[0].row), "both");
  EXPECT_EQ(store_.inserts(), 1);
}

TEST_F(WriterTest, AFailingStoreLosesNothingAndDoublesNothing) {
  store_.Fail(true);
  const uint64_t errors = Read(Metric::store_insert_errors);
  const auto first = Send(Batch(1, 0, {ClientReport({}, 5)}));
  Step();
  EXPECT_EQ(Text(first), "waiting") << "the store may recover while the agent waits";
  EXPECT_EQ(Read(Metric::store_insert_errors), errors + 1);
  Step();
  EXPECT_EQ(store_.attempts(), 1) << "backs off";
  Step(10'000);
  EXPECT_EQ(Text(first), CodeName(Code::kUnavailable));
  EXPECT_EQ(store_.attempts(), 2);
  const auto again = Send(Batch(1, 0, {ClientReport({}, 5)}));
  const auto next = Send(Batch(1, 5, {ClientReport({}, 7)}));
  store_.Fail(false);
  Step(10'000);
  EXPECT_EQ(Text(again), "ok");
  EXPECT_EQ(Text(next), "ok");
  EXPECT_EQ(TotalsOf(store_.rows()).to_server, 12U);
  EXPECT_EQ(store_.rows().size(), 2U);
}

TEST_F(WriterTest, StopStoresWhatWasAccepted) {
  Send(Batch(2, -1, {}, local2_));
  Step();
  const auto held = Send(Batch(1, 0, {ClientReport({}, 5)}, local1_));
  Step();
  EXPECT_EQ(Text(held), "waiting");
  house_->intake.Close();
  house_->writer.Stop();
  EXPECT_EQ(Text(held), "ok");
  EXPECT_EQ(TotalsOf(store_.rows()).to_server, 5U);
}

TEST_F(WriterTest, StopWithADeadStoreAnswersEverybody) {
  store_.Fail(true);
  const auto first = Send(Batch(1, 0, {ClientReport({}, 5)}));
  Step();
  const auto second = Send(Batch(2, 0, {ClientReport({}, 6)}));
  house_->intake.Close();
  house_->writer.Stop();
  EXPECT_EQ(Text(first), CodeName(Code::kUnavailable));
  EXPECT_EQ(Text(second), CodeName(Code::kUnavailable));
  EXPECT_TRUE(store_.rows().empty());
}

TEST_F(WriterTest, LiveRowsAreTheStoredOnes) {
  store_.Fail(true);
  Send(Batch(1, 0, {ClientReport({}, 5)}));
  Step();
  EXPECT_TRUE(house_->live.Since(0).blocks.empty());
  store_.Fail(false);
  Step(1'000);
  EXPECT_EQ(house_->live.Since(0).blocks.at(0)->rows.size(), 1U);
}

// Agents that send, resend, are cut off and spool; a store that fails now and then. Whatever happens: what one
// end or the other reported is stored, and once.
class Storm {
 public:
  Storm(uint32_t seed, Clock& clock, MemoryStore& store) : random_(seed), clock_(clock), store_(store) {}

  static constexpr int kNodes = 4;
  static constexpr int kFlows = 12;

  // One interval's traffic: every flow has a client node and a server node, maybe the same.
  void Tick(int tick, bool traffic) {
    for (int node = 1; node <= kNodes; ++node) {
      std::vector<std::string> local{"10.0." + std::to_string(node) + ".1", "172.17.0.2"};
      batches_[node].push_back(Batch(node, tick, {}, local));
    }
    for (int flow = 0; traffic && flow < kFlows; ++flow) {
      const int client = 1 + flow % kNodes;
      const int server = 1 + flow / 2 % kNodes;
      const Ends ends{"10.0." + std::to_string(client) + ".1", "10.0." + std::to_string(server) + ".1",
                      static_cast<uint16_t>(80 + flow)};
      // A part of the server's bytes is sampled one interval later.
      const uint64_t bytes = random_() % 1'000;
      const uint64_t late = random_() % (bytes + 1);
      truth_ += bytes;
      batches_[client].back().reports.push_back(ClientReport(ends, bytes));
      batches_[server].back().reports.push_back(ServerReport(ends, bytes - late + carried_[flow]));
      carried_[flow] = late;
    }
    for (int flow = 0; !traffic && flow < kFlows; ++flow) {
      if (carried_[flow] == 0) continue;
      const int client = 1 + flow % kNodes;
      const int server = 1 + flow / 2 % kNodes;
      const Ends ends{"10.0." + std::to_string(client) + ".1", "10.0." + std::to_string(server) + ".1",
                      static_cast<uint16_t>(80 + flow)};
      batches_[server].back().reports.push_back(ServerReport(ends, carried_[flow]));
      carried_[flow] = 0;
    }
  }

  // Each agent that is online and idle sends its oldest batch; sometimes it sends it twice.
  void Send(Intake& intake, int tick, bool calm) {
    for (int node = 1; node <= kNodes; ++node) {
      if (!calm && offline_until_[node] <= tick && random_() % 20 == 0) {
        offline_until_[node] = tick + static_cast<int>(random_() % 30);
      }
      if (!calm && offline_until_[node] > tick) continue;
      if (batches_[node].empty() || (waiting_[node] && random_() % 4 != 0)) continue;
      waiting_[node] = true;
      intake.Accept(batches_[node].front(), clock_.WallMillis(),
                    [this, node, sequence = batches_[node].front().sequence](const Result<wire::Ack>& result) {
                      waiting_[node] = false;
                      if (result.ok() && !batches_[node].empty() && batches_[node].front().sequence == sequence) {
                        batches_[node].pop_front();
                      }
                    });
    }
  }

  bool Done() const {
    for (int node = 1; node <= kNodes; ++node) {
      if (!batches_[node].empty()) return false;
    }
    return true;
  }
  void ForgetCalls() { std::fill(std::begin(waiting_), std::end(waiting_), false); }

  uint64_t truth() const { return truth_; }
  std::mt19937& random() { return random_; }

 private:
  std::mt19937 random_;
  Clock& clock_;
  MemoryStore& store_;
  std::deque<AgentBatch> batches_[kNodes + 1];
  bool waiting_[kNodes + 1] = {};
  int offline_until_[kNodes + 1] = {};
  uint64_t carried_[kFlows] = {};
  uint64_t truth_ = 0;
};

TEST(WriterProperty, StormsLoseNothingAndDoubleNothing) {
  for (uint32_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    FakeClock clock;
    MemoryStore store;
    Storm storm(seed, clock, store);
    Intake intake({}, clock, {});
    LiveHub live;
    Writer writer({}, intake, store, live, clock);
    const auto tick_for = [&](int tick, bool calm) {
      for (int part = 0; part < 5; ++part) {
        clock.Advance(200'000'000);
        storm.Send(intake, tick, calm);
        if (!calm && storm.random()() % 50 == 0) store.Fail(true);
        if (calm || storm.random()() % 5 == 0) store.Fail(false);
        writer.Step();
      }
    };
    int tick = 1;
    for (; tick <= 80; ++tick) {
      storm.Tick(tick, tick <= 78);
      tick_for(tick, false);
      ASSERT_LE(TotalsOf(store.rows()).to_server, storm.truth());
    }
    for (int patience = 0; patience < 400 && !storm.Done(); ++patience) tick_for(tick++, true);
    ASSERT_TRUE(storm.Done());
    for (int quiet = 0; quiet < 10; ++quiet) tick_for(tick++, true);
    ASSERT_EQ(TotalsOf(store.rows()).to_server, storm.truth());
    ASSERT_EQ(intake.pending_reports(), 0U);
    intake.Close();
  }
}

TEST_F(WriterTest, AResendAfterARestartIsADuplicate) {
  Send(Batch(1, 0, {ClientReport({}, 5)}));
  Step();
  house_ = std::make_unique<House>(store_, clock_);
  const auto answer = Send(Batch(1, 0, {ClientReport({}, 5)}));
  EXPECT_EQ(Text(answer), "ok");
  Step();
  EXPECT_EQ(TotalsOf(store_.rows()).to_server, 5U);
}

TEST_F(WriterTest, ABatchIsNeverSplitOverInserts) {
  std::vector<model::SideReport> many;
  for (uint16_t port = 1; port <= 1'000; ++port) many.push_back(ClientReport({"10.0.1.1", "10.0.2.1", port}, 1));
  Send(Batch(2, -1, {}, local2_));
  Step();
  Send(Batch(1, 0, many, local1_));
  Send(Batch(2, 0, {ServerReport({"10.0.1.1", "10.0.2.1", 7}, 1)}, local2_));
  Step(1'000);
  Step(1'000);
  EXPECT_EQ(store_.rows().size(), 1'000U);
  EXPECT_FALSE(store_.split_a_batch());
}

}  // namespace
}  // namespace weir::server

#include <gtest/gtest.h>

#include <atomic>
#include <charconv>
#include <future>
#include <thread>

#include "server/flow_server.h"
#include "server/test_support.h"

namespace weir::server {
namespace {

using namespace std::chrono_literals;

// The tests' wire: "<agent> <sequence> <bytes>".
Result<model::AgentBatch> Decode(std::string_view text) {
  int agent = 0;
  unsigned long long sequence = 0;
  unsigned long long bytes = 0;
  if (std::sscanf(std::string(text).c_str(), "%d %llu %llu", &agent, &sequence, &bytes) != 3) {
    return Status::Invalid("not a batch");
  }
  const UnixMillis now = SystemClock().WallMillis() / 1'000 * 1'000;
  model::AgentBatch batch = Batch(agent, 0, {ClientReport({"10.0.0." + std::to_string(agent), "10.1.1.1", 80}, bytes)});
  batch.sequence = sequence;
  batch.start = now - 1'000;
  batch.end = now;
  return batch;
}

std::string Encoded(int agent, int sequence, int bytes) {
  return std::to_string(agent) + " " + std::to_string(sequence) + " " + std::to_string(bytes);
}

class ServerTest : public testing::Test {
 protected:
  void SetUp() override {
    auto started = FlowServer::Start({.flush_interval = 5ms}, store_, clock_, Decode);
    ASSERT_TRUE(started.ok());
    server_ = *std::move(started);
  }
  UnixMillis Now() const { return clock_.WallMillis(); }

  SystemClock clock_;
  MemoryStore store_;
  std::unique_ptr<FlowServer> server_;
};

TEST_F(ServerTest, TheLocalSinkBlocksUntilDurable) {
  const auto ack = server_->LocalSink().Send(Encoded(1, 1, 100), Now());
  ASSERT_TRUE(ack.ok()) << ack.status().message();
  EXPECT_EQ(ack->watermark, 1U);
  EXPECT_EQ(store_.rows().size(), 1U);
  const auto again = server_->LocalSink().Send(Encoded(1, 1, 100), Now());
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(store_.rows().size(), 1U);
  EXPECT_EQ(server_->LocalSink().Send("garbage", Now()).status().code(), Code::kInvalid);
}

TEST_F(ServerTest, ManyThreadsSendingTheSameAndDifferentBatchesCountOnce) {
  constexpr int kAgents = 4;
  constexpr int kThreadsPerAgent = 2;
  constexpr int kBatches = 25;
  std::atomic<int> acknowledged{0};
  std::vector<std::thread> threads;
  for (int agent = 1; agent <= kAgents; ++agent) {
    for (int i = 0; i < kThreadsPerAgent; ++i) {
      threads.emplace_back([&, agent] {
        for (int sequence = 1; sequence <= kBatches; ++sequence) {
          if (server_->LocalSink().Send(Encoded(agent, sequence, 10), Now()).ok()) ++acknowledged;
        }
      });
    }
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(acknowledged, kAgents * kThreadsPerAgent * kBatches);
  EXPECT_EQ(TotalsOf(store_.rows()).to_server, uint64_t{kAgents} * kBatches * 10);
  EXPECT_EQ(server_->Agents().size(), size_t{kAgents});
}

TEST_F(ServerTest, StopAnswersEverybodyAndStoresWhatItTook) {
  store_.Block(true);
  std::vector<std::future<Status>> answers;
  for (int agent = 1; agent <= 5; ++agent) {
    auto promise = std::make_shared<std::promise<Status>>();
    answers.push_back(promise->get_future());
    server_->Ingest(Encoded(agent, 1, 10), Now(),
                    [promise](Result<wire::Ack> ack) { promise->set_value(ack.status()); });
  }
  std::thread stopper([&] { server_->Stop(); });
  store_.Block(false);
  stopper.join();
  for (auto& answer : answers) EXPECT_TRUE(answer.get().ok());
  EXPECT_EQ(TotalsOf(store_.rows()).to_server, 50U);
  EXPECT_EQ(server_->LocalSink().Send(Encoded(1, 2, 10), Now()).status().code(), Code::kUnavailable);
  server_->Stop();
}

class Ear final : public LiveSink {
 public:
  void Take(const LiveBlockRef& block) override { heard.set_value(block->rows.size()); }
  std::promise<size_t> heard;
};

TEST_F(ServerTest, SinksAndTheRingGetStoredRows) {
  Ear ear;
  const uint64_t id = server_->live().AddSink(ear);
  ASSERT_TRUE(server_->LocalSink().Send(Encoded(1, 1, 10), Now()).ok());
  EXPECT_EQ(ear.heard.get_future().get(), 1U);
  server_->live().RemoveSink(id);
  ASSERT_TRUE(server_->LocalSink().Send(Encoded(2, 1, 10), Now()).ok());
  server_->Stop();
  EXPECT_EQ(server_->live().Since(0).blocks.size(), 2U);
  EXPECT_TRUE(server_->live().Since(Now() + 10'000).blocks.empty());
}

}  // namespace
}  // namespace weir::server

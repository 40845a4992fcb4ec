#include "telemetry/outbox.h"

#include <gtest/gtest.h>

#include "telemetry/test_receiver.h"

namespace weir::telemetry {
namespace {

using std::chrono::milliseconds;

constexpr OutboxCounters kCounters{.delivered = Metric::push_remote_write_samples,
                                   .retries = Metric::push_remote_write_retries,
                                   .rejected = Metric::push_remote_write_rejected,
                                   .dropped = Metric::push_remote_write_dropped,
                                   .queued_bytes = Metric::push_remote_write_queued};

class OutboxTest : public testing::Test {
 protected:
  Outbox& Make(OutboxOptions options = {}) {
    options.what = "test";
    options.url = "http://receiver/";
    options.counters = kCounters;
    options.worth_another = [](int status) { return status == 429 || status >= 500; };
    options.retry_shortest = 1'000;
    options.retry_longest = 1'000'000;
    outbox_ = std::make_unique<Outbox>(std::move(options), receiver_.Client());
    return *outbox_;
  }
  // Since the test began.
  uint64_t Of(Metric metric) const { return Read(metric) - before_.at(metric); }

  TestReceiver receiver_;
  std::unique_ptr<Outbox> outbox_;

 private:
  static std::map<Metric, uint64_t> Counted() {
    std::map<Metric, uint64_t> counted;
    for (const Metric metric : {kCounters.delivered, kCounters.retries, kCounters.rejected, kCounters.dropped}) {
      counted[metric] = Read(metric);
    }
    return counted;
  }
  const std::map<Metric, uint64_t> before_ = Counted();
};

TEST_F(OutboxTest, SendsInOrderAndTriesAgainWhatMaySucceedLater) {
  receiver_.Say(Status::Unavailable("no connection"));
  receiver_.Say(503);
  receiver_.Say(429);
  Outbox& outbox = Make();
  outbox.Put("first", 3);
  outbox.Put("second", 4);
  outbox.Start();
  const std::vector<net::ClientRequest> requests = receiver_.Await(5);
  ASSERT_EQ(requests.size(), 5U);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(requests[i].body, "first");
  EXPECT_EQ(requests[4].body, "second");
  EXPECT_EQ(requests[0].method, "POST");
  outbox.Stop(milliseconds(1'000));
  EXPECT_EQ(Of(kCounters.retries), 3U);
  EXPECT_EQ(Of(kCounters.delivered), 7U);
  EXPECT_EQ(Of(kCounters.dropped), 0U);
  EXPECT_EQ(Read(kCounters.queued_bytes), 0U);
}

TEST_F(OutboxTest, WaitsAsLongAsTheReceiverSays) {
  net::ClientResponse busy{429, {{"retry-after", "1"}}, ""};
  receiver_.Say(busy);
  Outbox& outbox = Make();
  outbox.Start();
  const auto begin = std::chrono::steady_clock::now();
  outbox.Put("body", 1);
  receiver_.Await(2);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(1'000));
}

TEST_F(OutboxTest, WhatIsRefusedForGoodIsCountedAndHoldsUpNothing) {
  receiver_.Say(400, "out of order\x1b[31m");
  Outbox& outbox = Make();
  outbox.Put("bad", 5);
  outbox.Put("good", 2);
  outbox.Start();
  EXPECT_EQ(receiver_.Await(2).back().body, "good");
  outbox.Stop(milliseconds(1'000));
  EXPECT_EQ(Of(kCounters.rejected), 5U);
  EXPECT_EQ(Of(kCounters.delivered), 2U);
}

TEST_F(OutboxTest, APartOfADeliveredRequestMayBeRefused) {
  receiver_.Say(200, "4");
  OutboxOptions options;
  options.refused_of = [](const std::string& body) { return std::stoull(body); };
  Outbox& outbox = Make(std::move(options));
  outbox.Put("body", 10);
  outbox.Start();
  receiver_.Await(1);
  outbox.Stop(milliseconds(1'000));
  EXPECT_EQ(Of(kCounters.rejected), 4U);
  EXPECT_EQ(Of(kCounters.delivered), 6U);
}

TEST_F(OutboxTest, ItsQueueIsBoundedAndTheOldestGo) {
  receiver_.Hang(true);
  OutboxOptions options;
  options.max_queued_bytes = 100;
  Outbox& outbox = Make(std::move(options));
  outbox.Start();
  outbox.Put("in the hands of the receiver", 1);
  receiver_.Await(1);
  for (int i = 0; i < 10; ++i) outbox.Put(std::string(30, static_cast<char>('a' + i)), 10);
  EXPECT_EQ(Of(kCounters.dropped), 70U);
  receiver_.Hang(false);
  const std::vector<net::ClientRequest> requests = receiver_.Await(4);
  EXPECT_EQ(requests[1].body, std::string(30, 'h'));
  EXPECT_EQ(requests[3].body, std::string(30, 'j'));
  outbox.Stop(milliseconds(1'000));
  EXPECT_EQ(Of(kCounters.delivered), 31U);
  EXPECT_EQ(Read(kCounters.queued_bytes), 0U);
}

TEST_F(OutboxTest, AReceiverThatIsAwayDoesNotHoldUpTheEnd) {
  for (int i = 0; i < 1'000; ++i) receiver_.Say(Status::Unavailable("no connection"));
  Outbox& outbox = Make();
  outbox.Put("one", 1);
  outbox.Put("two", 2);
  outbox.Start();
  receiver_.Await(2);
  outbox.Stop(milliseconds(0));
  EXPECT_EQ(Of(kCounters.dropped), 3U);
  outbox.Put("late", 1);
  EXPECT_EQ(Of(kCounters.dropped), 4U);
  EXPECT_EQ(Read(kCounters.queued_bytes), 0U);
}

TEST_F(OutboxTest, AHangingReceiverDoesNotHoldUpTheEnd) {
  receiver_.Hang(true);
  Outbox& outbox = Make();
  outbox.Start();
  outbox.Put("one", 1);
  receiver_.Await(1);
  outbox.Stop(milliseconds(0));
  EXPECT_EQ(Of(kCounters.dropped), 1U);
}

}  // namespace
}  // namespace weir::telemetry

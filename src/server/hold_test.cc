#include "server/hold.h"

#include <gtest/gtest.h>

#include "server/test_support.h"

namespace weir::server {
namespace {

class HoldTest : public testing::Test {
 protected:
  void SetUp() override {
    for (int agent : {1, 2, 3}) Observe(Batch(agent, 0, {}, {"10.0." + std::to_string(agent) + ".1"}));
  }
  void Observe(const model::AgentBatch& batch) {
    neighbourhood_.Observe(static_cast<AgentNumber>(batch.agent_id[31] - '0'), batch, now_);
  }
  void Add(model::AgentBatch batch) {
    Observe(batch);
    const auto agent = static_cast<AgentNumber>(batch.agent_id[31] - '0');
    hold_.Add(std::make_unique<PendingBatch>(PendingBatch{agent, std::move(batch)}), now_);
  }
  // "agent.tick" of what goes.
  std::string Due(size_t max_reports = 1'000, bool everything = false) {
    std::string text;
    for (const auto& batch : hold_.TakeDue(now_, everything, max_reports)) {
      text += std::to_string(batch->agent) + "." + std::to_string(batch->batch.sequence - 1'000) + " ";
    }
    return text;
  }

  UnixMillis now_ = kNoon + 1'050;
  Neighbourhood neighbourhood_;
  Hold hold_{700, neighbourhood_};
  const Ends one_two_{"10.0.1.1", "10.0.2.1", 80};
  const Ends two_three_{"10.0.2.1", "10.0.3.1", 80};
};

TEST_F(HoldTest, WhatConcernsNoOtherNodeGoesAtOnce) {
  Add(Batch(1, 1,
            {ClientReport({"10.0.1.1", "93.184.216.34", 443}, 1), ServerReport({"10.9.9.9", "10.0.1.1", 80}, 1)}));
  EXPECT_EQ(Due(), "1.1 ");
  EXPECT_TRUE(hold_.empty());
}

TEST_F(HoldTest, WaitsForTheOtherNodeAndNoLonger) {
  Add(Batch(1, 1, {ClientReport(one_two_, 1)}));
  EXPECT_EQ(Due(), "");
  Add(Batch(2, 1, {ServerReport(one_two_, 1)}));
  EXPECT_EQ(Due(), "1.1 2.1 ");
}

TEST_F(HoldTest, AClockSetBackHoldsNothingUp) {
  Add(Batch(1, 1, {ClientReport(one_two_, 1)}));
  EXPECT_EQ(Due(), "");
  now_ -= 5LL * 86'400'000;
  EXPECT_EQ(Due(), "1.1 ");
  now_ = kNoon + 1'050;
  Add(Batch(1, 2, {ClientReport(one_two_, 1)}));
  now_ -= 500;  // as NTP corrects it
  EXPECT_EQ(Due(), "");
}

TEST_F(HoldTest, AnAgentIsAwaitedAgainAfterAClockWasSetBack) {
  Add(Batch(2, 86'400, {}));  // a day ahead
  Add(Batch(2, 1, {}));
  Add(Batch(1, 2, {ClientReport(one_two_, 1)}));
  now_ = kNoon + 2'050;
  EXPECT_EQ(Due().find("1.2"), std::string::npos);
}

TEST_F(HoldTest, GivesUpAfterTheHold) {
  Add(Batch(1, 1, {ClientReport(one_two_, 1)}));
  now_ = kNoon + 1'699;
  EXPECT_EQ(Due(), "");
  now_ = kNoon + 1'700;
  EXPECT_EQ(Due(), "1.1 ");
}

TEST_F(HoldTest, ChainsLeaveTogether) {
  Add(Batch(1, 1, {ClientReport(one_two_, 1)}));
  Add(Batch(2, 1, {ServerReport(one_two_, 1), ClientReport(two_three_, 1)}));
  EXPECT_EQ(Due(), "") << "agent 2 waits for agent 3, so agent 1 waits as well";
  Add(Batch(3, 1, {ServerReport(two_three_, 1)}));
  EXPECT_EQ(Due(), "1.1 2.1 3.1 ");
}

TEST_F(HoldTest, AnAnsweredQuestionNeedsNoReport) {
  Add(Batch(1, 1, {ClientReport(one_two_, 1)}));
  Observe(Batch(2, 1, {}));
  EXPECT_EQ(Due(), "1.1 ") << "agent 2 reported the interval and had nothing to say";
}

TEST_F(HoldTest, SpooledIntervalsDoNotWait) {
  now_ = kNoon + 60'000;
  Add(Batch(1, 1, {ClientReport(one_two_, 1)}));
  EXPECT_EQ(Due(), "1.1 ");
}

TEST_F(HoldTest, SilentAgentsAndOtherIntervalLengthsAreNotWaitedFor) {
  auto slow = Batch(2, 0, {});
  slow.start -= 4'000;
  Observe(slow);
  Add(Batch(1, 1, {ClientReport(one_two_, 1)}));
  EXPECT_EQ(Due(), "1.1 ");
  now_ = kNoon + 120'050;
  Observe(Batch(1, 119, {}));
  Add(Batch(1, 120, {ClientReport({"10.0.1.1", "10.0.3.1", 80}, 1)}));
  EXPECT_EQ(Due(), "1.120 ") << "agent 3 has been silent for two minutes";
}

TEST_F(HoldTest, NoBatchOvertakesAnEarlierOneOfItsAgent) {
  Add(Batch(1, 1, {ClientReport(one_two_, 1)}));
  auto next = Batch(1, 1, {ClientReport({"10.0.1.1", "93.184.216.34", 443}, 1)});
  next.sequence = 1'002;
  Add(next);
  EXPECT_EQ(Due(), "");
  now_ = kNoon + 1'700;
  EXPECT_EQ(Due(), "1.1 1.2 ");
}

TEST_F(HoldTest, TakesAsMuchAsFitsOldestFirst) {
  now_ = kNoon + 60'000;
  const auto two = std::vector{ClientReport({}, 1), ClientReport({"10.0.1.1", "10.0.2.1", 81}, 1)};
  Add(Batch(1, 2, two));
  Add(Batch(1, 1, two));
  Add(Batch(2, 1, two));
  EXPECT_EQ(Due(3), "1.1 ");
  EXPECT_EQ(Due(4), "2.1 1.2 ");
  Add(Batch(3, 3, two));
  EXPECT_EQ(Due(1), "3.3 ") << "one at least";
}

TEST_F(HoldTest, EverythingGoesAtTheEnd) {
  Add(Batch(1, 1, {ClientReport(one_two_, 1)}));
  EXPECT_EQ(Due(1'000, true), "1.1 ");
}

}  // namespace
}  // namespace weir::server

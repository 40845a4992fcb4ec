#include "server/intake.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/metrics.h"
#include "server/test_support.h"
#include "server/validate.h"

namespace weir::server {
namespace {

using model::AgentBatch;
using testing::AllOf;
using testing::HasSubstr;

std::vector<model::SideReport> Reports(size_t count) { return {count, ClientReport({}, 1)}; }

class IntakeTest : public testing::Test {
 protected:
  // The answer so far: "waiting", "stored", "duplicate" or the code's name.
  struct Call {
    int answers = 0;
    Status status;
    wire::Ack ack;
    std::string Text() const {
      if (answers == 0) return "waiting";
      if (answers > 1) return "answered twice";
      return !status.ok() ? std::string(CodeName(status.code())) : ack.duplicate ? "duplicate" : "stored";
    }
  };
  std::shared_ptr<Call> Accept(AgentBatch batch, int64_t agents_clock_ahead_ms = 0) {
    auto call = std::make_shared<Call>();
    intake_.Accept(std::move(batch), clock_.WallMillis() + agents_clock_ahead_ms, [call](Result<wire::Ack> result) {
      ++call->answers;
      call->status = result.status();
      if (result.ok()) call->ack = *result;
    });
    return call;
  }
  std::string CodeOf(Code code) { return std::string(CodeName(code)); }

  FakeClock clock_;
  Intake intake_{{.max_pending_reports = 10}, clock_, {{AgentId(1), 1'000}}};
};

TEST_F(IntakeTest, AnswersWhenStoredAndNotBefore) {
  const auto call = Accept(Batch(1, 1, Reports(1)));
  EXPECT_EQ(call->Text(), "waiting");
  EXPECT_EQ(intake_.Take().size(), 1U);
  EXPECT_EQ(call->Text(), "waiting");
  intake_.Stored({{1, 1'001}});
  EXPECT_EQ(call->Text(), "stored");
  EXPECT_EQ(call->ack.watermark, 1'001U);
  EXPECT_EQ(intake_.pending_reports(), 0U);
}

TEST_F(IntakeTest, WhatWasStoredBeforeIsADuplicate) {
  const uint64_t before = Read(Metric::server_batches_duplicate);
  const auto call = Accept(Batch(1, 0, Reports(1)));
  EXPECT_EQ(call->Text(), "duplicate");
  EXPECT_EQ(call->ack.watermark, 1'000U);
  EXPECT_EQ(Read(Metric::server_batches_duplicate), before + 1);
  EXPECT_TRUE(intake_.Take().empty());
}

TEST_F(IntakeTest, APendingBatchSentAgainIsQueuedOnceAndAnsweredTwice) {
  const auto first = Accept(Batch(1, 1, Reports(1)));
  const auto second = Accept(Batch(1, 1, Reports(1)));
  EXPECT_EQ(intake_.Take().size(), 1U);
  const auto third = Accept(Batch(1, 1, Reports(1)));
  EXPECT_TRUE(intake_.Take().empty());
  intake_.Stored({{1, 1'001}});
  EXPECT_EQ(first->Text(), "stored");
  EXPECT_EQ(second->Text(), "stored");
  EXPECT_EQ(third->Text(), "stored");
  EXPECT_EQ(Accept(Batch(1, 1, Reports(1)))->Text(), "duplicate");
}

TEST_F(IntakeTest, ABatchWithoutReportsIsAcknowledgedAtOnce) {
  EXPECT_EQ(Accept(Batch(1, 1, {}))->Text(), "stored");
  EXPECT_EQ(Accept(Batch(1, 1, {}))->Text(), "duplicate");
  EXPECT_EQ(intake_.Take().size(), 1U) << "the matcher learns how far the agent is";
  EXPECT_EQ(intake_.pending_reports(), 0U);
}

TEST_F(IntakeTest, AFloodIsTurnedAway) {
  const auto first = Accept(Batch(1, 1, Reports(8)));
  const auto call = Accept(Batch(2, 1, Reports(3)));
  EXPECT_EQ(call->Text(), CodeOf(Code::kExhausted));
  EXPECT_EQ(Accept(Batch(2, 1, Reports(2)))->Text(), "waiting");
  intake_.Take();
  EXPECT_EQ(Accept(Batch(3, 1, Reports(1)))->Text(), CodeOf(Code::kExhausted)) << "taken is not stored";
  intake_.Stored({{1, 1'001}});
  EXPECT_EQ(Accept(Batch(3, 1, Reports(1)))->Text(), "waiting");
}

TEST_F(IntakeTest, ABatchLargerThanTheBoundPassesWhenNothingElseWaits) {
  EXPECT_EQ(Accept(Batch(1, 1, Reports(11)))->Text(), "waiting");
}

TEST_F(IntakeTest, TwoAgentsWithOneNodeNameAreAConflict) {
  Accept(Batch(1, 1, {}));
  AgentBatch twin = Batch(2, 1, {});
  twin.node = "node1";
  const auto call = Accept(twin);
  EXPECT_EQ(call->Text(), CodeOf(Code::kConflict));
  EXPECT_THAT(call->status.message(), HasSubstr(AgentId(1)));
  EXPECT_THAT(call->status.message(), HasSubstr(AgentId(2)));
  EXPECT_THAT(call->status.message(), HasSubstr("--node"));
  clock_.Advance(31'000'000'000);
  EXPECT_EQ(Accept(twin)->Text(), "stored") << "the other one is gone";
  EXPECT_EQ(Accept(Batch(1, 2, {}))->Text(), CodeOf(Code::kConflict)) << "and now it is too late for it";
}

TEST_F(IntakeTest, AnIdentityOnTwoNodesIsAConflict) {
  Accept(Batch(1, 1, {}));
  for (int tick = 2; tick < 40; ++tick) {
    clock_.Advance(1'000'000'000);
    AgentBatch copy = Batch(1, tick, Reports(1));
    copy.node = "copy";
    const auto call = Accept(copy);
    EXPECT_EQ(call->Text(), CodeOf(Code::kConflict));
    EXPECT_THAT(call->status.message(), AllOf(HasSubstr("'node1'"), HasSubstr("'copy'"), HasSubstr("agent_id")));
    EXPECT_EQ(Accept(Batch(1, tick, {}))->Text(), "stored") << "who came first stays";
    intake_.Take();
  }
  EXPECT_EQ(intake_.Agents().size(), 1U);
  EXPECT_THAT(intake_.Agents().at(0).rival, HasSubstr("'copy'"));
  EXPECT_EQ(intake_.Agents().at(0).rival_seen, clock_.WallMillis());
  clock_.Advance(31'000'000'000);
  AgentBatch copy = Batch(1, 69, {});
  copy.node = "copy";
  EXPECT_EQ(Accept(copy)->Text(), "stored") << "the other one is gone";
}

// Golden images often have one host name too.
TEST_F(IntakeTest, AnIdentityOnTwoMachinesOfOneNameIsAConflictOnceBothAreSeenToLive) {
  const auto batch = [](int tick, const char* machine) {
    AgentBatch made = Batch(1, tick, {});
    made.machine = machine;
    return made;
  };
  EXPECT_EQ(Accept(batch(1, "a"))->Text(), "stored");
  EXPECT_EQ(Accept(batch(2, "b"))->Text(), CodeOf(Code::kUnavailable)) << "the same machine, booted again?";
  for (int tick = 3; tick < 13; ++tick) {
    clock_.Advance(1'000'000'000);
    EXPECT_EQ(Accept(batch(tick, "a"))->Text(), "stored");
    intake_.Take();
  }
  clock_.Advance(1'000'000'000);
  EXPECT_EQ(Accept(batch(13, "a"))->Text(), "stored");
  EXPECT_EQ(Accept(batch(14, "b"))->Text(), CodeOf(Code::kConflict)) << "no";
}

TEST_F(IntakeTest, AMachineThatBootsAgainWaitsAMomentAndLosesNothing) {
  AgentBatch before = Batch(1, 1, {});
  before.machine = "boot 1";
  EXPECT_EQ(Accept(before)->Text(), "stored");
  AgentBatch after = Batch(1, 9, {});
  after.machine = "boot 2";
  clock_.Advance(9'000'000'000);
  EXPECT_EQ(Accept(after)->Text(), CodeOf(Code::kUnavailable));
  clock_.Advance(2'000'000'000);
  EXPECT_EQ(Accept(after)->Text(), "stored");
}

TEST_F(IntakeTest, AMachineMayBeRenamed) {
  AgentBatch batch = Batch(1, 1, {});
  batch.machine = "a";
  EXPECT_EQ(Accept(batch)->Text(), "stored");
  batch.node = "renamed";
  batch.sequence += 1;
  EXPECT_EQ(Accept(batch)->Text(), "stored");
}

TEST_F(IntakeTest, WrongClocksAreCorrectedByDays) {
  for (const int64_t days : {-3, 3}) {
    SCOPED_TRACE(days);
    const uint64_t corrections = Read(Metric::server_clock_corrections);
    const int64_t off = days * 86'400'000 + 17;
    AgentBatch batch = Batch(days > 0 ? 2 : 3, 0, Reports(1));
    batch.start += days * 86'400'000;
    batch.end += days * 86'400'000;
    Accept(batch, off);
    const auto taken = intake_.Take();
    ASSERT_EQ(taken.size(), 1U);
    EXPECT_EQ(taken[0]->batch.end, kNoon) << "aligned with everybody else's intervals";
    EXPECT_EQ(taken[0]->batch.start, kNoon - 1'000);
    EXPECT_EQ(Read(Metric::server_clock_corrections), corrections + 1);
    EXPECT_EQ(intake_.Agents().back().clock_offset_ms, off);
    intake_.Stored({{static_cast<AgentNumber>(intake_.Agents().size()), 1'000}});
  }
}

TEST_F(IntakeTest, SmallOffsetsAreShownNotCorrected) {
  Accept(Batch(1, 1, Reports(1)), 1'900);
  EXPECT_EQ(intake_.Take().at(0)->batch.end, kNoon + 1'000);
  EXPECT_EQ(intake_.Agents().at(0).clock_offset_ms, 1'900);
}

TEST_F(IntakeTest, RefusesWhatCannotBe) {
  const auto invalid = CodeOf(Code::kInvalid);
  EXPECT_EQ(Accept(Batch(1, 6, Reports(1)))->Text(), invalid) << "six seconds ahead";
  EXPECT_EQ(Accept(Batch(1, 5, Reports(1)))->Text(), "waiting");
  EXPECT_EQ(Accept(Batch(2, -8 * 86'400, Reports(1)))->Text(), invalid) << "older than what is kept";
  EXPECT_EQ(Accept(Batch(2, 1, Reports(1)), -clock_.WallMillis())->Text(), invalid) << "sent at 0";
  AgentBatch batch = Batch(2, 1, {});
  batch.start = batch.end;
  EXPECT_EQ(Accept(batch)->Text(), invalid);
  batch.start = batch.end - 3'600'001;
  EXPECT_EQ(Accept(batch)->Text(), invalid);
  batch = Batch(2, 1, {});
  batch.agent_id = "0x";
  EXPECT_EQ(Accept(batch)->Text(), invalid);
  batch = Batch(2, 1, {});
  batch.node = "";
  EXPECT_EQ(Accept(batch)->Text(), invalid);
  batch = Batch(2, 1, {ClientReport({}, (uint64_t{1} << 53) + 1)});
  EXPECT_EQ(Accept(batch)->Text(), invalid);
  EXPECT_EQ(Accept(Batch(2, 1, Reports(1)))->Text(), "waiting") << "none of these blocks the good one";
}

TEST_F(IntakeTest, ImpatientCallersHearUnavailableAndTheirBatchStays) {
  const auto call = Accept(Batch(1, 1, Reports(1)));
  clock_.Advance(9'000'000'000);
  const auto later = Accept(Batch(1, 1, Reports(1)));
  clock_.Advance(1'000'000'000);
  intake_.ReleaseImpatient(Status::Unavailable("disk full"));
  EXPECT_EQ(call->Text(), CodeOf(Code::kUnavailable));
  EXPECT_EQ(later->Text(), "waiting");
  const auto again = Accept(Batch(1, 1, Reports(1)));
  EXPECT_EQ(intake_.Take().size(), 1U) << "still one batch";
  intake_.Stored({{1, 1'001}});
  EXPECT_EQ(again->Text(), "stored");
  EXPECT_EQ(later->Text(), "stored");
}

TEST_F(IntakeTest, ClosedMeansUnavailable) {
  intake_.Close();
  EXPECT_EQ(Accept(Batch(1, 1, Reports(1)))->Text(), CodeOf(Code::kUnavailable));
}

TEST_F(IntakeTest, TellsWhatIsKnownOfEachAgent) {
  AgentBatch batch = Batch(1, 1, Reports(2));
  batch.probes.push_back({"tcp", "on", "", ""});
  Accept(batch);
  clock_.Advance(500'000'000);
  Accept(batch);
  const AgentStatus status = intake_.Agents().at(0);
  EXPECT_EQ(status.agent_id, AgentId(1));
  EXPECT_EQ(status.node, "node1");
  EXPECT_EQ(status.mode, "ebpf");
  EXPECT_EQ(status.sequence, 1'000U) << "what is stored";
  EXPECT_EQ(status.batches, 1U);
  EXPECT_EQ(status.reports, 2U);
  EXPECT_EQ(status.probes.size(), 1U);
  EXPECT_EQ(status.last_seen, kNoon + 500);
}

TEST(ClockCorrection, TremblesWithTheNetworkAndStaysAligned) {
  EXPECT_EQ(ClockCorrection(0, 1'000, 0), 0);
  EXPECT_EQ(ClockCorrection(2'000, 1'000, 0), 0);
  EXPECT_EQ(ClockCorrection(-2'001, 1'000, 0), -2'000);
  EXPECT_EQ(ClockCorrection(3'600'499, 1'000, 0), 3'600'000);
  EXPECT_EQ(ClockCorrection(3'600'501, 1'000, 3'600'000), 3'600'000) << "no gap for two milliseconds";
  EXPECT_EQ(ClockCorrection(3'700'000, 1'000, 3'600'000), 3'700'000) << "the clock was set";
  EXPECT_EQ(ClockCorrection(300, 1'000, 3'600'000), 0) << "and now it is right";
  EXPECT_EQ(ClockCorrection(90'123, 60'000, 0), 90'123) << "a minute's half would be too coarse";
}

}  // namespace
}  // namespace weir::server

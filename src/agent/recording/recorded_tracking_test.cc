#include "agent/recording/recorded_tracking.h"

#include <gtest/gtest.h>

#include <deque>
#include <fstream>
#include <iterator>
#include <string_view>
#include <vector>

#include "agent/export/temporary_directory.h"

namespace weir::agent::recording {
namespace {

using flow::ClientEnds;
using nat::Followed;

model::Address Ip(std::string_view text) { return *model::Address::Parse(text); }

ClientEnds From(uint16_t client_port, uint32_t netns = 7) {
  ClientEnds ends;
  ends.netns = netns;
  ends.client = Ip("10.0.0.1");
  ends.server = Ip("10.96.0.10");
  ends.client_port = client_port;
  ends.server_port = 80;
  return ends;
}

Followed To(std::string_view server, uint32_t questions = 1) {
  return {.found = true, .client = Ip("192.0.2.9"), .server = Ip(server), .server_port = 8'080, .questions = questions};
}

// Says what it is told to, one after the other.
class Told final : public nat::ConnectionTracking {
 public:
  bool Active() override { return active; }
  Followed Follow(const ClientEnds&, bool) override {
    Followed next = answers.front();
    answers.pop_front();
    return next;
  }
  void RoundEnds() override { ++rounds; }
  model::ProbeReport Probe() const override { return {"nat", "on", "", ""}; }

  bool active = true;
  int rounds = 0;
  std::deque<Followed> answers;
};

class RecordedTrackingTest : public testing::Test {
 protected:
  void SetUp() override {
    auto writer = Writer::Create(path_, uint64_t{1} << 30, HeaderOfThisMachine(clock_));
    ASSERT_TRUE(writer.ok()) << writer.status().message();
    writer_ = *std::move(writer);
    writer_->Start({});
    auto told = std::make_unique<Told>();
    told_ = told.get();
    tracking_ = RecordTracking(std::move(told), *writer_);
  }
  Followed Ask(const ClientEnds& ends, Followed answer) {
    told_->answers.push_back(answer);
    return tracking_->Follow(ends, false);
  }
  // Kinds of the frames, those of answers being taken.
  std::vector<FrameKind> Written(TrackingAnswers& answers) {
    tracking_.reset();
    writer_->Finish();
    auto reader = Reader::Open(std::make_unique<std::ifstream>(path_, std::ios::binary));
    EXPECT_TRUE(reader.ok()) << reader.status().message();
    std::vector<FrameKind> kinds;
    for (const Frame* frame = (*reader)->Peek(); frame != nullptr; frame = (*reader)->Peek()) {
      kinds.push_back(frame->kind);
      const bool taken = !IsAnswer(frame->kind) || answers.Take(*frame);
      EXPECT_TRUE(taken);
      (*reader)->Pop();
    }
    EXPECT_EQ((*reader)->ending().kind, Ending::Kind::kComplete) << (*reader)->ending().why;
    return kinds;
  }

  TemporaryDirectory directory_;
  const std::filesystem::path path_ = directory_.path() / "a.weirrec";
  SystemClock clock_;
  std::unique_ptr<Writer> writer_;
  Told* told_ = nullptr;
  std::unique_ptr<nat::ConnectionTracking> tracking_;
  TrackingAnswers answers_;
};

TEST_F(RecordedTrackingTest, WhatIsAskedIsAnsweredAsWithoutARecording) {
  writer_->BeginStep(Step::kPoll, 1);
  EXPECT_TRUE(tracking_->Active());
  told_->active = false;
  EXPECT_FALSE(tracking_->Active());
  EXPECT_EQ(Ask(From(1), To("10.0.1.1")), To("10.0.1.1"));
  tracking_->RoundEnds();
  EXPECT_EQ(told_->rounds, 1);
  EXPECT_EQ(tracking_->Probe().name, "nat");
}

TEST_F(RecordedTrackingTest, EachConnectionHasItsOwnAnswerInAnyOrder) {
  writer_->BeginStep(Step::kPoll, 1);
  ClientEnds datagrams = From(1);
  datagrams.protocol = model::Protocol::kUdp;
  ClientEnds elsewhere = From(1);
  elsewhere.server_port = 443;
  Ask(From(1), To("10.0.1.1", 3));
  Ask(From(2), To("10.0.1.2"));
  Ask(From(1, 8), To("10.0.1.3"));
  Ask(datagrams, To("10.0.1.4"));
  Ask(elsewhere, To("10.0.1.5"));
  EXPECT_EQ(Written(answers_),
            (std::vector<FrameKind>{FrameKind::kStep, FrameKind::kFollowed, FrameKind::kFollowed, FrameKind::kFollowed,
                                    FrameKind::kFollowed, FrameKind::kFollowed}));
  const auto again = ReplayTracking(answers_);
  EXPECT_EQ(again->Follow(elsewhere, true), To("10.0.1.5"));
  EXPECT_EQ(again->Follow(datagrams, false), To("10.0.1.4"));
  EXPECT_EQ(again->Follow(From(1, 8), false), To("10.0.1.3"));
  EXPECT_EQ(again->Follow(From(2), false), To("10.0.1.2"));
  ClientEnds by_another_process = From(1);
  by_another_process.pid = 99;
  EXPECT_EQ(again->Follow(by_another_process, false), To("10.0.1.1", 3));
}

TEST_F(RecordedTrackingTest, OnlyWhatChangesIsWritten) {
  writer_->BeginStep(Step::kPoll, 1);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(tracking_->Active());
    Ask(From(1), To("10.0.1.1"));
  }
  Ask(From(1), To("10.0.1.2"));
  told_->active = false;
  EXPECT_FALSE(tracking_->Active());
  EXPECT_EQ(Written(answers_).size(), 1U + 2 + 2);
  const auto again = ReplayTracking(answers_);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(again->Active());
    EXPECT_EQ(again->Follow(From(1), false), To("10.0.1.1"));
  }
  EXPECT_EQ(again->Follow(From(1), false), To("10.0.1.2")) << "the fourth time";
  EXPECT_FALSE(again->Active());
}

TEST_F(RecordedTrackingTest, WhatWasNeverAskedIsTrackedByNobody) {
  const auto tracking = ReplayTracking(answers_);
  EXPECT_FALSE(tracking->Active());
  const Followed followed = tracking->Follow(From(1), true);
  EXPECT_FALSE(followed.found);
  EXPECT_EQ(followed.client, Ip("10.0.0.1"));
  EXPECT_EQ(followed.server, Ip("10.96.0.10"));
  EXPECT_EQ(followed.server_port, 80);
}

TEST_F(RecordedTrackingTest, ARecordingOfManyConnectionsNeedsNoMoreMemory) {
  const FollowedFrame frame{};
  const Frame good{FrameKind::kFollowed, 0, {reinterpret_cast<const char*>(&frame), sizeof(frame)}};
  for (int step = 0; step < 3; ++step) {
    for (uint32_t i = 0; i < 120'000; ++i) {
      FollowedFrame other{};
      other.netns = i;
      ASSERT_TRUE(answers_.Take({FrameKind::kFollowed, 0, {reinterpret_cast<const char*>(&other), sizeof(other)}}));
    }
    answers_.BeginStep();
  }
  bool taken = true;
  for (uint32_t i = 0; taken && i < (1U << 18) + 2; ++i) taken = answers_.Take(good);
  EXPECT_FALSE(taken) << "more than a step can have";
}

}  // namespace
}  // namespace weir::agent::recording

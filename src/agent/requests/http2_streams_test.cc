// Streams on literal steps. Times in milliseconds.
#include "agent/requests/http2_streams.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "agent/requests/grpc_status.h"
#include "agent/requests/http2_builder.h"
#include "agent/requests/turn_builder.h"
#include "base/metrics.h"

namespace weir::agent::requests {
namespace {

constexpr uint8_t kEnd = WEIR_FRAME_END_STREAM;
constexpr uint8_t kWhole = WEIR_FRAME_END_HEADERS;
// HPACK (RFC 7541, A): 2 GET, 3 POST, 4 /, 8 status 200, 13 status 404; 28 is the name content-length.
constexpr std::string_view kGetRoot = "\x82\x84";
constexpr std::string_view kOk = "\x88";

std::string Get(const std::string& path) { return "\x82\x44" + std::string(1, static_cast<char>(path.size())) + path; }

class Http2StreamsTest : public testing::Test {
 protected:
  struct Text {
    std::string_view text;
    uint8_t flags = kWhole;
    uint8_t step_flags = 0;
    weir_frame_type type = WEIR_FRAME_HEADERS;
  };

  void Block(double at, uint32_t stream, const Text& block, uint8_t step_flags) {
    weir_step step = MakeStep(WEIR_STEP_BLOCK, at, static_cast<uint32_t>(block.text.size()));
    step.stream = stream;
    step.frame_type = block.type;
    step.frame_flags = block.flags;
    step.flags = static_cast<uint8_t>(WEIR_STEP_BEGINS | block.step_flags | step_flags);
    step.text_bytes = static_cast<weir_u16>(block.text.size());
    streams_->OnBlock(step, block.text, sink_);
  }
  void Ask(double at, uint32_t stream, std::string_view block = kGetRoot, uint8_t flags = kWhole | kEnd) {
    Block(at, stream, {block, flags}, WEIR_STEP_OPENS);
  }
  void Answer(double at, uint32_t stream, std::string_view block = kOk, uint8_t flags = kWhole) {
    Block(at, stream, {block, flags}, WEIR_STEP_FROM_SERVER);
  }
  void Frame(double at, uint32_t stream, weir_frame_type type, uint32_t bytes, uint8_t flags, uint8_t step_flags) {
    weir_step step = MakeStep(WEIR_STEP_FRAME, at, bytes);
    step.stream = stream;
    step.frame_type = static_cast<weir_u8>(type);
    step.frame_flags = flags;
    step.flags = step_flags;
    streams_->OnFrame(step, sink_);
  }
  void Data(double at, uint32_t stream, uint32_t bytes, uint8_t flags = 0) {
    Frame(at, stream, WEIR_FRAME_DATA, bytes, flags, WEIR_STEP_FROM_SERVER);
  }
  void Upload(double at, uint32_t stream, uint32_t bytes, uint8_t flags = 0) {
    Frame(at, stream, WEIR_FRAME_DATA, bytes, flags, 0);
  }
  size_t Count(TurnOutcome outcome) const {
    return static_cast<size_t>(
        std::count_if(turns_.begin(), turns_.end(), [&](const Turn& turn) { return turn.outcome == outcome; }));
  }

  std::vector<Turn> turns_;
  Http2Streams::Sink sink_ = [this](const Turn& turn) { turns_.push_back(turn); };
  Http2Room room_;
  std::unique_ptr<Http2Streams> streams_ = std::make_unique<Http2Streams>(room_);
};

TEST_F(Http2StreamsTest, UploadsEndWithTheClientsLastFrameAndIdleIsAConnectionWithoutStreams) {
  Ask(0, 1, "\x83\x84", kWhole);
  Ask(1, 3);
  Upload(6, 1, 100);
  Upload(9, 1, 50, kEnd);
  Answer(10, 3, kOk, kWhole | kEnd);
  Answer(20, 1, kOk, kWhole | kEnd);
  Ask(50, 5, "\x83\x84", kWhole);
  Answer(55, 5, kOk, kWhole | kEnd);  // it did not wait for the rest
  ASSERT_EQ(turns_.size(), 3U);
  EXPECT_EQ(turns_[0].upload_us, 0) << "headers alone";
  EXPECT_EQ(turns_[0].client_idle_us, -1);
  EXPECT_EQ(turns_[1].upload_us, 9'000);
  EXPECT_EQ(turns_[1].client_idle_us, -1) << "another stream was open";
  EXPECT_EQ(turns_[2].upload_us, -1);
  EXPECT_EQ(turns_[2].client_idle_us, 30'000);
}

// A literal field without indexing (RFC 7541, 6.2.2), with a name of its own.
std::string Field(const std::string& name, const std::string& value) {
  return std::string(1, '\0') + static_cast<char>(name.size()) + name + static_cast<char>(value.size()) + value;
}

TEST_F(Http2StreamsTest, WhatBecameOfACallStandsInItsTrailers) {
  const std::string call = "\x83\x84" + Field("content-type", "application/grpc");
  const std::string begin = std::string(kOk) + Field("content-type", "application/grpc");
  for (const uint32_t stream : {1U, 3U, 5U, 7U}) {
    Ask(stream, stream, call, kWhole | kEnd);
    Answer(stream + 1, stream, begin);
    Data(stream + 2, stream, 10, stream == 5 ? kEnd : 0);
  }
  Answer(20, 1, Field("grpc-status", "0"), kWhole | kEnd);
  Answer(21, 3, Field("grpc-status", "14") + Field("grpc-message", "no"), kWhole | kEnd);
  Answer(22, 7, Field("grpc-status", "x"), kWhole | kEnd);
  Ask(23, 9, call, kWhole | kEnd);
  Answer(24, 9, begin + Field("grpc-status", "12"), kWhole | kEnd);  // trailers only
  ASSERT_EQ(turns_.size(), 5U);
  EXPECT_EQ(turns_[0].grpc_status, kNoGrpcStatus) << "stream 5 ended with its data";
  EXPECT_EQ(turns_[1].grpc_status, 0);
  EXPECT_EQ(turns_[2].grpc_status, 14);
  EXPECT_EQ(turns_[3].grpc_status, kNoGrpcStatus);
  EXPECT_EQ(turns_[4].grpc_status, 12);
  EXPECT_EQ(turns_[4].status, 200);
}

TEST_F(Http2StreamsTest, OtherAnswersOwnNoStatusOfGrpc) {
  Ask(0, 1);
  Answer(1, 1, kOk, kWhole | kEnd);
  Ask(2, 3, "\x83\x84" + Field("content-type", "application/grpc-web+proto"), kWhole | kEnd);
  Answer(3, 3, kOk, kWhole | kEnd);
  ASSERT_EQ(turns_.size(), 2U);
  EXPECT_EQ(turns_[0].grpc_status, -1);
  EXPECT_EQ(turns_[1].grpc_status, -1) << "it has its trailers in the body";
}

TEST_F(Http2StreamsTest, WhereABlockWasMissedTheStatusOfACallIsUnknown) {
  Ask(0, 1, "\x83\x84" + Field("content-type", "application/grpc"), kWhole | kEnd);
  Answer(1, 1);
  weir_step trailers = MakeStep(WEIR_STEP_BLOCK, 2, 9);
  trailers.stream = 1;
  trailers.frame_type = WEIR_FRAME_HEADERS;
  trailers.frame_flags = kWhole | kEnd;
  trailers.flags = WEIR_STEP_BEGINS | WEIR_STEP_FROM_SERVER;
  trailers.text_bytes = 9;
  streams_->OnBlock(trailers, std::nullopt, sink_);
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_EQ(turns_[0].status, 200);
  EXPECT_EQ(turns_[0].grpc_status, -1);
}

TEST_F(Http2StreamsTest, StreamsAreKeptApart) {
  Ask(0, 1, Get("/items/5"));
  Ask(1, 3, "\x83\x44\x02/b", kWhole);
  Upload(2, 3, 100);
  Answer(10, 3, "\x8d");
  Upload(11, 3, 50, kEnd);
  Answer(20, 1);
  Data(21, 3, 5);
  Data(22, 1, 5);
  Data(24, 3, 5, kEnd);
  Data(32, 1, 5, kEnd);
  ASSERT_EQ(turns_.size(), 2U);
  const Turn& post = turns_[0];
  EXPECT_EQ(post.application, "h2");
  EXPECT_EQ(post.method, "POST");
  EXPECT_EQ(post.resource, "/b");
  EXPECT_EQ(post.status, 404);
  EXPECT_EQ(post.latency_us, 9'000);
  EXPECT_EQ(post.first_chunk_us, 20'000);
  EXPECT_EQ(post.duration_us, 23'000);
  EXPECT_EQ(post.gaps_us, (std::vector<uint32_t>{3'000}));
  EXPECT_EQ(post.request_body_bytes, 150U);
  const Turn& get = turns_[1];
  EXPECT_EQ(get.method, "GET");
  EXPECT_EQ(get.resource, "/items/{id}");
  EXPECT_EQ(get.status, 200);
  EXPECT_EQ(get.latency_us, 20'000);
  EXPECT_EQ(get.first_chunk_us, 22'000);
  EXPECT_EQ(get.duration_us, 32'000);
  EXPECT_EQ(get.gaps_us, (std::vector<uint32_t>{10'000}));
  EXPECT_EQ(get.request_body_bytes, 0U);
  EXPECT_EQ(room_.streams, 0U);
}

TEST_F(Http2StreamsTest, FramesOfOneWriteAreOneChunkAndTrailersAreNone) {
  Ask(0, 1);
  Answer(5, 1);
  Data(5, 1, 100);
  Data(5, 1, 16'384);
  Data(9, 1, 10);
  Answer(9, 1,
         "\x0f\x01\x01"
         "0",
         kWhole | kEnd);
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_EQ(turns_[0].first_chunk_us, turns_[0].latency_us);
  EXPECT_EQ(turns_[0].gaps_us, (std::vector<uint32_t>{4'000}));
  EXPECT_EQ(turns_[0].duration_us, 9'000);
}

TEST_F(Http2StreamsTest, AnEmptyDataEndsAndIsNoChunk) {
  Ask(0, 1);
  Answer(5, 1);
  Data(7, 1, 3);
  Data(90, 1, 0, kEnd);
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_TRUE(turns_[0].gaps_us.empty());
  EXPECT_EQ(turns_[0].duration_us, 90'000);
}

TEST_F(Http2StreamsTest, AnAnswerOfAnnouncedLengthIsNoStream) {
  Ask(0, 1);
  Answer(5, 1,
         "\x88\x5c\x04"
         "2000");
  Data(6, 1, 1'000);
  Data(9, 1, 1'000, kEnd);
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_TRUE(turns_[0].gaps_us.empty());
  EXPECT_EQ(turns_[0].first_chunk_us, 6'000);
}

TEST_F(Http2StreamsTest, InformationIsNotTheAnswer) {
  Ask(0, 1);
  Answer(5, 1,
         "\x48\x03"
         "103");
  Answer(30, 1, kOk, kWhole | kEnd);
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_EQ(turns_[0].status, 200);
  EXPECT_EQ(turns_[0].latency_us, 30'000);
}

TEST_F(Http2StreamsTest, AResetSaysByWhomAndAfterTheEndNothing) {
  Ask(0, 1);
  Frame(3, 1, WEIR_FRAME_RST_STREAM, 4, 0, 0);
  Ask(10, 3);
  Answer(12, 3);
  Frame(13, 3, WEIR_FRAME_RST_STREAM, 4, 0, WEIR_STEP_FROM_SERVER);
  Ask(20, 5);
  Answer(21, 5, kOk, kWhole | kEnd);
  Frame(22, 5, WEIR_FRAME_RST_STREAM, 4, 0, WEIR_STEP_FROM_SERVER);
  ASSERT_EQ(turns_.size(), 3U);
  EXPECT_EQ(turns_[0].outcome, TurnOutcome::kReset);
  EXPECT_EQ(turns_[0].ending, "reset_by_client");
  EXPECT_EQ(turns_[0].latency_us, -1);
  EXPECT_EQ(turns_[1].ending, "reset_by_server");
  EXPECT_EQ(turns_[1].latency_us, 2'000);
  EXPECT_EQ(turns_[1].duration_us, -1);
  EXPECT_EQ(turns_[2].outcome, TurnOutcome::kAnswered);
  EXPECT_EQ(turns_[2].ending, "");
}

TEST_F(Http2StreamsTest, GoAwayRefusesWhatIsAboveItsLastStream) {
  for (const uint32_t stream : {1U, 3U, 5U}) Ask(0, stream);
  const Text all{{"\x7f\xff\xff\xff\0\0\0\0", 8}, 0, 0, WEIR_FRAME_GOAWAY};
  Block(1, 0, all, WEIR_STEP_FROM_SERVER);
  EXPECT_TRUE(turns_.empty()) << "the first of a graceful shutdown";
  Block(2, 0, {{"\0\0\0\x03\0\0\0\0", 8}, 0, 0, WEIR_FRAME_GOAWAY}, WEIR_STEP_FROM_SERVER);
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_EQ(turns_[0].ending, "refused_by_goaway");
  Answer(5, 3, kOk, kWhole | kEnd);
  EXPECT_EQ(turns_.back().outcome, TurnOutcome::kAnswered);
  Block(6, 0, {{"\0\0", 2}, 0, 0, WEIR_FRAME_GOAWAY}, WEIR_STEP_FROM_SERVER);
  EXPECT_EQ(turns_.size(), 2U) << "too short to say anything";
}

TEST_F(Http2StreamsTest, TheConnectionsEndLeavesRequestsUnansweredAndAnswersBrokenOff) {
  Ask(0, 1);
  Ask(0, 3);
  Answer(1, 3);
  streams_->Close(sink_);
  EXPECT_EQ(turns_.size(), 2U);
  EXPECT_EQ(Count(TurnOutcome::kUnanswered), 1U);
  EXPECT_EQ(Count(TurnOutcome::kUnusable), 1U);
  EXPECT_EQ(room_.streams, 0U);
}

TEST_F(Http2StreamsTest, BlocksComeInPiecesPaddedAndWithPriority) {
  const std::string block = Get("/long/path");
  const std::string payload = std::string("\x03", 1) + std::string("\0\0\0\0\x10", 5) + block.substr(0, 4) + "pad";
  weir_step step = MakeStep(WEIR_STEP_BLOCK, 1, static_cast<uint32_t>(payload.size()));
  step.stream = 1;
  step.frame_type = WEIR_FRAME_HEADERS;
  step.frame_flags = WEIR_FRAME_PADDED | WEIR_FRAME_PRIORITY | kEnd;
  for (size_t at = 0; at < payload.size(); at += 5) {
    const std::string_view piece = std::string_view(payload).substr(at, 5);
    step.flags = at == 0 ? WEIR_STEP_BEGINS | WEIR_STEP_OPENS : 0;
    step.text_bytes = static_cast<weir_u16>(piece.size());
    streams_->OnBlock(step, piece, sink_);
  }
  Block(2, 1, {std::string_view(block).substr(4, 3), 0, 0, WEIR_FRAME_CONTINUATION}, 0);
  Block(3, 1, {std::string_view(block).substr(7), kWhole, 0, WEIR_FRAME_CONTINUATION}, 0);
  Answer(11, 1, kOk, kWhole | kEnd);
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_EQ(turns_[0].resource, "/long/path");
  EXPECT_EQ(turns_[0].latency_us, 10'000) << "since the first piece";
}

TEST_F(Http2StreamsTest, PaddingLongerThanItsFrameLosesTheNames) {
  Ask(0, 1, "\x09\x82\x84", kWhole | kEnd | WEIR_FRAME_PADDED);
  Answer(1, 1, kOk, kWhole | kEnd);
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_EQ(turns_[0].method, "");
  EXPECT_EQ(turns_[0].resource, "");
  EXPECT_EQ(turns_[0].status, 200);
  EXPECT_EQ(turns_[0].duration_us, 1'000);
}

TEST_F(Http2StreamsTest, ABlockThatWasMissedLeavesAllLaterNamesUnknown) {
  const uint64_t before = Read(Metric::agent_http2_nameless);
  weir_step step = MakeStep(WEIR_STEP_BLOCK, 0, 2);
  step.stream = 1;
  step.frame_type = WEIR_FRAME_HEADERS;
  step.frame_flags = kWhole | kEnd;
  step.flags = WEIR_STEP_BEGINS | WEIR_STEP_OPENS;
  step.text_bytes = 2;
  streams_->OnBlock(step, std::nullopt, sink_);
  Ask(1, 3, Get("/guess"));
  Answer(2, 1, kOk, kWhole | kEnd);
  Answer(3, 3, kOk, kWhole | kEnd);
  ASSERT_EQ(turns_.size(), 2U);
  for (const Turn& turn : turns_) {
    EXPECT_EQ(turn.outcome, TurnOutcome::kAnswered);
    EXPECT_EQ(turn.method + turn.resource, "");
    EXPECT_EQ(turn.status, 200) << "the server's blocks are all here";
    EXPECT_EQ(turn.latency_us, 2'000);
  }
  EXPECT_EQ(Read(Metric::agent_http2_nameless), before + 2);
}

TEST_F(Http2StreamsTest, FramesLeftOutMakeOnlyWhatWasOpenUnusable) {
  Ask(0, 1);
  Ask(0, 3);
  Answer(1, 3, kOk, kWhole | kEnd);
  Block(5, 5, {kGetRoot, kWhole | kEnd, WEIR_STEP_CUT}, WEIR_STEP_OPENS);
  Answer(6, 1, kOk, kWhole | kEnd);
  Answer(9, 5, kOk, kWhole | kEnd);
  ASSERT_EQ(turns_.size(), 3U);
  EXPECT_EQ(turns_[1].outcome, TurnOutcome::kUnusable);
  EXPECT_EQ(turns_[1].ending, "frames_left_out");
  EXPECT_EQ(turns_[2].outcome, TurnOutcome::kAnswered);
  EXPECT_EQ(turns_[2].latency_us, 4'000);
  EXPECT_EQ(turns_[2].status, 0) << "unknown";
}

TEST_F(Http2StreamsTest, AstrayIsUnusableOnceAndForGood) {
  Ask(0, 1);
  streams_->OnAstray(WEIR_ASTRAY_HOLE, sink_);
  streams_->OnAstray(WEIR_ASTRAY_MANY, sink_);
  Ask(1, 3);
  Answer(2, 3, kOk, kWhole | kEnd);
  streams_->Close(sink_);
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_EQ(turns_[0].outcome, TurnOutcome::kUnusable);
  EXPECT_EQ(turns_[0].ending, "bytes_not_seen");
  EXPECT_EQ(turns_[0].method, "") << "an unusable exchange has no name";
  streams_ = std::make_unique<Http2Streams>(room_);
  streams_->OnAstray(WEIR_ASTRAY_NO_HEADER, sink_);
  ASSERT_EQ(turns_.size(), 2U) << "with nothing open it is one all the same";
  EXPECT_EQ(turns_[1].ending, "not_frames");
}

TEST_F(Http2StreamsTest, WhatMakesNoSenseIsNoTurn) {
  Answer(0, 1, kOk, kWhole | kEnd);
  Data(1, 1, 10, kEnd);
  Upload(2, 9, 10, kEnd);
  Frame(3, 7, WEIR_FRAME_RST_STREAM, 4, 0, 0);
  Block(4, 1, {"\x82", kWhole, 0, WEIR_FRAME_CONTINUATION}, 0);
  EXPECT_TRUE(turns_.empty());
  Ask(5, 11);
  Data(6, 11, 10, kEnd);
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_EQ(turns_[0].outcome, TurnOutcome::kUnusable) << "a body without a header";
}

TEST_F(Http2StreamsTest, StreamsAreBounded) {
  for (uint32_t i = 0; i < Http2Room::kMaxStreams + 10; ++i) Ask(0, 2 * i + 1);
  EXPECT_EQ(room_.streams, Http2Room::kMaxStreams);
  streams_.reset();
  EXPECT_EQ(room_.streams, 0U);
  EXPECT_EQ(room_.named, 0U);
}

TEST_F(Http2StreamsTest, AHeaderBlockIsBounded) {
  const std::string piece(60'000, '\x82');
  Block(0, 1, {piece, kEnd}, WEIR_STEP_OPENS);
  Block(1, 1, {piece, kWhole, 0, WEIR_FRAME_CONTINUATION}, 0);
  Answer(2, 1, kOk, kWhole | kEnd);
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_EQ(turns_[0].method, "");
}

}  // namespace
}  // namespace weir::agent::requests

// The machine on recorded steps. Times in milliseconds.
#include "agent/requests/turn_machine.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "agent/requests/turn_builder.h"

namespace weir::agent::requests {
namespace {

constexpr std::string_view kGet = "GET /items/5 HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view kChunkedHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

class TurnMachineTest : public testing::Test {
 protected:
  void Request(double at, std::string_view text = kGet, uint8_t flags = 0) {
    weir_step_head head = MakeHead(WEIR_STEP_REQUEST, at, text);
    head.step.flags = flags;
    requested_ = static_cast<uint32_t>(text.size());
    machine_.OnHead(head);
  }
  void Answer(double at, std::string_view text, uint32_t more_request_bytes = 0) {
    machine_.OnHead(MakeHead(WEIR_STEP_ANSWER, at, text, requested_ + more_request_bytes));
  }
  void Chunk(double at, uint32_t bytes, std::string_view ends_in = "") {
    machine_.OnStep(MakeStep(WEIR_STEP_CHUNK, at, bytes, ends_in));
  }
  void Close(double at) { machine_.OnStep(MakeStep(WEIR_STEP_CLOSED, at)); }
  void Sweep(double at) { machine_.Sweep(static_cast<Nanos>(at * 1e6)); }
  size_t Unusable() const {
    return static_cast<size_t>(std::count_if(turns_.begin(), turns_.end(),
                                             [](const Turn& turn) { return turn.outcome == TurnOutcome::kUnusable; }));
  }

  std::vector<Turn> turns_;
  TurnMachine machine_{[this](const weir_step_head&, const Turn& turn) { turns_.push_back(turn); }};
  uint32_t requested_ = 0;
};

TEST_F(TurnMachineTest, AUnaryTurnEndsWithItsLength) {
  Request(100);
  Answer(120, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
  EXPECT_TRUE(turns_.empty());
  Chunk(121, 5);
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_EQ(turns_[0].outcome, TurnOutcome::kAnswered);
  EXPECT_EQ(turns_[0].method, "GET");
  EXPECT_EQ(turns_[0].resource, "/items/{id}");
  EXPECT_EQ(turns_[0].status, 200);
  EXPECT_EQ(turns_[0].latency_us, 20'000);
  EXPECT_EQ(turns_[0].first_chunk_us, 21'000);
  EXPECT_EQ(turns_[0].duration_us, 21'000);
  EXPECT_TRUE(turns_[0].gaps_us.empty());
}

TEST_F(TurnMachineTest, AStreamTellsHeaderFirstChunkGapsAndEnd) {
  Request(0);
  Answer(1, kChunkedHead);
  Chunk(30, 10, "data\r\n");
  Chunk(42, 10, "data\r\n");
  Chunk(50, 10, "data\r\n");
  Chunk(51, 5, "0\r\n\r\n");
  Sweep(1'000);
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_EQ(turns_[0].latency_us, 1'000);
  EXPECT_EQ(turns_[0].first_chunk_us, 30'000);
  EXPECT_EQ(turns_[0].duration_us, 51'000);
  EXPECT_EQ(turns_[0].gaps_us, (std::vector<uint32_t>{12'000, 8'000})) << "the last chunk is an end, no chunk";
}

TEST_F(TurnMachineTest, WaitsAreOfTheTurnThatHadThem) {
  Request(100, "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n");
  weir_step_head answer = MakeHead(WEIR_STEP_ANSWER, 120, "HTTP/1.1 204 No Content\r\n\r\n", requested_ + 4);
  answer.upload_us = 7'000;
  answer.read_us = 9'000;
  answer.accept_us = 300;
  machine_.OnHead(answer);
  Request(150);
  Answer(151, "HTTP/1.1 204 No Content\r\n\r\n");
  ASSERT_EQ(turns_.size(), 2U);
  EXPECT_EQ(turns_[0].upload_us, 7'000);
  EXPECT_EQ(turns_[0].receive_wait_us, 9'000);
  EXPECT_EQ(turns_[0].accept_wait_us, 300);
  EXPECT_EQ(turns_[0].client_idle_us, -1) << "nothing is known of before";
  EXPECT_EQ(turns_[1].upload_us, -1) << "the kernel side did not tell";
  EXPECT_EQ(turns_[1].receive_wait_us, -1) << "no read was seen";
  EXPECT_EQ(turns_[1].accept_wait_us, -1);
  EXPECT_EQ(turns_[1].client_idle_us, 30'000);
}

TEST_F(TurnMachineTest, AnAnswerBeforeAllOfTheRequestHasComeTellsNoUpload) {
  Request(0, "POST / HTTP/1.1\r\nContent-Length: 4000\r\n\r\n");
  weir_step_head answer =
      MakeHead(WEIR_STEP_ANSWER, 5, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n", requested_ + 1'000);
  answer.upload_us = 4'000;
  machine_.OnHead(answer);
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_EQ(turns_[0].upload_us, -1);
}

TEST_F(TurnMachineTest, AClientWhoseTurnsWereLeftOutWasNotIdle) {
  Request(0);
  Answer(1, "HTTP/1.1 204 No Content\r\n\r\n");
  Request(500, kGet, WEIR_STEP_CUT);
  Answer(501, "HTTP/1.1 204 No Content\r\n\r\n");
  ASSERT_EQ(turns_.size(), 2U);
  EXPECT_EQ(turns_[1].client_idle_us, -1);
}

TEST_F(TurnMachineTest, TheWaitForAcceptIsKeptUntilATurnTellsIt) {
  Request(0);
  weir_step_head answer = MakeHead(WEIR_STEP_ANSWER, 1, "HTTP/1.1 100 Continue\r\n\r\n", requested_);
  answer.accept_us = 40;
  machine_.OnHead(answer);
  Answer(2, "HTTP/1.1 204 No Content\r\n\r\n");
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_EQ(turns_[0].accept_wait_us, 40);
}

TEST_F(TurnMachineTest, DataThatLooksLikeTheLastChunkIsNotTheEnd) {
  Request(0);
  Answer(1, kChunkedHead);
  Chunk(10, 20, "..0\r\n\r\n");
  Chunk(20, 20, "data\r\n");
  Chunk(30, 5, "0\r\n\r\n");
  Request(40);
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_EQ(turns_[0].duration_us, 30'000);
  EXPECT_EQ(turns_[0].gaps_us.size(), 1U);
}

TEST_F(TurnMachineTest, HeaderAndBodyInOneWriteAreOneTime) {
  Request(0);
  Answer(7, std::string("HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\nno"));
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_EQ(turns_[0].latency_us, 7'000);
  EXPECT_EQ(turns_[0].first_chunk_us, 7'000);
  EXPECT_EQ(turns_[0].status, 500);
}

TEST_F(TurnMachineTest, AnswersWithoutBodyEndWithTheirHeader) {
  Request(0, "HEAD / HTTP/1.1\r\n\r\n");
  Answer(1, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n");
  Request(10);
  Answer(11, "HTTP/1.1 304 Not Modified\r\n\r\n");
  Request(20);
  Answer(21, "HTTP/1.1 204 No Content\r\n\r\n");
  ASSERT_EQ(turns_.size(), 3U);
  for (const Turn& turn : turns_) {
    EXPECT_EQ(turn.duration_us, 1'000);
    EXPECT_EQ(turn.first_chunk_us, -1);
  }
}

TEST_F(TurnMachineTest, ContinueIsNotTheAnswer) {
  Request(0, "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n");
  Answer(1, "HTTP/1.1 100 Continue\r\n\r\n");
  Answer(25, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 1'000);
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_EQ(turns_[0].latency_us, 25'000);
  EXPECT_EQ(turns_[0].status, 200);
  EXPECT_EQ(turns_[0].request_body_bytes, 1'000U);
}

TEST_F(TurnMachineTest, KeptAliveTurnsDoNotMix) {
  for (int i = 0; i < 100; ++i) {
    Request(i * 10);
    Answer(i * 10 + 2, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
  }
  ASSERT_EQ(turns_.size(), 100U);
  for (const Turn& turn : turns_) EXPECT_EQ(turn.latency_us, 2'000);
}

TEST_F(TurnMachineTest, PipelinedRequestsAreUnusableAndEndTheMeasuring) {
  Request(0, std::string(kGet) + std::string(kGet));
  Answer(5, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
  EXPECT_EQ(Unusable(), 1U);
  Request(10);
  Answer(11, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
  EXPECT_EQ(turns_.size(), 2U);
  EXPECT_EQ(Unusable(), 2U) << "the answer may be the one before's";
}

TEST_F(TurnMachineTest, ARequestDuringAnAnswerIsOutOfStep) {
  Request(0);
  Answer(1, kChunkedHead);
  Chunk(2, 10, "data\r\n");
  Request(3);
  EXPECT_EQ(turns_.size(), 2U);
  EXPECT_EQ(Unusable(), 2U);
}

TEST_F(TurnMachineTest, MoreBodyThanAnnouncedIsUnusable) {
  Request(0);
  Answer(1, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n");
  Chunk(2, 4);
  EXPECT_EQ(Unusable(), 1U);
}

TEST_F(TurnMachineTest, UpgradesTunnelsAndGarbageAreUnusable) {
  Request(0);
  Answer(1, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n");
  EXPECT_EQ(Unusable(), 1U);
  Close(2);
  Request(10, "CONNECT a:443 HTTP/1.1\r\n\r\n");
  EXPECT_EQ(Unusable(), 2U);
  Close(11);
  Request(20);
  Answer(21, "SSH-2.0-OpenSSH");
  EXPECT_EQ(Unusable(), 3U);
  Close(22);
}

TEST_F(TurnMachineTest, Http2IsFollowedByItsFrames) {
  Request(0, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  Answer(1, "");  // who writes
  const auto block = [this](double at, uint8_t flags, std::string_view text) {
    weir_step_block made{};
    made.step = MakeStep(WEIR_STEP_BLOCK, at, static_cast<uint32_t>(text.size()));
    made.step.stream = 1;
    made.step.frame_type = WEIR_FRAME_HEADERS;
    made.step.frame_flags = WEIR_FRAME_END_HEADERS | WEIR_FRAME_END_STREAM;
    made.step.flags = static_cast<weir_u8>(WEIR_STEP_BEGINS | flags);
    made.step.text_bytes = static_cast<weir_u16>(text.size());
    std::memcpy(made.text, text.data(), text.size());
    machine_.OnBlock(made);
  };
  block(2, WEIR_STEP_OPENS, "\x82\x84");
  block(5, WEIR_STEP_FROM_SERVER, "\x88");
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_EQ(turns_[0].application, "h2");
  EXPECT_EQ(turns_[0].resource, "/");
  EXPECT_EQ(turns_[0].latency_us, 3'000);
  Close(6);
  EXPECT_EQ(turns_.size(), 1U);
  EXPECT_EQ(machine_.size(), 0U);
  Request(10, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  block(11, WEIR_STEP_OPENS, "\x82\x84");
  machine_.Abandon();
  EXPECT_EQ(turns_.back().ending, "given_up");
  EXPECT_EQ(Unusable(), 1U);
}

TEST_F(TurnMachineTest, TheConnectionsEndEndsTheAnswerOrLeavesTheRequestUnanswered) {
  Request(0);
  Answer(1, "HTTP/1.0 200 OK\r\n\r\n");
  Chunk(5, 100);
  Close(9);
  Request(20);
  Close(21);
  Request(30);
  Answer(31, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
  Chunk(32, 50);
  Close(33);
  ASSERT_EQ(turns_.size(), 3U);
  EXPECT_EQ(turns_[0].duration_us, 5'000) << "the last write, not the close";
  EXPECT_EQ(turns_[1].outcome, TurnOutcome::kUnanswered);
  EXPECT_EQ(turns_[2].outcome, TurnOutcome::kUnusable) << "broken off";
  EXPECT_EQ(machine_.size(), 0U);
}

TEST_F(TurnMachineTest, SilenceEndsAnAnswerWithoutFraming) {
  Request(0);
  Answer(1, "HTTP/1.1 200 OK\r\nServer: x\r\nX-Long: " + std::string(600, 'x'));  // the copy ends within the header
  Chunk(3, 100);
  Sweep(5'000);
  EXPECT_TRUE(turns_.empty());
  Sweep(11'000);
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_EQ(turns_[0].duration_us, 3'000);
  EXPECT_EQ(turns_[0].first_chunk_us, -1) << "where the body begins is not known";
}

TEST_F(TurnMachineTest, ATurnThatWasCutIsNotCounted) {
  Request(0);
  Answer(1, kChunkedHead);
  Request(10, kGet, WEIR_STEP_CUT);
  EXPECT_TRUE(turns_.empty());
  Answer(12, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_EQ(turns_[0].latency_us, 2'000);
}

TEST_F(TurnMachineTest, AReusedPointerIsAnotherConnection) {
  Request(0);
  weir_step_head other = MakeHead(WEIR_STEP_REQUEST, 10, kGet);
  other.remote_port = 41'000;
  machine_.OnHead(other);
  EXPECT_TRUE(turns_.empty()) << "the end of the first one was lost: nothing is known of its request";
}

TEST_F(TurnMachineTest, ConnectionsAreBounded) {
  weir_step_head head = MakeHead(WEIR_STEP_REQUEST, 0, kGet);
  for (uint64_t socket = 0; socket < TurnMachine::kMaxConnections + 10; ++socket) {
    head.step.socket = socket;
    machine_.OnHead(head);
  }
  EXPECT_EQ(machine_.size(), TurnMachine::kMaxConnections);
}

}  // namespace
}  // namespace weir::agent::requests

// The rules of ADR 5 on records of known lengths. Times in milliseconds; lengths as OpenSSL writes them.
#include "agent/requests/tls_turns.h"

#include <gtest/gtest.h>

#include <vector>

#include "agent/requests/turn_builder.h"
#include "agent/requests/turn_machine.h"

namespace weir::agent::requests {
namespace {

constexpr uint32_t kAes128 = 0x1301;
constexpr uint32_t kAes256 = 0x1302;
constexpr uint32_t kEcdheAes128 = 0xc02f;  // TLS 1.2
constexpr uint32_t kFinished = 53;         // with SHA-256
constexpr uint32_t kTicket = 250;
constexpr uint32_t kAlert = 19;

class TlsTurnsTest : public testing::Test {
 protected:
  void Begin(uint32_t suite, uint32_t offer = WEIR_TLS_NOT_MULTIPLEXED) {
    weir_step_head head = MakeHead(WEIR_STEP_SECURED, 0, "");
    head.step.bytes = suite;
    head.step.stream = offer;
    machine_.OnHead(head);
  }
  // Of TLS 1.3, to the client's Finished.
  void ShakeHands() {
    Begin(kAes128);
    for (const uint32_t bytes : {32U, 800U, 281U, kFinished}) Server(0.1, bytes);
    Client(1, kFinished);
  }
  void Client(double at, uint32_t bytes, uint8_t flags = 0) {
    weir_step step = MakeStep(WEIR_STEP_RECORD, at, bytes);
    sent_ += bytes + 5;
    step.request_bytes = sent_;
    step.flags = static_cast<weir_u8>(flags | (in_a_row_++ == 0 ? WEIR_STEP_OPENS : 0));
    machine_.OnStep(step);
  }
  // All the client sent was read, but for `unread` bytes.
  void Server(double at, uint32_t bytes, uint32_t unread = 0, uint8_t flags = 0) {
    weir_step step = MakeStep(WEIR_STEP_RECORD, at, bytes);
    in_a_row_ = 0;
    step.request_bytes = sent_ - unread;
    step.flags = static_cast<weir_u8>(flags | WEIR_STEP_FROM_SERVER);
    machine_.OnStep(step);
  }
  void Close(double at, uint8_t flags = 0) {
    weir_step step = MakeStep(WEIR_STEP_CLOSED, at);
    step.flags = flags;
    machine_.OnStep(step);
  }
  void Sweep(double at) { machine_.Sweep(static_cast<Nanos>(at * 1e6)); }
  void ExpectUnusable(std::string_view why) {
    ASSERT_EQ(turns_.size(), 1U);
    EXPECT_EQ(turns_[0].outcome, TurnOutcome::kUnusable);
    EXPECT_EQ(turns_[0].application, "tls-timing");
    EXPECT_EQ(turns_[0].ending, why);
    EXPECT_EQ(turns_[0].latency_us, -1);
  }

  std::vector<Turn> turns_;
  TurnMachine machine_{[this](const weir_step_head&, const Turn& turn) { turns_.push_back(turn); }};
  uint32_t sent_ = 0xfffffff0;  // sequence numbers wrap
  int in_a_row_ = 0;
};

TEST_F(TlsTurnsTest, WaitsAreToldAsFarAsTheRecordsTellThem) {
  weir_step_head head = MakeHead(WEIR_STEP_SECURED, 0, "");
  head.step.bytes = kEcdheAes128;
  head.step.stream = WEIR_TLS_NOT_MULTIPLEXED;
  head.accept_us = 70;
  machine_.OnHead(head);
  Client(1, 100);
  Server(11, 5'000);
  Client(31, 100);
  Server(41, 5'000);
  Close(50);
  ASSERT_EQ(turns_.size(), 2U);
  EXPECT_EQ(turns_[0].accept_wait_us, 70);
  EXPECT_EQ(turns_[0].client_idle_us, -1);
  EXPECT_EQ(turns_[1].accept_wait_us, -1);
  EXPECT_EQ(turns_[1].client_idle_us, 20'000);
  EXPECT_EQ(turns_[1].upload_us, -1) << "records of an upload are not all told";
}

TEST_F(TlsTurnsTest, TheRequestThatRidesWithTheFinishedIsNotAnsweredByTickets) {
  ShakeHands();
  Client(1, 160);
  Server(1.2, kTicket, 165);
  Server(1.2, kTicket, 165);
  Server(1.4, kTicket, 165);  // in a write of its own
  Server(31, 190);            // header
  Server(61, 36);
  Server(71, 36);
  Server(81, 36);
  Server(82, 22);  // "0\r\n\r\n"
  Client(90, 160);
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_EQ(turns_[0].outcome, TurnOutcome::kAnswered);
  EXPECT_EQ(turns_[0].application, "tls-timing");
  EXPECT_EQ(turns_[0].latency_us, 30'000);
  EXPECT_EQ(turns_[0].first_chunk_us, 60'000);
  EXPECT_EQ(turns_[0].duration_us, 81'000);
  EXPECT_EQ(turns_[0].gaps_us, (std::vector<uint32_t>{10'000, 10'000}));
  EXPECT_EQ(turns_[0].method + turns_[0].resource, "") << "never guessed";
  EXPECT_EQ(turns_[0].status, 0);
}

TEST_F(TlsTurnsTest, ProcessesThatReadAheadWriteTheirTicketsAsOnePair) {
  ShakeHands();
  Client(1, 160);
  Server(1.2, kTicket);
  Server(1.2, kTicket);
  Server(21, 5'000);
  Close(22);
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_EQ(turns_[0].latency_us, 20'000);
  EXPECT_EQ(turns_[0].first_chunk_us, 20'000);
}

TEST_F(TlsTurnsTest, OneRecordThatMayBeATicketLeavesTheFirstRequestOutAndNoOther) {
  ShakeHands();
  Client(1, 160);
  Server(1.2, kTicket);
  Server(5, 400);
  ExpectUnusable("session_tickets");
  Server(6, 400);
  Client(10, 160);
  Server(12, 250);
  Client(20, 160);
  ASSERT_EQ(turns_.size(), 2U);
  EXPECT_EQ(turns_[1].latency_us, 2'000);
  Server(21, 300);
  Close(22);
  EXPECT_EQ(turns_.size(), 3U);
}

TEST_F(TlsTurnsTest, OneRecordThatMayBeATicketIsNoAnswerAtTheEndEither) {
  ShakeHands();
  Client(1, 160);
  Server(1.2, kTicket);
  Close(2);
  ExpectUnusable("session_tickets");
}

TEST_F(TlsTurnsTest, TicketsOfTheServersFirstFlightSettleIt) {
  Begin(kAes128);
  for (const uint32_t bytes : {32U, 800U, 281U, kFinished, 130U}) Server(0.1, bytes);
  Client(1, kFinished);
  Client(1, 160);
  Server(4, 250);
  Close(5);
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_EQ(turns_[0].latency_us, 3'000);
}

TEST_F(TlsTurnsTest, AClientsCertificateIsNoRequest) {
  Begin(kAes256);
  Server(0.1, 900);
  Client(1, 1'200);
  Client(1, 281);
  Client(1, 69);
  Client(2, 160);
  Server(3, 1'200, 165);
  Server(12, 3'000);
  Close(13);
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_EQ(turns_[0].latency_us, 10'000);
}

TEST_F(TlsTurnsTest, AFinishedThatIsNotFoundEndsTheMeasuring) {
  Begin(kAes128);
  Server(0.1, 900);
  Client(1, 1'500);  // certificate and Finished in one record
  Client(2, 160);
  Server(3, 250);
  ExpectUnusable("handshake_not_followed");
  Client(4, 160);
  Server(5, 300);
  Close(6);
  EXPECT_EQ(turns_.size(), 1U);
}

TEST_F(TlsTurnsTest, AlertsAndKeyUpdatesAreNeitherRequestsNorAnswers) {
  ShakeHands();
  Server(1.1, kTicket);
  Client(2, 22);
  Client(3, 160);
  Server(4, 3'000);
  Server(5'000, kAlert);  // kept alive until then
  Client(5'001, kAlert);
  Close(5'002);
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_EQ(turns_[0].latency_us, 1'000);
  EXPECT_EQ(turns_[0].duration_us, 1'000);
}

TEST_F(TlsTurnsTest, OfTls12EveryRecordIsARequestOrAnAnswer) {
  Begin(kEcdheAes128);
  for (int i = 0; i < 50; ++i) {
    Client(i * 10, 90);
    Server(i * 10 + 3, 250);  // of a ticket's length, which has a type of its own here
    Server(i * 10 + 4, 90);
  }
  Close(600);
  ASSERT_EQ(turns_.size(), 50U);
  for (const Turn& turn : turns_) {
    EXPECT_EQ(turn.latency_us, 3'000);
    EXPECT_EQ(turn.first_chunk_us, 4'000);
    EXPECT_TRUE(turn.gaps_us.empty());
  }
}

TEST_F(TlsTurnsTest, ContinueIsNotTheAnswer) {
  ShakeHands();
  Server(1.1, kTicket);
  Client(2, 200);
  Server(3, 25 + 17);
  Client(4, 16'401);
  Server(30, 200);
  Close(31);
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_EQ(turns_[0].latency_us, 28'000);
}

TEST_F(TlsTurnsTest, ABodyInFullRecordsIsNotStreamed) {
  ShakeHands();
  Client(2, 160);
  for (int i = 0; i < 20; ++i) Server(3 + i * 5, 16'401);
  Client(200, 160);
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_EQ(turns_[0].first_chunk_us, 1'000) << "a first record of this size is not a header alone";
  EXPECT_EQ(turns_[0].duration_us, 96'000);
  EXPECT_TRUE(turns_[0].gaps_us.empty());
}

TEST_F(TlsTurnsTest, AnAnswerThatGoesOnAfterTheNextRequestIsOutOfStep) {
  ShakeHands();
  Client(2, 160);
  Server(3, 3'000);
  Client(4, 160);
  Server(5, 3'000, 165);
  ASSERT_EQ(turns_.size(), 2U);
  EXPECT_EQ(turns_[1].ending, "out_of_step");
  Client(6, 160);
  Server(7, 3'000);
  Close(8);
  EXPECT_EQ(turns_.size(), 2U);
}

TEST_F(TlsTurnsTest, WhatIsNotFollowedIsCountedOnceWithItsReason) {
  const std::pair<uint32_t, std::string_view> kOffers[] = {{WEIR_TLS_MULTIPLEXED, "h2_offered"},
                                                           {WEIR_TLS_UNKNOWN, "hello_not_read"},
                                                           {WEIR_TLS_EARLY_DATA, "early_data"},
                                                           {99, "hello_not_read"}};
  for (const auto& [offer, why] : kOffers) {
    turns_.clear();
    Begin(kAes128, offer);
    Client(1, kFinished);
    Client(2, 160);
    Server(3, 3'000);
    Close(4);
    ExpectUnusable(why);
    EXPECT_EQ(machine_.size(), 0U);
  }
  turns_.clear();
  ShakeHands();
  machine_.OnStep(MakeStep(WEIR_STEP_ASTRAY, 2, WEIR_ASTRAY_HOLE));
  ExpectUnusable("bytes_not_seen");
  Client(3, 160);
  Close(4);
  EXPECT_EQ(turns_.size(), 1U);
}

TEST_F(TlsTurnsTest, ConnectionsWithoutRequestsAreNothing) {
  ShakeHands();
  Server(1.2, kTicket);
  Server(1.3, kTicket);
  Server(5'000, kAlert);
  Close(5'001);
  EXPECT_TRUE(turns_.empty());
  Begin(kAes128);
  Close(1);
  EXPECT_TRUE(turns_.empty());
}

TEST_F(TlsTurnsTest, AConnectionThatEndsFirstLeavesTheRequestUnanswered) {
  ShakeHands();
  Server(1.1, kTicket);
  Client(2, 160);
  Server(3, kAlert);
  Close(3);
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_EQ(turns_[0].outcome, TurnOutcome::kUnanswered);
}

TEST_F(TlsTurnsTest, SilenceEndsAnAnswer) {
  ShakeHands();
  Client(2, 160);
  Server(3, 3'000);
  Sweep(5'000);
  EXPECT_TRUE(turns_.empty());
  Sweep(11'000);
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_EQ(turns_[0].duration_us, 1'000);
}

TEST_F(TlsTurnsTest, RecordsThatWereLeftOutCostTheirRequestOnly) {
  ShakeHands();
  Client(2, 160);
  Server(3, 3'000, 0, WEIR_STEP_CUT);
  ExpectUnusable("records_left_out");
  Client(4, 160);
  Server(6, 3'000);
  Client(7, 160);
  ASSERT_EQ(turns_.size(), 2U);
  EXPECT_EQ(turns_[1].latency_us, 2'000);
  Close(8, WEIR_STEP_CUT);
  EXPECT_EQ(turns_.size(), 3U);
  EXPECT_EQ(turns_[2].outcome, TurnOutcome::kUnusable);
}

TEST_F(TlsTurnsTest, GivenUpWhatIsGoingOnIsUnusable) {
  ShakeHands();
  machine_.Abandon();
  EXPECT_TRUE(turns_.empty());
  ShakeHands();
  Client(2, 160);
  machine_.Abandon();
  ExpectUnusable("given_up");
}

// Any lengths a stranger may announce: no turn has a name or a negative time, and memory is bounded.
TEST_F(TlsTurnsTest, HostileLengthsMakeNoSense) {
  for (const uint32_t suite : {0U, kAes128, 0x1305U, 0xffffffffU}) {
    Begin(suite);
    for (uint32_t i = 0; i < 20'000; ++i) {
      const uint32_t bytes = i % 3 == 0 ? i * 2'654'435'761U : i % 300;
      if (i % 5 < 2) {
        Client(10 + i, bytes);
      } else {
        Server(10 + i, bytes, i % 7 == 0 ? bytes : 0);
      }
    }
    Close(1e6);
  }
  for (const Turn& turn : turns_) {
    EXPECT_EQ(turn.method + turn.resource, "");
    EXPECT_GE(turn.latency_us, -1);
    EXPECT_GE(turn.duration_us, turn.latency_us);
    EXPECT_LE(turn.gaps_us.size(), kMaxGaps);
  }
}

}  // namespace
}  // namespace weir::agent::requests

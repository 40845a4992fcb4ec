#include "agent/requests/tls_turns.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace weir::agent::requests {
namespace {

constexpr uint64_t kSilenceNs = 10'000'000'000;
constexpr uint32_t kFullRecord = 16'384;    // RFC 8446, 5.1
constexpr uint32_t kHeadOnly = 600;         // a first write of no more is the header, if another one follows
constexpr uint32_t kSmallestTicket = 60;    // a NewSessionTicket with the smallest reference, encrypted
constexpr uint32_t kLargestTicket = 2'048;  // with what servers pack into it; client certificates make larger ones
constexpr uint32_t kAlert = 2;              // RFC 8446, 6
constexpr uint32_t kKeyUpdate = 5;          // RFC 8446, 4.6.3, with its header
constexpr uint32_t kLastChunk = 5;          // "0\r\n\r\n"
constexpr uint32_t kContinue = 25;          // "HTTP/1.1 100 Continue\r\n\r\n"
constexpr uint32_t kStreamedGapUs = 2'000;  // in the median, of an answer that is made while it is sent

// The suites of TLS 1.3 are of no other version (RFC 8446, B.4).
bool IsVersion13(uint32_t suite) { return suite >> 8 == 0x13; }

// A tag, and before it in TLS 1.2 the nonce, which is not sent with ChaCha20 (RFC 7905); in TLS 1.3 the record's true
// type. The suites of TLS 1.2 with CBC pad: no length is recognised there.
uint32_t OverheadOf(uint32_t suite) {
  constexpr uint32_t kCcm8 = 0x1305;
  if (suite == kCcm8) return 8 + 1;
  if (IsVersion13(suite)) return 16 + 1;
  return suite >> 8 == 0xcc ? 16 : 16 + 8;
}

// Header and hash (RFC 8446, 4.4.4).
uint32_t FinishedBytes(uint32_t suite) {
  constexpr uint32_t kSha384 = 0x1302;
  return IsVersion13(suite) ? 4 + (suite == kSha384 ? 48 : 32) + OverheadOf(suite) : 0;
}

std::string_view NameOf(uint32_t reason) {
  switch (reason) {
    case WEIR_ASTRAY_NO_HEADER: return "not_records";
    case WEIR_ASTRAY_HOLE: return "bytes_not_seen";
    case WEIR_ASTRAY_UNREADABLE: return "not_in_memory";
    case WEIR_ASTRAY_MANY: return "too_many_records";
    default: return "out_of_step";
  }
}

bool IsStreamed(std::vector<uint32_t> gaps) {
  if (gaps.empty()) return false;
  const auto middle = gaps.begin() + static_cast<std::ptrdiff_t>(gaps.size() / 2);
  std::nth_element(gaps.begin(), middle, gaps.end());
  return *middle >= kStreamedGapUs;
}

}  // namespace

TlsTurns::TlsTurns(uint32_t suite)
    : version_13_(IsVersion13(suite)), overhead_(OverheadOf(suite)), finished_(FinishedBytes(suite)) {
  if (version_13_) return;
  state_ = State::kIdle;  // its handshake has a record type of its own, tickets too
  tickets_ = true;
}

std::string_view TlsTurns::WhyNot(uint32_t offer) {
  switch (offer) {
    case WEIR_TLS_NOT_MULTIPLEXED: return "";
    case WEIR_TLS_MULTIPLEXED: return "h2_offered";
    case WEIR_TLS_EARLY_DATA: return "early_data";
    default: return "hello_not_read";
  }
}

void TlsTurns::OnRecord(const weir_step& step, const Sink& sink) {
  if (state_ == State::kLost) return;
  last_record_ns_ = step.time_ns;
  if ((step.flags & WEIR_STEP_CUT) != 0) {
    if (state_ == State::kHandshake) {
      LoseAll("records_left_out", sink);
      return;
    }
    Abandon("records_left_out", sink);
    state_ = State::kWait;
    idle_from_ns_ = 0;
  }
  if ((step.flags & WEIR_STEP_FROM_SERVER) != 0) {
    OnServerRecord(step, sink);
  } else {
    OnClientRecord(step, sink);
  }
}

// Of TLS 1.3, where it looks like application data. The client sends its Finished last, what it may send before is its
// certificate; requests come after. The server's tickets may come before it.
void TlsTurns::OnHandshakeRecord(const weir_step& step, const Sink& sink) {
  if ((step.flags & WEIR_STEP_FROM_SERVER) == 0) {
    client_spoke_ = true;
    if (step.bytes == finished_) state_ = State::kIdle;
  } else if (client_spoke_) {
    LoseAll("handshake_not_followed", sink);
  } else {
    tickets_ |= server_finished_;
    server_finished_ |= step.bytes == finished_;
  }
}

void TlsTurns::OnClientRecord(const weir_step& step, const Sink& sink) {
  if (state_ == State::kHandshake) {
    OnHandshakeRecord(step, sink);
    return;
  }
  if (version_13_ && step.bytes <= kKeyUpdate + overhead_) return;  // or an alert
  const bool after_server = (step.flags & WEIR_STEP_OPENS) != 0;
  switch (state_) {
    case State::kAmbiguous:  // is this the upload that goes on, or the next request?
      if (after_server) Finish(TurnOutcome::kUnusable, "session_tickets", State::kWait, sink);
      return;
    case State::kWait:
      if (!after_server) return;
      break;
    case State::kAnswer: Finish(TurnOutcome::kAnswered, "", State::kIdle, sink); break;
    case State::kIdle: break;
    default: return;  // the request goes on
  }
  state_ = State::kRequest;
  request_ns_ = step.time_ns;
  if (idle_from_ns_ != 0) turn_.client_idle_us = Micros(std::exchange(idle_from_ns_, 0), step.time_ns);
  request_end_ = step.request_bytes;
}

void TlsTurns::OnServerRecord(const weir_step& step, const Sink& sink) {
  switch (state_) {
    case State::kHandshake: OnHandshakeRecord(step, sink); return;
    case State::kIdle: tickets_ = true; return;
    case State::kLost:
    case State::kWait: return;
    default: break;
  }
  if (version_13_ && step.bytes == kAlert + overhead_) return;
  switch (state_) {
    case State::kRequest: OnFirstServerRecord(step, sink); break;
    case State::kAmbiguous: OnSecondServerRecord(step, sink); break;
    default: OnWrite(step.time_ns, step.bytes); break;
  }
}

bool TlsTurns::MayBeTicket(const weir_step& step) const {
  return !tickets_ && step.bytes >= kSmallestTicket && step.bytes <= kLargestTicket;
}

// What the server writes before it has read all of a record cannot answer it: it could not decrypt it yet.
void TlsTurns::OnFirstServerRecord(const weir_step& step, const Sink& sink) {
  if (static_cast<int32_t>(step.request_bytes - request_end_) < 0) {
    tickets_ = true;
    // After the first answer there are no tickets: the answer before goes on.
    if (answered_ && step.bytes > kKeyUpdate + overhead_) LoseAll("out_of_step", sink);
    return;
  }
  if (tickets_ns_ != 0 && step.time_ns == tickets_ns_) return;
  if (step.bytes == kContinue + overhead_) return;
  if (MayBeTicket(step)) {
    state_ = State::kAmbiguous;
    ambiguous_ns_ = step.time_ns;
    ambiguous_bytes_ = step.bytes;
    return;
  }
  BeginAnswer(step.time_ns, step.bytes);
}

// Tickets come in pairs of one length, header and body do not.
void TlsTurns::OnSecondServerRecord(const weir_step& step, const Sink& sink) {
  const bool pair = step.bytes == ambiguous_bytes_;
  const bool one_write = step.time_ns == ambiguous_ns_;
  tickets_ = true;
  if (pair) {
    state_ = State::kRequest;
    tickets_ns_ = step.time_ns;
  } else if (one_write) {
    BeginAnswer(ambiguous_ns_, ambiguous_bytes_);
    OnWrite(step.time_ns, step.bytes);
  } else {
    Finish(TurnOutcome::kUnusable, "session_tickets", State::kWait, sink);
  }
}

void TlsTurns::BeginAnswer(uint64_t time_ns, uint32_t bytes) {
  state_ = State::kAnswer;
  tickets_ = true;
  answered_ = true;
  turn_.latency_us = Micros(request_ns_, time_ns);
  first_write_ns_ = last_write_ns_ = time_ns;
  first_write_bytes_ = bytes > overhead_ ? bytes - overhead_ : 0;
  last_chunk_ns_ = maybe_end_ns_ = 0;
  bulk_ = bytes >= kFullRecord;
}

// Records of one write have its time.
void TlsTurns::OnWrite(uint64_t time_ns, uint32_t bytes) {
  bulk_ |= bytes >= kFullRecord;
  if (time_ns == last_write_ns_) {
    if (time_ns == first_write_ns_) first_write_bytes_ += bytes;
    return;
  }
  last_write_ns_ = time_ns;
  if (maybe_end_ns_ != 0) OnChunk(std::exchange(maybe_end_ns_, 0));
  if (bytes == kLastChunk + overhead_) {
    maybe_end_ns_ = time_ns;  // an end, no chunk, unless something follows
  } else {
    OnChunk(time_ns);
  }
}

// A write after the first one.
void TlsTurns::OnChunk(uint64_t time_ns) {
  if (last_chunk_ns_ == 0 && first_write_bytes_ > kHeadOnly) {
    turn_.first_chunk_us = turn_.latency_us;
    last_chunk_ns_ = first_write_ns_;
  }
  if (last_chunk_ns_ == 0) {
    turn_.first_chunk_us = Micros(request_ns_, time_ns);
  } else if (turn_.gaps_us.size() < kMaxGaps) {
    const int64_t gap = Micros(last_chunk_ns_, time_ns);
    turn_.gaps_us.push_back(static_cast<uint32_t>(std::min<int64_t>(gap, UINT32_MAX)));
  }
  last_chunk_ns_ = time_ns;
}

void TlsTurns::Finish(TurnOutcome outcome, std::string_view why, State next, const Sink& sink) {
  Turn turn = std::exchange(turn_, Turn{});
  if (outcome == TurnOutcome::kUnusable) turn = Turn{};
  idle_from_ns_ = outcome == TurnOutcome::kAnswered ? last_write_ns_ : 0;
  if (outcome == TurnOutcome::kAnswered) {
    const bool with_body = last_write_ns_ == first_write_ns_ || first_write_bytes_ > kHeadOnly;
    if (last_chunk_ns_ == 0 && with_body) turn.first_chunk_us = turn.latency_us;
    if (bulk_ || !IsStreamed(turn.gaps_us)) turn.gaps_us.clear();
    turn.duration_us = Micros(request_ns_, last_write_ns_);
  }
  turn.application = kTlsTiming;
  turn.outcome = outcome;
  turn.ending = why;
  state_ = next;
  sink(turn);
}

void TlsTurns::LoseAll(std::string_view why, const Sink& sink) {
  Finish(TurnOutcome::kUnusable, why, State::kLost, sink);
}

void TlsTurns::OnAstray(uint32_t reason, const Sink& sink) {
  if (state_ != State::kLost) LoseAll(NameOf(reason), sink);
}

void TlsTurns::Abandon(std::string_view why, const Sink& sink) {
  const bool open = state_ == State::kRequest || state_ == State::kAmbiguous || state_ == State::kAnswer;
  if (open) Finish(TurnOutcome::kUnusable, why, State::kWait, sink);
}

void TlsTurns::Close(const Sink& sink) {
  switch (state_) {
    case State::kRequest: Finish(TurnOutcome::kUnanswered, "", State::kLost, sink); break;
    case State::kAmbiguous: LoseAll("session_tickets", sink); break;
    case State::kAnswer: Finish(TurnOutcome::kAnswered, "", State::kLost, sink); break;
    default: break;
  }
}

void TlsTurns::Sweep(uint64_t now_ns, const Sink& sink) {
  if (now_ns < last_record_ns_ || now_ns - last_record_ns_ <= kSilenceNs) return;
  if (state_ == State::kAnswer) Finish(TurnOutcome::kAnswered, "", State::kIdle, sink);
  if (state_ == State::kAmbiguous) Finish(TurnOutcome::kUnusable, "session_tickets", State::kWait, sink);
}

}  // namespace weir::agent::requests

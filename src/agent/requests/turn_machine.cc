#include "agent/requests/turn_machine.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "agent/requests/http_head.h"
#include "agent/requests/path_template.h"
#include "base/metrics.h"

namespace weir::agent::requests {
namespace {

constexpr uint64_t kSilenceNs = 10'000'000'000;
// A last chunk is known by its five bytes, which a chunk's data may end in as well: what follows at once tells.
constexpr uint64_t kSettleNs = 100'000'000;
constexpr uint64_t kForgetNs = 600'000'000'000;
constexpr std::string_view kLastChunk = "0\r\n\r\n";

std::string_view TextOf(const weir_step_head& head) {
  return {head.text, std::min<size_t>(head.text_bytes, sizeof(head.text))};
}

bool EndsInLastChunk(const weir_step& step) {
  return step.tail_bytes == kLastChunk.size() && std::memcmp(step.tail, kLastChunk.data(), kLastChunk.size()) == 0;
}

bool SameEnds(const weir_step_head& a, const weir_step_head& b) {
  return a.remote_port == b.remote_port && a.local_port == b.local_port && a.netns == b.netns &&
         std::memcmp(a.remote_address, b.remote_address, sizeof(a.remote_address)) == 0 &&
         std::memcmp(a.local_address, b.local_address, sizeof(a.local_address)) == 0;
}

}  // namespace

TurnMachine::Connection* TurnMachine::Find(const weir_step_head& head) {
  const auto known = connections_.find(head.step.socket);
  if (known != connections_.end()) {
    // The end of the one before was lost with a full ring.
    if (!SameEnds(known->second.ends, head)) known->second = Connection{};
    return &known->second;
  }
  if (head.step.kind == WEIR_STEP_ANSWER) return nullptr;  // answers a request that was not told
  if (connections_.size() >= kMaxConnections) {
    Count(Metric::agent_request_table_full);
    return nullptr;
  }
  return &connections_[head.step.socket];
}

void TurnMachine::OnHead(const weir_step_head& head) {
  Connection* connection = Find(head);
  if (connection == nullptr) return;
  connection->last_step_ns = head.step.time_ns;
  switch (head.step.kind) {
    case WEIR_STEP_REQUEST: OnRequest(*connection, head); break;
    case WEIR_STEP_SECURED: OnSecured(*connection, head); break;
    default: OnAnswer(*connection, head); break;
  }
}

void TurnMachine::OnRequest(Connection& connection, const weir_step_head& head) {
  const std::string_view text = TextOf(head);
  const bool cut = (head.step.flags & WEIR_STEP_CUT) != 0;
  if (cut && connection.state != State::kUnusable) connection.state = State::kIdle;
  Settle(connection, false);
  if (cut) connection.idle_from_ns = 0;
  const uint32_t pid = connection.ends.pid;  // of the process that answered before
  char comm[WEIR_COMM_BYTES];
  std::memcpy(comm, connection.ends.comm, sizeof(comm));
  std::memcpy(&connection.ends, &head, offsetof(weir_step_head, text));
  connection.ends.pid = pid;
  std::memcpy(connection.ends.comm, comm, sizeof(comm));
  if (connection.state == State::kUnusable) {
    // Every further request is one that was not measured; what merely goes on is none.
    if (ParseRequestHead(text)) GiveUp(connection);
    return;
  }
  connection.tls.reset();  // the end of the one before was lost
  connection.turn = Turn{};
  connection.turn.application = "http1";
  if (IsHttp2Preface(text)) {
    connection.state = State::kHttp2;
    connection.streams = std::make_unique<Http2Streams>(room_);
    return;
  }
  const auto request = ParseRequestHead(text);
  if (!request || request->method == "CONNECT") {
    GiveUp(connection);
    return;
  }
  connection.state = State::kRequest;
  connection.request_ns = head.step.time_ns;
  if (connection.idle_from_ns != 0) connection.turn.client_idle_us = Micros(connection.idle_from_ns, head.step.time_ns);
  connection.turn.method = request->method;
  connection.turn.resource = PathTemplate(request->target);
  const Framing& framing = request->framing;
  const bool known = framing.head_bytes != 0 && !framing.chunked && !framing.unclear;
  connection.request_bytes = known ? framing.head_bytes + framing.content_length.value_or(0) : 0;
  connection.request_head_bytes = framing.head_bytes;
}

void TurnMachine::OnHello(const weir_step_hello& hello) {
  offers_.erase(hello.step.socket);
  const auto known = hellos_.Put(hello);
  if (!known || !known->said.is_whole || known->said.lies || offers_.size() >= HelloAssembly::kMaxHellos) return;
  const weir_tls_offer offer = known->said.offers_http2 ? WEIR_TLS_MULTIPLEXED : WEIR_TLS_NOT_MULTIPLEXED;
  offers_[hello.step.socket] = {offer, hello.step.time_ns};
}

// Where one segment did not hold the client's hello, its pieces tell.
weir_tls_offer TurnMachine::OfferOf(const weir_step_head& secured) {
  const auto known = offers_.find(secured.step.socket);
  const auto told = static_cast<weir_tls_offer>(secured.step.stream);
  const weir_tls_offer offer = told == WEIR_TLS_UNKNOWN && known != offers_.end() ? known->second.offer : told;
  if (known != offers_.end()) offers_.erase(known);
  hellos_.Forget(secured.step.socket);
  return offer;
}

// A connection begins: its first step.
void TurnMachine::OnSecured(Connection& connection, const weir_step_head& head) {
  connection = Connection{};
  std::memcpy(&connection.ends, &head, offsetof(weir_step_head, text));
  connection.last_step_ns = head.step.time_ns;
  OnAccept(connection, head);
  const weir_tls_offer offer = OfferOf(head);
  if (const std::string_view why = TlsTurns::WhyNot(offer); !why.empty()) {
    // What the kernel side knew itself it does not follow.
    if (head.step.stream == WEIR_TLS_UNKNOWN && unfollow_) unfollow_(head.step.socket, head.step.time_ns);
    Turn turn;
    turn.application = kTlsTiming;
    turn.ending = why;
    sink_(connection.ends, turn);
    return;
  }
  connection.state = State::kTls;
  connection.tls = std::make_unique<TlsTurns>(head.step.bytes);
}

void TurnMachine::OnAccept(Connection& connection, const weir_step_head& head) {
  if (head.accept_us != 0) connection.accept_wait_us = head.accept_us;
}

void TurnMachine::OnAnswer(Connection& connection, const weir_step_head& head) {
  const State state = connection.state;
  if (state == State::kIdle || state == State::kUnusable || state == State::kTls) return;
  connection.ends.pid = head.pid;
  std::memcpy(connection.ends.comm, head.comm, sizeof(head.comm));
  OnAccept(connection, head);
  if (connection.state == State::kHttp2) return;  // it only says who writes
  const auto answer = ParseAnswerHead(TextOf(head));
  const bool pipelined = connection.request_bytes != 0 && head.step.request_bytes > connection.request_bytes;
  if (connection.state != State::kRequest || pipelined || !answer || answer->status == 101) {
    GiveUp(connection);
    return;
  }
  if (answer->status < 200) return;  // the answer is still to come (RFC 9110, 15.2)
  connection.state = State::kAnswer;
  connection.turn.status = answer->status;
  connection.turn.grpc_status = answer->framing.grpc_status;
  if (connection.request_bytes != 0 && head.step.request_bytes > connection.request_head_bytes) {
    connection.turn.request_body_bytes = head.step.request_bytes - connection.request_head_bytes;
  }
  connection.turn.latency_us = Micros(connection.request_ns, head.step.time_ns);
  // An answer may come before all of the request has.
  const bool whole = head.step.request_bytes >= connection.request_bytes;
  if (head.upload_us != 0 && whole) connection.turn.upload_us = head.upload_us;
  if (head.read_us != 0) connection.turn.receive_wait_us = head.read_us;
  connection.last_write_ns = head.step.time_ns;
  connection.last_chunk_ns = 0;
  connection.body_seen = 0;
  connection.complete = false;
  const Framing& framing = answer->framing;
  connection.body_bytes = framing.content_length.value_or(0);
  const bool bodiless = connection.turn.method == "HEAD" || answer->status == 204 || answer->status == 304;
  connection.body = framing.head_bytes == 0 || framing.unclear ? Body::kUnknown
                    : bodiless                                 ? Body::kNone
                    : framing.chunked                          ? Body::kChunked
                    : framing.content_length                   ? Body::kLength
                                                               : Body::kUntilClose;
  if (connection.body == Body::kUnknown) return;
  const uint64_t bytes = head.step.bytes > framing.head_bytes ? head.step.bytes - framing.head_bytes : 0;
  connection.complete =
      connection.body == Body::kNone || (connection.body == Body::kLength && connection.body_bytes == 0);
  if (bytes > 0) {
    OnBody(connection, head.step, bytes);
  } else if (connection.complete) {
    Finish(connection, TurnOutcome::kAnswered);
  }
}

void TurnMachine::OnStep(const weir_step& step) {
  const auto known = connections_.find(step.socket);
  if (known == connections_.end()) return;
  Connection& connection = known->second;
  connection.last_step_ns = step.time_ns;
  if (connection.tls != nullptr) {
    OnTls(connection, step);
    if (step.kind == WEIR_STEP_CLOSED) connections_.erase(known);
    return;
  }
  if (step.kind == WEIR_STEP_FRAME || step.kind == WEIR_STEP_BLOCK || step.kind == WEIR_STEP_ASTRAY) {
    OnHttp2(connection, step, std::nullopt);
    return;
  }
  if (step.kind == WEIR_STEP_CLOSED) {
    const bool cut = (step.flags & WEIR_STEP_CUT) != 0;
    if (cut && connection.streams != nullptr) OnHttp2(connection, step, std::nullopt);
    if (!cut || connection.streams != nullptr) Settle(connection, true);
    connections_.erase(known);
    return;
  }
  if (connection.state != State::kAnswer || step.kind != WEIR_STEP_CHUNK) return;
  if (connection.body == Body::kUnknown) {
    connection.last_write_ns = step.time_ns;
  } else {
    OnBody(connection, step, step.bytes);
  }
}

void TurnMachine::OnBlock(const weir_step_block& block) {
  const auto known = connections_.find(block.step.socket);
  if (known == connections_.end()) return;
  known->second.last_step_ns = block.step.time_ns;
  const std::string_view text(block.text, std::min<size_t>(block.step.text_bytes, sizeof(block.text)));
  const bool read = (block.step.flags & WEIR_STEP_UNREAD) == 0;
  OnHttp2(known->second, block.step, read ? std::optional(text) : std::nullopt);
}

void TurnMachine::OnHttp2(Connection& connection, const weir_step& step, std::optional<std::string_view> text) {
  if (connection.streams == nullptr) return;  // its preface was lost with a full ring
  const auto sink = [&](const Turn& turn) { Tell(connection, turn); };
  switch (step.kind) {
    case WEIR_STEP_BLOCK: connection.streams->OnBlock(step, text, sink); break;
    case WEIR_STEP_ASTRAY: connection.streams->OnAstray(step.bytes, sink); break;
    default: connection.streams->OnFrame(step, sink); break;
  }
}

void TurnMachine::OnTls(Connection& connection, const weir_step& step) {
  const auto sink = [&](const Turn& turn) { Tell(connection, turn); };
  switch (step.kind) {
    case WEIR_STEP_RECORD: connection.tls->OnRecord(step, sink); break;
    case WEIR_STEP_ASTRAY: connection.tls->OnAstray(step.bytes, sink); break;
    case WEIR_STEP_CLOSED:
      if ((step.flags & WEIR_STEP_CUT) != 0) connection.tls->Abandon("records_left_out", sink);
      connection.tls->Close(sink);
      break;
    default: break;
  }
}

// A write of `bytes` bytes of the body.
void TurnMachine::OnBody(Connection& connection, const weir_step& step, uint64_t bytes) {
  const bool last_chunk = connection.body == Body::kChunked && EndsInLastChunk(step);
  connection.last_write_ns = step.time_ns;
  connection.complete = last_chunk;
  connection.body_seen += bytes;
  if (!last_chunk || bytes > kLastChunk.size()) {
    const bool streamed = connection.body != Body::kLength;
    if (connection.last_chunk_ns == 0) {
      connection.turn.first_chunk_us = Micros(connection.request_ns, step.time_ns);
    } else if (streamed && connection.turn.gaps_us.size() < kMaxGaps) {
      const int64_t gap = Micros(connection.last_chunk_ns, step.time_ns);
      connection.turn.gaps_us.push_back(static_cast<uint32_t>(std::min<int64_t>(gap, UINT32_MAX)));
    }
    connection.last_chunk_ns = step.time_ns;
  }
  const bool bounded = connection.body == Body::kLength || connection.body == Body::kNone;
  if (!bounded || connection.body_seen < connection.body_bytes) return;
  if (connection.body == Body::kNone || connection.body_seen > connection.body_bytes) {
    GiveUp(connection);  // more than was announced: not the answer we took it for
  } else {
    Finish(connection, TurnOutcome::kAnswered);
  }
}

// What was going on ends because something else begins, or the connection ends.
void TurnMachine::Settle(Connection& connection, bool connection_ends) {
  if (connection.streams != nullptr) {
    connection.streams->Close([&](const Turn& turn) { Tell(connection, turn); });
    connection.streams.reset();
    connection.state = State::kIdle;
    return;
  }
  if (connection.state == State::kRequest) {
    if (connection_ends) {
      Finish(connection, TurnOutcome::kUnanswered);
    } else {
      GiveUp(connection);
    }
    return;
  }
  if (connection.state != State::kAnswer) return;
  const bool open_ended = connection.body == Body::kUnknown || connection.body == Body::kUntilClose;
  if (connection.complete || open_ended) {
    Finish(connection, TurnOutcome::kAnswered);
  } else {
    GiveUp(connection);  // broken off, or the next request did not wait
  }
}

void TurnMachine::Finish(Connection& connection, TurnOutcome outcome) {
  connection.turn.outcome = outcome;
  connection.idle_from_ns = 0;
  if (outcome == TurnOutcome::kAnswered) {
    connection.turn.duration_us = Micros(connection.request_ns, connection.last_write_ns);
    connection.idle_from_ns = connection.last_write_ns;
  }
  Tell(connection, connection.turn);
  connection.state = State::kIdle;
  connection.turn = Turn{};
}

// With what is to be told once of a connection.
void TurnMachine::Tell(Connection& connection, const Turn& turn) {
  if (connection.accept_wait_us < 0 || turn.outcome == TurnOutcome::kUnusable) {
    sink_(connection.ends, turn);
    return;
  }
  Turn first = turn;
  first.accept_wait_us = std::exchange(connection.accept_wait_us, -1);
  sink_(connection.ends, first);
}

void TurnMachine::GiveUp(Connection& connection) {
  Turn turn;
  turn.outcome = TurnOutcome::kUnusable;
  turn.application = "http1";
  sink_(connection.ends, turn);
  connection.turn = Turn{};
  connection.state = State::kUnusable;
}

void TurnMachine::Abandon() {
  for (auto& [socket, connection] : connections_) {
    if (connection.state == State::kRequest || connection.state == State::kAnswer) GiveUp(connection);
    const auto sink = [&, &ends = connection.ends](const Turn& turn) { sink_(ends, turn); };
    if (connection.streams != nullptr) connection.streams->Abandon("given_up", sink);
    if (connection.tls != nullptr) connection.tls->Abandon("given_up", sink);
  }
  connections_ = decltype(connections_)();
  hellos_.Clear();
  offers_ = {};
}

void TurnMachine::Sweep(Nanos now) {
  const auto now_ns = static_cast<uint64_t>(now);
  hellos_.Expire(now_ns);
  std::erase_if(offers_, [now_ns](const auto& offer) {
    return now_ns > offer.second.time_ns && now_ns - offer.second.time_ns > HelloAssembly::kPatienceNs;
  });
  for (auto item = connections_.begin(); item != connections_.end();) {
    Connection& connection = item->second;
    const uint64_t silent = now_ns > connection.last_step_ns ? now_ns - connection.last_step_ns : 0;
    const bool open_ended = connection.body == Body::kUnknown || connection.body == Body::kUntilClose;
    if (connection.state == State::kAnswer &&
        ((connection.complete && silent > kSettleNs) || (open_ended && silent > kSilenceNs))) {
      Finish(connection, TurnOutcome::kAnswered);
    }
    if (connection.tls != nullptr) connection.tls->Sweep(now_ns, [&](const Turn& turn) { Tell(connection, turn); });
    // One whose answer is still to come is kept however long it takes: the kernel tells when it closes.
    const bool forget = silent > kForgetNs && connection.state == State::kIdle;
    item = forget ? connections_.erase(item) : std::next(item);
  }
}

}  // namespace weir::agent::requests

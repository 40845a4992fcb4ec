// TurnMachine: from the steps of a node's HTTP/1, HTTP/2 and TLS connections (bpf/requests_abi.h) to finished turns:
// one request and its answer, with the times between. HTTP/2 is http2_streams.h, TLS tls_turns.h; here is HTTP/1. What
// cannot be told apart for certain is a turn of its own, marked unusable, and ends the connection's measuring: a guess
// would put one request's time beside another's path.
//
// Times start when the request's first segment arrives, before any process is woken: waiting for a busy process is part
// of what the client feels. An answer ends where its own framing says (RFC 9112, 6.3), else with the connection, with
// the next request, or with 10 s of silence; its last write tells when.
//
// Bounded: kMaxConnections; steps of further ones are counted (agent_request_table_full). Thread: the agent's loop, all
// calls.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "agent/requests/hello_assembly.h"
#include "agent/requests/http2_streams.h"
#include "agent/requests/tls_turns.h"
#include "agent/requests/turn.h"
#include "base/clock.h"
#include "bpf/requests_abi.h"

namespace weir::agent::requests {

class TurnMachine {
 public:
  static constexpr size_t kMaxConnections = 65'536;

  // Takes turns as they end; both views are valid during the call.
  using Sink = std::function<void(const weir_step_head& ends, const Turn& turn)>;
  // Told of connections whose steps are not wanted any more: their socket, and the time of their WEIR_STEP_SECURED.
  using Unfollow = std::function<void(uint64_t socket, uint64_t secured_ns)>;
  explicit TurnMachine(Sink sink, Unfollow unfollow = {}) : sink_(std::move(sink)), unfollow_(std::move(unfollow)) {}

  void OnHead(const weir_step_head& head);     // WEIR_STEP_REQUEST, WEIR_STEP_ANSWER, WEIR_STEP_SECURED
  void OnStep(const weir_step& step);          // all others; WEIR_STEP_BLOCK without its text
  void OnBlock(const weir_step_block& block);  // WEIR_STEP_BLOCK
  void OnHello(const weir_step_hello& hello);  // WEIR_STEP_HELLO with WEIR_STEP_AT_SERVER
  // Once per interval: ends what only silence can end, and forgets connections that have been silent for long.
  void Sweep(Nanos now_monotonic);
  // Measuring ends here: what is going on is unusable, and everything is forgotten.
  void Abandon();

  size_t size() const { return connections_.size(); }

 private:
  enum class Body { kUnknown, kNone, kLength, kChunked, kUntilClose };
  enum class State {
    kIdle,
    kRequest,  // a request came, no answer yet
    kAnswer,
    kUnusable,  // nothing is measured here any more
    kHttp2,     // for good
    kTls,       // for good
  };
  struct Connection {
    weir_step_head ends{};
    State state = State::kIdle;
    Body body = Body::kUnknown;
    bool complete = false;            // by the answer's own framing
    uint64_t request_bytes = 0;       // the whole request's length; 0 = unknown
    uint64_t request_head_bytes = 0;  // of it first line and fields
    uint64_t body_bytes = 0;          // announced
    uint64_t body_seen = 0;
    uint64_t request_ns = 0;
    uint64_t last_chunk_ns = 0;
    uint64_t last_write_ns = 0;
    uint64_t last_step_ns = 0;
    uint64_t idle_from_ns = 0;    // the last answer's end, while nothing was missed since; 0 = not known
    int64_t accept_wait_us = -1;  // until a turn tells it
    Turn turn;
    std::unique_ptr<Http2Streams> streams;  // in kHttp2
    std::unique_ptr<TlsTurns> tls;          // in kTls
  };

  Connection* Find(const weir_step_head& head);
  void OnRequest(Connection& connection, const weir_step_head& head);
  static void OnAccept(Connection& connection, const weir_step_head& head);
  void OnAnswer(Connection& connection, const weir_step_head& head);
  void OnSecured(Connection& connection, const weir_step_head& head);
  void OnTls(Connection& connection, const weir_step& step);
  void OnBody(Connection& connection, const weir_step& step, uint64_t bytes);
  void Settle(Connection& connection, bool connection_ends);
  void Finish(Connection& connection, TurnOutcome outcome);
  void Tell(Connection& connection, const Turn& turn);
  void GiveUp(Connection& connection);
  void OnHttp2(Connection& connection, const weir_step& step, std::optional<std::string_view> text);

  struct Offer {
    weir_tls_offer offer = WEIR_TLS_UNKNOWN;
    uint64_t time_ns = 0;
  };

  weir_tls_offer OfferOf(const weir_step_head& secured);

  const Sink sink_;
  const Unfollow unfollow_;
  HelloAssembly hellos_;                        // that arrived in pieces, until their server answers
  std::unordered_map<uint64_t, Offer> offers_;  // of those that are whole, by socket
  Http2Room room_;
  std::unordered_map<uint64_t, Connection> connections_;  // by the kernel's pointer, which is reused: ends are compared
};

}  // namespace weir::agent::requests

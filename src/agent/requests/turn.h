// Turn: one request and its answer, with the times between.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::agent::requests {

enum class TurnOutcome {
  kAnswered,
  kUnanswered,  // the connection ended first
  kReset,       // HTTP/2: the stream was broken off; Turn::ending says by whom
  kUnusable,    // pipelined, out of step, upgraded, unparsable, broken off
};

struct Turn {
  TurnOutcome outcome = TurnOutcome::kUnusable;
  std::string_view application;  // "http1", "h2", "tls-timing"
  std::string method;            // "" where it is not known
  std::string resource;          // path template
  int status = 0;                // 0 = none, or not known
  int grpc_status = -1;          // -1 = none, or not known; kNoGrpcStatus
  std::string_view ending;       // HTTP/2, TLS: who broke it off, or why it is unusable; "" = neither
  // Microseconds since the request's first byte; -1 = not measured.
  int64_t latency_us = -1;        // to the answer's header
  int64_t first_chunk_us = -1;    // to the first write that holds some of the body
  int64_t duration_us = -1;       // to the last write
  int64_t upload_us = -1;         // to its last segment
  int64_t receive_wait_us = -1;   // until its process read of it
  std::vector<uint32_t> gaps_us;  // between the writes of a streamed body
  // Others, in the same way.
  int64_t accept_wait_us = -1;      // from the handshake to accept(); of one turn of the connection
  int64_t client_idle_us = -1;      // from the end of the answer before
  uint64_t request_body_bytes = 0;  // received by the time of the answer; 0 also where the extent is not known
};

inline constexpr size_t kMaxGaps = 100'000;  // of one answer

// From one CLOCK_MONOTONIC time to a later one; 0 where it is not later.
inline int64_t Micros(uint64_t from_ns, uint64_t to_ns) {
  return to_ns > from_ns ? static_cast<int64_t>((to_ns - from_ns) / 1'000) : 0;
}

}  // namespace weir::agent::requests

// TlsTurns: the exchanges of one TLS connection, told apart by the lengths, times and directions of its records of
// application data alone (bpf/requests_tls.h). A heuristic: its turns are of the application "tls-timing" and have no
// method, path or status. ADR 5 says by which rules and where they fail. What they leave open is a turn that is not
// measured. Bounded by its size. Thread: the agent's loop, all calls.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "agent/requests/turn.h"
#include "bpf/requests_abi.h"

namespace weir::agent::requests {

inline constexpr std::string_view kTlsTiming = "tls-timing";

class TlsTurns {
 public:
  using Sink = std::function<void(const Turn&)>;  // takes turns as they end

  // `suite`: the cipher suite of the ServerHello; it says which version is spoken and how much encryption adds.
  explicit TlsTurns(uint32_t suite);

  // Why a connection whose client offers this is not followed; "" = it is.
  static std::string_view WhyNot(uint32_t offer);

  void OnRecord(const weir_step& step, const Sink& sink);  // WEIR_STEP_RECORD
  // WEIR_STEP_ASTRAY, with its weir_astray_reason: nothing is followed from here on.
  void OnAstray(uint32_t reason, const Sink& sink);
  void Sweep(uint64_t now_ns, const Sink& sink);  // ends what only silence can end
  void Close(const Sink& sink);
  // What is going on is unusable; the connection's next request may be measured again.
  void Abandon(std::string_view why, const Sink& sink);

 private:
  enum class State {
    kHandshake,
    kIdle,
    kRequest,    // a request came, no answer yet
    kAmbiguous,  // then one record that is a session ticket or the answer
    kAnswer,
    kWait,  // until the client speaks after the server did
    kLost,  // nothing is measured here any more
  };

  void OnClientRecord(const weir_step& step, const Sink& sink);
  void OnServerRecord(const weir_step& step, const Sink& sink);
  void OnFirstServerRecord(const weir_step& step, const Sink& sink);
  void OnSecondServerRecord(const weir_step& step, const Sink& sink);
  void OnHandshakeRecord(const weir_step& step, const Sink& sink);
  void BeginAnswer(uint64_t time_ns, uint32_t bytes);
  void OnWrite(uint64_t time_ns, uint32_t bytes);
  void OnChunk(uint64_t time_ns);
  void Finish(TurnOutcome outcome, std::string_view why, State next, const Sink& sink);
  void LoseAll(std::string_view why, const Sink& sink);
  bool MayBeTicket(const weir_step& step) const;

  const bool version_13_;
  const uint32_t overhead_;  // bytes encryption adds to a record
  const uint32_t finished_;  // bytes of a record with a Finished message; 0 before TLS 1.3
  State state_ = State::kHandshake;
  bool client_spoke_ = false;     // within the handshake
  bool server_finished_ = false;  // its Finished was recognised
  bool tickets_ = false;          // session tickets were seen, or the time for them is over
  uint32_t ambiguous_bytes_ = 0;
  uint64_t ambiguous_ns_ = 0;
  uint64_t tickets_ns_ = 0;   // the write they came with
  uint32_t request_end_ = 0;  // TCP sequence number behind the request's first record
  uint64_t request_ns_ = 0;
  uint64_t first_write_ns_ = 0;
  uint64_t last_write_ns_ = 0;
  uint64_t last_chunk_ns_ = 0;  // 0 = none but the first write
  uint64_t maybe_end_ns_ = 0;   // a write of the length of a last chunk
  uint64_t last_record_ns_ = 0;
  uint64_t idle_from_ns_ = 0;  // the last answer's end, while nothing was missed since; 0 = not known
  uint32_t first_write_bytes_ = 0;
  bool bulk_ = false;      // a record was full
  bool answered_ = false;  // a request of this connection was
  Turn turn_;
};

}  // namespace weir::agent::requests

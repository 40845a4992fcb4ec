// Http2Streams: the streams of one HTTP/2 connection in plaintext (RFC 9113), from the frames bpf/requests_http2.h
// tells of, as turns: a request begins with the client's HEADERS, its answer with the server's, each write with DATA of
// the stream is a chunk, END_STREAM ends it. Streams are kept apart by their number, in whatever order their frames
// come.
//
// Method, path and status are known where every header block of the connection was seen; where one was missed they stay
// unknown from then on, and are counted (agent_http2_nameless). Frames that were missed make the streams open at that
// moment unusable, and only those. Bounded by a Http2Room all connections share. Thread: the agent's loop, all calls.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "agent/requests/header_decoder.h"
#include "agent/requests/turn.h"
#include "bpf/http2_walk.h"
#include "bpf/requests_abi.h"

namespace weir::agent::requests {

// What all connections together hold.
struct Http2Room {
  static constexpr size_t kMaxStreams = 65'536;
  static constexpr size_t kMaxNamed = 2'048;  // connections whose header blocks are decoded: two tables each

  size_t streams = 0;
  size_t named = 0;
};

class Http2Streams {
 public:
  static constexpr size_t kMaxBlockBytes = 65'536;  // of one header block; a longer one is taken as missed

  using Sink = std::function<void(const Turn&)>;  // takes turns as they end

  // `room` outlives it.
  explicit Http2Streams(Http2Room& room);
  ~Http2Streams();
  Http2Streams(const Http2Streams&) = delete;
  Http2Streams& operator=(const Http2Streams&) = delete;

  void OnFrame(const weir_step& step, const Sink& sink);  // WEIR_STEP_FRAME
  // WEIR_STEP_BLOCK; nullopt: its text is not here.
  void OnBlock(const weir_step& step, std::optional<std::string_view> text, const Sink& sink);
  // WEIR_STEP_ASTRAY, with its weir_astray_reason: nothing is followed from here on.
  void OnAstray(uint32_t reason, const Sink& sink);
  void Close(const Sink& sink);
  // What is open is unusable.
  void Abandon(std::string_view why, const Sink& sink);

 private:
  struct Stream {
    Turn turn;
    uint64_t request_ns = 0;
    uint64_t last_chunk_ns = 0;  // 0 = no chunk yet
    bool answered = false;
    bool unary = false;     // the answer's length was announced
    bool nameless = false;  // a header block of it was not understood
    bool grpc = false;
  };
  // A header block on its way, of one direction.
  struct Block {
    bool open = false;
    bool missed = false;  // some of it is not here
    bool opens = false;   // WEIR_STEP_OPENS
    uint8_t flags = 0;    // of its HEADERS
    uint32_t stream = 0;
    uint32_t frame_left = 0;  // bytes of its current frame still to come
    uint64_t begin_ns = 0;
    std::string frame;  // payload of that frame
    std::string text;   // what the frames before say
  };
  using Streams = std::unordered_map<uint32_t, Stream>;

  void OnCut(const weir_step& step, const Sink& sink);
  void OnBlockEnd(bool from_server, uint64_t end_ns, const Sink& sink);
  void OnRequestHeaders(const Block& block, const std::optional<HeaderFields>& fields, uint64_t end_ns);
  void OnAnswerHeaders(const Block& block, const std::optional<HeaderFields>& fields, uint64_t end_ns,
                       const Sink& sink);
  void OnChunk(Stream& stream, uint64_t time_ns);
  void OnGoAway(std::string_view payload, const Sink& sink);
  void Answered(Streams::iterator stream, uint64_t time_ns, const Sink& sink);
  void Finish(Streams::iterator stream, TurnOutcome outcome, std::string_view ending, const Sink& sink);
  void LoseNames(bool of_server);

  Http2Room& room_;
  Streams streams_;
  Block blocks_[2];                             // the client's, the server's
  std::unique_ptr<HeaderDecoder> decoders_[2];  // the same; nullptr = not understood any more
  const bool named_;                            // it has its place in the room
  bool astray_ = false;
  uint64_t idle_from_ns_ = 0;  // when the last open stream was answered; 0 = not known
};

}  // namespace weir::agent::requests

#include "agent/requests/http2_streams.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "agent/requests/grpc_status.h"
#include "agent/requests/path_template.h"
#include "base/metrics.h"

namespace weir::agent::requests {
namespace {

constexpr size_t kPriorityBytes = 5;      // RFC 9113, 6.2
constexpr size_t kLastStreamIdBytes = 4;  // RFC 9113, 6.8

bool IsFromServer(const weir_step& step) { return (step.flags & WEIR_STEP_FROM_SERVER) != 0; }

std::string_view NameOf(uint32_t reason) {
  switch (reason) {
    case WEIR_ASTRAY_NO_HEADER: return "not_frames";
    case WEIR_ASTRAY_HOLE: return "bytes_not_seen";
    case WEIR_ASTRAY_UNREADABLE: return "not_in_memory";
    case WEIR_ASTRAY_MANY: return "too_many_frames";
    default: return "out_of_step";
  }
}

// The header block fragment in the payload of a HEADERS frame; nullopt: its padding is longer than it.
std::optional<std::string_view> FragmentOf(std::string_view payload, uint8_t flags) {
  size_t padding = 0;
  if ((flags & WEIR_FRAME_PADDED) != 0) {
    if (payload.empty()) return std::nullopt;
    padding = static_cast<uint8_t>(payload[0]);
    payload.remove_prefix(1);
  }
  if ((flags & WEIR_FRAME_PRIORITY) != 0) {
    if (payload.size() < kPriorityBytes) return std::nullopt;
    payload.remove_prefix(kPriorityBytes);
  }
  if (payload.size() < padding) return std::nullopt;
  return payload.substr(0, payload.size() - padding);
}

}  // namespace

Http2Streams::Http2Streams(Http2Room& room) : room_(room), named_(room.named < Http2Room::kMaxNamed) {
  if (!named_) return;
  ++room_.named;
  for (auto& decoder : decoders_) decoder = HeaderDecoder::Create();
}

Http2Streams::~Http2Streams() {
  room_.streams -= streams_.size();
  if (named_) --room_.named;
}

void Http2Streams::LoseNames(bool of_server) { decoders_[of_server ? 1 : 0].reset(); }

void Http2Streams::OnFrame(const weir_step& step, const Sink& sink) {
  if (astray_) return;
  OnCut(step, sink);
  const auto known = streams_.find(step.stream);
  if (known == streams_.end()) return;  // ended already, or there was no room
  Stream& stream = known->second;
  const bool from_server = IsFromServer(step);
  if (step.frame_type == WEIR_FRAME_RST_STREAM) {
    Finish(known, TurnOutcome::kReset, from_server ? "reset_by_server" : "reset_by_client", sink);
    return;
  }
  if (step.frame_type != WEIR_FRAME_DATA) return;
  if (!from_server) {
    stream.turn.request_body_bytes += step.bytes;
    const bool last = (step.frame_flags & WEIR_FRAME_END_STREAM) != 0;
    if (last && !stream.answered) stream.turn.upload_us = Micros(stream.request_ns, step.time_ns);
    return;
  }
  if (!stream.answered) {  // DATA before HEADERS
    Finish(known, TurnOutcome::kUnusable, "out_of_step", sink);
    return;
  }
  if (step.bytes > 0) OnChunk(stream, step.time_ns);
  if ((step.frame_flags & WEIR_FRAME_END_STREAM) != 0) Answered(known, step.time_ns, sink);
}

// Frames of one write are one chunk: they carry its time.
void Http2Streams::OnChunk(Stream& stream, uint64_t time_ns) {
  if (stream.last_chunk_ns == time_ns) return;
  if (stream.last_chunk_ns == 0) {
    stream.turn.first_chunk_us = Micros(stream.request_ns, time_ns);
  } else if (!stream.unary && stream.turn.gaps_us.size() < kMaxGaps) {
    const int64_t gap = Micros(stream.last_chunk_ns, time_ns);
    stream.turn.gaps_us.push_back(static_cast<uint32_t>(std::min<int64_t>(gap, UINT32_MAX)));
  }
  stream.last_chunk_ns = time_ns;
}

void Http2Streams::OnBlock(const weir_step& step, std::optional<std::string_view> text, const Sink& sink) {
  if (astray_) return;
  OnCut(step, sink);
  const bool from_server = IsFromServer(step);
  const bool begins = (step.flags & WEIR_STEP_BEGINS) != 0;
  Block& block = blocks_[from_server ? 1 : 0];
  switch (step.frame_type) {
    case WEIR_FRAME_GOAWAY:
      if (begins && from_server && text) OnGoAway(*text, sink);
      return;
    case WEIR_FRAME_PUSH_PROMISE:  // nobody pushes any more (RFC 9113, 8.4 lets clients refuse): not worth its code
      LoseNames(from_server);
      return;
    case WEIR_FRAME_HEADERS:
      if (!begins) break;
      block = Block{};
      block.open = true;
      block.opens = (step.flags & WEIR_STEP_OPENS) != 0;
      block.flags = step.frame_flags;
      block.stream = step.stream;
      block.begin_ns = step.time_ns;
      break;
    default: break;
  }
  if (!block.open || block.stream != step.stream) return;
  if (begins) {
    block.frame.clear();
    block.frame_left = step.bytes;
  }
  const bool fits = text && block.text.size() + block.frame.size() + text->size() <= kMaxBlockBytes;
  if (!fits) block.missed = true;
  if (fits) block.frame.append(*text);
  block.frame_left -= std::min<uint32_t>(block.frame_left, step.text_bytes);
  if (block.frame_left > 0) return;
  const bool first = step.frame_type == WEIR_FRAME_HEADERS;
  const auto fragment = first ? FragmentOf(block.frame, block.flags) : std::string_view(block.frame);
  if (!fragment) block.missed = true;
  if (fragment) block.text.append(*fragment);
  block.frame.clear();
  if ((step.frame_flags & WEIR_FRAME_END_HEADERS) != 0) OnBlockEnd(from_server, step.time_ns, sink);
}

void Http2Streams::OnBlockEnd(bool from_server, uint64_t end_ns, const Sink& sink) {
  const Block block = std::exchange(blocks_[from_server ? 1 : 0], Block{});
  auto& decoder = decoders_[from_server ? 1 : 0];
  std::optional<HeaderFields> fields;
  if (decoder != nullptr && !block.missed) fields = decoder->Decode(block.text);
  if (!fields) LoseNames(from_server);
  if (from_server) {
    OnAnswerHeaders(block, fields, end_ns, sink);
  } else {
    OnRequestHeaders(block, fields, end_ns);
  }
}

void Http2Streams::OnRequestHeaders(const Block& block, const std::optional<HeaderFields>& fields, uint64_t end_ns) {
  const bool last = (block.flags & WEIR_FRAME_END_STREAM) != 0;
  if (!block.opens) {  // trailers
    const auto known = streams_.find(block.stream);
    if (last && known != streams_.end() && !known->second.answered)
      known->second.turn.upload_us = Micros(known->second.request_ns, end_ns);
    return;
  }
  if (room_.streams >= Http2Room::kMaxStreams) {
    Count(Metric::agent_request_table_full);
    idle_from_ns_ = 0;
    return;
  }
  const auto [item, fresh] = streams_.try_emplace(block.stream);
  if (!fresh) return;
  ++room_.streams;
  Stream& stream = item->second;
  stream.request_ns = block.begin_ns;
  stream.turn.application = "h2";
  if (last) stream.turn.upload_us = Micros(block.begin_ns, end_ns);
  if (idle_from_ns_ != 0) stream.turn.client_idle_us = Micros(std::exchange(idle_from_ns_, 0), block.begin_ns);
  stream.nameless = !fields;
  if (!fields) return;
  stream.grpc = fields->is_grpc;
  stream.turn.method = fields->method;
  if (!fields->path.empty()) stream.turn.resource = PathTemplate(fields->path);
}

void Http2Streams::OnAnswerHeaders(const Block& block, const std::optional<HeaderFields>& fields, uint64_t end_ns,
                                   const Sink& sink) {
  const auto known = streams_.find(block.stream);
  if (known == streams_.end()) return;
  Stream& stream = known->second;
  stream.nameless |= !fields;
  if (!stream.answered && !(fields && fields->status != 0 && fields->status < 200)) {
    stream.answered = true;
    stream.turn.latency_us = Micros(stream.request_ns, block.begin_ns);
    if (fields) {
      stream.turn.status = fields->status;
      stream.unary = fields->has_length;
    }
  }
  if (fields) {  // trailers, too
    stream.grpc |= fields->is_grpc;
    if (fields->grpc_status >= 0) stream.turn.grpc_status = fields->grpc_status;
  }
  if ((block.flags & WEIR_FRAME_END_STREAM) != 0) Answered(known, end_ns, sink);
}

// Streams above the last one the server takes were not looked at (RFC 9113, 6.8).
void Http2Streams::OnGoAway(std::string_view payload, const Sink& sink) {
  if (payload.size() < kLastStreamIdBytes) return;
  uint32_t last = 0;
  for (const char c : payload.substr(0, kLastStreamIdBytes)) last = last << 8 | static_cast<uint8_t>(c);
  last &= INT32_MAX;
  std::vector<Streams::iterator> refused;
  for (auto item = streams_.begin(); item != streams_.end(); ++item) {
    if (item->first > last) refused.push_back(item);
  }
  for (const auto& item : refused) Finish(item, TurnOutcome::kReset, "refused_by_goaway", sink);
}

void Http2Streams::OnCut(const weir_step& step, const Sink& sink) {
  if ((step.flags & WEIR_STEP_CUT) == 0) return;
  Abandon("frames_left_out", sink);
  idle_from_ns_ = 0;
  for (Block& block : blocks_) block = Block{};
  LoseNames(false);
  LoseNames(true);
}

void Http2Streams::OnAstray(uint32_t reason, const Sink& sink) {
  if (astray_) return;
  astray_ = true;
  Count(Metric::agent_http2_out_of_step);
  const std::string_view why = NameOf(reason);
  if (streams_.empty()) {
    Turn turn;
    turn.application = "h2";
    turn.ending = why;
    sink(turn);
  }
  Abandon(why, sink);
}

void Http2Streams::Close(const Sink& sink) {
  while (!streams_.empty()) {
    const auto item = streams_.begin();
    if (item->second.answered) {
      Finish(item, TurnOutcome::kUnusable, "broken_off", sink);
    } else {
      Finish(item, TurnOutcome::kUnanswered, "", sink);
    }
  }
}

void Http2Streams::Abandon(std::string_view why, const Sink& sink) {
  while (!streams_.empty()) Finish(streams_.begin(), TurnOutcome::kUnusable, why, sink);
}

void Http2Streams::Answered(Streams::iterator item, uint64_t time_ns, const Sink& sink) {
  Stream& stream = item->second;
  stream.turn.duration_us = Micros(stream.request_ns, time_ns);
  if (stream.grpc && !stream.nameless && stream.turn.grpc_status < 0) stream.turn.grpc_status = kNoGrpcStatus;
  Finish(item, TurnOutcome::kAnswered, "", sink);
  if (streams_.empty()) idle_from_ns_ = time_ns;
}

void Http2Streams::Finish(Streams::iterator item, TurnOutcome outcome, std::string_view ending, const Sink& sink) {
  Stream stream = std::move(item->second);
  streams_.erase(item);
  --room_.streams;
  idle_from_ns_ = 0;
  if (outcome == TurnOutcome::kUnusable) {
    stream.turn = Turn{};
    stream.turn.application = "h2";
  } else if (stream.nameless) {
    Count(Metric::agent_http2_nameless);
  }
  stream.turn.outcome = outcome;
  stream.turn.ending = ending;
  sink(stream.turn);
}

}  // namespace weir::agent::requests

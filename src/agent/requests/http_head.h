// The beginnings of HTTP/1 messages (RFC 9112), as far as a copied text reaches: what a turn needs and no more. Texts
// come from strangers; any bytes give an answer, nothing is read beyond the end, nothing is allocated.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::agent::requests {

struct Framing {
  uint64_t head_bytes = 0;  // first line and fields with their empty line; 0 = the text ends before
  std::optional<uint64_t> content_length;
  bool chunked = false;
  bool unclear = false;  // lengths that contradict each other or cannot be read
  int grpc_status = -1;  // of an answer of gRPC-Web without a body; -1 = none
};

struct RequestHead {
  std::string_view method;  // views into the text
  std::string_view target;  // may be cut where the text ends
  Framing framing;
};

struct AnswerHead {
  int status = 0;  // 100 .. 999
  Framing framing;
};

// nullopt: not the beginning of an HTTP/1 request or answer.
std::optional<RequestHead> ParseRequestHead(std::string_view text);
std::optional<AnswerHead> ParseAnswerHead(std::string_view text);

// The preface of HTTP/2 with prior knowledge (RFC 9113, 3.4).
bool IsHttp2Preface(std::string_view text);

}  // namespace weir::agent::requests

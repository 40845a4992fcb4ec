#include "agent/requests/http_head.h"

#include <algorithm>
#include <charconv>

#include "agent/requests/grpc_status.h"

namespace weir::agent::requests {
namespace {

constexpr size_t kLongestMethod = 16;
constexpr std::string_view kSpaces = " \t";

bool IsTokenByte(char c) { return (c >= 'A' && c <= 'Z') || c == '-' || c == '_'; }

bool EqualsIgnoringCase(std::string_view text, std::string_view lower) {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b; });
}

std::string_view Trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(kSpaces);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpaces) - begin + 1);
}

void TakeLength(std::string_view value, Framing& to) {
  uint64_t length = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
  const bool read = error == std::errc() && end == value.data() + value.size();
  if (!read || (to.content_length && *to.content_length != length)) {
    to.unclear = true;
  } else {
    to.content_length = length;
  }
}

void TakeField(std::string_view line, Framing& to) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = Trimmed(line.substr(colon + 1));
  if (EqualsIgnoringCase(name, "content-length")) TakeLength(value, to);
  if (EqualsIgnoringCase(name, "grpc-status")) to.grpc_status = ParseGrpcStatus(value);
  // The last coding decides (RFC 9112, 6.1).
  constexpr std::string_view kChunked = "chunked";
  if (EqualsIgnoringCase(name, "transfer-encoding") && value.size() >= kChunked.size()) {
    to.chunked = EqualsIgnoringCase(value.substr(value.size() - kChunked.size()), kChunked);
  }
}

// The fields behind the first line. A field the text cuts is not looked at: it may say 1 of 1000.
Framing ParseFields(std::string_view text, size_t first_line_end) {
  Framing framing;
  size_t at = first_line_end;
  while (at < text.size()) {
    const size_t end = text.find("\r\n", at);
    if (end == std::string_view::npos) return framing;
    if (end == at) {
      framing.head_bytes = end + 2;
      break;
    }
    TakeField(text.substr(at, end - at), framing);
    at = end + 2;
  }
  // Both at once is what request smuggling is made of (RFC 9112, 6.3).
  framing.unclear |= framing.chunked && framing.content_length.has_value();
  return framing;
}

}  // namespace

std::optional<RequestHead> ParseRequestHead(std::string_view text) {
  const size_t method_end = text.find(' ');
  if (method_end == std::string_view::npos || method_end == 0 || method_end > kLongestMethod) return std::nullopt;
  RequestHead head;
  head.method = text.substr(0, method_end);
  if (!std::all_of(head.method.begin(), head.method.end(), IsTokenByte)) return std::nullopt;
  const size_t line_end = text.find("\r\n");
  const std::string_view rest = text.substr(
      method_end + 1, line_end == std::string_view::npos ? std::string_view::npos : line_end - method_end - 1);
  const size_t target_end = rest.find(' ');
  head.target = rest.substr(0, target_end);
  if (head.target.empty()) return std::nullopt;
  if (line_end == std::string_view::npos) {
    // A target longer than the text; one that ends within it is followed by a version.
    return target_end == std::string_view::npos ? std::optional(head) : std::nullopt;
  }
  if (target_end == std::string_view::npos || !rest.substr(target_end + 1).starts_with("HTTP/1.")) return std::nullopt;
  head.framing = ParseFields(text, line_end + 2);
  return head;
}

std::optional<AnswerHead> ParseAnswerHead(std::string_view text) {
  // "HTTP/1.x NNN" and then a space and a reason, or the end of the line.
  constexpr size_t kStatusAt = 9;
  constexpr size_t kStatusEnd = 12;
  if (!text.starts_with("HTTP/1.") || text.size() <= kStatusEnd || text[kStatusAt - 1] != ' ') return std::nullopt;
  AnswerHead head;
  const auto [end, error] = std::from_chars(text.data() + kStatusAt, text.data() + kStatusEnd, head.status);
  if (error != std::errc() || end != text.data() + kStatusEnd || head.status < 100) return std::nullopt;
  if (text[kStatusEnd] != ' ' && text[kStatusEnd] != '\r') return std::nullopt;
  const size_t line_end = text.find("\r\n");
  if (line_end != std::string_view::npos) head.framing = ParseFields(text, line_end + 2);
  return head;
}

bool IsHttp2Preface(std::string_view text) { return text.starts_with("PRI * HTTP/2.0\r\n"); }

}  // namespace weir::agent::requests

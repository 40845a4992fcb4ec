#include "agent/recording/redact.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <string_view>

#include "agent/requests/http_head.h"
#include "agent/requests/path_template.h"

namespace weir::agent::recording {
namespace {

constexpr char kBlank = 'x';
constexpr std::string_view kLastChunk = "0\r\n\r\n";

bool IsNamed(std::string_view line, std::string_view lower) {
  if (line.size() <= lower.size() || line[lower.size()] != ':') return false;
  return std::equal(lower.begin(), lower.end(), line.begin(),
                    [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b - 'A' + 'a') : b); });
}

void Blank(std::span<char> text) { std::fill(text.begin(), text.end(), kBlank); }

// The fields of a message and what follows them.
void BlankFields(std::span<char> text) {
  while (!text.empty()) {
    const std::string_view rest(text.data(), text.size());
    const size_t end = std::min(rest.find("\r\n"), rest.size());
    if (end == 0) {
      Blank(text.subspan(2));
      return;
    }
    const std::string_view line = rest.substr(0, end);
    const bool kept = IsNamed(line, "content-length") || IsNamed(line, "transfer-encoding");
    const size_t colon = line.find(':');
    const size_t from = colon == std::string_view::npos ? 0 : colon + 1;
    if (!kept) Blank(text.subspan(from, end - from));
    text = text.subspan(std::min(end + 2, text.size()));
  }
}

void BlankLineAndFields(std::span<char> text, size_t from) {
  const size_t line_end = std::min(std::string_view(text.data(), text.size()).find("\r\n"), text.size());
  if (from < line_end) Blank(text.subspan(from, line_end - from));
  BlankFields(text.subspan(std::min(line_end + 2, text.size())));
}

}  // namespace

void Redact(weir_step_head& head) {
  constexpr size_t kStatusLineBytes = 13;  // "HTTP/1.1 200 "
  const std::span<char> text(head.text, std::min<size_t>(head.text_bytes, sizeof(head.text)));
  const std::string_view view(text.data(), text.size());
  Blank({head.text + text.size(), sizeof(head.text) - text.size()});
  Redact(head.step);
  if (requests::IsHttp2Preface(view)) {
    constexpr size_t kPrefaceBytes = std::string_view("PRI * HTTP/2.0\r\n").size();
    Blank(text.subspan(kPrefaceBytes));
  } else if (const auto request = requests::ParseRequestHead(view)) {
    const auto begin = static_cast<size_t>(request->target.data() - view.data());
    requests::BlankTarget(text.subspan(begin, request->target.size()));
    const size_t target_end = begin + request->target.size();
    constexpr size_t kVersionBytes = std::string_view(" HTTP/1.").size();
    BlankLineAndFields(text, std::min(target_end + kVersionBytes, text.size()));
  } else if (requests::ParseAnswerHead(view)) {
    BlankLineAndFields(text, std::min(kStatusLineBytes, text.size()));
  } else {
    Blank(text);
  }
}

void Redact(weir_step& step) {
  const bool last =
      step.tail_bytes == kLastChunk.size() && std::memcmp(step.tail, kLastChunk.data(), kLastChunk.size()) == 0;
  if (!last) std::memset(step.tail, 0, sizeof(step.tail));
}

}  // namespace weir::agent::recording

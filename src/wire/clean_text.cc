#include "wire/clean_text.h"

#include <algorithm>

#include "base/utf8.h"

namespace weir::wire {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

bool IsPlainAscii(char c) { return c >= 0x20 && c < 0x7F; }

// Length of the well-formed, permitted character that starts `text`; 0 when there is none.
size_t GoodCharacterLength(std::string_view text) {
  const CodePoint point = FirstCodePoint(text);
  return point.valid && !BreaksText(point.value) ? point.bytes : 0;
}

}  // namespace

bool IsCleanText(std::string_view text) {
  while (!text.empty()) {
    if (IsPlainAscii(text.front())) {  // nearly every character of nearly every name
      text.remove_prefix(1);
      continue;
    }
    const size_t length = GoodCharacterLength(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string CleanText(std::string_view text, size_t max_bytes) {
  if (text.size() <= max_bytes && IsCleanText(text)) return std::string(text);
  std::string clean;
  clean.reserve(std::min(text.size(), max_bytes));
  while (!text.empty()) {
    const size_t length = GoodCharacterLength(text);
    const std::string_view piece = length == 0 ? kReplacement : text.substr(0, length);
    if (clean.size() + piece.size() > max_bytes) break;
    clean += piece;
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return clean;
}

}  // namespace weir::wire

#include "wire/clean_text.h"

#include <algorithm>
#include <cstdint>

namespace weir::wire {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

bool IsPlainAscii(char c) { return c >= 0x20 && c < 0x7F; }

bool IsForbidden(uint32_t code_point) {
  return code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0) ||  // C0, DEL, C1
         (code_point >= 0x2028 && code_point <= 0x202E) ||                  // separators, bidi embeddings, overrides
         (code_point >= 0x2066 && code_point <= 0x2069);                    // bidi isolates
}

// Length of the well-formed, permitted character that starts `text`; 0 when there is none. Overlong forms,
// surrogates and values beyond U+10FFFF are not well-formed (RFC 3629 §3).
size_t GoodCharacterLength(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return IsForbidden(lead) ? 0 : 1;
  size_t length = 0;
  uint32_t code_point = 0;
  uint32_t smallest = 0;
  if ((lead & 0xE0) == 0xC0) {
    length = 2, code_point = lead & 0x1F, smallest = 0x80;
  } else if ((lead & 0xF0) == 0xE0) {
    length = 3, code_point = lead & 0x0F, smallest = 0x800;
  } else if ((lead & 0xF8) == 0xF0) {
    length = 4, code_point = lead & 0x07, smallest = 0x10000;
  }
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
    code_point = (code_point << 6) | (byte(i) & 0x3F);
  }
  const bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
  if (code_point < smallest || code_point > 0x10FFFF || surrogate || IsForbidden(code_point)) return 0;
  return length;
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

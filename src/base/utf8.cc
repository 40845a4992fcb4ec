#include "base/utf8.h"

namespace weir {

CodePoint FirstCodePoint(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return {lead, 1, false};
  uint32_t value = lead & (0x7fU >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {lead, 1, false};
    value = value << 6 | (byte(i) & 0x3fU);
  }
  constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool valid = value >= kSmallest[length] && value <= 0x10ffff && (value < 0xd800 || value > 0xdfff);
  if (!valid) return {lead, 1, false};
  return {value, length, true};
}

void AppendValid(std::string& out, std::string_view text) {
  while (!text.empty()) {
    size_t plain = 0;
    while (plain < text.size() && static_cast<uint8_t>(text[plain]) < 0x80) ++plain;
    out += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) return;
    const CodePoint point = FirstCodePoint(text);
    out += point.valid ? text.substr(0, point.bytes) : kReplacementCharacter;
    text.remove_prefix(point.bytes);
  }
}

bool BreaksText(uint32_t c) {
  const bool control = c < 0x20 || (c >= 0x7f && c < 0xa0);
  const bool separates_or_turns = (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
  return control || separates_or_turns;
}

bool IsDangerous(uint32_t c) {
  const bool invisible = (c >= 0x200b && c <= 0x200f) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || c == 0x061c;
  return BreaksText(c) || invisible;
}

}  // namespace weir

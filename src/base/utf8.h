// UTF-8, one code point at a time, and the code points that must not reach a screen as they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

inline constexpr std::string_view kReplacementCharacter = "\xef\xbf\xbd";  // U+FFFD

struct CodePoint {
  uint32_t value = 0;  // of a byte that starts no character: that byte
  size_t bytes = 1;
  bool valid = false;
};

// The first of `text`, which is not empty. As RFC 3629: overlong forms, surrogates and what lies beyond U+10FFFF are
// not valid; an invalid byte stands for itself.
CodePoint FirstCodePoint(std::string_view text);

// Appends `text`; each byte that starts no character becomes U+FFFD.
void AppendValid(std::string& out, std::string_view text);

// Control characters (C0, DEL, C1), line and paragraph separators, and those that turn the direction of writing: no
// name may have them, for they move the cursor or let one name pretend to be another.
bool BreaksText(uint32_t code_point);
// Those, and invisible characters: they must not reach a screen as they are.
bool IsDangerous(uint32_t code_point);

}  // namespace weir

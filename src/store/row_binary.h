// Numbers, texts and lengths as ClickHouse's binary formats (Native, RowBinary) write them.
#pragma once

#include <bit>
#include <cstring>
#include <string>
#include <string_view>

namespace weir::store {

static_assert(std::endian::native == std::endian::little, "the formats are little-endian");

template <typename Integer>
void AppendNumber(std::string& out, Integer value) {
  char bytes[sizeof(value)];
  std::memcpy(bytes, &value, sizeof(value));
  out.append(bytes, sizeof(value));
}

// LEB128.
inline void AppendLength(std::string& out, size_t length) {
  for (; length >= 0x80; length >>= 7) out += static_cast<char>((length & 0x7f) | 0x80);
  out += static_cast<char>(length);
}

inline void AppendText(std::string& out, std::string_view text) {
  AppendLength(out, text.size());
  out += text;
}

}  // namespace weir::store

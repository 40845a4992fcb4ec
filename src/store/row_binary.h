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

// Takes such a length off the front. False: there is none.
inline bool TakeLength(std::string_view& bytes, size_t& length) {
  length = 0;
  for (int shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    length |= static_cast<size_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return true;
  }
  return false;
}

inline void AppendText(std::string& out, std::string_view text) {
  AppendLength(out, text.size());
  out += text;
}

}  // namespace weir::store

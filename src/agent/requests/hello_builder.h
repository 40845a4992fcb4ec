// Test support: ClientHellos (RFC 8446, 4.1.2).
#pragma once

#include <string>

namespace weir::agent::requests {

// `body` behind its length.
inline std::string MakeSized(size_t length_bytes, const std::string& body) {
  std::string out;
  for (size_t i = length_bytes; i-- > 0;) out += static_cast<char>(body.size() >> (8 * i) & 0xff);
  return out + body;
}

inline std::string MakeExtension(uint8_t type, const std::string& body) {
  return std::string(1, '\0') + static_cast<char>(type) + MakeSized(2, body);
}

inline std::string MakeServerName(const std::string& name) {
  return MakeExtension(0, MakeSized(2, std::string(1, '\0') + MakeSized(2, name)));
}

// The handshake message, without a record around it.
inline std::string MakeHelloMessage(const std::string& extensions) {
  const std::string body = "\x03\x03" + std::string(32, 'r') + MakeSized(1, std::string(32, 's')) +
                           MakeSized(2, std::string("\x13\x01", 2)) + MakeSized(1, std::string(1, '\0')) +
                           MakeSized(2, extensions);
  return "\x01" + MakeSized(3, body);
}

inline std::string MakeHello(const std::string& extensions) {
  return "\x16\x03\x01" + MakeSized(2, MakeHelloMessage(extensions));
}

}  // namespace weir::agent::requests

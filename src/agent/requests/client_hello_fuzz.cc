// Any bytes: no crash, no read beyond the end, bounded and printable answers.
#include <cstddef>
#include <cstdint>

#include "agent/requests/client_hello.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace weir::agent::requests;
  const auto said = ParseClientHello({reinterpret_cast<const char*>(data), size});
  if (!said) return 0;
  if (said->server_name.size() > 253 || said->alpn.size() > kLongestAlpn) __builtin_trap();
  for (const char c : said->alpn) {
    if (c <= ' ' || c >= 0x7f) __builtin_trap();
  }
  return 0;
}

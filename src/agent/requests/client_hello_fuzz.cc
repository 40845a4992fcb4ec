// Any bytes: no crash, no read beyond the end, bounded answers.
#include <cstddef>
#include <cstdint>

#include "agent/requests/client_hello.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace weir::agent::requests;
  const auto said = ParseClientHello({reinterpret_cast<const char*>(data), size});
  if (said && (said->server_name.size() > 253 || said->protocol.size() > 32)) __builtin_trap();
  return 0;
}

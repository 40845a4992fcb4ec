// Any bytes: no crash, no read beyond the end.
#include <cstddef>
#include <cstdint>

#include "agent/source/sock_diag/diag_message.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace weir::agent::source;
  const auto parse = [](std::span<const uint8_t> message) {
    (void)ParseDiagMessage(message, DiagOrigin::kDump, 1);
    (void)ParseDiagMessage(message, DiagOrigin::kDestroyed, 1);
  };
  (void)ForEachDiagMessage({data, size}, parse);
  parse({data, size});
  return 0;
}

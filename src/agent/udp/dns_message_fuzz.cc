#include <cstdlib>

#include "agent/udp/dns_message.h"
#include "model/columns.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto message = weir::agent::udp::ParseDns({data, size});
  if (!message.ok()) return 0;
  if (message->name.size() > weir::model::kMaxStringBytes) std::abort();
  if (message->has_question == message->name.empty()) std::abort();
  for (const char byte : message->name) {
    if (byte <= ' ' || byte > '~' || (byte >= 'A' && byte <= 'Z')) std::abort();
  }
  return 0;
}

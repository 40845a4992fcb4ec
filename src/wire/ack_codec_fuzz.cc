// Fuzzes DecodeAck and DecodePodNames: whatever is accepted must come back the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/ack_codec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (const auto ack = weir::wire::DecodeAck(input); ack.ok()) {
    const auto encoded = weir::wire::EncodeAck(*ack);
    if (!encoded.ok()) std::abort();
    const auto again = weir::wire::DecodeAck(*encoded);
    if (!again.ok() || again->watermark != ack->watermark || again->duplicate != ack->duplicate ||
        again->names != ack->names)
      std::abort();
  }
  if (const auto names = weir::wire::DecodePodNames(input, 100); names.ok()) {
    const auto again = weir::wire::DecodePodNames(weir::wire::EncodePodNames(*names), 100);
    if (!again.ok() || *again != *names) std::abort();
  }
  return 0;
}

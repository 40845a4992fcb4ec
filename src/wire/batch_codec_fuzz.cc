// Fuzzes DecodeBatch twice per input: as it is, which reaches the frame checks, and framed, which carries the
// fuzzer past zstd's checksum to the message. Whatever is accepted must encode and decode to the same size.
#include <zstd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "wire/batch_codec.h"

namespace {

void Check(std::string_view bytes) {
  const auto batch = weir::wire::DecodeBatch(bytes);
  if (!batch.ok()) return;
  const auto encoded = weir::wire::EncodeBatch(*batch);
  if (!encoded.ok()) std::abort();
  const auto again = weir::wire::DecodeBatch(*encoded);
  if (!again.ok() || again->reports.size() != batch->reports.size() || again->node_samples != batch->node_samples ||
      again->namespaces != batch->namespaces || again->names != batch->names || again->resolved != batch->resolved ||
      again->rate_windows != batch->rate_windows)
    std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  Check(input);
  std::string frame(ZSTD_compressBound(size), '\0');
  frame.resize(ZSTD_compress(frame.data(), frame.size(), data, size, 1));
  Check(frame);
  return 0;
}

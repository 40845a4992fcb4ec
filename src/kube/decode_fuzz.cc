// Whatever an API server may answer: pages, events, refusals, API groups. The first byte chooses resource and form.
#include <cstdint>
#include <string>

#include "kube/decode.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const auto resource = static_cast<weir::kube::Resource>(data[0] % weir::kube::kResourceCount);
  std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  weir::kube::Decoder decoder(resource);
  switch (data[0] / weir::kube::kResourceCount % 4) {
    case 0: (void)decoder.DecodeList(text, [](weir::kube::Object&&) {}); break;
    case 1: (void)decoder.DecodeEvent(text); break;
    case 2: (void)decoder.DecodeRefusal(text); break;
    default: (void)weir::kube::DecodeGroupVersions(text); break;
  }
  return 0;
}

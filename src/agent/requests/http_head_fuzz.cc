// Any bytes: no crash, no read beyond the end, bounded answers.
#include <cstddef>
#include <cstdint>

#include "agent/requests/http_head.h"
#include "agent/requests/path_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace weir::agent::requests;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)ParseRequestHead(text);
  (void)ParseAnswerHead(text);
  if (const auto head = ParseRequestHead(text); head && PathTemplate(head->target).size() > kMaxTemplateBytes)
    __builtin_trap();
  return 0;
}

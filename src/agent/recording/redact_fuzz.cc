// Whatever a stranger sends, what is made of it is the same after it was redacted.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "agent/recording/redact.h"
#include "agent/requests/http_head.h"
#include "agent/requests/path_template.h"

namespace {

using namespace weir::agent::requests;

bool Same(const Framing& a, const Framing& b) {
  return a.head_bytes == b.head_bytes && a.content_length == b.content_length && a.chunked == b.chunked &&
         a.unclear == b.unclear;
}

void Check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  weir_step_head head{};
  head.text_bytes = static_cast<weir_u16>(std::min(size, sizeof(head.text)));
  std::memcpy(head.text, data, head.text_bytes);
  const weir_step_head original = head;
  weir::agent::recording::Redact(head);
  const std::string_view before(original.text, original.text_bytes);
  const std::string_view after(head.text, head.text_bytes);
  const auto request = ParseRequestHead(before);
  const auto kept = ParseRequestHead(after);
  Check(request.has_value() == kept.has_value());
  if (request) {
    Check(request->method == kept->method && Same(request->framing, kept->framing));
    Check(PathTemplate(request->target) == PathTemplate(kept->target));
  }
  const auto answer = ParseAnswerHead(before);
  const auto kept_answer = ParseAnswerHead(after);
  Check(answer.has_value() == kept_answer.has_value());
  if (answer) Check(answer->status == kept_answer->status && Same(answer->framing, kept_answer->framing));
  Check(IsHttp2Preface(before) == IsHttp2Preface(after));
  return 0;
}

// Any text: parsing must end without a crash, and what parses must be evaluable.
#include <cstddef>
#include <cstdint>

#include "model/filter.h"
#include "model/row_edit.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const weir::Result<weir::model::Filter> filter = weir::model::Filter::Parse(text);
  if (!filter.ok()) {
    if (filter.status().message().rfind("at character ", 0) != 0) __builtin_trap();
    return 0;
  }
  weir::model::FlowRow row;
  weir::model::SetAttribute(row, "client_process", "curl");
  weir::model::SetAttribute(row, "server_process", text.substr(0, weir::model::kMaxStringBytes));
  row.client_rtt_count = 1;
  filter->Matches(row);
  return 0;
}

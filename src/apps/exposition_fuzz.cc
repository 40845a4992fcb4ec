// Whatever an application may answer at /metrics, twice, so that what is between two readings is judged too.
#include <cstdint>
#include <string_view>

#include "apps/app_windows.h"
#include "apps/exposition.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t half = text.find('\0');
  const auto& table = weir::apps::InferenceServers::Shipped();
  weir::apps::AppWindows windows(table);
  windows.Add(weir::apps::ReadExposition(text.substr(0, half), table), 15'000);
  const std::string_view rest = half == std::string_view::npos ? text : text.substr(half + 1);
  windows.Add(weir::apps::ReadExposition(rest, table), 30'000);
  for (const auto& figure : windows.Between(0, 60'000).figures) {
    if (figure && figure->p50_us && (*figure->p50_us < figure->p50_low_us || *figure->p50_us > figure->p50_high_us))
      __builtin_trap();
  }
  return 0;
}

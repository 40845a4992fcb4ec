// Fuzzes the files of published prefixes and labels of the user: no crash, and what was accepted can be looked up.
#include <cstdint>
#include <string_view>

#include "server/prefixes.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  weir::server::Prefixes prefixes;
  (void)prefixes.AddFile("file", input);
  (void)prefixes.AddLabels(input);
  (void)prefixes.Find(weir::model::Address::FromV4(0x0100000a));
  (void)prefixes.Find(*weir::model::Address::Parse("2001:db8::1"));
  return 0;
}

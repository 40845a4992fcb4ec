#include "agent/kernel/symbol_addresses.h"

#include <charconv>
#include <fstream>
#include <string>

namespace weir::agent::kernel {

std::vector<uint64_t> SymbolAddresses(const std::vector<std::string_view>& names, const std::filesystem::path& list) {
  std::vector<uint64_t> addresses(names.size());
  std::ifstream file(list);
  std::string text;
  while (std::getline(file, text)) {
    // "ffffffff82a3c5b0 D vmemmap_base", and behind a tab the module.
    const std::string_view line = text;
    const size_t name_at = line.rfind(' ') + 1;
    if (name_at == 0) continue;
    for (size_t i = 0; i < names.size(); ++i) {
      if (line.substr(name_at) != names[i]) continue;
      uint64_t address = 0;
      if (std::from_chars(line.data(), line.data() + line.size(), address, 16).ec == std::errc())
        addresses[i] = address;
    }
  }
  return addresses;
}

}  // namespace weir::agent::kernel

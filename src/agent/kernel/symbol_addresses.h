// Where the kernel keeps its global variables.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

namespace weir::agent::kernel {

// Of each name; 0 = unknown: the kernel lists no such symbol, or hides addresses from this process. Reads the whole
// list, some 100 ms.
std::vector<uint64_t> SymbolAddresses(const std::vector<std::string_view>& names,
                                      const std::filesystem::path& list = "/proc/kallsyms");

}  // namespace weir::agent::kernel

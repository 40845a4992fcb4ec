// Names of the functions kernel addresses are in, from /proc/kallsyms. Reading it takes some 100 ms, so it is read for
// several addresses together, and what was found is kept.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "agent/kernel/unique_fd.h"
#include "base/status.h"

namespace weir::agent::node {

// The function of each address: of the symbols in text form (/proc/kallsyms), the last one at or below it. "" where
// there is none. Suffixes the compiler gave ("nft_do_chain.part.0") are left out.
class SymbolSearch {
 public:
  explicit SymbolSearch(std::vector<uint64_t> addresses);
  // One line of the file, without its end.
  void Line(std::string_view line);
  std::string NameOf(uint64_t address) const;

 private:
  struct Best {
    uint64_t symbol = 0;
    std::string name;
  };
  std::vector<uint64_t> addresses_;  // ascending
  std::vector<Best> found_;          // above the address before
};

// Thread: one.
class KernelSymbols {
 public:
  // The kernel decides when the file is opened whether it tells addresses: CAP_SYSLOG, or kernel.kptr_restrict = 0. The
  // file stays open.
  static Result<KernelSymbols> Open(const std::filesystem::path& path = "/proc/kallsyms");

  // Whether NameOf() is known for all of them.
  bool Knows(const std::vector<uint64_t>& addresses) const;
  // Reads the file once for those that are not known. Beyond 4,096 known ones all are forgotten first.
  Status Learn(const std::vector<uint64_t>& addresses);
  // "" = not known; "?" = there is no such function.
  std::string_view NameOf(uint64_t address) const;

 private:
  explicit KernelSymbols(kernel::UniqueFd fd) : fd_(std::move(fd)) {}

  kernel::UniqueFd fd_;
  std::unordered_map<uint64_t, std::string> names_;
};

}  // namespace weir::agent::node

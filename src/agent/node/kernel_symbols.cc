#include "agent/node/kernel_symbols.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <utility>

namespace weir::agent::node {
namespace {

constexpr size_t kChunkBytes = 64 << 10;
constexpr size_t kMaxNameBytes = 64;
constexpr size_t kMaxKnown = 4'096;

bool IsText(char type) { return type == 't' || type == 'T' || type == 'w' || type == 'W'; }

}  // namespace

SymbolSearch::SymbolSearch(std::vector<uint64_t> addresses) : addresses_(std::move(addresses)) {
  std::sort(addresses_.begin(), addresses_.end());
  addresses_.erase(std::unique(addresses_.begin(), addresses_.end()), addresses_.end());
  found_.resize(addresses_.size());
}

// "ffffffff81a2b3c0 t nft_do_chain\t[nf_tables]"; sorted within the kernel, not over its modules.
void SymbolSearch::Line(std::string_view line) {
  uint64_t symbol = 0;
  const auto [rest, error] = std::from_chars(line.data(), line.data() + line.size(), symbol, 16);
  const auto at = static_cast<size_t>(rest - line.data());
  if (error != std::errc() || symbol == 0 || line.size() < at + 4 || !IsText(line[at + 1])) return;
  std::string_view name = line.substr(at + 3);
  name = name.substr(0, name.find_first_of("\t .", 1));
  const auto above = std::lower_bound(addresses_.begin(), addresses_.end(), symbol);
  if (above == addresses_.end()) return;
  Best& best = found_[static_cast<size_t>(above - addresses_.begin())];
  if (best.symbol >= symbol) return;
  best.symbol = symbol;
  best.name = name.substr(0, kMaxNameBytes);
}

std::string SymbolSearch::NameOf(uint64_t address) const {
  const auto at = std::lower_bound(addresses_.begin(), addresses_.end(), address);
  if (at == addresses_.end() || *at != address) return "";
  // No symbol between two addresses: both are in one function.
  for (auto place = static_cast<size_t>(at - addresses_.begin()) + 1; place > 0; --place) {
    if (found_[place - 1].symbol != 0) return found_[place - 1].name;
  }
  return "";
}

Result<KernelSymbols> KernelSymbols::Open(const std::filesystem::path& path) {
  kernel::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return Status::FromErrno(errno, "open " + path.string());
  return KernelSymbols(std::move(fd));
}

bool KernelSymbols::Knows(const std::vector<uint64_t>& addresses) const {
  return std::all_of(addresses.begin(), addresses.end(), [this](uint64_t address) { return names_.contains(address); });
}

Status KernelSymbols::Learn(const std::vector<uint64_t>& addresses) {
  if (names_.size() + addresses.size() > kMaxKnown) names_.clear();
  SymbolSearch search(addresses);
  if (::lseek(fd_.get(), 0, SEEK_SET) != 0) return Status::FromErrno(errno, "read the kernel's symbols again");
  std::string text;
  for (;;) {
    const size_t kept = text.size();
    text.resize(kept + kChunkBytes);
    const ssize_t size = ::read(fd_.get(), text.data() + kept, kChunkBytes);
    if (size < 0 && errno == EINTR) {
      text.resize(kept);
      continue;
    }
    if (size < 0) return Status::FromErrno(errno, "read the kernel's symbols");
    text.resize(kept + static_cast<size_t>(size));
    size_t begin = 0;
    for (size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
      search.Line(std::string_view(text).substr(begin, end - begin));
      begin = end + 1;
    }
    text.erase(0, begin);
    if (size == 0) break;
  }
  for (const uint64_t address : addresses) {
    const std::string name = search.NameOf(address);
    names_.emplace(address, name.empty() ? "?" : name);
  }
  return Status::Ok();
}

std::string_view KernelSymbols::NameOf(uint64_t address) const {
  const auto found = names_.find(address);
  return found == names_.end() ? std::string_view() : found->second;
}

}  // namespace weir::agent::node

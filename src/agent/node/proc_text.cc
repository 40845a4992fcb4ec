#include "agent/node/proc_text.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "agent/kernel/unique_fd.h"

namespace weir::agent::node {
namespace {

constexpr size_t kMaxFileBytes = 1 << 20;

// The next line, taken off `text`.
std::string_view TakeLine(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(text.size(), line.size() + 1));
  return line;
}

// The next word, taken off `line`; "" at its end.
std::string_view TakeWord(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(" \t"));
  line.remove_prefix(word.size());
  return word;
}

std::optional<uint64_t> Number(std::string_view word, int base) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number, base);
  if (error != std::errc{} || end != word.data() + word.size() || word.empty()) return std::nullopt;
  return number;
}

}  // namespace

Result<std::string> ReadText(const std::filesystem::path& path) {
  const kernel::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return Status::FromErrno(errno, path.native());
  std::string text;
  size_t filled = 0;
  while (filled < kMaxFileBytes) {
    text.resize(std::min(std::max<size_t>(filled * 2, 4'096), kMaxFileBytes));
    const ssize_t size = ::read(fd.get(), text.data() + filled, text.size() - filled);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return Status::FromErrno(errno, path.native());
    if (size == 0) break;
    filled += static_cast<size_t>(size);
  }
  text.resize(filled);
  return text;
}

std::optional<uint64_t> ParseNumber(std::string_view text) {
  std::string_view line = TakeLine(text);
  return Number(TakeWord(line), 10);
}

void ParseGroups(std::string_view text,
                 const std::function<void(std::string_view group, std::string_view name, uint64_t value)>& visit) {
  while (!text.empty()) {
    std::string_view names = TakeLine(text);
    std::string_view values = TakeLine(text);
    const std::string_view group = TakeWord(names);
    if (group.empty() || !group.ends_with(':') || TakeWord(values) != group) continue;
    while (true) {
      const std::string_view name = TakeWord(names);
      const std::string_view value = TakeWord(values);
      if (name.empty() || value.empty()) break;
      // Tcp: MaxConn is -1.
      if (const auto number = Number(value, 10)) visit(group.substr(0, group.size() - 1), name, *number);
    }
  }
}

std::vector<SoftnetCpu> ParseSoftnet(std::string_view text) {
  constexpr size_t kCpuColumn = 12;
  std::vector<SoftnetCpu> cpus;
  for (uint32_t line_number = 0; !text.empty(); ++line_number) {
    std::string_view line = TakeLine(text);
    std::vector<uint32_t> columns;
    for (std::string_view word = TakeWord(line); !word.empty(); word = TakeWord(line)) {
      const auto number = Number(word, 16);
      if (!number) break;
      columns.push_back(static_cast<uint32_t>(*number));
    }
    if (columns.size() < 3) continue;
    const uint32_t cpu = columns.size() > kCpuColumn ? columns[kCpuColumn] : line_number;
    cpus.push_back({cpu, columns[0], columns[1], columns[2]});
  }
  return cpus;
}

void ParseConntrack(std::string_view text, const std::function<void(std::string_view name, uint64_t sum)>& visit) {
  std::string_view header = TakeLine(text);
  std::vector<std::string_view> names;
  for (std::string_view word = TakeWord(header); !word.empty(); word = TakeWord(header)) names.push_back(word);
  std::vector<uint64_t> sums(names.size());
  while (!text.empty()) {
    std::string_view line = TakeLine(text);
    for (uint64_t& sum : sums) sum += Number(TakeWord(line), 16).value_or(0);
  }
  for (size_t i = 0; i < names.size(); ++i) visit(names[i], sums[i]);
}

void ParsePairs(std::string_view text, const std::function<void(std::string_view name, uint64_t value)>& visit) {
  while (!text.empty()) {
    std::string_view line = TakeLine(text);
    const std::string_view name = TakeWord(line);
    if (const auto value = Number(TakeWord(line), 10)) visit(name, *value);
  }
}

std::optional<uint64_t> ParsePressure(std::string_view text) {
  constexpr std::string_view kTotal = "total=";
  while (!text.empty()) {
    std::string_view line = TakeLine(text);
    if (TakeWord(line) != "some") continue;
    const size_t at = line.find(kTotal);
    if (at != std::string_view::npos) return Number(line.substr(at + kTotal.size()), 10);
  }
  return std::nullopt;
}

}  // namespace weir::agent::node

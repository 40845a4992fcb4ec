#include "cmd/token.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>

namespace weir::cmd {

Result<std::string> ParseToken(std::string_view file) {
  constexpr std::string_view kBlank = " \t\r";
  while (!file.empty()) {
    std::string_view line = file.substr(0, file.find('\n'));
    file.remove_prefix(std::min(file.size(), line.size() + 1));
    const size_t first = line.find_first_not_of(kBlank);
    if (first == std::string_view::npos) continue;
    line = line.substr(first, line.find_last_not_of(kBlank) - first + 1);
    const bool clean = std::none_of(line.begin(), line.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; });
    if (!clean) return Status::Invalid("holds control characters; make a token of letters and digits");
    return std::string(line);
  }
  return Status::Invalid("is empty; put a long random word in it");
}

Result<std::string> ReadToken(const Settings& settings) {
  const std::string& path = settings.Text("token-file");
  if (path.empty()) return std::string{};
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file) return Status::NotFound(fmt::format("cannot read a token from {} (--token-file)", path));
  Result<std::string> token = ParseToken(text);
  if (token.ok()) return token;
  return Status::Invalid(fmt::format("{} {} (--token-file)", path, token.status().message()));
}

}  // namespace weir::cmd

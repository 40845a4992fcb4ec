#include "cmd/token.h"

#include <fmt/format.h>

#include <fstream>

namespace weir::cmd {

Result<std::string> ReadToken(const Settings& settings) {
  const std::string& path = settings.Text("token-file");
  if (path.empty()) return std::string{};
  std::ifstream file(path);
  std::string token;
  if (!file || !std::getline(file, token))
    return Status::NotFound(fmt::format("cannot read a token from {} (--token-file)", path));
  const size_t first = token.find_first_not_of(" \t\r");
  const size_t last = token.find_last_not_of(" \t\r");
  if (first == std::string::npos)
    return Status::Invalid(fmt::format("{} is empty; put a long random word in it (--token-file)", path));
  return token.substr(first, last - first + 1);
}

}  // namespace weir::cmd

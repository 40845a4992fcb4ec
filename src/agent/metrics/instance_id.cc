#include "agent/metrics/instance_id.h"

#include <algorithm>
#include <cctype>
#include <fstream>

namespace weir::agent::metrics {
namespace {

constexpr size_t kLongestId = 64;

// One line of letters, digits and dashes; "" for anything else, for vendors write what they like.
std::string ReadId(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  while (!line.empty() && (line.back() == ' ' || line.back() == '\n')) line.pop_back();
  const bool plain = std::all_of(line.begin(), line.end(), [](unsigned char c) { return std::isalnum(c) || c == '-'; });
  return plain && line.size() <= kLongestId ? line : "";
}

}  // namespace

std::string ReadInstanceId(const std::filesystem::path& sys) {
  const std::filesystem::path tables = sys / "class" / "dmi" / "id";
  // Nitro instances carry their id there; others' asset tags name anything.
  if (std::string tag = ReadId(tables / "board_asset_tag"); tag.starts_with("i-")) return tag;
  std::string uuid = ReadId(tables / "product_uuid");
  std::transform(uuid.begin(), uuid.end(), uuid.begin(), [](unsigned char c) { return std::tolower(c); });
  return uuid;
}

}  // namespace weir::agent::metrics

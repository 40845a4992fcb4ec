#include "server/price_table.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <optional>

#include "server/data_files.h"

namespace weir::server {
namespace {

constexpr double kGib = 1024.0 * 1024.0 * 1024.0;
constexpr double kNano = 1e9;
constexpr double kDearest = 1'000'000;  // dollars for a GiB: beyond, it is a slip of the pen
constexpr auto kLocalities =
    std::to_array<std::string_view>({"loopback", "same_pod", "same_node", "same_zone", "inter_zone", "inter_region",
                                     "cloud_service", "internet", "private", "unknown"});

std::string TextOf(const YAML::Node& node, const char* key) {
  const YAML::Node value = node[key];
  return value && value.IsScalar() ? value.Scalar() : std::string();
}

// "2026-11-30", at midnight UTC.
std::optional<UnixMillis> DayOf(const std::string& text) {
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  int end = 0;
  // NOLINTNEXTLINE(cert-err34-c): widths bound the numbers, and what is no date is refused below
  if (std::sscanf(text.c_str(), "%4d-%2u-%2u%n", &year, &month, &day, &end) != 3) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)};
  if (static_cast<size_t>(end) != text.size() || !date.ok()) return std::nullopt;
  return std::chrono::sys_days(date).time_since_epoch() / std::chrono::milliseconds(1);
}

}  // namespace

// yaml-cpp throws; nothing leaves this function.
Result<PriceTable> PriceTable::Parse(std::string_view yaml) {
  if (yaml.size() > kMaxFileBytes) return Status::Exhausted(fmt::format("more than {} bytes", kMaxFileBytes));
  PriceTable table;
  try {
    const YAML::Node root = YAML::Load(std::string(yaml));
    if (!root.IsMap() || !root["rules"] || !root["rules"].IsSequence()) {
      return Status::Invalid("there is no list `rules`");
    }
    const std::optional<UnixMillis> dated = DayOf(TextOf(root, "dated"));
    table.source_ = TextOf(root, "source");
    if (!dated || table.source_.empty()) {
      return Status::Invalid("`dated` (2026-11-30) and `source` are missing: say when and where the prices were read");
    }
    table.dated_ms_ = *dated;
    for (const YAML::Node& item : root["rules"]) {
      const size_t number = table.rules_.size() + 1;
      if (number > kMaxRules) return Status::Exhausted(fmt::format("more than {} rules", kMaxRules));
      if (!item.IsMap()) return Status::Invalid(fmt::format("rule {} is no map", number));
      Rule& rule = table.rules_.emplace_back();
      rule.name = TextOf(item, "name");
      rule.locality = TextOf(item, "locality");
      rule.region = TextOf(item, "region");
      rule.cloud_service = TextOf(item, "cloud_service");
      if (rule.name.empty()) return Status::Invalid(fmt::format("rule {} has no name", number));
      if (std::find(kLocalities.begin(), kLocalities.end(), rule.locality) == kLocalities.end()) {
        return Status::Invalid(
            fmt::format("rule {}: locality '{}' is none of {}", number, rule.locality, fmt::join(kLocalities, ", ")));
      }
      const std::string direction = TextOf(item, "direction");
      if (direction != "out" && direction != "in" && direction != "both") {
        return Status::Invalid(fmt::format("rule {}: direction '{}' is not out, in or both", number, direction));
      }
      rule.direction = direction == "out" ? Direction::kOut : direction == "in" ? Direction::kIn : Direction::kBoth;
      const double price = item["usd_per_gib"] ? item["usd_per_gib"].as<double>(-1) : -1;
      if (!std::isfinite(price) || price < 0 || price > kDearest) {
        return Status::Invalid(fmt::format("rule {}: usd_per_gib is no price", number));
      }
      rule.nano_dollars_per_byte = price * kNano / kGib;
    }
  } catch (const YAML::Exception& error) {
    return Status::Invalid(fmt::format("no YAML: {}", error.what()));
  }
  std::stable_sort(table.rules_.begin(), table.rules_.end(),
                   [](const Rule& a, const Rule& b) { return a.name < b.name; });
  return table;
}

Result<PriceTable> PriceTable::Shipped(std::string_view name) {
  if (name == "aws") return Parse(kPricesOfAws);
  return Status::NotFound(fmt::format("no price table '{}' ships with Weir: aws does; give a file otherwise", name));
}

uint64_t PriceTable::NanoDollars(const PricedTraffic& traffic) const {
  double cost = 0;
  const std::string* matched = nullptr;
  for (const Rule& rule : rules_) {
    if (matched != nullptr && *matched == rule.name) continue;
    const bool matches = rule.locality == traffic.locality && (rule.region.empty() || rule.region == traffic.region) &&
                         (rule.cloud_service.empty() || rule.cloud_service == traffic.cloud_service);
    if (!matches) continue;
    matched = &rule.name;
    const uint64_t out = rule.direction == Direction::kIn ? 0 : traffic.bytes_out;
    const uint64_t in = rule.direction == Direction::kOut ? 0 : traffic.bytes_in;
    cost += rule.nano_dollars_per_byte * static_cast<double>(out + in);
  }
  return static_cast<uint64_t>(std::llround(cost));
}

}  // namespace weir::server

#include "base/duration.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace weir {
namespace {

constexpr int64_t kSecond = 1'000;
constexpr int64_t kDay = 86'400 * kSecond;
constexpr int64_t kLongest = 36'525 * kDay;

struct Unit {
  std::string_view name;
  int64_t milliseconds;
};
// Longest first: FormatDuration() takes them in this order.
constexpr std::array<Unit, 6> kUnits{
    {{"w", 7 * kDay}, {"d", kDay}, {"h", 3'600 * kSecond}, {"m", 60 * kSecond}, {"s", kSecond}, {"ms", 1}}};

Status UnknownDuration(std::string_view text) {
  return Status::Invalid(fmt::format("'{}' is not a duration", text.substr(0, 60)))
      .WithRemedy("write e.g. 250ms, 10s, 5m, 1h30m, 2d or 1w");
}

}  // namespace

Result<int64_t> ParseDuration(std::string_view text) {
  std::string_view rest = text;
  double total = 0;
  do {
    double count = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), count, std::chars_format::fixed);
    // Neither signs nor the words inf and nan, which from_chars would take.
    const bool digit = !rest.empty() && rest.front() >= '0' && rest.front() <= '9';
    if (!digit || error != std::errc{}) return UnknownDuration(text);
    const bool first = rest.data() == text.data();
    rest.remove_prefix(static_cast<size_t>(end - rest.data()));
    size_t letters = 0;
    while (letters < rest.size() && rest[letters] >= 'a' && rest[letters] <= 'z') ++letters;
    std::string_view name = rest.substr(0, letters);
    if (first && rest.empty()) name = "s";
    const auto unit = std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& known) { return known.name == name; });
    if (unit == kUnits.end()) return UnknownDuration(text);
    total += count * static_cast<double>(unit->milliseconds);
    rest.remove_prefix(letters);
  } while (!rest.empty() && total <= static_cast<double>(kLongest));
  if (total > static_cast<double>(kLongest)) return UnknownDuration(text);
  return std::llround(total);
}

std::string FormatDuration(int64_t milliseconds) {
  if (milliseconds <= 0) return "0s";
  std::string text;
  for (const Unit& unit : kUnits) {
    const int64_t count = milliseconds / unit.milliseconds;
    if (count != 0) text += fmt::format("{}{}", count, unit.name);
    milliseconds -= count * unit.milliseconds;
  }
  return text;
}

}  // namespace weir

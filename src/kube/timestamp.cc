#include "kube/timestamp.h"

#include <chrono>
#include <optional>

namespace weir::kube {
namespace {

// The first `digits` characters as a number; nullopt when one of them is no digit.
std::optional<int> TakeNumber(std::string_view& text, size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int number = 0;
  for (size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    number = number * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return number;
}

bool Take(std::string_view& text, char expected) {
  if (text.empty() || text[0] != expected) return false;
  text.remove_prefix(1);
  return true;
}

// A number behind a separator, or -1.
int TakeBehind(std::string_view& text, char separator, size_t digits) {
  if (!Take(text, separator)) return -1;
  return TakeNumber(text, digits).value_or(-1);
}

// ".123456" as milliseconds; what is finer is cut.
int TakeFraction(std::string_view& text) {
  if (!Take(text, '.')) return 0;
  int millis = 0;
  int scale = 100;
  while (const std::optional<int> digit = TakeNumber(text, 1)) {
    millis += *digit * scale;
    scale /= 10;
  }
  return millis;
}

// Minutes east of Greenwich; nullopt when it is no offset.
std::optional<int> TakeOffset(std::string_view text) {
  if (text == "Z" || text == "z") return 0;
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-')) return std::nullopt;
  const int sign = text[0] == '-' ? -1 : 1;
  const int hours = TakeBehind(text, text[0], 2);
  const int minutes = TakeBehind(text, ':', 2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
  return sign * (hours * 60 + minutes);
}

}  // namespace

UnixMillis ParseTimestamp(std::string_view text) {
  const std::optional<int> year = TakeNumber(text, 4);
  const int month = TakeBehind(text, '-', 2);
  const int day = TakeBehind(text, '-', 2);
  const int hour = TakeBehind(text, 'T', 2);
  const int minute = TakeBehind(text, ':', 2);
  const int second = TakeBehind(text, ':', 2);
  if (!year || month < 0 || day < 0 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
    return 0;
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  const int millis = TakeFraction(text);
  const std::optional<int> offset = TakeOffset(text);
  if (!date.ok() || !offset) return 0;
  const int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return ((days * 24 + hour) * 60 + minute - *offset) * 60'000 + second * 1'000 + millis;
}

}  // namespace weir::kube

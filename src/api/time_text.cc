#include "api/time_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>

#include "base/duration.h"

namespace weir::api {
namespace {

constexpr int64_t kSecond = 1'000;
constexpr int64_t kDay = 86'400 * kSecond;
constexpr UnixMillis kFirstTime = -62'135'596'800'000;  // 0001-01-01T00:00:00Z
constexpr UnixMillis kLastTime = 253'402'300'799'999;   // 9999-12-31T23:59:59.999Z
// Plain numbers from here on are milliseconds: as seconds they would lie beyond the year 5138.
constexpr int64_t kFirstMilliseconds = 100'000'000'000;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Takes exactly `digits` decimal digits off the front.
std::optional<int> TakeNumber(std::string_view& text, size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int value = 0;
  for (size_t i = 0; i < digits; ++i) {
    if (!IsDigit(text[i])) return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool Take(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

// Milliseconds of ".5", ".123456"; 0 when there is no fraction, nullopt when a dot has no digits.
std::optional<int64_t> TakeFraction(std::string_view& text) {
  if (!Take(text, ".")) return 0;
  if (text.empty() || !IsDigit(text.front())) return std::nullopt;
  int64_t value = 0;
  for (int64_t weight = 100; !text.empty() && IsDigit(text.front()); weight /= 10, text.remove_prefix(1)) {
    value += (text.front() - '0') * weight;  // digits beyond the third weigh nothing
  }
  return value;
}

// Milliseconds east of UTC.
std::optional<int64_t> TakeOffset(std::string_view& text) {
  if (Take(text, "Zz")) return 0;
  const bool west = text.starts_with('-');
  if (!Take(text, "+-")) return std::nullopt;
  const auto hours = TakeNumber(text, 2);
  if (!hours || !Take(text, ":")) return std::nullopt;
  const auto minutes = TakeNumber(text, 2);
  if (!minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  const int64_t east = (*hours * 3'600LL + *minutes * 60LL) * kSecond;
  return west ? -east : east;
}

// RFC 3339, section 5.6.
std::optional<UnixMillis> ParseDate(std::string_view text) {
  const auto year = TakeNumber(text, 4);
  if (!year || !Take(text, "-")) return std::nullopt;
  const auto month = TakeNumber(text, 2);
  if (!month || !Take(text, "-")) return std::nullopt;
  const auto day = TakeNumber(text, 2);
  if (!day || !Take(text, "Tt ")) return std::nullopt;
  const auto hour = TakeNumber(text, 2);
  if (!hour || !Take(text, ":")) return std::nullopt;
  const auto minute = TakeNumber(text, 2);
  if (!minute || !Take(text, ":")) return std::nullopt;
  const auto second = TakeNumber(text, 2);
  const auto fraction = second ? TakeFraction(text) : std::nullopt;
  const auto offset = fraction ? TakeOffset(text) : std::nullopt;
  if (!offset || !text.empty() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;  // 60: a leap second
  const std::chrono::year_month_day date{std::chrono::year{*year}, std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok() || *year < 1) return std::nullopt;
  const int64_t days = std::chrono::sys_days{date}.time_since_epoch().count();
  return days * kDay + (*hour * 3'600LL + *minute * 60LL + *second) * kSecond + *fraction - *offset;
}

Status UnknownTime(std::string_view text) {
  return Status::Invalid(fmt::format("'{}' is not a time", text.substr(0, 60)))
      .WithRemedy("write 2026-11-24T14:00:00Z, Unix seconds or milliseconds, now, now-15m or 15m");
}

}  // namespace

std::string FormatTime(UnixMillis time) {
  using std::chrono::floor;
  const std::chrono::sys_time<std::chrono::milliseconds> point{
      std::chrono::milliseconds{std::clamp(time, kFirstTime, kLastTime)}};
  const auto day = floor<std::chrono::days>(point);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{point - day};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

std::optional<int64_t> ParseAgo(std::string_view text) {
  if (text == "now") return 0;
  constexpr std::string_view kNow = "now-";
  if (text.starts_with(kNow)) text.remove_prefix(kNow.size());
  const bool lone_number = std::all_of(text.begin(), text.end(), IsDigit);  // a time, or a slip
  if (lone_number) return std::nullopt;
  const Result<int64_t> ago = ParseDuration(text);
  return ago.ok() ? std::optional(*ago) : std::nullopt;
}

Result<UnixMillis> ParseTime(std::string_view text, UnixMillis now) {
  if (const std::optional<int64_t> ago = ParseAgo(text)) return now - *ago;
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc{} && end == text.data() + text.size()) {
    if (number < 0 || number > kLastTime) return UnknownTime(text);
    return number < kFirstMilliseconds ? number * kSecond : number;
  }
  if (const std::optional<UnixMillis> date = ParseDate(text)) return *date;
  return UnknownTime(text);
}

}  // namespace weir::api

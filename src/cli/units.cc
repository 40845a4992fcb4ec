#include "cli/units.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace weir::cli {
namespace {

// Three significant digits, no exponent, no trailing zeros after the point.
std::string Significant(double value) {
  const double size = std::fabs(value);
  const int decimals = size >= 100 ? 0 : size >= 10 ? 1 : 2;
  std::string text = fmt::format("{:.{}f}", value, decimals);
  if (text.find('.') == std::string::npos) return text;
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

template <size_t N>
std::string Scale(double value, double step, const std::array<const char*, N>& units) {
  size_t unit = 0;
  // 999.5 would print as 1000: step up as soon as rounding would reach the next unit.
  while (unit + 1 < N && std::fabs(value) >= (unit == 0 ? step : step - step / 2000)) {
    value /= step;
    ++unit;
  }
  return fmt::format("{}{}", unit == 0 ? fmt::format("{:.0f}", value) : Significant(value), units[unit]);
}

}  // namespace

std::string FormatBytes(double bytes) {
  return Scale(bytes, 1024, std::array{" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"});
}

std::string FormatMicros(double microseconds) {
  if (microseconds < 1000) return Significant(microseconds) + " µs";
  if (microseconds < 1e6) return Significant(microseconds / 1e3) + " ms";
  return Significant(microseconds / 1e6) + " s";
}

std::string FormatCount(double count) { return Scale(count, 1000, std::array{"", "k", "M", "G", "T", "P", "E"}); }

std::string FormatPercent(double percent) {
  if (percent > 0 && percent < 0.01) return "<0.01 %";
  return Significant(percent) + " %";
}

std::string FormatValue(double value, std::string_view unit) {
  if (unit == "bytes") return FormatBytes(value);
  if (unit == "us") return FormatMicros(value);
  if (unit == "%") return FormatPercent(value);
  return FormatCount(value);
}

}  // namespace weir::cli

// Numbers for people: short, aligned, always with a unit. The web UI's domain/units.ts follows the same rules.
#pragma once

#include <string>
#include <string_view>

namespace weir::cli {

std::string FormatBytes(double bytes);          // "0 B", "1.5 KiB", "12 MiB"
std::string FormatMicros(double microseconds);  // "41 µs", "1.25 ms", "3.2 s"
std::string FormatCount(double count);          // "999", "12.3k", "4.5M"
std::string FormatPercent(double percent);      // "0 %", "0.02 %", "12 %"
// By a column's unit ("bytes", "us", "%", anything else a count).
std::string FormatValue(double value, std::string_view unit);

}  // namespace weir::cli

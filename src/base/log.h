// Leveled logging to stderr, key=value, over spdlog. Never one line per event: repeated trouble goes through
// RateLimit and a counter in the metric catalogue.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string_view>

namespace weir {

enum class LogLevel { kDebug, kInfo, kWarn, kError };

// Thread-safe. Call once at start; the default is kInfo.
void SetLogLevel(LogLevel level);
void Log(LogLevel level, std::string_view message);

template <typename... Args>
void LogDebug(fmt::format_string<Args...> format, Args&&... args) {
  Log(LogLevel::kDebug, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void LogInfo(fmt::format_string<Args...> format, Args&&... args) {
  Log(LogLevel::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void LogWarn(fmt::format_string<Args...> format, Args&&... args) {
  Log(LogLevel::kWarn, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void LogError(fmt::format_string<Args...> format, Args&&... args) {
  Log(LogLevel::kError, fmt::format(format, std::forward<Args>(args)...));
}

// Allows one message per period and says how many were held back in between. Thread-safe.
class RateLimit {
 public:
  explicit RateLimit(std::chrono::steady_clock::duration period) : period_(period) {}
  // True when the caller may log now; *suppressed gets the number of refusals since the last permission.
  bool Allow(uint64_t* suppressed);

 private:
  std::mutex mutex_;
  std::chrono::steady_clock::duration period_;
  std::chrono::steady_clock::time_point next_{};
  uint64_t refused_ = 0;
};

}  // namespace weir

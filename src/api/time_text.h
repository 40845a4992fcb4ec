// Times and durations as people write them, and as answers show them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"

namespace weir::api {

// "2026-11-24T14:00:00.000Z"; years 1 to 9999, beyond them clamped.
std::string FormatTime(UnixMillis time);

// Milliseconds before now: "now", "now-15m", "15m". nullopt when the text is none of these.
std::optional<int64_t> ParseAgo(std::string_view text);

// RFC 3339 ("2026-11-24T14:00:00Z", any offset, optional fraction), Unix seconds or milliseconds, "now",
// or as ParseAgo() has it. kInvalid with what is possible.
Result<UnixMillis> ParseTime(std::string_view text, UnixMillis now);

}  // namespace weir::api

// Lengths of time as people write them, in flags, questions and answers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace weir {

// Milliseconds: "250ms", "1.5h", "1h30m", "2d", "1w"; a lone number is seconds. kInvalid otherwise, and beyond a
// hundred years.
Result<int64_t> ParseDuration(std::string_view text);

// The shortest text ParseDuration() reads back: "10s", "5m", "1h30m".
std::string FormatDuration(int64_t milliseconds);

}  // namespace weir

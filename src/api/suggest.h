// "Did you mean …?"
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace weir::api {

// Single-character insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
size_t EditDistance(std::string_view a, std::string_view b);

// The candidate nearest to `text`, "" when none is near enough to be a slip of the finger.
std::string Nearest(std::string_view text, std::span<const std::string_view> candidates);

}  // namespace weir::api

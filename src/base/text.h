// Words that people and machines write: letters, identities, and what was meant by a slip of the finger.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace weir {

// ASCII letters in lower case, whatever the locale; other bytes as they are.
std::string Lower(std::string_view text);

// 32 lower-case hex digits: what an agent calls itself.
bool IsAgentId(std::string_view text);

// Single-character insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
size_t EditDistance(std::string_view a, std::string_view b);
// The candidate nearest to `text`, "" when none is near enough to be a slip of the finger.
std::string Nearest(std::string_view text, std::span<const std::string_view> candidates);

}  // namespace weir

// From a request's target to what its kind of request is called: /orders/1234?full=1 -> /orders/{id}.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace weir::agent::requests {

inline constexpr size_t kMaxTemplateBytes = 160;

// Query and fragment are dropped, and so are scheme and host of an absolute target. A segment that is a number, a UUID,
// a run of at least 8 hexadecimal digits or longer than 32 bytes becomes {id}; from the ninth segment on the rest is
// "...". Printable, at most kMaxTemplateBytes, never empty.
std::string PathTemplate(std::string_view target);

// Overwrites what PathTemplate() does not look at or replaces: host, identifiers, query. Length and template stay.
void BlankTarget(std::span<char> target);

}  // namespace weir::agent::requests

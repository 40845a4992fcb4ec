// Names on the wire are text a terminal or a page may show: valid UTF-8 (RFC 3629) without control characters
// (C0, DEL, C1), without line and paragraph separators and without bidirectional overrides, which let a name
// pretend to be another one. The encoder makes text clean, the decoder refuses text that is not.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir::wire {

bool IsCleanText(std::string_view text);

// Each offending character or byte becomes U+FFFD; cut at a character border to at most `max_bytes`.
std::string CleanText(std::string_view text, size_t max_bytes);

}  // namespace weir::wire

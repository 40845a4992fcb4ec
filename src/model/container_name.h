// How a container is shown where there is little room.
#pragma once

#include <string_view>

namespace weir::model {

// The first 12 digits of a hexadecimal id, which people know it by; a name stays whole. The UI has the same rule
// (shortContainer in web/src/domain/text.ts).
constexpr std::string_view ShortContainer(std::string_view container) {
  constexpr size_t kShortId = 12;
  const bool is_id = container.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  return is_id ? container.substr(0, kShortId) : container;
}

}  // namespace weir::model

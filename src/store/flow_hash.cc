#include "store/flow_hash.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>

namespace weir::store {
uint64_t FlowHash(const model::FlowRow& row) {
  std::array<uint64_t, 3 + 2 * model::kFlowColumnCount> words{};  // an address takes two
  size_t at = 0;
  for (const model::EntityRef* entity : {&row.client, &row.server, &row.service}) words[at++] = Of(*entity).id;
  model::VisitStored(row, [&](const model::Column& column, const auto& value) {
    using Value = std::remove_cvref_t<decltype(value)>;
    if (!column.groupable()) return;
    if constexpr (std::is_same_v<Value, std::string>) {
      words[at++] = XXH3_64bits(value.data(), value.size());
    } else if constexpr (std::is_same_v<Value, model::Address>) {
      static_assert(sizeof(value.bytes) == 2 * sizeof(uint64_t));
      std::memcpy(&words[at], value.bytes.data(), sizeof(value.bytes));
      at += 2;
    } else if constexpr (std::is_integral_v<Value>) {
      words[at++] = static_cast<uint64_t>(value);
    }
  });
  return std::max<uint64_t>(XXH3_64bits(words.data(), at * sizeof(uint64_t)), 1);
}

}  // namespace weir::store

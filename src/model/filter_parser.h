// The parser behind Filter::Parse. Private to the filter.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "base/status.h"
#include "model/filter.h"

namespace weir::model {

inline constexpr size_t kMaxFilterBytes = 4096;
inline constexpr size_t kMaxFilterDepth = 32;
inline constexpr size_t kMaxFilterComparisons = 256;

// nullptr for an empty (or blank) expression. Errors as Filter::Parse.
Result<std::unique_ptr<FilterNode>> ParseFilter(std::string_view text);

// "10k", "20ms", "2%" in the column's unit: 10000, 20000 (µs), 2. nullopt when it is no number, or its unit
// does not fit the column.
std::optional<double> ParseQuantity(std::string_view text, const Column& column);

// Whether a filter can name the column. The range of time has parameters of its own, and a distribution has
// no order.
constexpr bool Filterable(const Column& column) {
  return column.type != ColumnType::kTime && column.type != ColumnType::kHistogram;
}

}  // namespace weir::model

// ClickHouse's JSONCompact answers as typed cells.
#pragma once

#include <string_view>
#include <vector>

#include "base/status.h"
#include "store/query.h"

namespace weir::store {

struct ParsedResult {
  std::vector<std::vector<Cell>> rows;
  std::vector<Cell> totals;  // empty when the answer has none
  uint64_t rows_before_limit = 0;
  uint64_t rows_read = 0;
};

// `columns` say how each cell is to be read, in order: addresses come as hexadecimal digits.
// kInternal when the text is not what was asked for.
Result<ParsedResult> ParseJsonCompact(std::string_view json, const std::vector<const model::Column*>& columns);

}  // namespace weir::store

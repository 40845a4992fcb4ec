// ClickHouse's JSONCompact answers as typed cells.
#pragma once

#include <string_view>
#include <vector>

#include "base/status.h"
#include "store/query.h"

namespace weir::store {

// What each row of an answer consists of.
struct AnswerShape {
  const std::vector<const model::Column*>&
      columns;              // how each cell is to be read: addresses come as hexadecimal digits
  size_t absent = 0;        // the first so many cells are not in the answer, and stay empty
  bool flow_first = false;  // it begins with the flow, which gets no cell
};

struct ParsedResult {
  std::vector<std::vector<Cell>> rows;
  std::vector<uint64_t> flows;  // one per row, where the shape has them
  std::vector<Cell> totals;     // empty when the answer has none
  uint64_t rows_before_limit = 0;
  uint64_t rows_read = 0;
};

// kExhausted, kCorrupt, kInternal with ClickHouse's own message: it gave up in the middle of the answer.
// kInternal: the text is not what was asked for.
Result<ParsedResult> ParseJsonCompact(std::string_view json, const AnswerShape& shape);

}  // namespace weir::store

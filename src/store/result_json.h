// ClickHouse's JSONCompact answers, row by row: the format that has totals, and counts the rows beyond a limit.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "store/answer_row.h"

namespace weir::store {

struct AnswerSummary {
  uint64_t rows_before_limit = 0;
  uint64_t rows_read = 0;
};

// kExhausted, kCorrupt, kInternal with ClickHouse's own message: it gave up in the middle of the answer.
// kInternal: the text is not what was asked for. Rows before either have been read.
Result<AnswerSummary> ParseJsonCompact(std::string_view json, const std::vector<FieldKind>& fields,
                                       const RowReader& read);

}  // namespace weir::store

// ClickHouse's JSONCompact answers, row by row.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "store/query.h"

namespace weir::store {

// How a field of a row is to be read.
enum class FieldKind : uint8_t {
  kFlow,     // the number of a flow
  kNumber,   //
  kText,     //
  kAddress,  // hexadecimal digits, read as text as people write it
  kArray,    // of unsigned integers
};

// A row of an answer; what a field is not stays empty.
struct AnswerRow {
  uint64_t flow = 0;
  std::vector<Cell> cells;                    // one per field
  std::vector<std::vector<uint64_t>> arrays;  // one per field
};

struct AnswerSummary {
  uint64_t rows_before_limit = 0;
  uint64_t rows_read = 0;
};

// Called with each row, and with the totals where the answer has them. The row is the callee's until it returns.
using RowReader = std::function<void(AnswerRow& row, bool totals)>;

// kExhausted, kCorrupt, kInternal with ClickHouse's own message: it gave up in the middle of the answer.
// kInternal: the text is not what was asked for. Rows before either have been read.
Result<AnswerSummary> ParseJsonCompact(std::string_view json, const std::vector<FieldKind>& fields,
                                       const RowReader& read);

}  // namespace weir::store

// ClickHouse's RowBinary answers, row by row: for answers of many rows, which cost a tenth of JSON's time to read.
#pragma once

#include <string_view>
#include <vector>

#include "base/status.h"
#include "store/answer_row.h"

namespace weir::store {

// kInternal: the bytes are not what was asked for. Rows before have been read.
Status ReadRowBinary(std::string_view bytes, const std::vector<FieldKind>& fields, const RowReader& read);

}  // namespace weir::store

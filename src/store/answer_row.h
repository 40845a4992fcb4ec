// A row of one of ClickHouse's answers, whichever format it came in.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "store/query.h"

namespace weir::store {

// How a field of a row is to be read. Numbers are to be selected as UInt64 or Int64: they are 8 bytes wide.
enum class FieldKind : uint8_t {
  kFlow,     // the number of a flow
  kNumber,   //
  kText,     //
  kAddress,  // hexadecimal digits, read as text as people write it
  kArray,    // of UInt64
};

// What a field is not stays empty.
struct AnswerRow {
  uint64_t flow = 0;
  std::vector<Cell> cells;                    // one per field
  std::vector<std::vector<uint64_t>> arrays;  // one per field
};

// The text of an address from the digits hex() writes.
std::string AddressText(std::string_view digits);

inline constexpr std::string_view kNotWhatWasAsked =
    "the store's answer broke off or is not what was asked for; ask again, and report it if it stays so";

// Called with each row, and with the totals where the answer has them. The row is the callee's until it returns.
using RowReader = std::function<void(AnswerRow& row, bool totals)>;

}  // namespace weir::store

#include "store/result_binary.h"

#include <cstring>
#include <string>

#include "store/row_binary.h"

namespace weir::store {
namespace {

// Every function says whether there were bytes enough, and stands behind what it read.
class Scanner {
 public:
  explicit Scanner(std::string_view bytes) : rest_(bytes) {}

  bool ended() const { return rest_.empty(); }

  bool Field(FieldKind kind, size_t at, AnswerRow& row) {
    Cell& cell = row.cells[at];
    switch (kind) {
      case FieldKind::kFlow: return Number(row.flow);
      case FieldKind::kNumber: {
        if (!Number(cell.exact)) return false;
        cell.number = static_cast<double>(cell.exact);
        return true;
      }
      case FieldKind::kArray: return Array(row.arrays[at]);
      default: break;
    }
    cell.is_text = true;
    if (!Text(cell.text)) return false;
    if (kind == FieldKind::kAddress) cell.text = AddressText(cell.text);
    return true;
  }

 private:
  bool Number(uint64_t& number) {
    if (rest_.size() < sizeof(number)) return false;
    std::memcpy(&number, rest_.data(), sizeof(number));
    rest_.remove_prefix(sizeof(number));
    return true;
  }

  bool Text(std::string& text) {
    size_t length = 0;
    if (!TakeLength(rest_, length) || length > rest_.size()) return false;
    text.assign(rest_.substr(0, length));
    rest_.remove_prefix(length);
    return true;
  }

  bool Array(std::vector<uint64_t>& array) {
    size_t length = 0;
    if (!TakeLength(rest_, length) || length > rest_.size() / sizeof(uint64_t)) return false;
    array.resize(length);
    if (length != 0) std::memcpy(array.data(), rest_.data(), length * sizeof(uint64_t));
    rest_.remove_prefix(length * sizeof(uint64_t));
    return true;
  }

  std::string_view rest_;
};

}  // namespace

Status ReadRowBinary(std::string_view bytes, const std::vector<FieldKind>& fields, const RowReader& read) {
  Scanner scanner(bytes);
  AnswerRow row;
  row.arrays.resize(fields.size());
  while (!scanner.ended()) {
    row.cells.assign(fields.size(), {});
    for (size_t at = 0; at < fields.size(); ++at) {
      if (!scanner.Field(fields[at], at, row)) return Status::Internal(std::string(kNotWhatWasAsked));
    }
    read(row, /*totals=*/false);
  }
  return Status::Ok();
}

}  // namespace weir::store

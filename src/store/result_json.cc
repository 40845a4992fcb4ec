#include "store/result_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "store/sql.h"

namespace weir::store {
namespace {

using model::Column;
using model::ColumnType;

std::string AddressText(std::string_view hex) {
  model::Address address;
  const std::string bytes = Unhex(hex);
  std::copy_n(bytes.begin(), std::min(bytes.size(), address.bytes.size()), address.bytes.begin());
  return address.ToString();
}

bool IsText(const Column& column) { return column.type == ColumnType::kString || column.type == ColumnType::kAddress; }

// Takes the events of the JSON parser, so that a hundred thousand rows need no tree of a million nodes.
class Reader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Reader(const std::vector<const Column*>& columns) : columns_(columns) {}

  ParsedResult result;

  bool null() override { return Add({}); }
  bool boolean(bool value) override { return number_unsigned(value ? 1 : 0); }
  bool number_integer(number_integer_t value) override {
    return Add({false, "", static_cast<double>(value), value < 0 ? 0 : static_cast<uint64_t>(value)});
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (InCells()) return Add({false, "", static_cast<double>(value), value});
    if (depth_ == 1 && key_ == "rows_before_limit_at_least") result.rows_before_limit = value;
    if (depth_ == 2 && key_ == "rows_read") result.rows_read = value;
    return true;
  }
  bool number_float(number_float_t value, const string_t&) override { return Add({false, "", value, 0}); }
  bool string(string_t& value) override { return Add({true, std::move(value), 0, 0}); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return ++depth_ <= 4; }
  bool end_object() override {
    --depth_;
    return true;
  }
  bool key(string_t& name) override {
    if (depth_ == 1) section_ = name;
    key_ = std::move(name);
    return true;
  }
  bool start_array(std::size_t) override {
    ++depth_;
    if (InRow()) {
      result.rows.emplace_back();
      result.rows.back().reserve(columns_.size());
    }
    return depth_ <= 4;
  }
  bool end_array() override {
    const bool complete = !InCells() || Cells().size() == columns_.size();
    --depth_;
    return complete;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  bool InRow() const { return section_ == "data" && depth_ == 3; }
  bool InCells() const { return InRow() || (section_ == "totals" && depth_ == 2); }
  std::vector<Cell>& Cells() { return InRow() ? result.rows.back() : result.totals; }

  bool Add(Cell cell) {
    if (!InCells()) return true;
    std::vector<Cell>& cells = Cells();
    if (cells.size() == columns_.size()) return false;
    const Column& column = *columns_[cells.size()];
    if (IsText(column) != cell.is_text) return false;
    if (column.type == ColumnType::kAddress) cell.text = AddressText(cell.text);
    cells.push_back(std::move(cell));
    return true;
  }

  const std::vector<const Column*>& columns_;
  std::string section_;
  std::string key_;
  int depth_ = 0;
};

}  // namespace

Result<ParsedResult> ParseJsonCompact(std::string_view json, const std::vector<const Column*>& columns) {
  // libchdb 26.5 writes the parts of an answer without rows in the wrong order when it has totals: no JSON
  // then.
  if (!json.starts_with('{')) return ParsedResult{};
  Reader reader(columns);
  if (!nlohmann::json::sax_parse(json, &reader)) {
    return Status::Internal(fmt::format("the store's answer is not what was asked for: {}", json.substr(0, 200)));
  }
  for (Cell& cell : reader.result.totals) cell.text.clear();
  return std::move(reader.result);
}

}  // namespace weir::store

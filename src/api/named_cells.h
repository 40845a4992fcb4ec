// The cells of one row of an answer by the names of their columns. A column the answer lacks is 0 or "".
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

#include "store/query.h"

namespace weir::api {

// Columns of the table by their names, in order. REQUIRES: there are such columns.
inline std::vector<const model::Column*> ColumnsNamed(std::span<const std::string_view> names) {
  std::vector<const model::Column*> columns;
  for (const std::string_view name : names) columns.push_back(model::FindColumn(name));
  return columns;
}
inline std::vector<const model::Column*> ColumnsNamed(std::initializer_list<std::string_view> names) {
  return ColumnsNamed(std::span(names.begin(), names.size()));
}

// Borrows the answer and the row.
class NamedCells {
 public:
  NamedCells(const store::FlowResult& result, const std::vector<store::Cell>& cells) : result_(result), cells_(cells) {}
  double Number(std::string_view name) const {
    const store::Cell* cell = Find(name);
    return cell == nullptr ? 0 : cell->number;
  }
  uint64_t Whole(std::string_view name) const {
    const store::Cell* cell = Find(name);
    return cell == nullptr ? 0 : cell->exact;
  }
  std::string_view Text(std::string_view name) const {
    const store::Cell* cell = Find(name);
    return cell == nullptr ? std::string_view() : cell->text;
  }

 private:
  const store::Cell* Find(std::string_view name) const {
    for (size_t at = 0; at < result_.columns.size() && at < cells_.size(); ++at) {
      if (result_.columns[at]->name == name) return &cells_[at];
    }
    return nullptr;
  }

  const store::FlowResult& result_;
  const std::vector<store::Cell>& cells_;
};

}  // namespace weir::api

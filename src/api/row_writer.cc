#include "api/row_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <optional>

#include "api/time_text.h"
#include "net/http_error.h"

namespace weir::api {
namespace {

using model::Column;
using model::ColumnKind;
using model::ColumnType;
using store::Cell;

bool IsMeasure(const Column& column) {
  return column.kind != ColumnKind::kDimension && column.kind != ColumnKind::kTime &&
         column.type != ColumnType::kString;
}

// The cell as bare text: what CSV shows, and JSON for everything but strings.
void AppendPlain(std::string& out, const Column& column, const Cell& cell) {
  if (cell.is_text) {
    out += cell.text;
  } else if (column.type == ColumnType::kTime) {
    out += FormatTime(static_cast<UnixMillis>(cell.number));
  } else if (column.type == ColumnType::kUint) {
    fmt::format_to(std::back_inserter(out), "{}", cell.exact);
  } else {
    fmt::format_to(std::back_inserter(out), "{}", cell.number);
  }
}

void AppendCsvText(std::string& out, std::string_view text) {
  // OWASP, CSV injection: these start a formula in common spreadsheets.
  const bool formula = !text.empty() && std::string_view("=+-@\t\r").find(text.front()) != std::string_view::npos;
  const bool quote = text.find_first_of("\",\r\n") != std::string_view::npos;
  if (quote) out += '"';
  if (formula) out += '\'';
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  if (quote) out += '"';
}

Cell UintCell(uint64_t value) {
  Cell cell;
  cell.exact = value;
  cell.number = static_cast<double>(value);
  return cell;
}

Cell TextCell(std::string text) {
  Cell cell;
  cell.is_text = true;
  cell.text = std::move(text);
  return cell;
}

Cell CellOf(const model::FlowRow& row, const Column& column) {
  switch (column.type) {
    case ColumnType::kString:
    case ColumnType::kAddress: return TextCell(model::TextOf(row, column));
    case ColumnType::kUint: return UintCell(model::UintOf(row, column));
    default: break;
  }
  Cell cell;
  cell.number = model::NumberOf(row, column);
  return cell;
}

}  // namespace

RowWriter::RowWriter(std::vector<const Column*> columns) {
  std::map<std::string_view, size_t> positions;
  for (size_t i = 0; i < columns.size(); ++i) positions[columns[i]->name] = i;
  for (const Column* column : columns) {
    Field field{column, net::JsonQuote(column->name) + ": ", {}, column->type != ColumnType::kHistogram};
    for (const std::string_view name : model::SampleColumns(*column)) {
      if (const auto found = positions.find(name); found != positions.end()) field.samples.push_back(found->second);
    }
    // With only some of the counters at hand, zeroes prove nothing.
    if (field.samples.size() != model::SampleColumns(*column).size()) field.samples.clear();
    fields_.push_back(std::move(field));
  }
}

bool RowWriter::Unknown(const std::vector<Cell>& row, size_t index) const {
  const Field& field = fields_[index];
  const Cell& cell = row[index];
  if (cell.is_text) return false;
  if (field.column->kind == ColumnKind::kTime && cell.number == 0) return true;
  if (field.column->type == ColumnType::kFloat && !std::isfinite(cell.number)) return true;
  return !field.samples.empty() &&
         std::all_of(field.samples.begin(), field.samples.end(), [&](size_t sample) { return row[sample].exact == 0; });
}

void RowWriter::AppendValueJson(std::string& out, const std::vector<Cell>& row, size_t index) const {
  const Cell& cell = row[index];
  const Column& column = *fields_[index].column;
  if (Unknown(row, index)) {
    out += "null";
  } else if (cell.is_text) {
    out += net::JsonQuote(cell.text);
  } else if (column.type == ColumnType::kTime) {
    out += '"';
    AppendPlain(out, column, cell);
    out += '"';
  } else {
    AppendPlain(out, column, cell);
  }
}

void RowWriter::AppendObject(std::string& out, const std::vector<Cell>& row, bool measures_only) const {
  out += '{';
  bool first = true;
  for (size_t i = 0; i < fields_.size(); ++i) {
    if (!fields_[i].written || (measures_only && !IsMeasure(*fields_[i].column))) continue;
    if (!first) out += ", ";
    first = false;
    out += fields_[i].key;
    AppendValueJson(out, row, i);
  }
  out += '}';
}

void RowWriter::AppendJson(std::string& out, const std::vector<Cell>& row) const { AppendObject(out, row, false); }
void RowWriter::AppendTotalsJson(std::string& out, const std::vector<Cell>& row) const { AppendObject(out, row, true); }

void RowWriter::AppendCsvHeader(std::string& out) const {
  bool first = true;
  for (const Field& field : fields_) {
    if (!field.written) continue;
    if (!first) out += ',';
    first = false;
    out += field.column->name;
  }
  out += "\r\n";
}

void RowWriter::AppendCsv(std::string& out, const std::vector<Cell>& row) const {
  bool first = true;
  for (size_t i = 0; i < fields_.size(); ++i) {
    if (!fields_[i].written) continue;
    if (!first) out += ',';
    first = false;
    if (row[i].is_text) {
      AppendCsvText(out, row[i].text);
    } else if (!Unknown(row, i)) {
      AppendPlain(out, *fields_[i].column, row[i]);
    }
  }
  out += "\r\n";
}

Json RowWriter::Describe() const {
  Json columns = Json::array();
  for (const Field& field : fields_) {
    if (field.written) columns.push_back(DescribeColumn(*field.column));
  }
  return columns;
}

Json DescribeColumn(const Column& column) {
  return {{"name", column.name},
          {"type", model::TypeName(column.type)},
          {"kind", model::KindName(column.kind)},
          {"unit", column.unit},
          {"help", column.help}};
}

const std::vector<const Column*>& LiveColumns() {
  static const std::vector<const Column*> columns = [] {
    std::vector<const Column*> ordered;
    for (const bool dimensions : {true, false}) {
      for (const Column& column : model::kColumns) {
        if ((column.kind == ColumnKind::kDimension) == dimensions && column.type != ColumnType::kHistogram)
          ordered.push_back(&column);
      }
    }
    return ordered;
  }();
  return columns;
}

std::vector<Cell> CellsOf(const model::FlowRow& row) {
  std::vector<Cell> cells;
  cells.reserve(LiveColumns().size());
  for (const Column* column : LiveColumns()) cells.push_back(CellOf(row, *column));
  return cells;
}

}  // namespace weir::api

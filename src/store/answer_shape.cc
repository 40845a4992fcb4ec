#include "store/answer_shape.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>

#include "store/derived.h"
#include "store/packing.h"
#include "store/schema.h"
#include "store/sql.h"

namespace weir::store {
namespace {

using model::Column;
using model::ColumnKind;
using model::ColumnType;

bool IsText(const Column& column) { return column.type == ColumnType::kString || column.type == ColumnType::kAddress; }

bool IsArray(const std::string& table_column) {
  const Column* column = model::FindColumn(table_column);
  return column == nullptr || column->kind == ColumnKind::kHistogram;
}

}  // namespace

model::Histogram HistogramFrom(const std::vector<uint64_t>& counts, size_t first, size_t stride) {
  const size_t end = std::min(counts.size(), first + stride * model::kHistogramBuckets);
  model::Histogram histogram;
  uint64_t most = 0;
  for (size_t i = first; i < end; i += stride) most = std::max(most, counts[i]);
  int shift = 0;
  while (most >> shift > std::numeric_limits<uint32_t>::max()) ++shift;
  uint32_t bucket = 0;
  for (size_t i = first; i < end; i += stride) {
    histogram.AddBucket(bucket++, static_cast<uint32_t>(counts[i] >> shift));
  }
  return histogram;
}

std::string DimensionSql(const Column& column, const std::string& value) {
  switch (KindOfDimension(column)) {
    case FieldKind::kAddress: return fmt::format("hex({})", value);
    case FieldKind::kNumber: return fmt::format("toUInt64({})", value);
    default: return value;
  }
}

FieldKind KindOfDimension(const Column& column) {
  return column.type == ColumnType::kAddress  ? FieldKind::kAddress
         : column.type == ColumnType::kString ? FieldKind::kText
                                              : FieldKind::kNumber;
}

AnswerShape::AnswerShape(std::vector<const Column*> columns, FirstField first, const Packing& packing)
    : columns_(std::move(columns)), first_(first), packing_(packing) {
  if (first_ != FirstField::kDimension) fields_.push_back(FieldKind::kFlow);
  std::string uses;
  std::string derived;
  for (const Column* column : columns_) {
    if (!column->groupable()) {
      uses += ColumnSql(*column, packing) + " ";
      if (!column->stored()) derived += ColumnSql(*column, packing) + " ";
    } else if (first_ != FirstField::kFlow) {
      dimensions_.push_back(column);
      fields_.push_back(KindOfDimension(*column));
    }
  }
  sums_ = TableColumnsIn(uses);
  const std::vector<std::string> loaded = TableColumnsIn(derived);
  direct_.resize(columns_.size());
  for (const std::string& name : sums_) {
    const bool load = std::find(loaded.begin(), loaded.end(), name) != loaded.end();
    for (const Column* column : MeasuresIn(name)) {
      const Source source{fields_.size(), column, packing.Of(*column)};
      if (load) sources_.push_back(source);
      const auto wanted = std::find(columns_.begin(), columns_.end(), column);
      if (wanted != columns_.end()) direct_[static_cast<size_t>(wanted - columns_.begin())] = source;
    }
    fields_.push_back(IsArray(name) ? FieldKind::kArray : FieldKind::kNumber);
  }
}

std::string AnswerShape::SelectList(const std::string& start, const std::string& flow) const {
  std::vector<std::string> items;
  if (first_ != FirstField::kDimension) items.push_back(flow);
  for (const Column* column : dimensions_) items.push_back(DimensionSql(*column, std::string(column->name)));
  for (const std::string& column : sums_) items.push_back(column == "start" ? start : AggregateOfTableColumn(column));
  return Join(items);
}

// The measures that stand in a column of the tables: itself, or those packed into it.
std::vector<const Column*> AnswerShape::MeasuresIn(const std::string& table_column) {
  if (const Column* column = model::FindColumn(table_column); column != nullptr) return {column};
  const auto array = std::find(kArrayNames.begin(), kArrayNames.end(), table_column);
  const auto pack = array == kArrayNames.end()
                        ? Pack::kRequestHistograms
                        : static_cast<Pack>(static_cast<size_t>(Pack::kSums) + (array - kArrayNames.begin()));
  std::vector<const Column*> packed;
  for (const Column& column : model::kColumns) {
    if (PackOf(column) == pack) packed.push_back(&column);
  }
  return packed;
}

uint64_t AnswerShape::NumberIn(const AnswerRow& row, const Source& source) {
  if (source.place.pack == Pack::kOwn) return row.cells[source.field].exact;
  const std::vector<uint64_t>& array = row.arrays[source.field];
  return source.place.index < array.size() ? array[source.place.index] : 0;
}

void AnswerShape::Load(const AnswerRow& row) {
  for (const Source& source : sources_) {
    switch (source.place.pack) {
      case Pack::kHistogram: HistogramOf(row_, *source.column) = HistogramFrom(row.arrays[source.field]); break;
      case Pack::kRequestHistograms:
        HistogramOf(row_, *source.column) =
            HistogramFrom(row.arrays[source.field], RequestHistogramPlace(source.place.index, 0), kBlockHistograms);
        break;
      default: model::SetUint(row_, *source.column, NumberIn(row, source));
    }
  }
}

std::vector<Cell> AnswerShape::Cells(AnswerRow& row) {
  Load(row);
  std::vector<Cell> cells(columns_.size());
  size_t field = first_ == FirstField::kDimension ? 0 : 1;
  for (size_t i = 0; i < cells.size(); ++i) {
    const Column& column = *columns_[i];
    Cell& cell = cells[i];
    cell.is_text = IsText(column);
    if (column.groupable()) {
      if (first_ != FirstField::kFlow) cell = std::move(row.cells[field++]);
    } else if (direct_[i]) {
      cell.exact = NumberIn(row, *direct_[i]);
      cell.number = column.kind == ColumnKind::kTime ? static_cast<double>(static_cast<UnixMillis>(cell.exact))
                                                     : static_cast<double>(cell.exact);
    } else if (cell.is_text) {
      cell.text = model::TextOf(row_, column);
    } else {
      cell.number = model::NumberOf(row_, column);
      if (column.type != ColumnType::kFloat) cell.exact = model::UintOf(row_, column);
    }
  }
  return cells;
}

}  // namespace weir::store

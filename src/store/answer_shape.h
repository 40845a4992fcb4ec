// What a statement selects for the columns of an answer, and how what comes back becomes their cells: ClickHouse adds
// up the columns of its tables, and all that is derived from them is computed here, once per row of the answer.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/flow_row.h"
#include "store/answer_row.h"
#include "store/packing.h"
#include "store/query.h"

namespace weir::store {

// How the value of a dimension, an expression, is selected, and how it is read then.
std::string DimensionSql(const model::Column& column, const std::string& value);
FieldKind KindOfDimension(const model::Column& column);

// A histogram from the counts of its buckets, which stand at `first` and each `stride` places behind the one before.
// Counts too large for a Histogram are all halved until they fit, which leaves the quantiles as they are.
model::Histogram HistogramFrom(const std::vector<uint64_t>& counts, size_t first = 0, size_t stride = 1);

// What a row of an answer begins with.
enum class FirstField : uint8_t {
  kDimension,
  kFlow,   // its number; dimensions are not selected, and their cells stay empty
  kGroup,  // its number; then the dimensions
};

class AnswerShape {
 public:
  // `columns` of an answer: dimensions, times and measures. The packing outlives this.
  AnswerShape(std::vector<const model::Column*> columns, FirstField first, const Packing& packing);

  // Comma-separated. `start` and `flow`, the number rows begin with, are the expressions to select as such.
  std::string SelectList(const std::string& start, const std::string& flow = "flow") const;
  const std::vector<FieldKind>& fields() const { return fields_; }

  // The cells of a row of the answer, in the order of the columns.
  std::vector<Cell> Cells(AnswerRow& row);

 private:
  // One measure, and where in an answer it comes from.
  struct Source {
    size_t field = 0;
    const model::Column* column = nullptr;
    Place place;
  };
  static std::vector<const model::Column*> MeasuresIn(const std::string& table_column);
  static uint64_t NumberIn(const AnswerRow& row, const Source& source);
  void Load(const AnswerRow& row);

  std::vector<const model::Column*> columns_;
  FirstField first_;
  const Packing& packing_;
  std::vector<const model::Column*> dimensions_;  // selected, in order
  std::vector<std::string> sums_;                 // columns of the tables, selected after them
  std::vector<FieldKind> fields_;
  std::vector<std::optional<Source>> direct_;  // of each column that is a measure of the answer: where it stands
  std::vector<Source> sources_;                // of the measures the other columns are derived from
  model::FlowRow row_;
};

}  // namespace weir::store

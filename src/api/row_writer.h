// Rows of flows as text. Written straight into the answer's string: a full table answer has millions of cells.
//
// A cell without a sample behind it is unknown and written as null (JSON) or nothing (CSV), never as 0.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "api/json.h"
#include "model/columns.h"
#include "model/flow_row.h"
#include "store/query.h"

namespace weir::api {

class RowWriter {
 public:
  // `columns`: those of the cells in every row, in order. Histograms are left out of what is written.
  explicit RowWriter(std::vector<const model::Column*> columns);

  // {"client_address": "10.1.0.2", …}
  void AppendJson(std::string& out, const std::vector<store::Cell>& row) const;
  // The same with measures only: what a row of totals has.
  void AppendTotalsJson(std::string& out, const std::vector<store::Cell>& row) const;
  // One value as JSON; `index` counts the cells.
  void AppendValueJson(std::string& out, const std::vector<store::Cell>& row, size_t index) const;
  bool Unknown(const std::vector<store::Cell>& row, size_t index) const;

  // RFC 4180, lines ending in CRLF. Text a spreadsheet would run as a formula gets an apostrophe in front.
  void AppendCsvHeader(std::string& out) const;
  void AppendCsv(std::string& out, const std::vector<store::Cell>& row) const;

  // [{"name", "type", "kind", "unit", "help"}, …] of what is written.
  Json Describe() const;

 private:
  struct Field {
    const model::Column* column;
    std::string key;              // "\"name\": "
    std::vector<size_t> samples;  // cells of the counters behind it; all 0 = unknown
    bool written;
  };
  void AppendObject(std::string& out, const std::vector<store::Cell>& row, bool measures_only) const;

  std::vector<Field> fields_;
};

Json DescribeColumn(const model::Column& column);

// The columns of a live row, in the order of /flows, and a row in memory as cells of them.
const std::vector<const model::Column*>& LiveColumns();
std::vector<store::Cell> CellsOf(const model::FlowRow& row);

}  // namespace weir::api

// A table for people: aligned columns, numbers to the right, hostile text escaped, cut to the terminal's width.
#pragma once

#include <string>
#include <vector>

#include "cli/text.h"

namespace weir::cli {

struct TableColumn {
  std::string header;
  bool right = false;  // numbers
  size_t max_width = 40;
};

struct TableCell {
  std::string text;
  Color color = Color::kNone;
};

class Table {
 public:
  explicit Table(std::vector<TableColumn> columns) : columns_(std::move(columns)) {}
  // Missing cells are empty; REQUIRES: not more cells than columns. Text is escaped here.
  void Add(std::vector<TableCell> cells);
  bool empty() const { return rows_.empty(); }
  // max_width 0 = unbounded. Lines end in '\n'; no trailing spaces.
  std::string Render(bool header, bool color, size_t max_width = 0) const;

 private:
  std::vector<TableColumn> columns_;
  std::vector<std::vector<TableCell>> rows_;
};

// Columns of the terminal on stdout; 0 when it is not one.
size_t TerminalWidth();

}  // namespace weir::cli

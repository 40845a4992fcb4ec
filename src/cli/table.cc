#include "cli/table.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

namespace weir::cli {

void Table::Add(std::vector<TableCell> cells) {
  for (size_t i = 0; i < cells.size(); ++i) cells[i].text = Printable(cells[i].text, columns_[i].max_width);
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

std::string Table::Render(bool header, bool color, size_t max_width) const {
  std::vector<size_t> widths;
  for (size_t i = 0; i < columns_.size(); ++i) {
    size_t width = header ? Width(columns_[i].header) : 0;
    for (const auto& row : rows_) width = std::max(width, Width(row[i].text));
    widths.push_back(width);
  }
  // Whole columns are dropped from the right rather than lines wrapped; -o json has everything.
  size_t shown = columns_.size();
  size_t total = 0;
  for (size_t i = 0; i < columns_.size(); ++i) {
    total += widths[i] + (i == 0 ? 0 : 2);
    if (max_width != 0 && total > max_width && i > 0) {
      shown = i;
      break;
    }
  }

  std::string out;
  const auto line = [&](const auto& text_of, const auto& color_of) {
    std::string padding;
    for (size_t i = 0; i < shown; ++i) {
      const std::string& text = text_of(i);
      const std::string space(widths[i] - Width(text), ' ');
      if (i > 0) padding += "  ";
      if (columns_[i].right) padding += space;
      if (!text.empty()) {
        out += padding + Paint(text, color_of(i), color);
        padding.clear();
      }
      if (!columns_[i].right) padding += space;
    }
    out += '\n';
  };
  if (header) {
    line([&](size_t i) -> const std::string& { return columns_[i].header; }, [](size_t) { return Color::kDim; });
  }
  for (const auto& row : rows_) {
    line([&](size_t i) -> const std::string& { return row[i].text; }, [&](size_t i) { return row[i].color; });
  }
  return out;
}

size_t TerminalWidth() {
  winsize size{};
  if (isatty(STDOUT_FILENO) != 1 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

}  // namespace weir::cli

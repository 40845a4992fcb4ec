#include "cli/text.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

#include "base/utf8.h"

namespace weir::cli {
namespace {

size_t WidthOf(uint32_t c) {
  const bool wide = (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) || (c >= 0xac00 && c <= 0xd7a3) ||
                    (c >= 0xf900 && c <= 0xfaff) || (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) ||
                    (c >= 0x1f300 && c <= 0x1faff) || (c >= 0x20000 && c <= 0x3fffd);
  const bool combining = c >= 0x300 && c <= 0x36f;
  return combining ? 0 : wide ? 2 : 1;
}

}  // namespace

std::string Printable(std::string_view text, size_t max_width) {
  std::string out;
  size_t width = 0;
  while (!text.empty()) {
    const CodePoint point = FirstCodePoint(text);
    std::string piece(text.substr(0, point.bytes));
    if (!point.valid) {
      piece = fmt::format("\\x{:02x}", point.value);
    } else if (IsDangerous(point.value)) {
      piece = point.value < 0x100 ? fmt::format("\\x{:02x}", point.value) : fmt::format("\\u{:04x}", point.value);
    }
    const size_t piece_width = Width(piece);
    if (width + piece_width > max_width || (width + piece_width == max_width && text.size() > point.bytes))
      return out + "…";
    out += piece;
    width += piece_width;
    text.remove_prefix(point.bytes);
  }
  return out;
}

size_t Width(std::string_view printable) {
  size_t width = 0;
  while (!printable.empty()) {
    const CodePoint point = FirstCodePoint(printable);
    width += WidthOf(point.value);
    printable.remove_prefix(point.bytes);
  }
  return width;
}

std::string PadRight(std::string_view printable, size_t width) {
  const size_t used = Width(printable);
  return std::string(printable) + std::string(width > used ? width - used : 0, ' ');
}

std::string PadLeft(std::string_view printable, size_t width) {
  const size_t used = Width(printable);
  return std::string(width > used ? width - used : 0, ' ') + std::string(printable);
}

std::string CsvField(std::string_view text, bool is_number) {
  std::string field;
  if (!is_number && !text.empty() && std::string_view("=+-@\t\r").find(text[0]) != std::string_view::npos)
    field += '\'';
  field += text;
  if (field.find_first_of(",\"\r\n") == std::string::npos) return field;
  std::string quoted = "\"";
  for (const char c : field) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

std::string Paint(std::string_view text, Color color, bool enabled) {
  if (!enabled || color == Color::kNone) return std::string(text);
  const char* code = "0";
  switch (color) {
    case Color::kDim: code = "2"; break;
    case Color::kBold: code = "1"; break;
    case Color::kRed: code = "31"; break;
    case Color::kYellow: code = "33"; break;
    case Color::kGreen: code = "32"; break;
    case Color::kNone: break;
  }
  return fmt::format("\033[{}m{}\033[0m", code, text);
}

bool StdoutHasColor() {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  if (no_color != nullptr && *no_color != '\0') return false;
  return isatty(STDOUT_FILENO) == 1 && term != nullptr && std::string_view(term) != "dumb";
}

}  // namespace weir::cli

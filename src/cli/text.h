// The one place where text meets the terminal: hostile names are made harmless, columns are padded by width.
#pragma once

#include <string>
#include <string_view>

namespace weir::cli {

// Control characters (C0, DEL, C1), bidirectional overrides and invalid UTF-8 become visible escapes, so that a
// process name cannot move the cursor, recolour the screen or reorder a line. Cuts to max_width with "…".
std::string Printable(std::string_view text, size_t max_width = 64);

// Cells a printable string takes: code points, wide East Asian ones as two.
size_t Width(std::string_view printable);

// Pads with spaces to `width` cells.
std::string PadRight(std::string_view printable, size_t width);
std::string PadLeft(std::string_view printable, size_t width);

// A CSV field: quoted when needed (RFC 4180); a leading = + - @ gets a quote mark in front of non-numbers, so that a
// spreadsheet does not run it.
std::string CsvField(std::string_view text, bool is_number);

enum class Color { kNone, kDim, kBold, kRed, kYellow, kGreen };
// Plain text when `enabled` is false.
std::string Paint(std::string_view text, Color color, bool enabled);

// True when stdout is a terminal and neither NO_COLOR nor TERM=dumb asks otherwise.
bool StdoutHasColor();

}  // namespace weir::cli

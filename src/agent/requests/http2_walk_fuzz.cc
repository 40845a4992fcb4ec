// Any bytes in any pieces: the walk ends, stays within them, and finds the same frames as in one piece.
#include <cstddef>
#include <cstdint>

#include "agent/requests/http2_builder.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace weir::agent::requests;
  if (size == 0) return 0;
  const size_t piece = data[0] % 64 + 1U;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  Walker whole;
  Walker pieces;
  const bool in_step = whole.Feed(text);
  for (size_t at = 0; at < text.size(); at += piece) pieces.Feed(text.substr(at, piece));
  if (pieces.Feed("") != in_step || pieces.frames() != whole.frames()) __builtin_trap();
  for (const WalkedFrame& frame : whole.frames()) {
    if (frame.length >= 1U << 24 || frame.stream >> 31 != 0) __builtin_trap();
  }
  return 0;
}

// Test support: frames of HTTP/2 (RFC 9113, 4.1), and a walk over them by bpf/http2_walk.h in the pieces a test
// chooses.
#pragma once

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/http2_walk.h"

namespace weir::agent::requests {

inline constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

inline std::string MakeFrame(weir_frame_type type, uint8_t flags, uint32_t stream, std::string_view payload = "") {
  std::string out;
  for (int shift = 16; shift >= 0; shift -= 8) out += static_cast<char>(payload.size() >> shift & 0xff);
  out += static_cast<char>(type);
  out += static_cast<char>(flags);
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(stream >> shift & 0xff);
  return out.append(payload);
}

struct WalkedFrame {
  uint32_t stream = 0;
  uint32_t length = 0;
  uint8_t type = 0;
  uint8_t flags = 0;

  bool operator==(const WalkedFrame&) const = default;
};

// What the client sends.
class Walker {
 public:
  // After the client's preface, as the kernel side begins.
  Walker() {
    walk_.left = WEIR_PREFACE_BYTES;
    walk_.type = WEIR_FRAME_PREFACE;
  }

  // False: out of step, now or before.
  bool Feed(std::string_view piece) {
    while (!piece.empty() && in_step_) {
      const auto size = static_cast<uint32_t>(std::min<size_t>(piece.size(), UINT32_MAX));
      const uint32_t move = weir_walk_move(&walk_, size);
      if (move == 0 || move > piece.size()) __builtin_trap();
      if (walk_.left != 0) {
        walk_.left -= move;
      } else {
        if (walk_.have + move > WEIR_FRAME_HEADER_BYTES) __builtin_trap();
        std::memcpy(walk_.header + walk_.have, piece.data(), move);
        walk_.have = static_cast<uint8_t>(walk_.have + move);
        if (walk_.have == WEIR_FRAME_HEADER_BYTES) Begin();
      }
      piece.remove_prefix(move);
    }
    return in_step_;
  }

  const std::vector<WalkedFrame>& frames() const { return frames_; }
  const weir_frame_walk& walk() const { return walk_; }

 private:
  void Begin() {
    in_step_ = weir_walk_begin(&walk_, highest_, /*from_client=*/1) != 0;
    if (in_step_ && walk_.type == WEIR_FRAME_HEADERS) highest_ = std::max(highest_, walk_.stream);
    if (in_step_) frames_.push_back({walk_.stream, walk_.length, walk_.type, walk_.flags});
  }

  weir_frame_walk walk_{};
  std::vector<WalkedFrame> frames_;
  uint32_t highest_ = 0;
  bool in_step_ = true;
};

}  // namespace weir::agent::requests

// Reader: the frames of a recording, one after another. It trusts nobody: sizes are checked before anything is
// allocated, blocks have checksums, and a frame whose size does not fit its kind is damage. Fuzzed by
// recording_fuzz.cc.
#pragma once

#include <cstdint>
#include <istream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/recording/format.h"
#include "agent/recording/header.h"
#include "base/status.h"

namespace weir::agent::recording {

struct Frame {
  FrameKind kind;
  uint8_t observer;          // below kObservers
  std::string_view payload;  // at least the fixed part of its kind; valid until the next Pop()
};

// How a recording ended.
struct Ending {
  enum class Kind {
    kComplete,
    kCut,         // it says so; `why`
    kUnfinished,  // the agent died, or records still
    kDamaged,     // `why`
  };
  Kind kind = Kind::kComplete;
  std::string why;
};

// Thread: one.
class Reader {
 public:
  // Reads the header. kInvalid: no recording; kUnsupported: of another format, byte order or layout; kCorrupt.
  static Result<std::unique_ptr<Reader>> Open(std::unique_ptr<std::istream> stream);

  const Header& header() const { return header_; }
  const Conversion& conversion(Struct which) const { return conversions_[static_cast<size_t>(which)]; }

  // The next frame; nullptr at the end, however it came.
  const Frame* Peek();
  void Pop() { frame_.reset(); }
  // A frame's content makes no sense: the recording is damaged here and has ended.
  void Damaged(std::string why);

  // After Peek() has returned nullptr.
  const Ending& ending() const { return ending_; }

 private:
  Reader(std::unique_ptr<std::istream> stream, ParsedHeader header, uint64_t position)
      : stream_(std::move(stream)),
        header_(std::move(header.header)),
        conversions_(std::move(header.conversions)),
        position_(position) {}

  bool ReadBlock();
  bool ReadFrame();
  bool IsWellFormed(const Frame& frame) const;
  void TakeEnd(const Frame& frame);

  const std::unique_ptr<std::istream> stream_;
  const Header header_;
  const std::vector<Conversion> conversions_;
  uint64_t position_;  // in the file, of the next block
  std::string block_;
  size_t at_ = 0;  // in block_, of the next frame
  std::optional<Frame> frame_;
  bool ended_ = false;
  Ending ending_;
};

}  // namespace weir::agent::recording

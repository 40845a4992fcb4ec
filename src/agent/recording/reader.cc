#define XXH_INLINE_ALL
#include <xxhash.h>

#include "agent/recording/reader.h"

#include <fmt/format.h>
#include <zstd.h>

#include <cstring>
#include <utility>

#include "agent/budget/restraint.h"
#include "agent/origin.h"

namespace weir::agent::recording {
namespace {

// Reads all of `to` and says how much there was.
size_t ReadBytes(std::istream& stream, char* to, size_t bytes) {
  stream.read(to, static_cast<std::streamsize>(bytes));
  return static_cast<size_t>(stream.gcount());
}

Status CheckFileHeader(const FileHeader& header) {
  if (std::string_view(header.magic, sizeof(header.magic)) != kMagic) {
    return Status::Invalid("this is no recording of weir; `weir agent --record FILE` makes one");
  }
  if (header.byte_order != kByteOrder) {
    return Status::Unsupported(
        "this recording was made on a machine of the other byte order; replay it on one like that");
  }
  if (header.format < kOldestFormat || header.format > kFormat) {
    return Status::Unsupported(
        fmt::format("this recording has format {}, this program reads formats {} to {}; use the weir that made it",
                    header.format, kOldestFormat, kFormat));
  }
  if (header.text_bytes > kMaxHeaderText) {
    return Status::Corrupt(fmt::format("the recording's header is damaged: {} bytes of text", header.text_bytes));
  }
  return Status::Ok();
}

}  // namespace

Result<std::unique_ptr<Reader>> Reader::Open(std::unique_ptr<std::istream> stream) {
  FileHeader start{};
  const size_t have = ReadBytes(*stream, reinterpret_cast<char*>(&start), sizeof(start));
  if (have < sizeof(start)) {
    const bool ours = have >= kMagic.size() && std::string_view(start.magic, sizeof(start.magic)) == kMagic;
    return ours ? Status::Corrupt("the recording ends within its header")
                : Status::Invalid("this is no recording of weir; `weir agent --record FILE` makes one");
  }
  WEIR_RETURN_IF_ERROR(CheckFileHeader(start));
  std::string text(start.text_bytes, '\0');
  if (ReadBytes(*stream, text.data(), text.size()) < text.size()) {
    return Status::Corrupt("the recording ends within its header");
  }
  if (XXH3_64bits(text.data(), text.size()) != start.text_hash) {
    return Status::Corrupt("the recording's header is damaged: its checksum does not match");
  }
  Result<ParsedHeader> parsed = ParseHeader(text);
  if (!parsed.ok()) return parsed.status().Annotate("the recording's header");
  return std::unique_ptr<Reader>(new Reader(std::move(stream), *std::move(parsed), sizeof(start) + text.size()));
}

const Frame* Reader::Peek() {
  while (!frame_ && !ended_) {
    if (at_ < block_.size() ? !ReadFrame() : !ReadBlock()) break;
  }
  return frame_ && !ended_ ? &*frame_ : nullptr;
}

void Reader::Damaged(std::string why) {
  if (ended_) return;
  ended_ = true;
  ending_ = {Ending::Kind::kDamaged, fmt::format("the block before byte {}: {}", position_, why)};
}

bool Reader::ReadBlock() {
  BlockHeader header{};
  const size_t have = ReadBytes(*stream_, reinterpret_cast<char*>(&header), sizeof(header));
  if (have == 0) {
    ended_ = true;
    ending_ = {Ending::Kind::kUnfinished, ""};
    return false;
  }
  const uint64_t begin = position_;
  const auto damaged = [&](const std::string& why) {
    ended_ = true;
    ending_ = {Ending::Kind::kDamaged, fmt::format("the block at byte {}: {}", begin, why)};
    return false;
  };
  if (have < sizeof(header)) return damaged("the file ends within it");
  if (header.raw_bytes == 0 || header.raw_bytes > kMaxBlockBytes ||
      header.stored_bytes > ZSTD_compressBound(kMaxBlockBytes)) {
    return damaged(fmt::format("impossible sizes, {} bytes for {}", header.stored_bytes, header.raw_bytes));
  }
  std::string stored(header.stored_bytes, '\0');
  if (ReadBytes(*stream_, stored.data(), stored.size()) < stored.size()) return damaged("the file ends within it");
  position_ += sizeof(header) + stored.size();
  block_.resize(header.raw_bytes);
  at_ = 0;
  const size_t raw = ZSTD_decompress(block_.data(), block_.size(), stored.data(), stored.size());
  if (ZSTD_isError(raw) != 0) return damaged(ZSTD_getErrorName(raw));
  if (raw != block_.size()) return damaged("it is shorter than it says");
  return true;
}

bool Reader::ReadFrame() {
  FrameHeader header{};
  const size_t left = block_.size() - at_;
  if (left >= sizeof(header)) std::memcpy(&header, block_.data() + at_, sizeof(header));
  if (left < sizeof(header) || header.bytes > left - sizeof(header)) {
    Damaged("a frame does not fit into it");
    return false;
  }
  const Frame frame{static_cast<FrameKind>(header.kind), header.observer,
                    std::string_view(block_).substr(at_ + sizeof(header), header.bytes)};
  at_ += sizeof(header) + header.bytes;
  if (!IsWellFormed(frame)) {
    Damaged(fmt::format("a frame of kind {} with {} bytes", header.kind, header.bytes));
    return false;
  }
  if (frame.kind == FrameKind::kEnd) {
    TakeEnd(frame);
    return false;
  }
  frame_ = frame;
  return true;
}

void Reader::TakeEnd(const Frame& frame) {
  EndFrame end{};
  std::memcpy(&end, frame.payload.data(), sizeof(end));
  ended_ = true;
  const bool complete = end.reason == static_cast<uint32_t>(EndReason::kComplete);
  ending_ = {complete ? Ending::Kind::kComplete : Ending::Kind::kCut, std::string(frame.payload.substr(sizeof(end)))};
}

bool Reader::IsWellFormed(const Frame& frame) const {
  const size_t bytes = frame.payload.size();
  const auto recorded = [this](Struct which) { return conversion(which).recorded_bytes(); };
  if (frame.observer >= kObservers) return false;
  switch (frame.kind) {
    case FrameKind::kStep: return bytes == sizeof(StepFrame);
    case FrameKind::kBatch: return bytes > 0;
    case FrameKind::kEnd: return bytes >= sizeof(EndFrame);
    case FrameKind::kClock: return bytes == sizeof(int64_t);
    case FrameKind::kRecord: return bytes == recorded(Struct::kRecord);
    case FrameKind::kSnapshotEnd:
    case FrameKind::kExisting: return bytes >= sizeof(StatusFrame);
    case FrameKind::kPair:
    case FrameKind::kForgotten: return bytes == recorded(Struct::kUdpKey) + recorded(Struct::kUdpFlow);
    case FrameKind::kNotForgotten: return bytes == 0;
    case FrameKind::kDnsMessage: return bytes == recorded(Struct::kDnsMessage);
    case FrameKind::kStepHead: return bytes == recorded(Struct::kStepHead);
    case FrameKind::kStepOther: return bytes == recorded(Struct::kStep);
    case FrameKind::kStepHello: return bytes == recorded(Struct::kStepHello);
    case FrameKind::kRestraint: return bytes == sizeof(GivenUpMask);
    case FrameKind::kOpened: return bytes >= sizeof(OpenedFrame);
    case FrameKind::kLosses: return bytes == sizeof(LossesFrame);
    case FrameKind::kOwner: return bytes == sizeof(OwnerFrame);
    case FrameKind::kName: return bytes >= sizeof(NameFrame);
    case FrameKind::kNetnsName: return bytes >= sizeof(NetnsFrame);
    case FrameKind::kInterfaces: return bytes % 16 == 0;
    case FrameKind::kTracking: return bytes == sizeof(TrackingFrame);
    case FrameKind::kFollowed: return bytes == sizeof(FollowedFrame);
  }
  return false;
}

}  // namespace weir::agent::recording

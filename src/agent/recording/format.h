// What a recording is made of. A file is a FileHeader, its text (header.h), and blocks: a BlockHeader and one zstd
// frame with a checksum each. Blocks hold frames: a FrameHeader and its payload; no frame crosses a block. Numbers are
// in the byte order of the machine that recorded, which the header tells.
//
// Frames stand in the order in which things reached the agent's loop. Most are events, given again one by one when the
// sources ask for them. The others are answers, which hold from then on: a reader takes them as soon as it meets them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::agent::recording {

// The first byte is no text, and the line ends suffer where a file is taken for text (RFC 2083, 12.12).
inline constexpr std::string_view kMagic{"\x89WEIR\r\n\x1a", 8};
// Grows where a program would take what is new for damage. Fields of the kernel's records do not count: they are found
// by name.
inline constexpr uint32_t kFormat = 3;        // 2: connection tracking's answers; 3: pod uids of control groups
inline constexpr uint32_t kOldestFormat = 1;  // that is read
inline constexpr uint32_t kByteOrder = 0x01020304;
inline constexpr size_t kMaxHeaderText = 65'536;
inline constexpr size_t kBlockBytes = size_t{1} << 20;     // a block is closed before it is larger than this
inline constexpr size_t kMaxBlockBytes = size_t{4} << 20;  // unless one frame alone is

struct FileHeader {
  char magic[8];
  uint32_t format;
  uint32_t byte_order;
  uint32_t text_bytes;
  uint32_t zero;
  uint64_t text_hash;  // XXH3 of the text
};
static_assert(sizeof(FileHeader) == 32);

struct BlockHeader {
  uint32_t stored_bytes;
  uint32_t raw_bytes;
};

struct FrameHeader {
  uint8_t kind;      // FrameKind
  uint8_t observer;  // Observer, in answers
  uint16_t zero;
  uint32_t bytes;  // of the payload
};
static_assert(sizeof(FrameHeader) == 8);

enum class FrameKind : uint8_t {
  // Events.
  kStep = 1,         // StepFrame: the loop's next doing
  kBatch = 2,        // a batch without reports, as on the wire: what else the interval had
  kEnd = 3,          // EndFrame, then a reason in words
  kRecord = 5,       // weir_record
  kSnapshotEnd = 6,  // StatusFrame, then the message
  kPair = 7,         // weir_udp_key, weir_udp_flow
  kForgotten = 8,    // the same, of a pair the kernel has forgotten
  kNotForgotten = 9,
  kDnsMessage = 10,
  kStepHead = 11,
  kStepOther = 12,  // weir_step
  kStepHello = 13,
  kRestraint = 14,  // uint32: GivenUpMask from here on

  // Answers.
  kOpened = 32,      // OpenedFrame, then the message: of the observer's tracker
  kExisting = 33,    // StatusFrame, then the message: of the last look for existing sockets
  kLosses = 34,      // LossesFrame
  kOwner = 35,       // OwnerFrame
  kName = 36,        // NameFrame, container, unit, since format 3 pod uid, container's name and image, each ended by 0
  kNetnsName = 37,   // NetnsFrame, name
  kInterfaces = 38,  // 16 bytes per address
  kClock = 39,       // int64: a reading of CLOCK_MONOTONIC
  kTracking = 40,    // TrackingFrame
  kFollowed = 41,    // FollowedFrame
};
inline constexpr bool IsAnswer(FrameKind kind) { return kind >= FrameKind::kOpened; }

enum class Step : uint32_t { kStart = 1, kPoll = 2, kCollect = 3 };

struct StepFrame {
  uint32_t step;  // Step
  uint32_t zero;
  int64_t now;  // CLOCK_MONOTONIC
};

enum class EndReason : uint32_t { kComplete = 1, kCut = 2 };

struct EndFrame {
  uint32_t reason;  // EndReason
  uint32_t zero;
};

struct StatusFrame {
  uint32_t code;  // weir::Code
  uint32_t zero;
};

struct OpenedFrame {
  uint32_t code;
  uint32_t max_pairs;  // of UDP
};

struct LossesFrame {  // KernelLosses
  uint64_t map_full;
  uint64_t ring_full;
  uint64_t ring_full_bytes;
  uint64_t stale;
  uint64_t arrivals_full;
};

// `after`: how often in this step the answer before was given once more.
struct OwnerFrame {
  uint64_t cgroup_id;
  uint64_t owner;
  uint32_t pid;
  uint32_t after;
};

struct NameFrame {
  uint64_t owner;
  uint32_t after;
  uint16_t container_bytes;
  uint16_t unit_bytes;
};

struct NetnsFrame {
  uint32_t inode;
  uint32_t after;
};

struct TrackingFrame {
  uint32_t active;  // 1 = connections are tracked on this node
  uint32_t after;
};

// What connection tracking made of a connection, which is named as its client's socket does.
struct FollowedFrame {
  uint8_t client[16];
  uint8_t server[16];
  uint8_t seen_client[16];  // the client, as the server sees it
  uint8_t reached[16];      // the server it came to
  uint32_t netns;           // of the client
  uint32_t after;
  uint32_t questions;  // what the answer cost
  uint16_t client_port;
  uint16_t server_port;
  uint16_t reached_port;
  uint8_t protocol;
  uint8_t found;  // 1 = somebody tracks it; 2 = what they track is a later connection
};
static_assert(sizeof(FollowedFrame) == 84);

}  // namespace weir::agent::recording

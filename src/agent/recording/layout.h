// Layout: how the kernel's structs lay in a recording, field by field, and how they lie in this program. A recording
// says so itself, so it can be read after bpf/abi.h has changed: fields are found by name, those it does not have read
// 0, and those nobody knows any more are left out. Only a field whose size has changed cannot be read.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace weir::agent::recording {

enum class Struct : uint8_t { kRecord, kUdpKey, kUdpFlow, kDnsMessage, kStep, kStepHead, kStepHello };
inline constexpr size_t kStructs = 7;

struct Field {
  std::string_view name;
  size_t offset;  // bytes
  size_t size;    // bytes
};

struct Layout {
  std::string_view name;  // of the struct
  size_t size;            // bytes
  std::span<const Field> fields;
};

// As this program has it.
const Layout& LayoutOf(Struct which);

// "264 time_ns:0:8 socket:8:8 ...": size, then name, offset and size of each field.
std::string LayoutText(const Layout& layout);

// Moves one struct from a recording's layout into this program's.
class Conversion {
 public:
  static constexpr size_t kMaxFields = 256;
  static constexpr size_t kMaxBytes = 65'536;  // of a recorded struct

  // The identity.
  explicit Conversion(Struct which);
  // kCorrupt: `recorded` is no layout; kUnsupported: a field has another size than here. Both name it.
  static Result<Conversion> FromText(Struct which, std::string_view recorded);

  size_t recorded_bytes() const { return recorded_bytes_; }
  // Fields of this program that the recording lacks.
  const std::vector<std::string_view>& missing() const { return missing_; }
  // `from` has recorded_bytes(), `to` the size of this program's struct.
  void Convert(const char* from, char* to) const;

 private:
  struct Move {
    size_t from;
    size_t to;
    size_t size;
  };

  Struct which_;
  size_t recorded_bytes_ = 0;
  bool same_ = true;  // as here
  std::vector<Move> moves_;
  std::vector<std::string_view> missing_;
};

}  // namespace weir::agent::recording

// Whose value a reading is, and how wide the kernel's counter is.
#pragma once

#include <cstdint>
#include <string_view>

namespace weir::agent::node {

// Whose value it is. `name` is the sample's subject.
struct Object {
  uint32_t netns = 0;
  uint64_t number = 0;  // ifindex, inode of a control group, ...: unique within scope and namespace
  std::string_view name;
  // It came to be after the last pass, so its counters began at 0: a first value counts whole. Otherwise a first
  // value is the base line.
  bool is_new = false;
};

enum class Width { k64, k32 };  // of the kernel's counter: one of 32 bits that passes 2^32 goes on, it is not reset

// Whether a counter that fell from `before` to `now` passed 2^32.
constexpr bool HasWrapped(uint64_t before, uint64_t now, Width width) {
  constexpr uint64_t kHighEnd32 = uint64_t{3} << 30;
  constexpr uint64_t kLowEnd32 = uint64_t{1} << 30;
  return width == Width::k32 && before >= kHighEnd32 && before < uint64_t{1} << 32 && now < kLowEnd32;
}

}  // namespace weir::agent::node

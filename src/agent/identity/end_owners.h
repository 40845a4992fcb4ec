// EndOwners: who owned a program's sockets last, for processes that are gone when they are asked. On a node where only
// processes tell their container or unit, short-lived ones answer by luck; without this, one conversation of theirs
// would be two: one that has a unit, and one that looks like it and has none.
//
// An end is a program's name in a network namespace and a control group. Where two owners have been told for one end
// within kMemory, it stays unknown which. Bounded: kMaxEnds, beyond which all are forgotten. Thread: the agent's loop.
#pragma once

#include <tsl/robin_map.h>

#include <array>
#include <cstdint>
#include <string_view>

namespace weir::agent::identity {

// What was told of an end last.
struct EndOwner {
  uint64_t owner = 0;
  uint32_t told = 0;     // interval
  uint32_t doubted = 0;  // interval in which another one was told last; 0 = none was
};

class EndOwners {
 public:
  static constexpr uint32_t kMemory = 600;  // intervals
  static constexpr size_t kMaxEnds = 16'384;
  static constexpr size_t kNameBytes = 16;

  // `owner`: the process' answer; `cgroup_id` when there was none. Returns what goes for the end: the answer, else the
  // last one, else `cgroup_id`.
  uint64_t Settle(uint64_t cgroup_id, uint32_t netns, std::string_view program, uint64_t owner);
  // Once per interval.
  void Expire() { ++interval_; }

 private:
  struct End {
    uint64_t cgroup_id = 0;
    std::array<char, kNameBytes> program{};
    uint32_t netns = 0;
    uint32_t zero = 0;  // so that all bytes are value
    bool operator==(const End&) const = default;
  };
  struct Hash {
    size_t operator()(const End& end) const;
  };
  tsl::robin_map<End, EndOwner, Hash> ends_;
  uint32_t interval_ = 1;
};

}  // namespace weir::agent::identity

// Ladder: decides what to give up when an agent uses more than it may, and when to take it back. Pure: usage in,
// decisions out, counted in intervals.
//
// A step is given up after kPatience intervals in a row over a budget, the next one after as many more, in the order of
// GivenUp; steps that are not there, and those that do not help the budget that is exceeded, are passed over. The last
// step given up is taken back after `wait` intervals below kCalmShare of every budget without one over. When that
// proves too early, `wait` doubles, up to kLongestWait, so that an agent whose load is always too much does not flap.
//
// Thread: one, all calls.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "agent/budget/restraint.h"

namespace weir::agent::budget {

struct Limits {
  double cores = 0;  // 0 = none
  uint64_t memory_bytes = 0;

  bool any() const { return cores > 0 || memory_bytes > 0; }
};

// Of one interval.
struct Usage {
  double cores = 0;  // the kernel's part included, where it is known
  uint64_t memory_bytes = 0;
};

class Ladder {
 public:
  static constexpr uint32_t kPatience = 3;
  static constexpr uint32_t kWait = 30;
  static constexpr uint32_t kLongestWait = 600;
  static constexpr double kCalmShare = 0.7;

  explicit Ladder(Limits limits) : limits_(limits) {}

  struct Decision {
    GivenUp what;
    bool give_up;  // false: take it back
  };
  // `there`: what could be given up, whether it is or not.
  std::optional<Decision> OnInterval(const Usage& usage, GivenUpMask there);

  const std::vector<GivenUp>& given_up() const { return given_up_; }  // in the order it was
  bool over_cpu() const { return over_cpu_; }                         // in the last interval
  bool over_memory() const { return over_memory_; }
  // The last interval was over a budget and nothing is left that would help.
  bool exhausted() const { return exhausted_; }
  uint32_t wait() const { return wait_; }

 private:
  std::optional<GivenUp> NextToGiveUp(GivenUpMask there) const;
  std::optional<Decision> Over(GivenUpMask there);
  std::optional<Decision> Within(const Usage& usage);

  const Limits limits_;
  std::vector<GivenUp> given_up_;
  bool over_cpu_ = false;
  bool over_memory_ = false;
  bool exhausted_ = false;
  uint32_t over_ = 0;  // intervals in a row
  uint32_t calm_ = 0;  // intervals since the last over, or the last decision
  uint32_t wait_ = kWait;
  uint32_t on_trial_ = 0;  // intervals in which what was taken back has to prove itself
};

}  // namespace weir::agent::budget

#include "agent/budget/ladder.h"

#include <algorithm>

namespace weir::agent::budget {

std::optional<Ladder::Decision> Ladder::OnInterval(const Usage& usage, GivenUpMask there) {
  over_cpu_ = limits_.cores > 0 && usage.cores > limits_.cores;
  over_memory_ = limits_.memory_bytes > 0 && usage.memory_bytes > limits_.memory_bytes;
  exhausted_ = false;
  return over_cpu_ || over_memory_ ? Over(there) : Within(usage);
}

std::optional<Ladder::Decision> Ladder::Over(GivenUpMask there) {
  calm_ = 0;
  const std::optional<GivenUp> next = NextToGiveUp(there);
  exhausted_ = !next;
  if (++over_ < kPatience || !next) return std::nullopt;
  over_ = 0;
  if (on_trial_ > 0) wait_ = std::min(wait_ * 2, kLongestWait);
  on_trial_ = 0;
  given_up_.push_back(*next);
  return Decision{*next, true};
}

std::optional<Ladder::Decision> Ladder::Within(const Usage& usage) {
  over_ = 0;
  if (on_trial_ > 0 && --on_trial_ == 0 && given_up_.empty()) wait_ = kWait;
  const bool calm = (limits_.cores <= 0 || usage.cores < kCalmShare * limits_.cores) &&
                    (limits_.memory_bytes == 0 ||
                     static_cast<double>(usage.memory_bytes) < kCalmShare * static_cast<double>(limits_.memory_bytes));
  if (!calm || given_up_.empty() || ++calm_ < wait_) return std::nullopt;
  calm_ = 0;
  on_trial_ = wait_;
  const GivenUp last = given_up_.back();
  given_up_.pop_back();
  return Decision{last, false};
}

std::optional<GivenUp> Ladder::NextToGiveUp(GivenUpMask there) const {
  for (size_t i = 0; i < kGivenUps; ++i) {
    const auto what = static_cast<GivenUp>(i);
    const bool helps =
        (over_cpu_ && kGivenUpDescriptions[i].saves_cpu) || (over_memory_ && kGivenUpDescriptions[i].saves_memory);
    const bool is_given_up = std::find(given_up_.begin(), given_up_.end(), what) != given_up_.end();
    if (helps && !is_given_up && (there & MaskOf(what)) != 0) return what;
  }
  return std::nullopt;
}

}  // namespace weir::agent::budget

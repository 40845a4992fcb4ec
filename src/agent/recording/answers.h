// Answers that change with time, such as the name of a control group: AnswerLog notices what has to be written down,
// AnswerBook gives the same answers to the same questions again.
//
// Answers are kept by question, not in the order of asking, so that a program that asks a little differently still gets
// sensible ones. Within a step the order counts: an answer that changed at the third asking changes there again.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weir::agent::recording {

// Thread: one at a time.
template <typename Key, typename Answer, typename Hash = std::hash<Key>>
class AnswerLog {
 public:
  static constexpr size_t kMaxKeys = 65'536;  // remembered from step to step; beyond, answers are written again

  explicit AnswerLog(size_t most_keys = kMaxKeys) : most_keys_(most_keys) {}

  // What to write when `answer` is given in `step` and is not what a book would say by itself, `unasked` being what
  // that says of a key it was never told of: how often the answer before was given in this step.
  std::optional<uint32_t> Given(const Key& key, uint64_t step, const Answer& answer, const Answer& unasked) {
    if (step != step_ && known_.size() > most_keys_) {
      known_.clear();
      forgot_ = true;
    }
    step_ = step;
    // What was forgotten may stand in a book.
    const auto [item, is_new] =
        known_.try_emplace(key, Known{forgot_ ? std::nullopt : std::optional(unasked), step, 0});
    Known& known = item->second;
    if (known.step != step) known.times = 0;
    known.step = step;
    if (known.answer == answer) {
      ++known.times;
      return std::nullopt;
    }
    const uint32_t after = known.times;
    known = {answer, step, 1};
    return after;
  }

 private:
  struct Known {
    std::optional<Answer> answer;
    uint64_t step;
    uint32_t times;  // in that step
  };

  const size_t most_keys_;
  uint64_t step_ = 0;
  bool forgot_ = false;
  std::unordered_map<Key, Known, Hash> known_;
};

// Thread: one at a time.
template <typename Key, typename Answer, typename Hash = std::hash<Key>>
class AnswerBook {
 public:
  static constexpr size_t kMaxUnanswered = 65'536;  // questions without an answer, remembered from step to step

  // `most_keys`: with more of them as a step begins all are forgotten. A log with the same bound has forgotten them
  // then, as long as the book is asked what the log was; and what a log has forgotten it writes again.
  explicit AnswerBook(size_t most_keys = SIZE_MAX) : most_keys_(most_keys) {}

  // `after`: as AnswerLog::Given() told.
  void Put(const Key& key, uint32_t after, Answer answer) {
    const auto [item, is_new] = known_.try_emplace(key, Known{});
    item->second.changes.push_back({after, std::move(answer)});
    unsettled_.push_back(key);
  }
  // All changes so far hold.
  void BeginStep() {
    for (const Key& key : unsettled_) {
      Known& known = known_.at(key);
      if (!known.changes.empty()) known.answer = std::move(known.changes.back().second);
      known.changes.clear();
    }
    unsettled_.clear();
    if (known_.size() > most_keys_) {
      known_.clear();
    } else if (known_.size() > kMaxUnanswered) {
      std::erase_if(known_, [](const auto& item) { return !item.second.answer; });
    }
    ++step_;
  }
  Answer Ask(const Key& key, const Answer& unasked) {
    const auto [item, is_new] = known_.try_emplace(key, Known{});
    Known& known = item->second;
    if (known.step != step_) known.times = 0;
    known.step = step_;
    if (!known.changes.empty() && known.times >= known.changes.front().first) {
      known.answer = std::move(known.changes.front().second);
      known.changes.erase(known.changes.begin());
      known.times = 0;
    }
    ++known.times;
    return known.answer.value_or(unasked);
  }
  size_t size() const { return known_.size() + unsettled_.size(); }

 private:
  struct Known {
    std::optional<Answer> answer;
    uint64_t step = 0;
    uint32_t times = 0;  // given in that step
    std::vector<std::pair<uint32_t, Answer>> changes;
  };

  const size_t most_keys_;
  uint64_t step_ = 0;
  std::unordered_map<Key, Known, Hash> known_;
  std::vector<Key> unsettled_;
};

}  // namespace weir::agent::recording

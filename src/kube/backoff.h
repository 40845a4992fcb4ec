// How long to wait before the next try: doubles with each failure, with jitter so that many servers do not come at
// once.
#pragma once

#include <algorithm>
#include <chrono>
#include <random>

namespace weir::kube {

class Backoff {
 public:
  Backoff(std::chrono::milliseconds first, std::chrono::milliseconds longest) : first_(first), longest_(longest) {}

  // Between the current step and one and a half of it.
  std::chrono::milliseconds Next() {
    step_ = step_.count() == 0 ? first_ : std::min(step_ * 2, longest_);
    return Jittered(step_);
  }
  void Reset() { step_ = std::chrono::milliseconds(0); }
  std::chrono::milliseconds Jittered(std::chrono::milliseconds wait) {
    return wait + std::chrono::milliseconds(std::uniform_int_distribution<int64_t>(0, wait.count() / 2)(random_));
  }

 private:
  const std::chrono::milliseconds first_;
  const std::chrono::milliseconds longest_;
  std::chrono::milliseconds step_{0};
  std::mt19937 random_{std::random_device{}()};
};

}  // namespace weir::kube

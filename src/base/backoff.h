// Waiting times between attempts: uniformly distributed between the shortest and a ceiling that doubles with
// every failure up to the longest ("full jitter"), so that those that lost a server together do not come
// back together.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>

#include "base/clock.h"

namespace weir {

class Backoff {
 public:
  Backoff(Nanos shortest, Nanos longest, uint64_t seed)
      : shortest_(shortest), longest_(longest), ceiling_(shortest), random_(seed) {}

  // The time to wait after one more failure.
  Nanos Next() {
    ceiling_ = std::min(ceiling_ * 2, longest_);
    return std::uniform_int_distribution<Nanos>(shortest_, std::max(shortest_, ceiling_))(random_);
  }
  void Reset() { ceiling_ = shortest_; }

 private:
  Nanos shortest_;
  Nanos longest_;
  Nanos ceiling_;
  std::mt19937_64 random_;
};

}  // namespace weir

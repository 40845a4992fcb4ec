// One store per process.
#pragma once

#include <atomic>
#include <utility>

namespace weir::store {

// Held while a store is open: libchdb serves one directory per process. Thread-safe.
class ProcessClaim {
 public:
  ProcessClaim() : held_(!taken.exchange(true)) {}
  ~ProcessClaim() {
    if (held_) taken = false;
  }
  ProcessClaim(ProcessClaim&& other) noexcept : held_(std::exchange(other.held_, false)) {}
  ProcessClaim& operator=(ProcessClaim&&) = delete;

  // Whether nobody else had it.
  bool held() const { return held_; }

 private:
  static inline std::atomic<bool> taken{false};
  bool held_;
};

}  // namespace weir::store

// A sleep that ends early when everything stops.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>

namespace weir::kube {

// Thread-safe.
class Stopper {
 public:
  bool stopping() const { return stopping_.load(std::memory_order_relaxed); }
  const std::atomic<bool>& flag() const { return stopping_; }
  void Stop() {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  void Wait(std::chrono::milliseconds wait) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, wait, [this] { return stopping(); });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<bool> stopping_{false};
};

}  // namespace weir::kube

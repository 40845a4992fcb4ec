// What goes wrong in a store, for its status.
#pragma once

#include <array>
#include <cstddef>
#include <mutex>
#include <string>
#include <utility>

#include "base/status.h"

namespace weir::store {

inline constexpr size_t kMaxEngineMessageBytes = 500;

// What went wrong last in each kind of work, until it works again. Thread-safe.
class StoreHealth {
 public:
  enum Work : size_t { kInsert, kRollup, kRetention, kDamage, kNode, kFindings, kWorks };

  // Remembers the outcome and passes it on, without the parts of ClickHouse's message that run on for pages.
  Status Note(Work work, Status status) {
    status = std::move(status).Shortened(kMaxEngineMessageBytes);
    const std::lock_guard lock(mutex_);
    errors_[work] = status.message();
    return status;
  }
  std::string last_error() const {
    const std::lock_guard lock(mutex_);
    for (const std::string& error : errors_) {
      if (!error.empty()) return error;
    }
    return "";
  }

 private:
  mutable std::mutex mutex_;
  std::array<std::string, kWorks> errors_;
};

}  // namespace weir::store

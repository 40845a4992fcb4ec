// The connections questions are asked on.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "store/engine/engine.h"

namespace weir::store {

// Lends connections to the threads that ask questions. Thread-safe.
class ReaderPool {
 public:
  void Add(std::unique_ptr<Connection> connection) { free_.push_back(std::move(connection)); }

  // Runs a statement on the next free connection. kUnavailable: none became free in time.
  Result<std::string> Execute(std::string_view sql, std::string_view format = "TabSeparated",
                              uint64_t* rows_read = nullptr) {
    std::unique_ptr<Connection> connection;
    {
      std::unique_lock lock(mutex_);
      if (!returned_.wait_for(lock, kWait, [&] { return !free_.empty(); })) {
        return Status::Unavailable("the store is busy with other questions").WithRemedy("try again");
      }
      connection = std::move(free_.back());
      free_.pop_back();
    }
    Result<std::string> answer = connection->Execute(sql, format);
    if (rows_read != nullptr) *rows_read = connection->rows_read();
    {
      const std::lock_guard lock(mutex_);
      free_.push_back(std::move(connection));
    }
    returned_.notify_one();
    return answer;
  }

 private:
  static constexpr auto kWait = std::chrono::seconds(30);

  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<std::unique_ptr<Connection>> free_;
};

}  // namespace weir::store

// The store's status as it was last told, so that whoever asks never waits long for a busy or broken store.
//
// One thread, `weir-watch`, asks the store every period and whenever somebody wants to know. Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "base/status.h"
#include "store/store.h"

namespace weir::api {

struct StoreWatchOptions {
  std::chrono::milliseconds period{10'000};
  std::chrono::milliseconds patience{1'000};  // how long Latest() waits for a fresh answer
  std::chrono::milliseconds silence{60'000};  // a question open for longer: the store does not answer
};

class StoreWatch {
 public:
  struct Seen {
    Result<store::StoreStatus> status = Status::Unavailable("the store has not been asked yet");
    UnixMillis as_of = 0;  // when the store was asked
  };

  // `store` and `clock` outlive the watch. Asks once before it returns.
  StoreWatch(store::Store& store, const Clock& clock, StoreWatchOptions options = {});
  ~StoreWatch();
  StoreWatch(const StoreWatch&) = delete;
  StoreWatch& operator=(const StoreWatch&) = delete;

  // Asks the store now; after `patience` the last answer it gave.
  Seen Latest();
  // Whether the store answers, from what is known. Never waits.
  bool answers() const;
  // Idempotent.
  void Stop();

 private:
  using Moment = std::chrono::steady_clock::time_point;

  void Run();
  void Ask(std::unique_lock<std::mutex>& lock);

  store::Store& store_;
  const Clock& clock_;
  const StoreWatchOptions options_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable told_;
  Seen seen_;
  bool failed_ = false;    // the last answer was an error other than "busy"
  uint64_t wanted_ = 0;    // number of the latest wish
  uint64_t answered_ = 0;  // wishes up to this one have an answer
  bool asking_ = false;
  Moment asking_since_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace weir::api

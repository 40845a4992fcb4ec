#include "api/store_watch.h"

#include <utility>

#include "base/thread.h"

namespace weir::api {

StoreWatch::StoreWatch(store::Store& store, const Clock& clock, StoreWatchOptions options)
    : store_(store), clock_(clock), options_(options) {
  std::unique_lock lock(mutex_);
  Ask(lock);
  thread_ = std::thread([this] { Run(); });
}

StoreWatch::~StoreWatch() { Stop(); }

void StoreWatch::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  told_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void StoreWatch::Ask(std::unique_lock<std::mutex>& lock) {
  const uint64_t wish = wanted_;
  asking_ = true;
  asking_since_ = std::chrono::steady_clock::now();
  const UnixMillis now = clock_.WallMillis();
  lock.unlock();
  Result<store::StoreStatus> status = store_.GetStatus();
  lock.lock();
  asking_ = false;
  answered_ = wish;
  // A store that is busy with questions answers; what it said before still holds.
  const bool busy = !status.ok() && status.status().code() == Code::kUnavailable;
  failed_ = !status.ok() && !busy;
  if (!busy || !seen_.status.ok()) seen_ = {std::move(status), now};
  told_.notify_all();
}

void StoreWatch::Run() {
  NameThisThread("weir-watch");
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait_for(lock, options_.period, [this] { return stopping_ || wanted_ != answered_; });
    if (stopping_) return;
    Ask(lock);
  }
}

StoreWatch::Seen StoreWatch::Latest() {
  std::unique_lock lock(mutex_);
  const uint64_t wish = ++wanted_;
  wake_.notify_one();
  told_.wait_for(lock, options_.patience, [&] { return stopping_ || answered_ >= wish; });
  return seen_;
}

bool StoreWatch::answers() const {
  const std::lock_guard lock(mutex_);
  const bool silent = asking_ && std::chrono::steady_clock::now() - asking_since_ > options_.silence;
  return !failed_ && !silent;
}

}  // namespace weir::api

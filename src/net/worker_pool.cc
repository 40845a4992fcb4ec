#include "net/worker_pool.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "base/log.h"
#include "base/thread.h"

namespace weir::net {

WorkerPool::WorkerPool(std::string name, unsigned threads, size_t max_queued)
    : name_(std::move(name)), max_queued_(max_queued) {
  for (unsigned i = 0; i < std::max(threads, 1U); ++i) threads_.emplace_back([this, i] { Run(i); });
}

WorkerPool::~WorkerPool() { Stop(); }

bool WorkerPool::Submit(std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || queue_.size() >= max_queued_) return false;
    queue_.push_back(std::move(job));
  }
  wake_.notify_one();
  return true;
}

void WorkerPool::Close() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
}

void WorkerPool::Stop() {
  Close();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void WorkerPool::Run(unsigned index) {
  const std::string thread_name = name_.substr(0, 12) + "-" + std::to_string(index % 100);  // the kernel keeps 15 bytes
  NameThisThread(thread_name.c_str());
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    std::function<void()> job = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    try {
      job();
    } catch (const std::exception& error) {
      LogError("{}: a job failed: {}", name_, error.what());
    }
    job = nullptr;  // what it holds is released before the lock is taken: it may answer a request
    lock.lock();
  }
}

}  // namespace weir::net

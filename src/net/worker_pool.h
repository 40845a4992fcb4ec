// A fixed number of named threads and a bounded queue of jobs. Thread-safe.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace weir::net {

class WorkerPool {
 public:
  // `name` is a prefix of the threads' names; at most 12 characters are kept.
  WorkerPool(std::string name, unsigned threads, size_t max_queued);
  ~WorkerPool();  // Stop(), then drops what is still queued
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // False when the queue is full or the pool is stopped: the job was not taken. An exception that leaves a job is
  // logged and swallowed.
  bool Submit(std::function<void()> job);
  // Starts no other job. Idempotent.
  void Close();
  // Close(), then finishes the jobs that run and joins the threads. Idempotent; not from a job.
  void Stop();

 private:
  void Run(unsigned index);

  const std::string name_;
  const size_t max_queued_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace weir::net

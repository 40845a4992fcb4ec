// Live: the rows of the last minutes at full resolution, and the viewers who get each new block of them.
//
// Blocks are immutable and shared by the ring and the viewers' queues, so a row is never copied for a viewer.
// Bounds: age and rows of the ring; rows queued per viewer, beyond which blocks are dropped and counted
// (server_live_dropped). Thread `weir-live` calls the viewers, one at a time, so that a slow one costs the
// writer nothing. Thread-safe.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "server/server.h"

namespace weir::server {

struct LiveOptions {
  std::chrono::seconds window{180};
  size_t max_rows = 200'000;
  size_t max_queued_rows = 50'000;  // per viewer
};

class Live {
 public:
  explicit Live(LiveOptions options) : options_(options) {}
  ~Live() { Stop(); }

  void Start();
  // Viewers hear nothing afterwards. Idempotent.
  void Stop();

  // Rows that ended before the window are left out: late reports are history, not news.
  void Publish(std::vector<model::FlowRow> rows, UnixMillis now);
  // Rows whose interval started at or after `since`, oldest first.
  std::vector<model::FlowRow> Rows(UnixMillis since, const std::function<bool(const model::FlowRow&)>& wanted) const;

  uint64_t AddListener(LiveListener listener);
  // When it returns, the listener is not running and never runs again, unless the caller is the listener itself.
  void RemoveListener(uint64_t id);

 private:
  using RowVector = std::vector<model::FlowRow>;
  struct Block {
    UnixMillis received = 0;
    std::shared_ptr<const RowVector> rows;
  };
  struct Viewer {
    LiveListener listener;
    std::deque<std::shared_ptr<const RowVector>> queue;
    size_t queued_rows = 0;
  };

  void Deliver();
  void Trim(UnixMillis now);

  LiveOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Block> ring_;
  size_t ring_rows_ = 0;
  std::map<uint64_t, std::shared_ptr<Viewer>> viewers_;
  uint64_t next_id_ = 1;
  uint64_t delivering_to_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace weir::server

#include "server/live.h"

#include <algorithm>
#include <utility>

#include "base/metrics.h"
#include "base/thread.h"

namespace weir::server {

void Live::Start() {
  thread_ = std::thread([this] {
    NameThisThread("weir-live");
    Deliver();
  });
}

void Live::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Live::Publish(std::vector<model::FlowRow> rows, UnixMillis now) {
  const UnixMillis oldest = now - std::chrono::milliseconds(options_.window).count();
  std::erase_if(rows, [&](const model::FlowRow& row) { return row.end < oldest; });
  if (rows.size() > options_.max_rows) rows.resize(options_.max_rows);
  if (rows.empty()) return;
  const size_t count = rows.size();
  const auto block = std::make_shared<const RowVector>(std::move(rows));

  const std::lock_guard lock(mutex_);
  ring_.push_back({now, block});
  ring_rows_ += count;
  Trim(now);
  for (auto& [id, viewer] : viewers_) {
    // A single block larger than the bound is delivered all the same when nothing else waits.
    if (viewer->queued_rows != 0 && viewer->queued_rows + count > options_.max_queued_rows) {
      Count(Metric::server_live_dropped, count);
      continue;
    }
    viewer->queue.push_back(block);
    viewer->queued_rows += count;
  }
  changed_.notify_all();
}

void Live::Trim(UnixMillis now) {
  const UnixMillis oldest = now - std::chrono::milliseconds(options_.window).count();
  while (ring_.size() > 1 && (ring_rows_ > options_.max_rows || ring_.front().received < oldest)) {
    ring_rows_ -= ring_.front().rows->size();
    ring_.pop_front();
  }
}

std::vector<model::FlowRow> Live::Rows(UnixMillis since,
                                       const std::function<bool(const model::FlowRow&)>& wanted) const {
  std::vector<std::shared_ptr<const RowVector>> blocks;
  {
    const std::lock_guard lock(mutex_);
    for (const Block& block : ring_) blocks.push_back(block.rows);
  }
  std::vector<model::FlowRow> found;
  for (const auto& block : blocks) {
    std::copy_if(block->begin(), block->end(), std::back_inserter(found),
                 [&](const model::FlowRow& row) { return row.start >= since && wanted(row); });
  }
  return found;
}

uint64_t Live::AddListener(LiveListener listener) {
  const std::lock_guard lock(mutex_);
  auto viewer = std::make_shared<Viewer>();
  viewer->listener = std::move(listener);
  viewers_.emplace(next_id_, std::move(viewer));
  return next_id_++;
}

void Live::RemoveListener(uint64_t id) {
  std::unique_lock lock(mutex_);
  viewers_.erase(id);
  if (std::this_thread::get_id() == thread_.get_id()) return;
  changed_.wait(lock, [&] { return delivering_to_ != id; });
}

void Live::Deliver() {
  std::unique_lock lock(mutex_);
  const auto has_rows = [](const auto& entry) { return !entry.second->queue.empty(); };
  uint64_t previous = 0;  // viewers take turns
  while (true) {
    changed_.wait(lock, [&] { return stopping_ || std::any_of(viewers_.begin(), viewers_.end(), has_rows); });
    if (stopping_) return;
    auto next = std::find_if(viewers_.upper_bound(previous), viewers_.end(), has_rows);
    if (next == viewers_.end()) next = std::find_if(viewers_.begin(), viewers_.end(), has_rows);
    const std::shared_ptr<Viewer> viewer = next->second;
    previous = delivering_to_ = next->first;
    const std::shared_ptr<const RowVector> block = std::move(viewer->queue.front());
    viewer->queue.pop_front();
    lock.unlock();
    viewer->listener(*block);
    lock.lock();
    viewer->queued_rows -= block->size();
    delivering_to_ = 0;
    changed_.notify_all();
  }
}

}  // namespace weir::server

#include "server/live_hub.h"

#include <algorithm>
#include <utility>

#include "base/thread.h"

namespace weir::server {
namespace {

constexpr size_t kMaxRowsPerBlock = 20'000;  // the ring's bound holds to a block, and queues fill in steps

}  // namespace

size_t LiveBlock::items() const {
  size_t items = rows.size();
  for (const store::NodeBatch& node : nodes) items += node.samples.size() + node.windows.size();
  return items;
}

void LiveHub::Start() {
  thread_ = std::thread([this] {
    NameThisThread("weir-live");
    Deliver();
  });
}

void LiveHub::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void LiveHub::Publish(std::vector<model::FlowRow> rows, UnixMillis now) {
  const UnixMillis oldest = now - window_ms();
  const auto late =
      std::stable_partition(rows.begin(), rows.end(), [&](const model::FlowRow& row) { return row.end >= oldest; });
  const auto news = static_cast<size_t>(late - rows.begin());
  std::vector<LiveBlock> blocks;
  for (size_t begin = 0; begin < rows.size();) {
    LiveBlock& block = blocks.emplace_back();
    block.stored = now;
    block.late = begin >= news;
    const size_t end = std::min(begin + kMaxRowsPerBlock, block.late ? rows.size() : news);
    if (end - begin == rows.size()) {
      block.rows = std::move(rows);
      break;
    }
    const auto at = [&](size_t index) { return std::make_move_iterator(rows.begin() + static_cast<ptrdiff_t>(index)); };
    block.rows.assign(at(begin), at(end));
    begin = end;
  }
  const std::lock_guard lock(mutex_);
  for (LiveBlock& block : blocks) Append(std::move(block));
}

void LiveHub::Publish(std::vector<store::NodeBatch> nodes, UnixMillis now) {
  LiveBlock block;
  block.stored = now;
  block.nodes = std::move(nodes);
  const std::lock_guard lock(mutex_);
  Append(std::move(block));
}

void LiveHub::Append(LiveBlock made) {
  const size_t items = made.items();
  if (items == 0 || stopping_) return;
  made.number = ++last_number_;
  const auto block = std::make_shared<const LiveBlock>(std::move(made));
  if (!block->rows.empty() && !block->late) {
    ring_.push_back(block);
    ring_rows_ += block->rows.size();
    Trim(block->stored);
  }
  for (auto& [id, attached] : sinks_) {
    // A single block larger than the bound is delivered all the same when nothing else waits.
    if (attached->queued_items != 0 && attached->queued_items + items > attached->options.max_queued_items) {
      attached->lost_items += items;
      if (attached->options.lost) Count(*attached->options.lost, items);
      continue;
    }
    attached->queue.push_back(block);
    attached->queued_items += items;
  }
  changed_.notify_all();
}

void LiveHub::Trim(UnixMillis now) {
  const UnixMillis oldest = now - window_ms();
  while (ring_.size() > 1 && (ring_rows_ > options_.max_rows || ring_.front()->stored < oldest)) {
    ring_rows_ -= ring_.front()->rows.size();
    ring_.pop_front();
  }
}

void LiveHub::Rename(const std::vector<model::EntityRef>& entities, UnixMillis now) {
  if (entities.empty()) return;
  const UnixMillis oldest = now - window_ms();
  const std::lock_guard lock(mutex_);
  // Readers have the ones of before.
  auto names = std::make_shared<NewNames>();
  if (new_names_ != nullptr) {
    for (const auto& [id, name] : *new_names_) {
      if (name.since >= oldest) names->emplace(id, name);  // later rows were named at once
    }
  }
  for (const model::EntityRef& entity : entities) (*names)[entity->id] = {now, entity};
  new_names_ = std::move(names);
}

LiveBlockRef LiveHub::Renamed(const LiveBlockRef& block, const NewNames& names) {
  std::shared_ptr<LiveBlock> copy;
  for (size_t i = 0; i < block->rows.size(); ++i) {
    for (model::EntityRef model::FlowRow::*const end :
         {&model::FlowRow::client, &model::FlowRow::server, &model::FlowRow::service}) {
      const model::EntityRef& entity = block->rows[i].*end;
      if (entity == nullptr) continue;
      const auto found = names.find(entity->id);
      if (found == names.end() || found->second.entity->version <= entity->version) continue;
      if (copy == nullptr) copy = std::make_shared<LiveBlock>(*block);
      copy->rows[i].*end = found->second.entity;
    }
  }
  return copy == nullptr ? block : copy;
}

LiveHub::History LiveHub::Since(UnixMillis since) const {
  History history;
  std::shared_ptr<const NewNames> names;
  {
    const std::lock_guard lock(mutex_);
    history.last = last_number_;
    history.blocks.assign(ring_.begin(), ring_.end());
    names = new_names_;
  }
  std::erase_if(history.blocks, [&](const LiveBlockRef& block) {
    return std::none_of(block->rows.begin(), block->rows.end(),
                        [&](const model::FlowRow& row) { return row.start >= since; });
  });
  if (names != nullptr) {
    for (LiveBlockRef& block : history.blocks) block = Renamed(block, *names);
  }
  return history;
}

uint64_t LiveHub::AddSink(LiveSink& sink, LiveSinkOptions options) {
  const std::lock_guard lock(mutex_);
  auto attached = std::make_shared<Attached>();
  attached->sink = &sink;
  attached->options = options;
  attached->woken = true;  // its first Tick() says when it wants the next
  sinks_.emplace(next_id_, std::move(attached));
  changed_.notify_all();
  return next_id_++;
}

void LiveHub::Wake(uint64_t id) {
  const std::lock_guard lock(mutex_);
  const auto found = sinks_.find(id);
  if (found == sinks_.end()) return;
  found->second->woken = true;
  changed_.notify_all();
}

void LiveHub::RemoveSink(uint64_t id) {
  std::unique_lock lock(mutex_);
  sinks_.erase(id);
  if (std::this_thread::get_id() == thread_.get_id()) return;
  changed_.wait(lock, [&] { return delivering_to_ != id; });
}

size_t LiveHub::sinks() const {
  const std::lock_guard lock(mutex_);
  return sinks_.size();
}

bool LiveHub::IsDue(const Attached& attached, LiveSink::TimePoint now) {
  return !attached.queue.empty() || attached.woken || attached.tick_at <= now;
}

LiveHub::Sinks::iterator LiveHub::NextDue(uint64_t previous) {
  const LiveSink::TimePoint now = std::chrono::steady_clock::now();
  const auto due = [&](const auto& entry) { return IsDue(*entry.second, now); };
  const auto after = sinks_.upper_bound(previous);
  const auto next = std::find_if(after, sinks_.end(), due);
  if (next != sinks_.end()) return next;
  const auto wrapped = std::find_if(sinks_.begin(), after, due);
  return wrapped == after ? sinks_.end() : wrapped;
}

void LiveHub::WaitForWork(std::unique_lock<std::mutex>& lock) {
  auto earliest = LiveSink::TimePoint::max();
  for (const auto& [id, attached] : sinks_) earliest = std::min(earliest, attached->tick_at);
  // wait_until() overflows on the largest time there is.
  if (earliest == LiveSink::TimePoint::max()) {
    changed_.wait(lock);
  } else {
    changed_.wait_until(lock, earliest);
  }
}

void LiveHub::Deliver() {
  std::unique_lock lock(mutex_);
  uint64_t previous = 0;
  while (true) {
    const auto next = NextDue(previous);
    const bool idle = next == sinks_.end();
    if (stopping_) {
      const auto queued = [](const auto& entry) { return !entry.second->queue.empty(); };
      if (idle || std::none_of(sinks_.begin(), sinks_.end(), queued)) return;
    }
    if (idle) {
      WaitForWork(lock);
      continue;
    }
    const std::shared_ptr<Attached> attached = next->second;  // may be removed meanwhile
    previous = delivering_to_ = next->first;
    Serve(*attached, lock);
    delivering_to_ = 0;
    changed_.notify_all();
  }
}

void LiveHub::Serve(Attached& attached, std::unique_lock<std::mutex>& lock) {
  const size_t lost = std::exchange(attached.lost_items, 0);
  attached.woken = false;
  LiveBlockRef block;
  if (!attached.queue.empty()) {
    block = std::move(attached.queue.front());
    attached.queue.pop_front();
  }
  lock.unlock();
  if (lost != 0) attached.sink->Lost(lost);
  if (block) attached.sink->Take(block);
  const LiveSink::TimePoint tick_at = attached.sink->Tick();
  lock.lock();
  // Counted until now: what a sink holds in its hands is still in memory.
  if (block) attached.queued_items -= block->items();
  attached.tick_at = tick_at;
}

}  // namespace weir::server

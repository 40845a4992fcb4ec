// The live hub: what was just stored, for everybody who follows it: viewers, detectors, exporters.
//
//   writer -> Publish() -> one block -> per sink: a bounded queue -> Take() on the thread `weir-live`
//
// Blocks are immutable and shared by the ring and all queues, so nothing is copied for a sink. The ring holds the rows
// of the last minutes. Sinks take turns; one that is slow loses blocks, which are counted, delays other sinks, and
// never the writer: what needs a network or a disk brings a thread of its own. Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "model/flow_row.h"
#include "store/node_store.h"

namespace weir::server {

// What became durable in one step of the writer: rows, or the nodes' samples.
struct LiveBlock {
  uint64_t number = 0;    // 1, 2, 3 and so on, as published
  UnixMillis stored = 0;  // by the server's clock
  bool late = false;      // all rows ended before the window: history, no news
  std::vector<model::FlowRow> rows;
  std::vector<store::NodeBatch> nodes;

  size_t items() const;  // rows, samples and rate windows
};
using LiveBlockRef = std::shared_ptr<const LiveBlock>;

// Follows what is stored. All calls come from the thread `weir-live`, one at a time.
class LiveSink {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  virtual ~LiveSink() = default;
  virtual void Take(const LiveBlockRef& block) = 0;
  // So many items of blocks before the next one were dropped, because this sink's queue was full.
  virtual void Lost(size_t /*items*/) {}
  // Called after every block, after Wake(), and when the time is there that it returned last.
  virtual TimePoint Tick() { return TimePoint::max(); }
};

struct LiveSinkOptions {
  size_t max_queued_items = 50'000;
  // Counts the items that are dropped; nothing: the sink does, when it is told that they were lost.
  std::optional<Metric> lost = Metric::server_live_dropped;
};

struct LiveHubOptions {
  std::chrono::seconds window{180};  // age of rows in the ring
  size_t max_rows = 200'000;         // in the ring
};

class LiveHub {
 public:
  explicit LiveHub(LiveHubOptions options = {}) : options_(options) {}
  ~LiveHub() { Stop(); }
  LiveHub(const LiveHub&) = delete;
  LiveHub& operator=(const LiveHub&) = delete;

  void Start();
  // Delivers what is queued; sinks hear nothing afterwards. Idempotent.
  void Stop();

  // Rows that ended before the window become a block of their own, marked as late.
  void Publish(std::vector<model::FlowRow> rows, UnixMillis now);
  void Publish(std::vector<store::NodeBatch> nodes, UnixMillis now);

  // Rows of the ring that have an earlier version of one of these entities have this one from now on.
  void Rename(const std::vector<model::EntityRef>& entities, UnixMillis now);

  // Blocks of the ring with rows that started at or after `since`, oldest first. `last` is the number of the last block
  // published: who takes these blocks and then all with higher numbers misses none and has none twice.
  struct History {
    std::vector<LiveBlockRef> blocks;
    uint64_t last = 0;
  };
  History Since(UnixMillis since) const;

  // `sink` must live until it is removed, or the hub has stopped. Returns an id for the other calls.
  uint64_t AddSink(LiveSink& sink, LiveSinkOptions options = {});
  // Has Tick() called soon.
  void Wake(uint64_t id);
  // When it returns, the sink is not running and never runs again, unless the caller is the sink itself.
  void RemoveSink(uint64_t id);
  size_t sinks() const;

 private:
  struct Attached {
    LiveSink* sink = nullptr;
    LiveSinkOptions options;
    std::deque<LiveBlockRef> queue;
    size_t queued_items = 0;
    size_t lost_items = 0;  // not told yet
    bool woken = false;
    LiveSink::TimePoint tick_at = LiveSink::TimePoint::max();
  };
  using Sinks = std::map<uint64_t, std::shared_ptr<Attached>>;

  struct NewName {
    UnixMillis since = 0;
    model::EntityRef entity;
  };
  using NewNames = std::unordered_map<model::EntityId, NewName>;

  // The block itself, or a copy of it where a row's end has a newer version.
  static LiveBlockRef Renamed(const LiveBlockRef& block, const NewNames& names);
  static bool IsDue(const Attached& attached, LiveSink::TimePoint now);
  void Deliver();
  // The sink after `previous` that has something to do; end() = none.
  Sinks::iterator NextDue(uint64_t previous);
  void WaitForWork(std::unique_lock<std::mutex>& lock);
  void Serve(Attached& attached, std::unique_lock<std::mutex>& lock);
  void Append(LiveBlock block);
  void Trim(UnixMillis now);
  int64_t window_ms() const { return std::chrono::milliseconds(options_.window).count(); }

  const LiveHubOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<LiveBlockRef> ring_;
  size_t ring_rows_ = 0;
  std::shared_ptr<const NewNames> new_names_;  // null: none
  uint64_t last_number_ = 0;
  Sinks sinks_;
  uint64_t next_id_ = 1;
  uint64_t delivering_to_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace weir::server

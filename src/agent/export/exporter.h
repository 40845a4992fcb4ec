// The exporter: gives batches their sequences, sends them in order, and keeps what cannot be sent, in memory
// first, then in the spool. A batch leaves only when the server has stored it, when it will never accept it,
// or when a bound is reached; the last two are counted.
//
// Sequences are what the server tells a resend by, so they must grow across restarts: they start at the wall
// clock in microseconds. When the clock went back meanwhile, the server calls a batch a duplicate that it
// cannot have seen; the batch is then renumbered above the server's watermark and sent again. Each batch also
// has a key, the sequence it was made with, which fixes its place in the order whatever its sequence becomes.
//
// Threads: Submit() is called by the agent's loop and encodes there; everything else happens on one thread,
// "weir-export", which alone touches sink and spool.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "agent/export/spool.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "model/side_report.h"
#include "wire/batch_sink.h"

namespace weir::agent {

struct ExporterOptions {
  std::filesystem::path spool_directory;
  uint64_t spool_limit_bytes = uint64_t{256} << 20;
  Nanos retry_shortest = 200'000'000;
  Nanos retry_longest = 30'000'000'000;
  uint64_t jitter_seed = 0;
  // What waits in memory while a send is under way or the spool is unwritable. Beyond, the oldest is dropped.
  size_t max_queued_batches = 256;
  size_t max_queued_bytes = size_t{64} << 20;
  // Hears every acknowledgement, on the exporter's thread. Empty = nobody does.
  std::function<void(const wire::Ack&)> on_ack;
};

class Exporter {
 public:
  static constexpr Nanos kNothingToDo = INT64_MAX;

  // `sink` and `clock` outlive the exporter. Fails when the spool cannot be used.
  static Result<std::unique_ptr<Exporter>> Open(ExporterOptions options, wire::BatchSink& sink, const Clock& clock);
  ~Exporter();

  // Splits, numbers (whatever `interval.sequence` says), encodes and queues. Never blocks on network or disk.
  void Submit(model::AgentBatch interval);

  // Runs `on_thread` on the new thread, and returns once that is done. Call once.
  void Start(const std::function<void()>& on_thread);
  // Sends or spools what is left, in at most about `budget`, and ends the thread. Idempotent.
  void Stop(std::chrono::milliseconds budget);

  // One round of the thread's work, for tests without one: sends until nothing is left or the server fails,
  // and spools what has to wait. Returns after how long to come back even if nothing is submitted.
  Nanos RunOnce();

 private:
  struct Pending {
    SpooledBatch batch;
    bool spooled = false;  // is in the spool; else it was taken from the queue
  };
  enum class Outcome { kDone, kAgain, kLater };

  Exporter(ExporterOptions options, std::unique_ptr<Spool> spool, wire::BatchSink& sink, const Clock& clock);

  void EncodeAndQueue(model::AgentBatch part);
  void Queue(SpooledBatch batch);
  uint64_t NextSequence();
  void Run();
  bool TimeIsUp();

  std::optional<Pending> Head();
  Outcome SendHead(Pending& head);
  Outcome Acknowledged(Pending& head, const wire::Ack& ack, bool sent_before);
  Outcome Failed(Pending& head, const Status& status);
  bool Renumber(Pending& head);
  void Forget(const Pending& head);
  void PutBack(Pending head);
  void SpoolQueue();
  void DropWhatIsLeft();

  const ExporterOptions options_;
  const std::unique_ptr<Spool> spool_;
  wire::BatchSink& sink_;
  const Clock& clock_;
  const uint64_t inherited_key_;  // batches up to this key were there at start and may have been sent before

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<SpooledBatch> queue_;  // guarded by mutex_, like the next six
  size_t queued_bytes_ = 0;
  uint64_t next_sequence_ = 0;
  bool submitted_ = false;  // since the thread's last round began
  bool stopping_ = false;
  std::chrono::steady_clock::time_point send_until_{};  // while stopping
  bool finished_ = false;
  std::thread thread_;

  // The thread's own.
  Backoff backoff_;
  Nanos retry_at_ = 0;  // monotonic; 0 = now
  bool server_away_ = false;
  uint64_t watermark_ = 0;  // the server's, as last heard
  uint64_t highest_attempted_key_ = 0;
  uint64_t highest_attempted_sequence_ = 0;
  RateLimit failure_log_{std::chrono::seconds(30)};
  RateLimit denied_log_{std::chrono::seconds(10)};
  RateLimit spool_log_{std::chrono::seconds(30)};
  RateLimit clock_log_{std::chrono::seconds(30)};
  RateLimit loss_log_{std::chrono::seconds(30)};
};

}  // namespace weir::agent

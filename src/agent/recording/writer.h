// Writer: puts frames into a recording. Putting one is a copy into memory; a thread of its own compresses and writes.
//
// A recording is whole from its beginning on or it is worth nothing, since counters are absolute and what they are
// compared with came before. So it ends, and says so, when it reaches its limit, when the disk fails, or when more than
// kMaxQueuedBytes wait for a slow disk; the agent goes on without it. Intervals that are not in it are counted
// (agent_recording_missing).
//
// Threads: one, all calls ("weir-agent", or before it starts the one that makes it); "weir-record", which writes.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "agent/kernel/unique_fd.h"
#include "agent/origin.h"
#include "agent/recording/format.h"
#include "agent/recording/header.h"
#include "base/status.h"
#include "model/side_report.h"

namespace weir::agent::recording {

class Writer {
 public:
  static constexpr size_t kMaxQueuedBytes = size_t{64} << 20;
  static constexpr uint64_t kMinLimit = uint64_t{64} << 10;

  // Makes the file, mode 0600, and writes its header. kConflict: it exists; it is not overwritten. kInvalid: the limit
  // is below kMinLimit. Else as Status::FromErrno.
  static Result<std::unique_ptr<Writer>> Create(const std::filesystem::path& file, uint64_t limit_bytes,
                                                const Header& header);
  ~Writer();

  // Starts the thread; it calls `on_thread` before anything else. What is put before waits.
  void Start(std::function<void()> on_thread);
  // The frames that follow belong to this step. Written down once there is one.
  void BeginStep(Step step, Nanos now_monotonic);
  // Grows with every BeginStep().
  uint64_t step() const { return step_; }
  // `pieces` are one payload. Nothing happens once the recording has ended.
  void Put(FrameKind kind, Observer observer, std::initializer_list<std::string_view> pieces);
  template <typename T>
  void Put(FrameKind kind, Observer observer, const T& payload, std::string_view more = {}) {
    Put(kind, observer, {{reinterpret_cast<const char*>(&payload), sizeof(payload)}, more});
  }
  // Ends an interval with what its batch has besides reports, addresses and counters.
  void PutBatch(const model::AgentBatch& batch);
  // Ends the recording, waits until it is written, and ends the thread. Idempotent.
  void Finish();

  model::ProbeReport Probe() const;

 private:
  Writer(kernel::UniqueFd file, std::filesystem::path path, uint64_t limit_bytes);

  bool recording() const { return !ended_.load(std::memory_order_relaxed); }
  void MakeRoom(size_t bytes);
  void CloseBlock();
  void End(std::string why);

  void Run();
  void WriteBlock(std::string_view frames);
  void WriteEnd(EndReason reason, std::string_view why);
  Status Append(std::string_view frames, uint64_t limit_bytes);

  const kernel::UniqueFd file_;
  const std::filesystem::path path_;
  const uint64_t limit_bytes_;

  // The loop's.
  std::string block_;
  std::string step_frame_;  // not written yet
  uint64_t step_ = 0;
  Nanos step_now_ = 0;
  Nanos block_began_ = 0;
  std::thread thread_;

  std::atomic<bool> ended_{false};
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::string> queue_;  // guarded by mutex_, like the next three
  size_t queued_bytes_ = 0;
  std::string why_ended_;
  bool finishing_ = false;

  // The thread's.
  off_t written_ = 0;  // bytes of whole blocks
};

}  // namespace weir::agent::recording

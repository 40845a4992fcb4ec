// Live viewers: every stored row, as it is stored, to everybody who watches, filtered, as server-sent events.
//
//   server's live thread -> inbox (bounded) -> hub thread -> per viewer: filter, backlog (bounded) -> stream -> socket
//
// A reader that falls behind loses rows, is told how many, and holds up nobody. Threads: the server's only puts
// batches into the inbox; one hub thread renders and sends; Join() comes from HTTP workers.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "model/filter.h"
#include "net/http_server.h"
#include "server/server.h"

namespace weir::api {

struct LiveOptions {
  std::chrono::milliseconds heartbeat{5'000};
  size_t max_viewers = 64;
  size_t max_inbox_rows = 400'000;
  size_t max_backlog_bytes = size_t{4} << 20;  // per viewer, rendered and not yet taken by its stream
};

class LiveHub {
 public:
  // `server` and `clock` outlive the hub.
  LiveHub(server::Server& server, const Clock& clock, LiveOptions options = {});
  ~LiveHub();
  LiveHub(const LiveHub&) = delete;
  LiveHub& operator=(const LiveHub&) = delete;

  // False when there are too many viewers already (or the hub is stopped). replay_ms: rows of that long ago first.
  bool Join(std::shared_ptr<net::EventStream> stream, model::Filter filter, int64_t replay_ms);
  bool HasRoom() const;
  // Ends every stream. Idempotent.
  void Stop();

 private:
  using Batch = std::vector<model::FlowRow>;
  struct Viewer {
    std::shared_ptr<net::EventStream> stream;
    model::Filter filter;
    int64_t replay_ms = 0;
    std::vector<model::FlowRow> replay;  // rendered as the stream takes them
    size_t replayed = 0;
    // Rows of the replay may still be on their way here as live ones; each is left out once. Forgotten with the second
    // heartbeat: what takes longer than that to come does not come.
    std::unordered_multiset<uint64_t> fingerprints;
    int heartbeats = 0;
    std::deque<std::shared_ptr<const std::string>> backlog;
    size_t backlog_bytes = 0;
    uint64_t dropped = 0;  // not yet announced
    bool gone = false;
  };
  // Shared with the listener, which may still be called while the hub is destroyed.
  struct Inbox {
    std::mutex mutex;
    std::condition_variable wake;
    std::deque<Batch> batches;
    size_t rows = 0;
    uint64_t overflowed = 0;  // rows nobody will see
    std::vector<Viewer> joining;
    size_t viewers = 0;  // joining and joined
    bool stopping = false;
  };

  static void Post(Inbox& inbox, size_t max_rows, const std::vector<model::FlowRow>& rows);
  void Run();
  void Welcome(Viewer viewer);
  void Deliver(const Batch& batch);
  static bool WasReplayed(Viewer& viewer, const model::FlowRow& row);
  void Offer(Viewer& viewer, const std::shared_ptr<const std::string>& text) const;
  void Heartbeat();
  bool Flush(Viewer& viewer);  // true when something is left
  bool FlushReplay(Viewer& viewer);
  void RemoveGone();

  server::Server& server_;
  const Clock& clock_;
  const LiveOptions options_;
  const std::shared_ptr<Inbox> inbox_;
  const std::string columns_event_;
  std::vector<Viewer> viewers_;  // hub thread only
  uint64_t listener_ = 0;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace weir::api

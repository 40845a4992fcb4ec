// Live viewers: every stored row, as it is stored, to everybody who watches, filtered, as server-sent events.
//
//   server's live hub -> one sink for all viewers -> per viewer: filter, backlog (bounded) -> stream -> socket
//
// A reader that falls behind loses rows, is told how many, and holds up nobody. Threads: the hub's renders and sends;
// Join() comes from HTTP workers.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "model/filter.h"
#include "net/http_server.h"
#include "server/server.h"

namespace weir::api {

struct LiveOptions {
  std::chrono::milliseconds heartbeat{5'000};
  size_t max_viewers = 64;
  size_t max_queued_rows = 400'000;            // in the hub, for all viewers together
  size_t max_backlog_bytes = size_t{4} << 20;  // per viewer, rendered and not yet taken by its stream
};

class LiveViewers final : private server::LiveSink {
 public:
  // `hub` and `clock` outlive the viewers.
  LiveViewers(server::LiveHub& hub, const Clock& clock, LiveOptions options = {});
  ~LiveViewers() override;
  LiveViewers(const LiveViewers&) = delete;
  LiveViewers& operator=(const LiveViewers&) = delete;

  // False when there are too many viewers already, or all were sent away. replay_ms: rows of that long ago first.
  bool Join(std::shared_ptr<net::EventStream> stream, model::Filter filter, int64_t replay_ms);
  bool HasRoom() const;
  // Ends every stream. Idempotent.
  void Stop();

 private:
  struct Viewer {
    std::shared_ptr<net::EventStream> stream;
    model::Filter filter;
    int64_t replay_ms = 0;
    UnixMillis replay_since = 0;
    std::vector<server::LiveBlockRef> replay;  // rendered as the stream takes them
    size_t replayed_blocks = 0;
    size_t replayed_rows = 0;  // of the next block
    uint64_t after = 0;        // number of the last block that was there before the viewer
    std::deque<std::shared_ptr<const std::string>> backlog;
    size_t backlog_bytes = 0;
    uint64_t dropped = 0;  // not yet announced
    bool gone = false;
  };

  void Take(const server::LiveBlockRef& block) override;
  void Lost(size_t items) override;
  TimePoint Tick() override;

  void WelcomeJoining();
  void Offer(Viewer& viewer, const std::shared_ptr<const std::string>& text) const;
  void Heartbeat();
  static bool Flush(Viewer& viewer);  // true when something is left
  static bool FlushReplay(Viewer& viewer);
  void RemoveGone();

  server::LiveHub& hub_;
  const Clock& clock_;
  const LiveOptions options_;
  const std::string columns_event_;

  mutable std::mutex mutex_;
  std::vector<Viewer> joining_;
  size_t count_ = 0;  // joining and joined
  bool stopped_ = false;

  std::vector<Viewer> viewers_;  // the hub's thread
  TimePoint next_heartbeat_;     //
  uint64_t sink_ = 0;
};

}  // namespace weir::api

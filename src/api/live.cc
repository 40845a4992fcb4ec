#include "api/live.h"

#include <pthread.h>

#include <algorithm>
#include <type_traits>

#include "api/row_writer.h"
#include "api/time_text.h"
#include "base/metrics.h"

namespace weir::api {
namespace {

constexpr size_t kEventBytes = size_t{64} << 10;        // of rows in one event
constexpr std::chrono::milliseconds kBacklogRetry{50};  // streams do not say when they have room again

const RowWriter& Writer() {
  static const RowWriter writer(LiveColumns());
  return writer;
}

std::string Render(const model::FlowRow& row) {
  std::string text;
  Writer().AppendJson(text, CellsOf(row));
  return text;
}

// Tells rows of one run apart well enough: two rows agree only if every stored number and text does.
uint64_t Fingerprint(const model::FlowRow& row) {
  uint64_t hash = 14695981039346656037U;
  const auto mix = [&](uint64_t value) { hash = (hash ^ value) * 1099511628211U; };  // FNV-1a, by words
  model::VisitStored(row, [&](const model::Column&, const auto& value) {
    using Value = std::remove_cvref_t<decltype(value)>;
    if constexpr (std::is_integral_v<Value>) {
      mix(static_cast<uint64_t>(value));
    } else if constexpr (std::is_same_v<Value, std::string>) {
      mix(std::hash<std::string>{}(value));
    } else if constexpr (std::is_same_v<Value, model::Address>) {
      for (const uint8_t byte : value.bytes) mix(byte);
    }
  });
  return hash;
}

}  // namespace

LiveHub::LiveHub(server::Server& server, const Clock& clock, LiveOptions options)
    : server_(server),
      clock_(clock),
      options_(options),
      inbox_(std::make_shared<Inbox>()),
      columns_event_(Dump({{"columns", Writer().Describe()}})) {
  listener_ = server_.AddListener([inbox = inbox_, most = options_.max_inbox_rows](
                                      const std::vector<model::FlowRow>& rows) { Post(*inbox, most, rows); });
  thread_ = std::thread([this] { Run(); });
}

LiveHub::~LiveHub() { Stop(); }

void LiveHub::Stop() {
  if (stopped_) return;
  stopped_ = true;
  server_.RemoveListener(listener_);
  {
    const std::lock_guard lock(inbox_->mutex);
    inbox_->stopping = true;
  }
  inbox_->wake.notify_all();
  thread_.join();
  viewers_.clear();
  const std::lock_guard lock(inbox_->mutex);
  inbox_->joining.clear();
  inbox_->batches.clear();
}

void LiveHub::Post(Inbox& inbox, size_t max_rows, const std::vector<model::FlowRow>& rows) {
  {
    const std::lock_guard lock(inbox.mutex);
    if (inbox.viewers == 0 || inbox.stopping || rows.empty()) return;
    if (inbox.rows + rows.size() > max_rows) {
      inbox.overflowed += rows.size();
      return;
    }
    inbox.rows += rows.size();
    inbox.batches.push_back(rows);
  }
  inbox.wake.notify_one();
}

bool LiveHub::Join(std::shared_ptr<net::EventStream> stream, model::Filter filter, int64_t replay_ms) {
  {
    const std::lock_guard lock(inbox_->mutex);
    if (inbox_->stopping || inbox_->viewers >= options_.max_viewers) return false;
    ++inbox_->viewers;
    Viewer viewer;
    viewer.stream = std::move(stream);
    viewer.filter = std::move(filter);
    viewer.replay_ms = replay_ms;
    inbox_->joining.push_back(std::move(viewer));
  }
  inbox_->wake.notify_one();
  return true;
}

bool LiveHub::HasRoom() const {
  const std::lock_guard lock(inbox_->mutex);
  return !inbox_->stopping && inbox_->viewers < options_.max_viewers;
}

void LiveHub::Run() {
  pthread_setname_np(pthread_self(), "live");
  auto next_heartbeat = std::chrono::steady_clock::now() + options_.heartbeat;
  bool backlog = false;
  while (true) {
    std::deque<Batch> batches;
    std::vector<Viewer> joining;
    uint64_t overflowed = 0;
    {
      std::unique_lock lock(inbox_->mutex);
      auto until = next_heartbeat;
      if (backlog) until = std::min(until, std::chrono::steady_clock::now() + kBacklogRetry);
      inbox_->wake.wait_until(
          lock, until, [this] { return inbox_->stopping || !inbox_->batches.empty() || !inbox_->joining.empty(); });
      if (inbox_->stopping) return;
      batches.swap(inbox_->batches);
      joining.swap(inbox_->joining);
      std::swap(overflowed, inbox_->overflowed);
      inbox_->rows = 0;
    }
    for (Viewer& viewer : joining) Welcome(std::move(viewer));
    for (Viewer& viewer : viewers_) viewer.dropped += overflowed;
    for (const Batch& batch : batches) Deliver(batch);
    if (std::chrono::steady_clock::now() >= next_heartbeat) {
      Heartbeat();
      next_heartbeat = std::chrono::steady_clock::now() + options_.heartbeat;
    }
    backlog = false;
    for (Viewer& viewer : viewers_) backlog = Flush(viewer) || backlog;
    RemoveGone();
  }
}

void LiveHub::Welcome(Viewer viewer) {
  viewer.stream->Send("columns", columns_event_);
  if (viewer.replay_ms > 0) {
    viewer.replay = server_.LiveRows(clock_.WallMillis() - viewer.replay_ms, viewer.filter);
    for (const model::FlowRow& row : viewer.replay) viewer.fingerprints.insert(Fingerprint(row));
  }
  viewers_.push_back(std::move(viewer));
}

void LiveHub::Deliver(const Batch& batch) {
  for (const model::FlowRow& row : batch) {
    std::shared_ptr<const std::string> text;  // rendered once, for the first viewer who wants it
    for (Viewer& viewer : viewers_) {
      if (!viewer.filter.Matches(row) || WasReplayed(viewer, row)) continue;
      if (!text) text = std::make_shared<const std::string>(Render(row));
      Offer(viewer, text);
    }
  }
}

bool LiveHub::WasReplayed(Viewer& viewer, const model::FlowRow& row) {
  if (viewer.fingerprints.empty()) return false;
  const auto found = viewer.fingerprints.find(Fingerprint(row));
  if (found == viewer.fingerprints.end()) return false;
  viewer.fingerprints.erase(found);
  return true;
}

void LiveHub::Offer(Viewer& viewer, const std::shared_ptr<const std::string>& text) const {
  if (viewer.backlog_bytes + text->size() > options_.max_backlog_bytes) {
    ++viewer.dropped;
    return;
  }
  viewer.backlog_bytes += text->size();
  viewer.backlog.push_back(text);
}

void LiveHub::Heartbeat() {
  const std::string event = Dump({{"time", FormatTime(clock_.WallMillis())}});
  // One that does not fit is no loss: a stream that is full of rows shows that we live.
  for (Viewer& viewer : viewers_) {
    viewer.stream->Send("heartbeat", event);
    if (++viewer.heartbeats == 2) viewer.fingerprints.clear();
  }
}

bool LiveHub::FlushReplay(Viewer& viewer) {
  while (viewer.replayed < viewer.replay.size()) {
    std::string event = R"({"rows": [)";
    size_t next = viewer.replayed;
    for (; next < viewer.replay.size() && event.size() < kEventBytes; ++next) {
      if (next != viewer.replayed) event += ",\n";
      event += Render(viewer.replay[next]);
    }
    event += R"(], "dropped": 0})";
    if (!viewer.stream->Send("rows", event)) return true;
    viewer.replayed = next;
  }
  viewer.replay = {};
  viewer.replayed = 0;
  return false;
}

bool LiveHub::Flush(Viewer& viewer) {
  viewer.gone = viewer.stream->closed();
  if (viewer.gone) return false;
  if (FlushReplay(viewer)) return true;
  if (viewer.dropped != 0) {
    if (!viewer.stream->Send("dropped", Dump({{"rows", viewer.dropped}}))) return true;
    Count(Metric::server_live_dropped, viewer.dropped);
    viewer.dropped = 0;
  }
  while (!viewer.backlog.empty()) {
    std::string event = R"({"rows": [)";
    size_t taken = 0;
    for (; taken < viewer.backlog.size() && event.size() < kEventBytes; ++taken) {
      if (taken != 0) event += ",\n";
      event += *viewer.backlog[taken];
    }
    event += R"(], "dropped": 0})";
    if (!viewer.stream->Send("rows", event)) return true;
    for (; taken != 0; --taken) {
      viewer.backlog_bytes -= viewer.backlog.front()->size();
      viewer.backlog.pop_front();
    }
  }
  return false;
}

void LiveHub::RemoveGone() {
  const size_t removed = std::erase_if(viewers_, [](const Viewer& viewer) { return viewer.gone; });
  if (removed == 0) return;
  const std::lock_guard lock(inbox_->mutex);
  inbox_->viewers -= removed;
}

}  // namespace weir::api

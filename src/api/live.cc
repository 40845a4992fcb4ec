#include "api/live.h"

#include <algorithm>
#include <utility>

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

// One event of as many rows as fit; `append_next` appends the next row, false = there is none. "" = no rows.
template <typename AppendRow>
std::string RowsEvent(AppendRow append_next) {
  std::string event = R"({"rows": [)";
  const size_t empty = event.size();
  while (event.size() < kEventBytes) {
    const size_t before = event.size();
    if (before != empty) event += ",\n";
    if (append_next(event)) continue;
    event.resize(before);
    break;
  }
  return event.size() == empty ? "" : event + R"(], "dropped": 0})";
}

}  // namespace

LiveViewers::LiveViewers(server::LiveHub& hub, const Clock& clock, LiveOptions options)
    : hub_(hub),
      clock_(clock),
      options_(options),
      columns_event_(Dump({{"columns", Writer().Describe()}})),
      next_heartbeat_(std::chrono::steady_clock::now() + options.heartbeat) {
  sink_ = hub_.AddSink(*this, {.max_queued_items = options_.max_queued_rows});
}

LiveViewers::~LiveViewers() { Stop(); }

void LiveViewers::Stop() {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    stopped_ = true;
    joining_.clear();
  }
  hub_.RemoveSink(sink_);
  viewers_.clear();
}

bool LiveViewers::Join(std::shared_ptr<net::EventStream> stream, model::Filter filter, int64_t replay_ms) {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_ || count_ >= options_.max_viewers) return false;
    ++count_;
    Viewer viewer;
    viewer.stream = std::move(stream);
    viewer.filter = std::move(filter);
    viewer.replay_ms = replay_ms;
    joining_.push_back(std::move(viewer));
  }
  hub_.Wake(sink_);
  return true;
}

bool LiveViewers::HasRoom() const {
  const std::lock_guard lock(mutex_);
  return !stopped_ && count_ < options_.max_viewers;
}

void LiveViewers::WelcomeJoining() {
  std::vector<Viewer> joining;
  {
    const std::lock_guard lock(mutex_);
    joining.swap(joining_);
  }
  for (Viewer& viewer : joining) {
    viewer.stream->Send("columns", columns_event_);
    viewer.replay_since = clock_.WallMillis() - viewer.replay_ms;
    server::LiveHub::History history = hub_.Since(viewer.replay_since);
    viewer.after = history.last;
    if (viewer.replay_ms > 0) viewer.replay = std::move(history.blocks);
    viewers_.push_back(std::move(viewer));
  }
}

void LiveViewers::Take(const server::LiveBlockRef& block) {
  if (block->late || viewers_.empty()) return;
  for (const model::FlowRow& row : block->rows) {
    std::shared_ptr<const std::string> text;  // rendered once, for the first viewer who wants it
    for (Viewer& viewer : viewers_) {
      if (block->number <= viewer.after || !viewer.filter.Matches(row)) continue;
      if (!text) text = std::make_shared<const std::string>(Render(row));
      Offer(viewer, text);
    }
  }
}

void LiveViewers::Lost(size_t items) {
  for (Viewer& viewer : viewers_) viewer.dropped += items;
}

server::LiveSink::TimePoint LiveViewers::Tick() {
  WelcomeJoining();
  const TimePoint now = std::chrono::steady_clock::now();
  if (now >= next_heartbeat_) {
    Heartbeat();
    next_heartbeat_ = now + options_.heartbeat;
  }
  bool left = false;
  for (Viewer& viewer : viewers_) left = Flush(viewer) || left;
  RemoveGone();
  if (viewers_.empty()) return TimePoint::max();
  return left ? std::min(next_heartbeat_, now + kBacklogRetry) : next_heartbeat_;
}

void LiveViewers::Offer(Viewer& viewer, const std::shared_ptr<const std::string>& text) const {
  if (viewer.backlog_bytes + text->size() > options_.max_backlog_bytes) {
    ++viewer.dropped;
    Count(Metric::server_live_dropped);
    return;
  }
  viewer.backlog_bytes += text->size();
  viewer.backlog.push_back(text);
}

void LiveViewers::Heartbeat() {
  const std::string event = Dump({{"time", FormatTime(clock_.WallMillis())}});
  // One that does not fit is no loss: a stream that is full of rows shows that we live.
  for (Viewer& viewer : viewers_) viewer.stream->Send("heartbeat", event);
}

bool LiveViewers::FlushReplay(Viewer& viewer) {
  while (true) {
    size_t blocks = viewer.replayed_blocks;
    size_t rows = viewer.replayed_rows;
    const std::string event = RowsEvent([&](std::string& text) {
      for (; blocks < viewer.replay.size(); ++blocks, rows = 0) {
        const std::vector<model::FlowRow>& all = viewer.replay[blocks]->rows;
        while (rows < all.size()) {
          const model::FlowRow& row = all[rows++];
          if (row.start < viewer.replay_since || !viewer.filter.Matches(row)) continue;
          text += Render(row);
          return true;
        }
      }
      return false;
    });
    if (event.empty()) break;
    if (!viewer.stream->Send("rows", event)) return true;
    viewer.replayed_blocks = blocks;
    viewer.replayed_rows = rows;
  }
  viewer.replay = {};
  viewer.replayed_blocks = viewer.replayed_rows = 0;
  return false;
}

bool LiveViewers::Flush(Viewer& viewer) {
  viewer.gone = viewer.stream->closed();
  if (viewer.gone) return false;
  if (FlushReplay(viewer)) return true;
  if (viewer.dropped != 0) {
    if (!viewer.stream->Send("dropped", Dump({{"rows", viewer.dropped}}))) return true;
    viewer.dropped = 0;
  }
  while (!viewer.backlog.empty()) {
    size_t taken = 0;
    const std::string event = RowsEvent([&](std::string& text) {
      if (taken == viewer.backlog.size()) return false;
      text += *viewer.backlog[taken++];
      return true;
    });
    if (!viewer.stream->Send("rows", event)) return true;
    for (; taken != 0; --taken) {
      viewer.backlog_bytes -= viewer.backlog.front()->size();
      viewer.backlog.pop_front();
    }
  }
  return false;
}

void LiveViewers::RemoveGone() {
  const size_t removed = std::erase_if(viewers_, [](const Viewer& viewer) { return viewer.gone; });
  if (removed == 0) return;
  const std::lock_guard lock(mutex_);
  count_ -= removed;
}

}  // namespace weir::api

#include "agent/node/node_watch.h"

#include <fmt/format.h>
#include <linux/netlink.h>

#include <algorithm>
#include <future>
#include <iterator>
#include <utility>

#include "base/log.h"
#include "base/metrics.h"
#include "base/thread.h"

namespace weir::agent::node {
namespace {

constexpr Nanos kSecondNanos = 1'000'000'000;
// A window: what led to the event, and what followed.
constexpr Nanos kBefore = 8 * kSecondNanos;
constexpr Nanos kAfter = 2 * kSecondNanos;
// A limit that is hit all the time makes one window in this time, not one a second.
constexpr Nanos kBetweenWindows = 30 * kSecondNanos;
constexpr size_t kMaxPending = 8;
// Between readings for /metrics: long enough to share, and a multiple of what one costs.
constexpr Nanos kFreshAtLeast = 200'000'000;
constexpr Nanos kFreshAtMost = 5 * kSecondNanos;
constexpr Nanos kFreshPerCost = 20;
constexpr const char* kRatesProbe = "node_rates";

}  // namespace

NodeWatch::NodeWatch(NodeOptions options, const Clock& clock)
    : options_(options), clock_(clock), reader_(options.interval, clock) {}

void NodeWatch::Start(const std::function<void(bool enters_namespaces)>& on_thread) {
  reader_.KeepTo(options_.group);
  Status opened = reader_.Open(options_.drops);
  if (opened.ok() && options_.rate_ring) {
    Result<NetlinkSocket> socket = NetlinkSocket::Open(NETLINK_ROUTE);
    if (socket.ok()) {
      rate_socket_ = std::make_unique<NetlinkSocket>(*std::move(socket));
      ring_ =
          std::make_unique<RateRing>([this](uint32_t ifindex) { return ReadCounters(*rate_socket_, ifindex); }, clock_);
    } else {
      reader_.probes().Failed(kRatesProbe, socket.status());
    }
  }
  if (!options_.rate_ring) reader_.probes().Off(kRatesProbe, "switched off by an option");
  if (!opened.ok()) {
    LogWarn("cannot read the limits of this node: {}", opened.message());
    reader_.probes().Failed("node_interfaces", opened);
    probes_ = reader_.probes().reports();
    return;
  }
  std::promise<void> first_pass;
  thread_ = std::thread([this, &first_pass, &on_thread] {
    NameThisThread("weir-node");
    WakeThisThreadLoosely();
    if (on_thread) on_thread(true);
    Pass(false);
    first_pass.set_value();
    Loop();
  });
  first_pass.get_future().wait();
  if (ring_)
    ring_->Start([on_thread] {
      if (on_thread) on_thread(false);
    });
}

void NodeWatch::Loop() {
  const auto interval = std::chrono::nanoseconds(options_.interval);
  auto due = std::chrono::steady_clock::now() + interval;
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait_until(lock, due, [this] { return stopping_ || look_wanted_; });
    if (stopping_) break;
    const bool look = std::exchange(look_wanted_, false);
    lock.unlock();
    if (look) LookNow();
    if (std::chrono::steady_clock::now() >= due) {
      Pass(false);
      // A pass that took longer than the interval is not made up for.
      due = std::max(due + interval, std::chrono::steady_clock::now());
    }
    lock.lock();
  }
  lock.unlock();
  Pass(true);
}

void NodeWatch::Pass(bool last) {
  reader_.Pass();
  std::vector<model::RateWindow> windows;
  if (ring_) {
    ring_->Track(reader_.RateTargets(kMaxRateInterfaces));
    NoteRises();
    CutDue(last, windows);
    const auto [read, tracked] = ring_->coverage();
    const std::string why = WhyRatesPaused();
    const std::string note = read == tracked
                                 ? fmt::format("{} interfaces", read)
                                 : fmt::format("{} of {} interfaces, for more would cost too much", read, tracked);
    why.empty() ? reader_.probes().On(kRatesProbe, note) : reader_.probes().Off(kRatesProbe, why);
  } else {
    reader_.TakeRises();
  }
  Publish(std::move(windows));
}

void NodeWatch::LookNow() {
  const Nanos begin = clock_.MonotonicNanos();
  reader_.Look();
  PublishSnapshot(begin);
}

void NodeWatch::PublishSnapshot(Nanos begin) {
  auto snapshot = std::make_shared<const NodeSnapshot>(reader_.Show());
  const Nanos cost = clock_.MonotonicNanos() - begin;
  const std::lock_guard lock(mutex_);
  snapshot_ = std::move(snapshot);
  snapshot_at_ = begin;
  fresh_for_ = std::clamp(kFreshPerCost * cost, kFreshAtLeast, kFreshAtMost);
  looked_.notify_all();
}

NodeWatch::Looked NodeWatch::Look(std::chrono::milliseconds patience) {
  const Nanos asked = clock_.MonotonicNanos();
  std::unique_lock lock(mutex_);
  if (!thread_.joinable()) return {};
  if (snapshot_ != nullptr && asked - snapshot_at_ < fresh_for_) return {snapshot_, false};
  look_wanted_ = true;
  wake_.notify_all();
  const bool fresh = looked_.wait_for(lock, patience, [&] { return stopping_ || snapshot_at_ >= asked; });
  return {snapshot_, !fresh};
}

void NodeWatch::NoteRises() {
  const Nanos now = clock_.MonotonicNanos();
  for (Rise& rise : reader_.TakeRises()) {
    const auto last = last_cut_.find(rise.ifindex);
    if (last != last_cut_.end() && now - last->second < kBetweenWindows) continue;
    if (pending_.size() >= kMaxPending) return;
    last_cut_[rise.ifindex] = now;
    pending_.push_back({std::move(rise), now, clock_.WallMillis()});
  }
  std::erase_if(last_cut_, [now](const auto& entry) { return now - entry.second >= kBetweenWindows; });
}

void NodeWatch::CutDue(bool all, std::vector<model::RateWindow>& windows) {
  const Nanos now = clock_.MonotonicNanos();
  std::erase_if(pending_, [&](PendingCut& cut) {
    if (!all && now < cut.noticed + kAfter) return false;
    if (auto window = ring_->Cut(cut.rise.ifindex, cut.noticed - kBefore, cut.noticed + kAfter)) {
      window->cause = cut.rise.signal;
      window->cause_subject = std::move(cut.rise.subject);
      window->event = cut.event;
      windows.push_back(*std::move(window));
    }
    return true;
  });
}

void NodeWatch::Publish(std::vector<model::RateWindow> windows) {
  std::vector<model::NodeSample> samples = reader_.TakeSamples();
  std::vector<model::NetNamespace> namespaces = reader_.TakeNamespaces();
  const std::lock_guard lock(mutex_);
  if (!namespaces.empty()) namespaces_ = std::move(namespaces);
  if (samples_.size() + samples.size() > model::kMaxNodeSamples) {
    const size_t excess = std::min(samples_.size(), samples_.size() + samples.size() - model::kMaxNodeSamples);
    Count(Metric::agent_node_samples_dropped, excess);
    samples_.erase(samples_.begin(), samples_.begin() + static_cast<std::ptrdiff_t>(excess));
  }
  std::move(samples.begin(), samples.end(), std::back_inserter(samples_));
  for (model::RateWindow& window : windows) {
    if (windows_.size() < model::kMaxRateWindows) windows_.push_back(std::move(window));
  }
  probes_ = reader_.probes().reports();
}

void NodeWatch::PauseRates(const std::string& why) {
  if (ring_ == nullptr) return;
  ring_->Pause(!why.empty());
  const std::lock_guard lock(mutex_);
  rates_paused_ = why;
}

std::string NodeWatch::WhyRatesPaused() {
  const std::lock_guard lock(mutex_);
  return rates_paused_;
}

void NodeWatch::TakeInto(model::AgentBatch& batch) {
  const std::lock_guard lock(mutex_);
  batch.node_samples = std::exchange(samples_, {});
  batch.rate_windows = std::exchange(windows_, {});
  batch.namespaces = std::exchange(namespaces_, {});
  batch.probes.insert(batch.probes.end(), probes_.begin(), probes_.end());
}

void NodeWatch::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
    looked_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  if (ring_) ring_->Stop();
}

}  // namespace weir::agent::node

#include "agent/node/rate_ring.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/metrics.h"
#include "base/thread.h"

namespace weir::agent::node {
namespace {

constexpr size_t kRoundsPerJudgement = 100;  // a second

// A device that was reset begins again: that step shows nothing.
uint64_t Added(uint64_t before, uint64_t now) { return now >= before ? now - before : 0; }

}  // namespace

void RateRing::Start(std::function<void()> on_thread) {
  thread_ = std::thread([this, prepare = std::move(on_thread)] {
    NameThisThread("weir-rates");
    if (prepare) prepare();
    auto due = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      lock.unlock();
      Step();
      // After a long wait for the CPU one reading makes up for all that were missed.
      due = std::max(due + std::chrono::nanoseconds(Period()), std::chrono::steady_clock::now());
      lock.lock();
      wake_.wait_until(lock, due, [this] { return stopping_; });
    }
  });
}

void RateRing::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void RateRing::Pause(bool paused) {
  const std::lock_guard lock(mutex_);
  paused_ = paused;
  if (!paused) return;
  for (History& history : tracks_) history.readings = {};
}

void RateRing::Track(const std::vector<RateTarget>& targets) {
  const std::lock_guard lock(mutex_);
  std::vector<History> kept;
  for (const RateTarget& target : targets) {
    if (kept.size() == kMaxRateInterfaces) break;
    const auto known = std::find_if(tracks_.begin(), tracks_.end(),
                                    [&](const History& history) { return history.target.ifindex == target.ifindex; });
    kept.push_back({target, known == tracks_.end() ? std::deque<Reading>{} : std::move(known->readings)});
  }
  tracks_ = std::move(kept);
}

void RateRing::Step() {
  const Nanos begin = clock_.MonotonicNanos();
  const std::lock_guard lock(mutex_);
  if (paused_) return;
  for (size_t i = 0; i < std::min(tracks_.size(), limit_); ++i) {
    History& history = tracks_[i];
    const Nanos at = clock_.MonotonicNanos();
    const Result<LinkCounters> counters = read_(history.target.ifindex);
    if (!counters.ok()) continue;  // it is going away, or renamed into another namespace; Track() will say
    if (history.readings.size() == kRateSlots) history.readings.pop_front();
    history.readings.push_back({at, *counters});
    if (history.readings.size() > 1) NoteTraffic(*(history.readings.end() - 2), history.readings.back());
    Count(Metric::agent_node_rate_readings);
  }
  const Nanos round = clock_.MonotonicNanos() - begin;
  Count(Metric::agent_node_rate_microseconds, static_cast<uint64_t>(round / 1'000));
  Judge(round);
}

void RateRing::NoteTraffic(const Reading& before, const Reading& now) {
  const uint64_t bytes =
      Added(before.counters.rx_bytes, now.counters.rx_bytes) + Added(before.counters.tx_bytes, now.counters.tx_bytes);
  const auto elapsed_us = static_cast<uint64_t>(std::max<Nanos>(now.at - before.at, 1'000) / 1'000);
  if (bytes * 1'000'000 / elapsed_us >= kBusyBytesPerSecond) busy_until_ = now.at + kBusyFor;
}

Nanos RateRing::Period() const {
  const std::lock_guard lock(mutex_);
  return clock_.MonotonicNanos() < busy_until_ && !paused_ ? kRatePeriod : kIdleRatePeriod;
}

void RateRing::Judge(Nanos round) {
  spent_ += round;
  if (++rounds_ < kRoundsPerJudgement) return;
  const size_t read = std::min(tracks_.size(), limit_);
  if (spent_ / static_cast<Nanos>(rounds_) > kMaxRoundNanos && read > 1) {
    limit_ = read / 2;
    for (size_t i = limit_; i < tracks_.size(); ++i) tracks_[i].readings.clear();
  }
  spent_ = 0;
  rounds_ = 0;
}

std::optional<model::RateWindow> RateRing::Cut(uint32_t ifindex, Nanos from, Nanos until) const {
  const std::lock_guard lock(mutex_);
  const auto history =
      std::find_if(tracks_.begin(), tracks_.end(), [&](const History& item) { return item.target.ifindex == ifindex; });
  if (history == tracks_.end()) return std::nullopt;
  model::RateWindow window;
  window.subject = history->target.name;
  const Reading* before = nullptr;
  for (const Reading& reading : history->readings) {
    if (reading.at <= from || reading.at > until) continue;
    if (before == nullptr) {
      window.start = (clock_.WallNanos() - (clock_.MonotonicNanos() - reading.at)) / 1'000'000;
    } else {
      window.step_us.push_back(static_cast<uint32_t>((reading.at - before->at) / 1'000));
      window.rx_bytes.push_back(Added(before->counters.rx_bytes, reading.counters.rx_bytes));
      window.tx_bytes.push_back(Added(before->counters.tx_bytes, reading.counters.tx_bytes));
      window.rx_packets.push_back(Added(before->counters.rx_packets, reading.counters.rx_packets));
      window.tx_packets.push_back(Added(before->counters.tx_packets, reading.counters.tx_packets));
    }
    before = &reading;
  }
  return window.step_us.empty() ? std::nullopt : std::optional(std::move(window));
}

std::pair<size_t, size_t> RateRing::coverage() const {
  const std::lock_guard lock(mutex_);
  return {std::min(tracks_.size(), limit_), tracks_.size()};
}

}  // namespace weir::agent::node

#include "apps/scraper.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/metrics.h"
#include "base/thread.h"

namespace weir::apps {
namespace {

constexpr size_t kMaxWaiting = 10'000;  // targets without a place
constexpr int kLongestPeriod = 8;       // periods, of a target that fails or tells nothing
constexpr Nanos kNever = std::numeric_limits<Nanos>::max();
constexpr size_t kMaxToldBytes = 300;

Nanos InNanos(std::chrono::milliseconds time) { return std::chrono::nanoseconds(time).count(); }

}  // namespace

// Pods of one cluster, on the cluster's threads.
class Scraper::Pods final : public model::ClusterListener {
 public:
  Pods(Scraper& scraper, std::string cluster) : scraper_(scraper), cluster_(std::move(cluster)) {}

  void Changed(const model::Pod& pod) override {
    if (!scraper_.options_.pods) return;
    if (std::optional<Target> target = TargetOf(pod, cluster_, scraper_.table_)) {
      scraper_.Put(*std::move(target));
    } else {
      scraper_.Remove(KeyOfPod(cluster_, pod.uid));
    }
  }
  void Changed(const model::Service&) override {}
  void Changed(const model::Endpoints&) override {}
  void Changed(const model::Node&) override {}
  void Changed(const model::Namespace&) override {}
  void Changed(const model::VolumeAttachment&) override {}
  void Gone(Kind kind, const std::string& uid, UnixMillis) override {
    if (kind == Kind::kPod) scraper_.Remove(KeyOfPod(cluster_, uid));
  }
  void Synced(Kind) override {}

 private:
  Scraper& scraper_;
  const std::string cluster_;
};

std::string_view NameOf(TargetState state) {
  switch (state) {
    case TargetState::kWaiting: return "waiting";
    case TargetState::kBelieved: return "believed";
    case TargetState::kUnreachable: return "unreachable";
    case TargetState::kTellsNothing: return "tells_nothing";
    case TargetState::kNotBelieved: return "not_believed";
  }
  return "waiting";
}

Scraper::Scraper(ScraperOptions options, const InferenceServers& table, const Clock& clock, MakeClient make_client)
    : options_(options),
      table_(table),
      clock_(clock),
      make_client_(make_client ? std::move(make_client) : [] { return net::HttpClient::Create({}); }) {}

void Scraper::Start() {
  for (size_t number = 0; number < options_.threads; ++number) {
    threads_.emplace_back([this] {
      NameThisThread("weir-apps");
      Run();
    });
  }
}

void Scraper::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Scraper::Put(Target target) {
  const std::lock_guard lock(mutex_);
  if (const auto known = followed_.find(target.key); known != followed_.end()) {
    if (known->second.target == target) return;
    followed_.erase(known);
  }
  const std::string key = target.key;
  if (waiting_.size() >= kMaxWaiting && !waiting_.contains(key)) return Count(Metric::server_app_targets_refused);
  waiting_[key] = std::move(target);
  Admit();
}

void Scraper::Remove(const std::string& key) {
  const std::lock_guard lock(mutex_);
  if (followed_.erase(key) + waiting_.erase(key) != 0) Admit();
}

void Scraper::Admit() {
  while (!waiting_.empty() && followed_.size() < options_.max_targets) {
    auto first = waiting_.extract(waiting_.begin());
    Followed followed{.target = std::move(first.mapped()), .windows = AppWindows(table_)};
    followed.due = clock_.MonotonicNanos();
    followed.period = options_.period;
    followed_.emplace(first.key(), std::move(followed));
  }
  SetGauge(Metric::server_app_targets, followed_.size());
  SetGauge(Metric::server_app_targets_left_out, waiting_.size());
  changed_.notify_all();
}

model::ClusterListener& Scraper::ListenerOf(const std::string& cluster) {
  return *listeners_.emplace_back(std::make_unique<Pods>(*this, cluster));
}

size_t Scraper::left_out() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

Nanos Scraper::NextDue() const {
  Nanos next = kNever;
  for (const auto& [key, followed] : followed_) {
    if (!followed.busy) next = std::min(next, followed.due);
  }
  return next;
}

void Scraper::Run() {
  const std::unique_ptr<net::HttpClient> client = make_client_();
  while (!stopping_) {
    if (ScrapeOne(*client)) continue;
    std::unique_lock lock(mutex_);
    if (stopping_) return;
    const Nanos next = NextDue();
    const Nanos now = clock_.MonotonicNanos();
    if (next == kNever) {
      changed_.wait(lock);
    } else if (next > now) {
      changed_.wait_for(lock, std::chrono::nanoseconds(next - now));
    }
  }
}

net::ClientRequest Scraper::RequestTo(const std::string& url) const {
  net::ClientRequest request;
  request.url = url;
  request.headers = {{"Accept", "text/plain; version=0.0.4, application/openmetrics-text; version=1.0.0; q=0.5"}};
  request.timeout = options_.timeout;
  request.max_response_bytes = options_.max_body_bytes;
  request.direct = true;
  request.abort = &stopping_;
  return request;
}

bool Scraper::ScrapeOne(net::HttpClient& client) {
  std::string key;
  Target target;
  {
    const std::lock_guard lock(mutex_);
    const Nanos now = clock_.MonotonicNanos();
    Followed* due = nullptr;
    for (auto& [name, followed] : followed_) {
      if (followed.busy || followed.due > now || (due != nullptr && due->due <= followed.due)) continue;
      due = &followed;
      key = name;
    }
    if (due == nullptr) return false;
    due->busy = true;
    target = due->target;
  }
  const Result<net::ClientResponse> response = client.Send(RequestTo(target.url));
  Exposition exposition;
  const bool answered = response.ok() && response->status == 200;
  if (answered) exposition = ReadExposition(response->body, table_);
  const std::lock_guard lock(mutex_);
  const auto still = followed_.find(key);
  if (stopping_ || still == followed_.end() || !(still->second.target == target)) return true;
  Followed& followed = still->second;
  followed.busy = false;
  ++followed.scrapes;
  Count(Metric::server_app_scrapes);
  if (answered) {
    Take(followed, exposition);
  } else {
    Failed(followed, TargetState::kUnreachable,
           response.ok() ? fmt::format("it answers {} in the place of 200", response->status)
                         : response.status().message().substr(0, kMaxToldBytes));
  }
  // From now, not from when it was due: who is slow is not asked more often for it.
  followed.due = clock_.MonotonicNanos() + InNanos(followed.period);
  return true;
}

void Scraper::Failed(Followed& followed, TargetState state, std::string reason) {
  if (state == TargetState::kUnreachable) {
    ++followed.failures;
    Count(Metric::server_app_scrape_failures);
    uint64_t suppressed = 0;
    if (failure_log_.Allow(&suppressed)) {
      LogWarn("numbers of an application: {} (and {} failures before)", reason, suppressed);
    }
  }
  // After a first failure as often as before, then less and less often.
  if (followed.state == state) followed.period = std::min(followed.period * 2, options_.period * kLongestPeriod);
  followed.state = state;
  followed.reason = std::move(reason);
}

void Scraper::Take(Followed& followed, const Exposition& exposition) {
  if (exposition.readings.empty() && exposition.refused.empty()) {
    return Failed(followed, TargetState::kTellsNothing,
                  exposition.samples == 0 ? "it answers no samples: that is no page of metrics"
                                          : "none of its series is of an inference server that Weir knows");
  }
  const UnixMillis now = clock_.WallMillis();
  const bool first = followed.windows.server() == nullptr;
  const AppWindows::Judgement judgement = followed.windows.Add(exposition, now);
  followed.period = options_.period;
  followed.refused += judgement.refused;
  followed.restarts += judgement.restarted ? 1 : 0;
  Count(Metric::server_app_series_refused, judgement.refused);
  if (judgement.refused != 0) {
    followed.state = TargetState::kNotBelieved;
    followed.reason = judgement.why;
    return;
  }
  followed.last_believed = now;
  followed.state = first ? TargetState::kWaiting : TargetState::kBelieved;
  followed.reason = first ? "one reading is no difference yet" : "";
}

std::vector<TargetView> Scraper::View(UnixMillis from, UnixMillis to) const {
  std::vector<TargetView> views;
  const std::lock_guard lock(mutex_);
  std::map<std::string_view, size_t> holders;  // pods of several clusters may have one address
  for (const auto& [key, followed] : followed_) ++holders[followed.target.url];
  for (const auto& [key, followed] : followed_) {
    TargetView& view = views.emplace_back();
    view.target = followed.target;
    view.state = followed.state;
    view.reason = followed.reason;
    view.last_believed = followed.last_believed;
    view.scrapes = followed.scrapes;
    view.failures = followed.failures;
    view.refused = followed.refused;
    view.restarts = followed.restarts;
    view.figures = followed.windows.Between(from, to);
    if (holders[followed.target.url] > 1 && !followed.target.pod.empty()) {
      view.state = TargetState::kNotBelieved;
      view.reason = "several pods are said to have its address, so whose numbers these are is not known";
      view.figures = {};
      view.last_believed = 0;
    }
    if (const InferenceServer* const server = followed.windows.server()) {
      view.server = server->name;
      view.clock_starts = server->clock_starts;
    }
  }
  return views;
}

}  // namespace weir::apps

#include "server/diagnosis.h"

#include <algorithm>
#include <utility>

#include "base/metrics.h"
#include "base/thread.h"
#include "diagnose/finding_json.h"

namespace weir::server {
namespace {

using diagnose::Finding;
using diagnose::HealthIndicator;
using diagnose::Judge;

constexpr std::chrono::milliseconds kTick{1'000};
constexpr Nanos kRetryNanos = 5'000'000'000;
constexpr size_t kMaxUnstored = 20'000;  // of findings, and of indicators
constexpr size_t kMaxFindingsPerInsert = 2'000;
constexpr int64_t kStretchStoredMs = 10 * 60'000;  // an unchanged indicator is stored this often
constexpr uint32_t kMaxRestored = diagnose::kMaxOpen;
// A new server hears its agents again after some seconds: until then silence says nothing.
constexpr int64_t kGraceMs = 20'000;

store::StoredFinding StoredOf(const Finding& finding) {
  return {.id = finding.id,
          .revision = finding.revision,
          .start = finding.start,
          .end = finding.end,
          .open = finding.state == diagnose::FindingState::kOpen,
          .detector = std::string(Describe(finding.detector).name),
          .confidence = std::string(LevelName(finding.level)),
          .about = AboutWhom(finding),
          .text = StoredText(finding)};
}

}  // namespace

Diagnosis::Diagnosis(DiagnosisOptions options, store::FindingStore& store, const Clock& clock)
    : options_(std::move(options)),
      store_(store),
      clock_(clock),
      view_(std::make_shared<DiagnosisView>()),
      judge_(options_.thresholds, options_.capacities) {}

Status Diagnosis::Start() {
  const UnixMillis now = clock_.WallMillis();
  WEIR_ASSIGN_OR_RETURN(
      const store::Findings found,
      store_.Find(store::FindingQuery{.range = {0, now + 1}, .open_only = true, .limit = kMaxRestored}));
  std::vector<Finding> resumed;
  for (const store::StoredFinding& stored : found.findings) {
    Result<Finding> finding = diagnose::FindingFrom(stored.text);
    if (!finding.ok()) continue;  // of a version that wrote another form: it stays as it is
    const auto gap_ms = static_cast<int64_t>(1'000 * options_.thresholds.merge_gap_s);
    if (now - finding->end <= gap_ms + kGraceMs) {
      resumed.push_back(*std::move(finding));
      continue;
    }
    // What went on while no server watched is not known.
    finding->state = diagnose::FindingState::kClosed;
    finding->closed_because = "not_watched";
    ++finding->revision;
    unstored_[finding->id] = StoredOf(*finding);
  }
  judge_.book().Restore(resumed, now, now + kGraceMs);
  thread_ = std::thread([this] {
    NameThisThread("weir-diagnose");
    Run();
  });
  return Status::Ok();
}

void Diagnosis::Stop() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(stopped_, true)) return;
    stopping_ = true;
  }
  wake_.notify_all();
  if (!thread_.joinable()) return;
  thread_.join();
  retry_at_ = 0;
  Step();
}

void Diagnosis::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    wake_.wait_for(lock, kTick, [this] { return stopping_; });
    if (stopping_) return;
    lock.unlock();
    Step();
    lock.lock();
  }
}

bool Diagnosis::Enqueue(size_t cost, Work work, size_t room_factor) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return true;
  // A block above the bound is taken when nothing else waits.
  if (queued_ != 0 && queued_ + cost > options_.max_queued * room_factor) {
    Count(Metric::server_diagnose_dropped, cost);
    return false;
  }
  queued_ += cost;
  queue_.push_back(std::move(work));
  return true;
}

void Diagnosis::EnqueueObject(Work work) { Enqueue(1, std::move(work), 2); }

// Late rows are history: they would be told as if they happened now.
void Diagnosis::Take(const LiveBlockRef& block) {
  if (!block->rows.empty() && !block->late) Tell(block->rows);
  for (const store::NodeBatch& batch : block->nodes) Tell(block, batch);
}

void Diagnosis::Lost(size_t items) {
  Count(Metric::server_diagnose_dropped, items);
  maker_.TellAgain();
}

void Diagnosis::Tell(const std::vector<model::FlowRow>& rows) {
  const auto samples = std::make_shared<const DiagnoseSamples>(maker_.Make(rows, clock_.WallMillis()));
  const bool taken = Enqueue(samples->size() + samples->entities.size(), [samples](Judge& judge, UnixMillis now) {
    for (const model::EntityRef& entity : samples->entities) judge.names().Learn(*entity);
    judge.Add(std::span(samples->flows), now);
    judge.Add(std::span(samples->requests), now);
  });
  if (!taken) maker_.TellAgain();
}

void Diagnosis::Tell(const LiveBlockRef& block, const store::NodeBatch& batch) {
  const size_t cost = batch.samples.size() + batch.windows.size();
  if (cost == 0) return;
  Enqueue(cost, [block, &batch](Judge& judge, UnixMillis now) {
    judge.Add(diagnose::NodeReadings{batch.node, batch.samples, batch.windows}, now);
  });
}

void Diagnosis::Changed(const model::Pod& pod) {
  EnqueueObject([pod](Judge& judge, UnixMillis) { judge.names().Learn(pod); });
}
void Diagnosis::Changed(const model::Endpoints& endpoints) {
  EnqueueObject([endpoints](Judge& judge, UnixMillis) { judge.names().Learn(endpoints); });
}
void Diagnosis::Changed(const model::Node& node) {
  EnqueueObject([node](Judge& judge, UnixMillis) { judge.names().Learn(node); });
}
void Diagnosis::Changed(const model::VolumeAttachment& attachment) {
  EnqueueObject([attachment](Judge& judge, UnixMillis) { judge.names().Learn(attachment); });
}
void Diagnosis::Gone(Kind kind, const std::string& uid, UnixMillis at) {
  EnqueueObject([kind, uid, at](Judge& judge, UnixMillis) { judge.names().Gone(kind, uid, at); });
}

void Diagnosis::Step() {
  std::deque<Work> work;
  {
    const std::lock_guard lock(mutex_);
    work.swap(queue_);
    queued_ = 0;
  }
  const UnixMillis now = clock_.WallMillis();
  for (const Work& one : work) one(judge_, now);
  judge_.Tick(now);
  Keep(judge_.TakeChanges());
  Keep(judge_.TakeEpochs());
  StoreWhatWaits();
  CountLosses();
  Publish(now);
}

void Diagnosis::Keep(std::vector<Finding> changes) {
  for (const Finding& finding : changes) {
    if (unstored_.size() >= kMaxUnstored && !unstored_.contains(finding.id)) {
      Count(Metric::server_findings_lost);
      continue;
    }
    unstored_[finding.id] = StoredOf(finding);
  }
}

void Diagnosis::KeepStretch(const Stretch& stretch) {
  if (unstored_indicators_.size() >= kMaxUnstored) {
    Count(Metric::server_findings_lost);
    return;
  }
  const HealthIndicator& indicator = stretch.indicator;
  unstored_indicators_.push_back({SubjectReference(indicator.scope), indicator.start, indicator.end,
                                  indicator.value.value_or(-1), StoredText(indicator)});
}

// Epochs of one value after the other are one stretch, which is stored when it begins, now and then, and when it ends.
void Diagnosis::Keep(const std::vector<HealthIndicator>& epochs) {
  for (const HealthIndicator& epoch : epochs) {
    const auto [found, added] = stretches_.try_emplace(epoch.scope.key);
    Stretch& stretch = found->second;
    const bool goes_on =
        !added && stretch.indicator.value == epoch.value && epoch.start <= stretch.indicator.end + 1'000;
    if (goes_on) {
      const UnixMillis start = stretch.indicator.start;
      stretch.indicator = epoch;  // the latest counts
      stretch.indicator.start = start;
    } else {
      if (!added) KeepStretch(stretch);
      stretch = {epoch, 0};
    }
    if (goes_on && epoch.value != 1 && epoch.end - stretch.stored_end < kStretchStoredMs) continue;
    KeepStretch(stretch);
    stretch.stored_end = epoch.end;
  }
  // A scope without traffic has no epochs any more.
  const UnixMillis old = clock_.WallMillis() - 2 * kStretchStoredMs;
  std::erase_if(stretches_, [&](const auto& entry) { return entry.second.indicator.end < old; });
}

void Diagnosis::StoreWhatWaits() {
  if (unstored_.empty() && unstored_indicators_.empty()) return;
  if (clock_.MonotonicNanos() < retry_at_) return;
  Status status;
  while (!unstored_.empty() && status.ok()) {
    std::vector<store::StoredFinding> some;
    auto end = unstored_.begin();
    for (; end != unstored_.end() && some.size() < kMaxFindingsPerInsert; ++end) some.push_back(end->second);
    status = store_.Insert(some);
    if (!status.ok()) break;
    Count(Metric::server_findings_stored, some.size());
    unstored_.erase(unstored_.begin(), end);
  }
  if (status.ok()) status = store_.Insert(unstored_indicators_);
  if (status.ok()) {
    unstored_indicators_.clear();
    return;
  }
  Count(Metric::server_findings_store_errors);
  retry_at_ = clock_.MonotonicNanos() + kRetryNanos;
  uint64_t suppressed = 0;
  if (failure_log_.Allow(&suppressed)) {
    LogError("findings could not be stored, will be tried again: {} (and {} failures before)", status.message(),
             suppressed);
  }
}

void Diagnosis::CountLosses() {
  const diagnose::JudgeCounters now = judge_.counters();
  Count(Metric::server_diagnose_samples, now.flows - counted_.flows);
  Count(Metric::server_diagnose_late, now.late - counted_.late);
  Count(Metric::server_diagnose_unusable, now.unusable - counted_.unusable);
  Count(Metric::server_diagnose_not_remembered, now.not_remembered - counted_.not_remembered);
  Count(Metric::server_findings_refused, now.findings_refused - counted_.findings_refused);
  counted_ = now;
}

void Diagnosis::Publish(UnixMillis now) {
  auto view = std::make_shared<DiagnosisView>();
  view->judged = now;
  view->open = judge_.book().Open();
  view->indicators = judge_.indicators();
  view->counters = counted_;
  view->thresholds = options_.thresholds;
  for (const auto& [number, node] : judge_.activity().nodes()) {
    const diagnose::Capacity capacity = judge_.names().CapacityOf(number);
    if (capacity.known()) view->capacities[judge_.names().NodeName(number)] = capacity;
  }
  SetGauge(Metric::server_findings_open, view->open.size());
  const std::lock_guard lock(mutex_);
  view_ = std::move(view);
}

std::shared_ptr<const DiagnosisView> Diagnosis::view() const {
  const std::lock_guard lock(mutex_);
  return view_;
}

}  // namespace weir::server

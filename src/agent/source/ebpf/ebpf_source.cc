#include "agent/source/ebpf/ebpf_source.h"

#include <algorithm>
#include <utility>

#include "agent/source/pipeline.h"
#include "base/log.h"
#include "base/metrics.h"

namespace weir::agent {
namespace {

constexpr uint32_t kRestrainedSnapshots = 5;  // one in so many intervals
// 0.8 us per descriptor of the node. Where nothing is known to be missing, sockets may still have changed hands: then
// a scan takes at most a thousandth of the time.
constexpr Nanos kDescriptorScanPeriod = 10'000'000'000;
constexpr Nanos kIdleScanPeriod = 60'000'000'000;
constexpr int64_t kIdleScanShare = 1'000;

}  // namespace

std::chrono::milliseconds NextPollPeriod(std::chrono::milliseconds period, uint64_t records) {
  const int64_t wanted =
      period.count() * kRecordsPerPoll / static_cast<int64_t>(std::clamp<uint64_t>(records, 1, 1U << 30));
  return std::clamp(std::chrono::milliseconds(wanted), kShortestPollPeriod, kLongestPollPeriod);
}

namespace {

class EbpfSource final : public Source {
 public:
  EbpfSource(const EbpfOptions& options, const Clock& clock, OpenTracker open, source::Surroundings surroundings)
      : clock_(clock),
        open_(std::move(open)),
        pipeline_(flow::SocketTable::Finals::kMarked, options.max_flows, std::move(surroundings), options.names,
                  options.translations) {
    kernel_options_.max_sockets = options.max_sockets;
    kernel_options_.receive_loss = options.receive_loss;
    kernel_options_.within = options.within;
  }

  std::string_view mode() const override { return "ebpf"; }
  std::chrono::milliseconds poll_period() const override { return poll_period_; }
  std::vector<model::ProbeReport> Probes() const override;
  GivenUpMask Dispensable() const override;
  void Restrain(const Restraint& restraint) override;
  kernel::ProgramTime KernelTime() const override {
    return tracker_ == nullptr ? kernel::ProgramTime{} : tracker_->Programs();
  }

  Status Start() override;
  void Poll() override {
    if (tracker_ == nullptr) return;
    const uint64_t before = pipeline_.sockets().records();
    tracker_->DrainRing(pipeline_.sockets());
    pipeline_.RoundEnds();
    FollowSharedPorts();
    PollAgainAfter(pipeline_.sockets().records() - before);
  }
  int wake_fd() const override { return asleep_ ? tracker_->ring_fd() : -1; }
  Status Collect(Nanos now_monotonic, Collection& out) override;

 private:
  void PollAgainAfter(uint64_t records);
  bool IsSnapshotDue();
  Status Snapshot();
  bool CountLosses();
  void ScanDescriptors(Nanos now);
  void FollowSharedPorts();

  const Clock& clock_;
  const OpenTracker open_;
  kernel::KernelOptions kernel_options_;
  source::Pipeline pipeline_;
  std::unique_ptr<kernel::SocketTracker> tracker_;
  std::vector<model::ProbeReport> probes_;
  kernel::KernelLosses losses_;
  std::set<uint16_t> shared_ports_;
  bool final_records_lost_ = false;  // until a complete snapshot has told whose
  std::chrono::milliseconds poll_period_ = kLongestPollPeriod;
  bool asleep_ = false;  // until the kernel says that there is a record
  Nanos next_scan_ = 0;
  Nanos next_idle_scan_ = 0;
  Restraint restraint_;
  uint32_t without_snapshot_ = 0;  // intervals
  RateLimit loss_log_{std::chrono::minutes(1)};
};

// An idle machine wakes nobody: after a time without records the next one does, and from then on the ring is polled.
void EbpfSource::PollAgainAfter(uint64_t records) {
  asleep_ = records == 0 && tracker_->ring_fd() >= 0;
  tracker_->WakeForRecords(asleep_);
  poll_period_ =
      asleep_ ? std::chrono::milliseconds(0) : NextPollPeriod(std::max(poll_period_, kShortestPollPeriod), records);
}

Status EbpfSource::Start() {
  probes_.clear();
  auto opened = open_(kernel_options_, probes_);
  probes_.push_back(pipeline_.IdentityProbe());
  if (!opened.ok()) return opened.status();
  tracker_ = *std::move(opened);
  next_idle_scan_ = clock_.MonotonicNanos() + kIdleScanPeriod;
  // From here on births are tracked; what is older is learnt now, and never replaces what the tracepoint
  // knows.
  if (const Status status = tracker_->ReadExisting(); !status.ok()) {
    LogWarn("connections older than the agent stay invisible: {}", status.message());
    const auto probe = std::find_if(probes_.begin(), probes_.end(),
                                    [](const model::ProbeReport& one) { return one.name == "existing_sockets"; });
    if (probe != probes_.end() && probe->state != "failed") {
      probe->state = "failed";
      probe->reason = status.message();
    }
  }
  return Status::Ok();
}

Status EbpfSource::Collect(Nanos now, Collection& out) {
  if (tracker_ == nullptr) return Status::Unavailable("the eBPF source was not started");
  ScanDescriptors(now);
  Status status;
  if (IsSnapshotDue()) {
    status = Snapshot();
  } else {
    tracker_->DrainRing(pipeline_.sockets());
  }
  FollowSharedPorts();
  tracker_->OnReceiveLoss(pipeline_.sockets().TakeOutOfOrderGroups(), now);
  pipeline_.Emit(now, out);
  return status;
}

std::vector<model::ProbeReport> EbpfSource::Probes() const {
  std::vector<model::ProbeReport> probes = probes_;
  const auto mark = [&](std::string_view name, GivenUp what, std::string_view state, std::string_view meaning) {
    const auto probe = std::find_if(probes.begin(), probes.end(), [&](const auto& one) { return one.name == name; });
    if (probe == probes.end() || probe->state == "failed" || !restraint_.Has(what)) return;
    *probe = {std::string(name), std::string(state), restraint_.Why(what), std::string(meaning)};
  };
  mark("receive_loss", GivenUp::kArrivals, "off", "late arrivals stand still; docs/budget.md");
  mark("snapshot", GivenUp::kSnapshots, "fallback",
       "open connections are read every fifth interval; those that end are exact; docs/budget.md");
  return probes;
}

GivenUpMask EbpfSource::Dispensable() const {
  if (tracker_ == nullptr) return 0;
  const bool arrivals = std::any_of(probes_.begin(), probes_.end(), [](const model::ProbeReport& probe) {
    return probe.name == "receive_loss" && probe.state == "on";
  });
  return MaskOf(GivenUp::kSnapshots) | MaskOf(GivenUp::kNewFlows) | (arrivals ? MaskOf(GivenUp::kArrivals) : 0);
}

void EbpfSource::Restrain(const Restraint& restraint) {
  restraint_ = restraint;
  pipeline_.HoldFlows(restraint.Has(GivenUp::kNewFlows));
  if (tracker_ != nullptr) tracker_->SuspendArrivals(restraint.Has(GivenUp::kArrivals));
}

bool EbpfSource::IsSnapshotDue() {
  if (restraint_.Has(GivenUp::kSnapshots) && ++without_snapshot_ < kRestrainedSnapshots) return false;
  without_snapshot_ = 0;
  return true;
}

Status EbpfSource::Snapshot() {
  using Result = flow::SocketTable::Snapshot;
  final_records_lost_ |= CountLosses();
  const bool complete = final_records_lost_;
  const Nanos begin = clock_.MonotonicNanos();
  pipeline_.sockets().SnapshotBegins(begin);
  Status status = tracker_->Snapshot(complete, pipeline_.sockets());
  const Nanos end = clock_.MonotonicNanos();
  pipeline_.sockets().SnapshotEnds(end, !status.ok() ? Result::kFailed
                                        : complete   ? Result::kComplete
                                                     : Result::kChanged);
  if (status.ok()) final_records_lost_ = false;
  Count(Metric::agent_snapshot_microseconds, static_cast<uint64_t>(end - begin) / 1'000);
  return std::move(status).Annotate("snapshot of live sockets");
}

// True when final records were lost since the last call.
bool EbpfSource::CountLosses() {
  const kernel::KernelLosses now = tracker_->Losses();
  const uint64_t not_tracked = now.map_full - losses_.map_full;
  const uint64_t lost = now.ring_full - losses_.ring_full;
  const uint64_t lost_bytes = now.ring_full_bytes - losses_.ring_full_bytes;
  Count(Metric::agent_arrival_watch_full, now.arrivals_full - losses_.arrivals_full);
  losses_ = now;
  Count(Metric::agent_kernel_map_full, not_tracked);
  Count(Metric::agent_kernel_ring_full, lost);
  uint64_t suppressed = 0;
  if (not_tracked + lost > 0 && loss_log_.Allow(&suppressed)) {
    LogWarn(
        "kernel side lost data: {} sockets not tracked (raise --max-sockets), {} final records with at most "
        "{} bytes "
        "(the agent was starved of CPU)",
        not_tracked, lost, lost_bytes);
  }
  return lost > 0;
}

void EbpfSource::ScanDescriptors(Nanos now) {
  if (now < next_scan_) return;
  if (!pipeline_.sockets().TakeBorrowed() && now < next_idle_scan_) return;
  const Nanos begin = clock_.MonotonicNanos();
  // A probe tells already when this kernel cannot; listeners' processes are a good answer then.
  if (const Status status = tracker_->ReadExisting(); !status.ok()) LogDebug("descriptor scan: {}", status.message());
  const Nanos took = clock_.MonotonicNanos() - begin;
  next_scan_ = now + kDescriptorScanPeriod;
  next_idle_scan_ = now + std::max(kIdleScanPeriod, kIdleScanShare * took);
}

void EbpfSource::FollowSharedPorts() {
  if (pipeline_.sockets().shared_ports() == shared_ports_) return;
  shared_ports_ = pipeline_.sockets().shared_ports();
  tracker_->LearnHolders(shared_ports_);
}

}  // namespace

std::unique_ptr<Source> MakeEbpfSource(EbpfOptions options, const Clock& clock, OpenTracker open,
                                       source::Surroundings surroundings) {
  return std::make_unique<EbpfSource>(options, clock, std::move(open), std::move(surroundings));
}

std::unique_ptr<Source> MakeEbpfSource(EbpfOptions options, const Clock& clock) {
  return MakeEbpfSource(options, clock, OpenKernelTracker, source::SystemSurroundings(clock));
}

Result<std::unique_ptr<kernel::SocketTracker>> OpenKernelTracker(const kernel::KernelOptions& options,
                                                                 std::vector<model::ProbeReport>& probes) {
  WEIR_ASSIGN_OR_RETURN(std::unique_ptr<kernel::KernelTracker> opened, kernel::KernelTracker::Open(options, probes));
  return std::unique_ptr<kernel::SocketTracker>(std::move(opened));
}

}  // namespace weir::agent

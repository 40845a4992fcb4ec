#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <future>
#include <optional>
#include <thread>
#include <utility>

#include "agent/budget/agent_threads.h"
#include "agent/budget/budget.h"
#include "agent/collector.h"
#include "agent/export/data_directory.h"
#include "agent/export/exporter.h"
#include "agent/export/local_names.h"
#include "agent/kernel/group_tree.h"
#include "agent/kernel/unique_fd.h"
#include "agent/metrics/agent_metrics.h"
#include "agent/metrics/endpoint.h"
#include "agent/metrics/instance_id.h"
#include "agent/node/node_watch.h"
#include "agent/place/cloud_place.h"
#include "agent/privileges.h"
#include "agent/start.h"
#include "base/disciplined_clock.h"
#include "base/log.h"
#include "base/thread.h"

namespace weir::agent {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kShortestInterval{100};
constexpr milliseconds kLongestInterval{60'000};
constexpr milliseconds kStopBudget{2'000};
constexpr int kMissedIntervals = 10;  // that make an agent ill
constexpr milliseconds kIllAtLeast{30'000};
constexpr milliseconds kLongestSleep{1'000};  // a stepped or slewed clock is noticed this soon

std::string HostName() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "unknown";
  return name.data();
}

Status CheckOptions(AgentOptions& options) {
  if (options.interval < kShortestInterval || options.interval > kLongestInterval) {
    return Status::Invalid(fmt::format("an interval of {} ms is not within {} ms and {} s", options.interval.count(),
                                       kShortestInterval.count(), kLongestInterval.count() / 1'000));
  }
  if (options.node.empty()) options.node = HostName();
  return Status::Ok();
}

std::string HintFor(const Source& source, const Status& status) {
  if (source.mode() != "ebpf") return "";
  switch (status.code()) {
    case Code::kDenied:
      return "run the agent as root, or with CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, CAP_SYS_PTRACE and "
             "CAP_DAC_READ_SEARCH";
    case Code::kUnsupported: return "use Linux 6.1 or newer with BTF (/sys/kernel/btf/vmlinux)";
    default: return "see the agent's log";
  }
}

void LogIfFailed(std::string_view thread, const Status& status) {
  // Not fatal: an agent with more privileges than it needs still observes. But it must not go unnoticed.
  if (!status.ok()) LogWarn("{} keeps its privileges: {}", thread, status.message());
}

void LogIfNamesUnsaved(const Status& status) {
  // They are asked for again: only an agent that starts while its server is away misses them.
  if (!status.ok()) LogWarn("names of this node's pods could not be kept: {}", status.message());
}

metrics::PodLabels LabelsOf(const LocalNames& names, const std::string& uid, const std::string& container) {
  auto known = uid.empty() ? nullptr : names.OfPod(uid);
  if (known == nullptr && !container.empty()) known = names.OfContainer(container);
  if (known == nullptr) return {};
  metrics::PodLabels labels{known->name_space, known->pod, known->workload_kind, known->workload, "", known->uid};
  for (const model::ContainerName& named : known->containers) {
    if (named.id == container) labels.container = named.name;
  }
  return labels;
}

uint32_t OwnNetNamespace() {
  struct stat info {};
  return ::stat("/proc/self/ns/net", &info) == 0 ? static_cast<uint32_t>(info.st_ino) : 0;
}

// Until `wake` or `stop` is readable or the time has come; -1 is never readable. Whether `wake` is.
bool WaitFor(int stop, int wake, std::chrono::nanoseconds limit) {
  constexpr int64_t kSecondNanos = 1'000'000'000;
  pollfd ends[] = {{stop, POLLIN, 0}, {wake, POLLIN, 0}};
  const timespec time{limit.count() / kSecondNanos, limit.count() % kSecondNanos};
  return ::ppoll(ends, std::size(ends), &time, nullptr) > 0 && ends[1].revents != 0;
}

// Threads: the caller's for Start and Stop; "weir-agent", the loop, which owns the source from its start to
// its end; "weir-export", see exporter.h; "weir-node" and "weir-rates", see node/node_watch.h; those of the endpoint.
class RunningAgent final : public Agent {
 public:
  RunningAgent(AgentOptions options, DataDirectory directory, std::unique_ptr<LocalNames> names,
               std::unique_ptr<Exporter> exporter, const Clock& clock)
      : options_(std::move(options)),
        directory_(std::move(directory)),
        names_(std::move(names)),
        exporter_(std::move(exporter)),
        clock_(clock),
        place_({options_.zone, options_.region}),
        flow_totals_(OwnNetNamespace(), clock) {}
  ~RunningAgent() override { Stop(); }

  Status Start(std::vector<std::unique_ptr<Source>> candidates);
  void Stop() override;
  std::string_view mode() const override { return mode_; }
  std::string metrics_address() const override { return endpoint_ ? endpoint_->address() : ""; }

 private:
  void Loop(std::vector<std::unique_ptr<Source>> candidates, std::promise<Status> started);
  Result<std::unique_ptr<Source>> FirstThatStarts(std::vector<std::unique_ptr<Source>> candidates,
                                                  std::vector<model::ProbeReport>& probes) const;
  std::unique_ptr<node::NodeWatch> StartNodeWatch() const;
  void StartEndpoint();
  std::string Trouble() const;
  budget::Budget::Wiring WireBudget(Source& source, node::NodeWatch* node) const;
  void Collect(Source& source, std::vector<model::ProbeReport> start_probes);

  const AgentOptions options_;
  const DataDirectory directory_;
  const std::unique_ptr<LocalNames> names_;  // the exporter's thread puts them in
  const std::unique_ptr<Exporter> exporter_;
  const Clock& clock_;
  PlaceFinder place_;
  std::string mode_;                       // set before Start() returns, constant then
  std::unique_ptr<node::NodeWatch> node_;  // made by the loop before Start() returns, stopped by it
  metrics::FlowTotals flow_totals_;
  std::unique_ptr<metrics::AgentMetrics> metrics_;
  std::unique_ptr<metrics::Endpoint> endpoint_;  // ends before what it shows
  std::atomic<Nanos> collected_{0};              // monotonic; 0 = never

  std::atomic<bool> stopping_ = false;
  const kernel::UniqueFd stop_{::eventfd(0, EFD_CLOEXEC)};  // readable once stopping
  std::thread loop_;
};

Status RunningAgent::Start(std::vector<std::unique_ptr<Source>> candidates) {
  if (!stop_.valid()) return Status::Unavailable("out of descriptors; raise the limit of open files");
  metrics::AgentFacts facts{
      .node = options_.node,
      .instance_id = options_.instance_id.empty() ? metrics::ReadInstanceId() : options_.instance_id,
      .version = WEIR_VERSION,
      .mode = "",
      .started = clock_.WallMillis()};
  std::promise<Status> started;
  std::future<Status> result = started.get_future();
  loop_ = std::thread([this, sources = std::move(candidates), promise = std::move(started)]() mutable {
    NameThisThread("weir-agent");
    WakeThisThreadLoosely();
    budget::CountThisThread();
    Loop(std::move(sources), std::move(promise));
  });
  if (Status status = result.get(); !status.ok()) {
    loop_.join();
    return status;
  }
  const bool drop = options_.drop_privileges;
  exporter_->Start([drop] {
    budget::CountThisThread();
    if (drop) LogIfFailed("thread weir-export", KeepNoPrivileges());
  });
  // The calling thread too, and with it every thread it makes later: in one process the weakest thread
  // counts.
  if (drop) LogIfFailed("the starting thread", KeepNoPrivileges());
  facts.mode = mode_;
  metrics_ = std::make_unique<metrics::AgentMetrics>(
      std::move(facts), node_.get(), flow_totals_,
      [this](const std::string& uid, const std::string& container) { return LabelsOf(*names_, uid, container); },
      clock_);
  StartEndpoint();
  return Status::Ok();
}

// A node is observed all the same where its port is taken.
void RunningAgent::StartEndpoint() {
  if (options_.metrics_listen.empty()) return;
  auto endpoint = metrics::Endpoint::Start(
      options_.metrics_listen,
      {.visit = [this](MetricVisitor& visitor) { metrics_->Visit(visitor); },
       .ill = [this] { return Trouble(); },
       .not_ready = [this] { return collected_ == 0 ? "no interval has ended yet" : Trouble(); }});
  if (!endpoint.ok()) {
    LogWarn("no metrics are served: {}", endpoint.status().message());
    return;
  }
  endpoint_ = *std::move(endpoint);
  LogInfo("metrics of this node: http://{}/metrics", endpoint_->address());
}

std::string RunningAgent::Trouble() const {
  const Nanos last = collected_;
  const milliseconds limit = std::max(kIllAtLeast, options_.interval * kMissedIntervals);
  const Nanos silent = clock_.MonotonicNanos() - last;
  if (last == 0 || silent < std::chrono::nanoseconds(limit).count()) return "";
  return fmt::format("nothing was collected for {} s", silent / 1'000'000'000);
}

void RunningAgent::Loop(std::vector<std::unique_ptr<Source>> candidates, std::promise<Status> started) {
  std::vector<model::ProbeReport> probes;
  Result<std::unique_ptr<Source>> source = FirstThatStarts(std::move(candidates), probes);
  if (!source.ok()) {
    started.set_value(source.status());
    return;
  }
  mode_ = (*source)->mode();
  node_ = StartNodeWatch();
  // Only now: loading and attaching eBPF programs needs more than reading their maps.
  if (options_.drop_privileges)
    LogIfFailed("thread weir-agent", KeepPrivilegesForCollecting(mode_, options_.observe.nat));
  started.set_value(Status::Ok());
  Collect(**source, std::move(probes));
}

// "" where it is not given, or has gone since.
std::string GroupOf(const std::filesystem::path& within) {
  if (within.empty()) return "";
  const Result<kernel::GroupPlace> place = kernel::FindGroup(within);
  return place.ok() ? place->path : "";
}

// Its threads start with all privileges of this one, and each gives up what it does not need.
std::unique_ptr<node::NodeWatch> RunningAgent::StartNodeWatch() const {
  if (!options_.node_signals) return nullptr;
  auto watch = std::make_unique<node::NodeWatch>(node::NodeOptions{.interval = options_.interval,
                                                                   .rate_ring = options_.rate_ring,
                                                                   .drops = options_.drops && options_.allow_ebpf,
                                                                   .group = GroupOf(options_.observe.within)},
                                                 clock_);
  watch->Start([drop = options_.drop_privileges](bool enters_namespaces) {
    budget::CountThisThread();
    if (!drop) return;
    if (enters_namespaces) {
      LogIfFailed("thread weir-node", KeepPrivilegesForNode());
    } else {
      LogIfFailed("thread weir-rates", KeepNoPrivileges());
    }
  });
  return watch;
}

Result<std::unique_ptr<Source>> RunningAgent::FirstThatStarts(std::vector<std::unique_ptr<Source>> candidates,
                                                              std::vector<model::ProbeReport>& probes) const {
  if (!options_.allow_ebpf) probes.push_back({"ebpf", "off", "switched off by an option", "start without it"});
  Status last = Status::Unsupported("there is nothing to collect with");
  std::string reasons;
  for (std::unique_ptr<Source>& candidate : candidates) {
    const Status status = candidate->Start();
    const std::string mode(candidate->mode());
    if (status.ok()) {
      LogInfo("agent {} observes node {} with {}, every {} ms", directory_.agent_id(), options_.node, mode,
              options_.interval.count());
      return std::move(candidate);
    }
    LogWarn("cannot collect with {}: {}", mode, status.message());
    probes.push_back({mode, "failed", status.message(), HintFor(*candidate, status)});
    reasons += (reasons.empty() ? "" : "; ") + mode + ": " + status.message();
    last = Status(status.code(), "no way to observe this node: " + reasons);
    candidate.reset();  // gives back what it had half made
  }
  return last;
}

budget::Budget::Wiring RunningAgent::WireBudget(Source& source, node::NodeWatch* node) const {
  budget::Budget::Wiring wiring;
  wiring.read = [this, &source] {
    return budget::Reading{.at = clock_.MonotonicNanos(),
                           .threads = budget::CpuOfAgentThreads(),
                           .programs = source.KernelTime(),
                           .memory_bytes = budget::ResidentBytes()};
  };
  wiring.there = [&source, node] {
    const bool rates = node != nullptr && node->HasRates();
    return source.Dispensable() | (rates ? MaskOf(GivenUp::kRates) : 0);
  };
  wiring.restrain = [&source, node](const Restraint& restraint) {
    if (node != nullptr) node->PauseRates(restraint.Why(GivenUp::kRates));
    source.Restrain(restraint);
  };
  return wiring;
}

void RunningAgent::Collect(Source& source, std::vector<model::ProbeReport> start_probes) {
  node::NodeWatch* const node = node_.get();
  CollectorOptions options;
  options.agent_id = directory_.agent_id();
  options.machine = ReadBootId();
  options.node = options_.node;
  options.version = WEIR_VERSION;
  options.interval = options_.interval;
  options.start_probes = std::move(start_probes);
  options.only_seen_namespaces = !options_.observe.within.empty();
  if (node == nullptr) options.start_probes.push_back({"node_signals", "off", "switched off by an option", ""});
  budget::Budget budget(options_.budget, WireBudget(source, node));
  options.contribute = [this, node, &budget](model::AgentBatch& batch) {
    batch.names = names_->version();
    Place place = place_.place();
    batch.zone = std::move(place.zone);
    batch.region = std::move(place.region);
    if (node != nullptr) node->TakeInto(batch);
    budget.OnInterval(batch);
  };
  Collector collector(
      std::move(options), source,
      [this](model::AgentBatch batch) {
        flow_totals_.Add(batch.reports);
        collected_ = clock_.MonotonicNanos();
        exporter_->Submit(std::move(batch));
      },
      clock_);
  for (bool woken = false; !stopping_;) {
    const std::chrono::nanoseconds next(collector.RunDue(woken));
    woken = WaitFor(stop_.get(), source.wake_fd(), std::min<std::chrono::nanoseconds>(next, kLongestSleep));
  }
  if (node != nullptr) node->Stop();  // its last reading goes into the last batch
  collector.Finish();
}

void RunningAgent::Stop() {
  if (!loop_.joinable()) return;
  endpoint_.reset();
  const auto deadline = std::chrono::steady_clock::now() + kStopBudget;
  stopping_ = true;
  (void)::eventfd_write(stop_.get(), 1);
  loop_.join();
  const auto left = std::chrono::duration_cast<milliseconds>(deadline - std::chrono::steady_clock::now());
  exporter_->Stop(std::max(left, milliseconds(0)));
  LogIfNamesUnsaved(names_->Save(/*now=*/true));
}

}  // namespace

Result<std::unique_ptr<Agent>> StartAgent(AgentOptions options, std::vector<std::unique_ptr<Source>> candidates,
                                          wire::BatchSink& sink, const Clock& clock) {
  WEIR_RETURN_IF_ERROR(CheckOptions(options));
  WEIR_ASSIGN_OR_RETURN(DataDirectory directory, DataDirectory::Open(options.data_dir));
  ExporterOptions exporting;
  exporting.spool_directory = directory.spool();
  exporting.spool_limit_bytes = options.spool_limit_bytes;
  exporting.jitter_seed = std::hash<std::string>()(directory.agent_id());
  auto names = std::make_unique<LocalNames>(directory.path(), clock);
  exporting.on_ack = [keep = names.get()](const wire::Ack& ack) {
    keep->Apply(ack.names);
    LogIfNamesUnsaved(keep->Save());
  };
  WEIR_ASSIGN_OR_RETURN(std::unique_ptr<Exporter> exporter, Exporter::Open(std::move(exporting), sink, clock));
  auto agent = std::make_unique<RunningAgent>(std::move(options), std::move(directory), std::move(names),
                                              std::move(exporter), clock);
  WEIR_RETURN_IF_ERROR(agent->Start(std::move(candidates)));
  return std::unique_ptr<Agent>(std::move(agent));
}

}  // namespace weir::agent

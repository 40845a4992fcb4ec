#include "agent/kernel/kernel_tracker.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <malloc.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <map>
#include <string>

#include "agent/kernel/bpf_link.h"
#include "bpf/abi.h"

#include <weir.skel.h>  // needs the types of bpf/abi.h

#include "agent/kernel/accept_queues.h"
#include "agent/kernel/arrival_watch.h"
#include "agent/kernel/bpf_log.h"
#include "agent/kernel/group_tree.h"
#include "agent/kernel/net_namespaces.h"
#include "agent/kernel/own_namespaces.h"
#include "agent/kernel/program_choice.h"
#include "agent/kernel/snapshot_reader.h"
#include "agent/kernel/unique_fd.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/thread.h"

namespace weir::agent::kernel {
namespace {

constexpr uint32_t kPage = 4096;
constexpr uint32_t kMinRing = 1U << 20;
constexpr uint32_t kMaxRing = 8U << 20;
constexpr uint32_t kMaxMapEntries = 1U << 24;
// Of one snapshot: each but the last looks at 2,048 places, hands over 256 records, or fills half a ring.
constexpr uint32_t kMaxPasses = 256;
constexpr uint32_t kSocketsPerPass = 64;
constexpr size_t kMaxNamespaces = 4'096;
constexpr uint32_t kMaxScanNumber = 255;  // weir_socket::scan

uint32_t RingBytes(const KernelOptions& options) {
  const uint64_t wanted = options.ring_bytes != 0
                              ? options.ring_bytes
                              : std::clamp<uint64_t>(uint64_t{options.max_sockets} * 64, kMinRing, kMaxRing);
  return std::bit_ceil(static_cast<uint32_t>(std::clamp<uint64_t>(wanted, kPage, 1U << 30)));
}

struct DestroySkeleton {
  void operator()(weir_bpf* skeleton) const { weir_bpf__destroy(skeleton); }
};
struct FreeRing {
  void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
};
using Skeleton = std::unique_ptr<weir_bpf, DestroySkeleton>;

// Counts what passes, makes overflows of listeners' drops, then hands it on.
class CountingSink final : public RecordSink {
 public:
  CountingSink(RecordSink& next, AcceptQueues& queues) : next_(next), queues_(queues) {}
  ~CountingSink() override {
    Count(Metric::agent_final_records, finals_);
    Count(Metric::agent_snapshot_records, live_);
  }
  void OnRecord(const weir_record& record) override {
    ++(record.kind == WEIR_RECORD_FINAL ? finals_ : live_);
    if (record.state != TCP_LISTEN) return next_.OnRecord(record);
    weir_record listener = record;
    listener.drops = queues_.Overflows(record);
    next_.OnRecord(listener);
  }

 private:
  RecordSink& next_;
  AcceptQueues& queues_;
  uint64_t finals_ = 0;
  uint64_t live_ = 0;
};

class Tracker final : public KernelTracker {
 public:
  Tracker(Skeleton skeleton, std::string snapshot, std::vector<std::string> existing, bool every_place)
      : skeleton_(std::move(skeleton)),
        snapshot_(std::move(snapshot)),
        existing_(std::move(existing)),
        every_place_(every_place) {}

  Status Attach();
  // After Attach().
  model::ProbeReport WatchArrivals(ReceiveLoss mode);
  void DrainRing(RecordSink& sink) override;
  Status Snapshot(bool complete, RecordSink& sink) override;
  Status ReadExisting() override;
  KernelLosses Losses() override;
  void OnReceiveLoss(std::span<const uint64_t> cgroup_ids, Nanos now) override;
  void SuspendArrivals(bool suspended) override;
  void LearnHolders(const std::set<uint16_t>& ports) override;
  int ring_fd() const override { return ring_buffer__epoll_fd(ring_.get()); }
  void WakeForRecords(bool wake) override { skeleton_->bss->weir_agent_sleeps = wake ? 1 : 0; }
  ProgramTime Programs() const override { return TimeOfPrograms(skeleton_->obj); }
  std::string_view snapshot_program() const override { return snapshot_; }
  std::string_view existing_program() const override {
    return existing_.empty() ? std::string_view{} : std::string_view(existing_.front());
  }

 private:
  static int OnRingRecord(void* self, void* data, size_t size);
  Status RunPasses(RecordSink& sink);
  Status ReadIterator(RecordSink& sink);
  Status RunProgram(const bpf_program* program);
  Status RunIterator(std::string_view program);
  Status RunExisting(std::string_view program);
  void SettleHolders();

  Skeleton skeleton_;
  const std::string snapshot_;
  const std::vector<std::string> existing_;
  const bool every_place_;
  std::unique_ptr<ring_buffer, FreeRing> ring_;
  BpfLink tcp_state_;
  BpfLink retransmit_;
  BpfLink attempt_error_;
  BpfLink snapshot_link_;
  std::map<std::string, BpfLink, std::less<>> existing_links_;  // of those that are iterators, by name
  UniqueFd own_socket_;                                         // for weir_existing_tasks
  std::unique_ptr<ArrivalWatch> arrivals_;                      // null = nobody's are watched
  bool scanned_ = false;                                        // existing sockets
  uint32_t scans_ = 0;
  bool all_arrivals_ = false;  // not only where there is evidence
  bool arrivals_suspended_ = false;
  RateLimit arrivals_log_{std::chrono::minutes(1)};
  RecordSink* sink_ = nullptr;  // during DrainRing
  AcceptQueues queues_{ReadListenOverflows};
};

Status Tracker::Attach() {
  const BpfLogCapture log;
  ring_.reset(ring_buffer__new(bpf_map__fd(skeleton_->maps.weir_ring), OnRingRecord, this, nullptr));
  if (ring_ == nullptr) return FromLibbpf(errno, "map the ring buffer", log);
  tcp_state_.reset(bpf_program__attach(skeleton_->progs.weir_tcp_state));
  if (tcp_state_ == nullptr) return FromLibbpf(errno, "attach weir_tcp_state", log);
  for (const auto& [link, program] : {std::pair{&retransmit_, skeleton_->progs.weir_retransmit},
                                      std::pair{&attempt_error_, skeleton_->progs.weir_attempt_error}}) {
    if (!bpf_program__autoload(program)) continue;
    link->reset(bpf_program__attach(program));
    if (*link == nullptr) return FromLibbpf(errno, std::string("attach ") + bpf_program__name(program), log);
  }
  if (snapshot_ == kSnapshotIter) {
    bpf_iter_link_info info{};
    info.map.map_fd = static_cast<__u32>(bpf_map__fd(skeleton_->maps.weir_sockets));
    LIBBPF_OPTS(bpf_iter_attach_opts, options, .link_info = &info, .link_info_len = sizeof(info));
    snapshot_link_.reset(bpf_program__attach_iter(skeleton_->progs.weir_snapshot_iter, &options));
    if (snapshot_link_ == nullptr) return FromLibbpf(errno, "attach weir_snapshot_iter", log);
  }
  for (const std::string& name : existing_) {
    if (name == kExistingTasks) {
      own_socket_ = UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      if (!own_socket_.valid()) return Status::FromErrno(errno, "make a socket");
      skeleton_->bss->weir_own_socket = static_cast<weir_u32>(own_socket_.get());
      continue;
    }
    BpfLink& link = existing_links_[name];
    link.reset(bpf_program__attach(bpf_object__find_program_by_name(skeleton_->obj, name.c_str())));
    if (link == nullptr) return FromLibbpf(errno, "attach " + name, log);
  }
  return Status::Ok();
}

model::ProbeReport Tracker::WatchArrivals(ReceiveLoss mode) {
  const std::string name = "receive_loss";
  if (mode == ReceiveLoss::kOff) return {name, "off", "switched off by an option", "start without --receive-loss off"};
  if (!bpf_program__autoload(skeleton_->progs.weir_arrivals_ingress)) {
    const Trial trial = TryProgram(kArrivals);
    return {name, "failed", trial.reason, HintFor(trial.error)};
  }
  auto watch = ArrivalWatch::Make(skeleton_->progs.weir_arrivals_ingress);
  Status status = watch.status();
  if (status.ok() && mode == ReceiveLoss::kAlways) {
    all_arrivals_ = true;
    skeleton_->bss->weir_arrivals_watched = 1;
    status = (*watch)->WatchAll();
  }
  if (!status.ok()) {
    return {name, "failed", status.message(), "mount the cgroup2 file system; late arrivals read 0 without it"};
  }
  arrivals_ = *std::move(watch);
  if (arrivals_->sees_machine()) return {name, "on", "", ""};
  return {name, "fallback", std::string(kOwnGroupOnly), std::string(kOwnGroupHint)};
}

void Tracker::OnReceiveLoss(std::span<const uint64_t> cgroup_ids, Nanos now) {
  if (arrivals_ == nullptr || arrivals_suspended_) return;
  // Only now that somebody's are watched does every end of a connection look for them.
  if (!cgroup_ids.empty()) skeleton_->bss->weir_arrivals_watched = 1;
  for (const uint64_t id : cgroup_ids) {
    const Status status = arrivals_->Watch(id, now);
    uint64_t suppressed = 0;
    if (!status.ok() && status.code() != Code::kNotFound && arrivals_log_.Allow(&suppressed)) {
      LogWarn("late arrivals of a control group are not counted: {}", status.message());
    }
  }
  arrivals_->Expire(now);
}

void Tracker::SuspendArrivals(bool suspended) {
  if (arrivals_ == nullptr || suspended == arrivals_suspended_) return;
  arrivals_suspended_ = suspended;
  if (suspended) {
    arrivals_->WatchNone();
  } else if (all_arrivals_) {
    if (const Status status = arrivals_->WatchAll(); !status.ok()) LogWarn("late arrivals: {}", status.message());
  }
}

void Tracker::LearnHolders(const std::set<uint16_t>& ports) {
  auto& bits = skeleton_->bss->weir_shared_ports;
  std::array<weir_u8, sizeof(bits)> wanted{};
  for (const uint16_t port : ports) wanted[port >> 3] |= static_cast<weir_u8>(1U << (port & 7));
  std::copy(wanted.begin(), wanted.end(), std::begin(bits));
  skeleton_->bss->weir_ports_shared = ports.empty() ? 0 : 1;
}

int Tracker::OnRingRecord(void* self, void* data, size_t size) {
  if (size >= sizeof(weir_record)) static_cast<Tracker*>(self)->sink_->OnRecord(*static_cast<weir_record*>(data));
  return 0;
}

void Tracker::DrainRing(RecordSink& sink) {
  CountingSink counting(sink, queues_);
  sink_ = &counting;
  ring_buffer__consume(ring_.get());
  sink_ = nullptr;
}

Status Tracker::Snapshot(bool complete, RecordSink& sink) {
  // The ring first: a socket closed before the snapshot must be history before its pointer is met again.
  DrainRing(sink);
  uint32_t& number = skeleton_->bss->weir_snapshot_number;
  number = std::max(number + 1, 1U);
  skeleton_->bss->weir_snapshot_complete = complete ? 1 : 0;
  Status status = snapshot_ == kSnapshotIter ? ReadIterator(sink) : RunPasses(sink);
  DrainRing(sink);
  return status;
}

Status Tracker::RunProgram(const bpf_program* program) {
  LIBBPF_OPTS(bpf_test_run_opts, options);
  const int error = bpf_prog_test_run_opts(bpf_program__fd(program), &options);
  return error == 0 ? Status::Ok() : Status::FromErrno(-error, std::string("run ") + bpf_program__name(program));
}

Status Tracker::RunPasses(RecordSink& sink) {
  const bpf_program* program =
      snapshot_ == kSnapshotCast ? skeleton_->progs.weir_snapshot_cast : skeleton_->progs.weir_snapshot_probed;
  const uint32_t most = kMaxPasses + bpf_map__max_entries(skeleton_->maps.weir_sockets) / kSocketsPerPass;
  skeleton_->bss->weir_next = 0;
  if (every_place_) skeleton_->data->weir_list_anew = 1;
  for (uint32_t pass = 0; pass < most; ++pass) {
    WEIR_RETURN_IF_ERROR(RunProgram(program));
    DrainRing(sink);
    if (skeleton_->bss->weir_snapshot_more == 0) return Status::Ok();
    LetOthersRun();
  }
  return Status::Unavailable("the snapshot did not end: sockets change faster than their records are read");
}

Status Tracker::ReadIterator(RecordSink& sink) {
  const UniqueFd iterator(bpf_iter_create(bpf_link__fd(snapshot_link_.get())));
  if (!iterator.valid()) return Status::FromErrno(errno, "open " + snapshot_);
  CountingSink counting(sink, queues_);
  return ReadRecords([fd = iterator.get()](void* to, size_t size) { return ::read(fd, to, size); }, counting);
}

Status Tracker::RunIterator(std::string_view program) {
  const UniqueFd iterator(bpf_iter_create(bpf_link__fd(existing_links_.find(program)->second.get())));
  if (!iterator.valid()) return Status::FromErrno(errno, "open " + std::string(program));
  std::array<char, 256> nothing{};  // the program writes no text
  for (;;) {
    const ssize_t size = ::read(iterator.get(), nothing.data(), nothing.size());
    if (size == 0) return Status::Ok();
    if (size < 0 && errno != EAGAIN && errno != EINTR) {
      return Status::FromErrno(errno, "read " + std::string(program));
    }
  }
}

Status Tracker::RunExisting(std::string_view program) {
  if (program == kExistingTasks) return RunProgram(skeleton_->progs.weir_existing_tasks);
  if (program == kExistingFiles) return RunIterator(program);
  Status status;
  for (const NetNamespace& netns : ListNetNamespaces(kMaxNamespaces)) {
    // One namespace that cannot be entered hides its sockets only.
    Status one = RunInNetNamespace(netns.fd.get(), [&] { return RunIterator(program); });
    if (!one.ok()) status = std::move(one);
  }
  return status;
}

Status Tracker::ReadExisting() {
  if (existing_.empty()) return Status::Unsupported("no program that finds existing sockets works on this kernel");
  skeleton_->bss->weir_first_scan = scanned_ ? 0 : 1;
  skeleton_->bss->weir_scan_number = scans_ % kMaxScanNumber + 1;
  scanned_ = true;
  ++scans_;
  skeleton_->data->weir_list_anew = 1;
  Status status;
  for (const std::string& program : existing_) {
    if (Status one = RunExisting(program); !one.ok()) status = std::move(one);
  }
  // A scan that broke off did not meet everybody.
  if (status.ok()) SettleHolders();
  return status;
}

void Tracker::SettleHolders() {
  if (!bpf_program__autoload(skeleton_->progs.weir_settle_holders)) return;
  if (const Status status = RunProgram(skeleton_->progs.weir_settle_holders); !status.ok()) {
    LogDebug("who holds which socket: {}", status.message());
  }
}

KernelLosses Tracker::Losses() {
  const auto sum = [this](uint32_t index) {
    std::vector<uint64_t> values(static_cast<size_t>(std::max(libbpf_num_possible_cpus(), 1)));
    uint64_t total = 0;
    if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.weir_counters), &index, values.data()) != 0) return total;
    for (const uint64_t value : values) total += value;
    return total;
  };
  return {.map_full = sum(WEIR_COUNTER_MAP_FULL),
          .ring_full = sum(WEIR_COUNTER_RING_FULL),
          .ring_full_bytes = sum(WEIR_COUNTER_RING_FULL_BYTES),
          .stale = sum(WEIR_COUNTER_STALE),
          .arrivals_full = sum(WEIR_COUNTER_ARRIVALS_FULL)};
}

// Whether the running kernel's tcp_sock has a field.
bool KernelHasTcpField(const char* name) {
  btf* kernel = btf__load_vmlinux_btf();
  if (kernel == nullptr) return false;
  bool found = false;
  const int id = btf__find_by_name_kind(kernel, "tcp_sock", BTF_KIND_STRUCT);
  if (const btf_type* type = id > 0 ? btf__type_by_id(kernel, static_cast<__u32>(id)) : nullptr; type != nullptr) {
    const btf_member* member = btf_members(type);
    for (int i = 0; i < btf_vlen(type); ++i) {
      found |= std::strcmp(btf__name_by_offset(kernel, member[i].name_off), name) == 0;
    }
  }
  btf__free(kernel);
  return found;
}

Result<Skeleton> Load(const KernelOptions& options, const std::vector<std::string_view>& programs) {
  const BpfLogCapture log;
  Skeleton skeleton(weir_bpf__open());
  if (skeleton == nullptr) return FromLibbpf(errno, "open the BPF object", log);
  const uint32_t ring = RingBytes(options);
  bpf_map__set_max_entries(skeleton->maps.weir_sockets,
                           std::bit_ceil(std::clamp(options.max_sockets, 1U, kMaxMapEntries)));
  bpf_map__set_max_entries(skeleton->maps.weir_holders, bpf_map__max_entries(skeleton->maps.weir_sockets));
  // Half as many and 2,048 more may be gone, or listed twice.
  const uint32_t sockets = bpf_map__max_entries(skeleton->maps.weir_sockets);
  const uint32_t places = sockets + sockets / 2 + 2'048;
  const auto cpus = static_cast<uint32_t>(std::max(libbpf_num_possible_cpus(), 1));
  bpf_map__set_max_entries(skeleton->maps.weir_list, places);
  bpf_map__set_max_entries(skeleton->maps.weir_births, cpus);
  skeleton->rodata->weir_cpus = cpus;
  bpf_map__set_max_entries(skeleton->maps.weir_ring, ring);
  skeleton->rodata->weir_live_ring_bytes = ring / 2;
  if (!options.within.empty()) {
    WEIR_ASSIGN_OR_RETURN(const GroupPlace place, FindGroup(options.within));
    skeleton->rodata->weir_within_level = place.level;
    skeleton->rodata->weir_within_id = place.id;
  }
  if (!SelectPrograms(skeleton->obj, programs)) return Status::Internal("the BPF object lacks a program");
  if (const int error = weir_bpf__load(skeleton.get()); error != 0)
    return FromLibbpf(-error, "load the BPF object", log);
  return skeleton;
}

struct Loaded {
  Skeleton skeleton;
  std::string snapshot;
  std::vector<std::string> existing;
};

std::vector<std::string_view> Order(const std::vector<std::string>& wanted, std::vector<std::string_view> preferred) {
  return wanted.empty() ? std::move(preferred) : std::vector<std::string_view>(wanted.begin(), wanted.end());
}

// The descriptor tables of all processes, where the agent sees them; iter/task_file walks its own process namespace.
std::vector<std::string_view> ExistingOrder(const KernelOptions& options, bool whole_machine) {
  return Order(options.existing_programs, {whole_machine ? kExistingFiles : kExistingTasks, kExistingTcp});
}

// What is found without the machine's processes: those of the agent's own namespace, and the sockets of network
// namespaces that it can reach.
void AddOwnProcesses(model::ProbeReport& probe, std::vector<std::string>& programs) {
  if (TryProgram(kExistingFiles).works) programs.emplace_back(kExistingFiles);
  probe.state = "fallback";
  probe.reason = "the agent has a process namespace of its own: " + probe.reason;
  probe.hint =
      "listeners older than the agent have no process, and sockets in network namespaces it cannot reach are missing; "
      "start it in the machine's process namespace (--pid host, hostPID: true), or on Linux 6.7 or newer";
}

struct ExistingChoice {
  std::vector<std::string> programs;
  model::ProbeReport report;
};

ExistingChoice ChooseExisting(const KernelOptions& options, bool whole_machine) {
  Choice choice = ChooseProgram("existing_sockets", ExistingOrder(options, whole_machine),
                                "names no processes; Linux 5.11 or newer reads descriptor tables");
  ExistingChoice existing{{}, std::move(choice.report)};
  if (!choice.program.empty()) existing.programs.push_back(choice.program);
  const bool without_processes = choice.program == kExistingTcp && options.existing_programs.empty();
  if (!whole_machine && without_processes) AddOwnProcesses(existing.report, existing.programs);
  return existing;
}

// Each program alone, to tell which of them this kernel refuses and why.
Result<Loaded> LoadEach(const KernelOptions& options, bool whole_machine,
                        const std::vector<std::string_view>& snapshots, std::string_view arrivals,
                        std::vector<model::ProbeReport>& probes) {
  const Trial state = TryProgram(kTcpState);
  const std::string hint = state.works ? "" : HintFor(state.error);
  probes.push_back({"tcp_state", state.works ? "on" : "failed", state.reason, hint});
  if (!state.works) {
    return Status(CodeFor(state.error), "weir_tcp_state: " + state.reason + "; " + hint);
  }
  const Choice retransmit = ChooseProgram("retransmit", {kRetransmit}, "");
  const Choice attempt_error = ChooseProgram("attempt_errors", {kAttemptError}, "");
  Choice snapshot =
      ChooseProgram("snapshot", snapshots, "slower by a third; Linux 6.2 or newer reads sockets directly");
  ExistingChoice existing = ChooseExisting(options, whole_machine);
  const Choice settle = ChooseProgram("handed_sockets", {kSettleHolders}, "");
  probes.insert(probes.end(),
                {retransmit.report, attempt_error.report, snapshot.report, existing.report, settle.report});
  if (snapshot.program.empty()) {
    return Status::Unsupported("no snapshot program works: " + snapshot.report.reason + "; " + snapshot.report.hint);
  }
  std::vector<std::string_view> programs{kTcpState, retransmit.program, attempt_error.program, snapshot.program,
                                         settle.program};
  programs.insert(programs.end(), existing.programs.begin(), existing.programs.end());
  if (!arrivals.empty() && TryProgram(arrivals).works) programs.push_back(arrivals);
  WEIR_ASSIGN_OR_RETURN(Skeleton skeleton, Load(options, programs));
  return Loaded{std::move(skeleton), std::move(snapshot.program), std::move(existing.programs)};
}

// Loads the programs this kernel takes. The preferred ones usually work: all of them at once before each
// alone.
Result<Loaded> LoadBest(const KernelOptions& options, std::vector<model::ProbeReport>& probes) {
  const bool whole_machine = SharesProcessNamespace() && !options.own_processes_only;
  const auto snapshots = Order(options.snapshot_programs, {kSnapshotCast, kSnapshotProbed, kSnapshotIter});
  const std::string_view existing = ExistingOrder(options, whole_machine).front();
  const std::string_view arrivals = options.receive_loss == ReceiveLoss::kOff ? "" : kArrivals;
  if (auto all =
          Load(options, {kTcpState, kRetransmit, kAttemptError, arrivals, snapshots.front(), existing, kSettleHolders});
      all.ok()) {
    for (const char* name :
         {"tcp_state", "retransmit", "attempt_errors", "snapshot", "existing_sockets", "handed_sockets"}) {
      probes.push_back({name, "on", "", ""});
    }
    return Loaded{*std::move(all), std::string(snapshots.front()), {std::string(existing)}};
  }
  return LoadEach(options, whole_machine, snapshots, arrivals, probes);
}

}  // namespace

Result<std::unique_ptr<KernelTracker>> KernelTracker::Open(const KernelOptions& options,
                                                           std::vector<model::ProbeReport>& probes) {
  WEIR_ASSIGN_OR_RETURN(Loaded loaded, LoadBest(options, probes));
  const bool counts_timeouts = KernelHasTcpField("total_rto");
  probes.push_back({"rto_counter", counts_timeouts ? "on" : "off",
                    counts_timeouts ? "" : "this kernel does not count retransmission timeouts per socket",
                    counts_timeouts ? "" : "Linux 6.7 or newer does; retransmissions are counted in any case"});
  auto tracker =
      std::make_unique<Tracker>(std::move(loaded.skeleton), loaded.snapshot, loaded.existing, options.every_place);
  WEIR_RETURN_IF_ERROR(tracker->Attach());
  probes.push_back(tracker->WatchArrivals(options.receive_loss));
#ifdef __GLIBC__
  ::malloc_trim(0);  // reading the kernel's type information took 20 MB that nobody needs again
#endif
  return std::unique_ptr<KernelTracker>(std::move(tracker));
}

}  // namespace weir::agent::kernel

#include "agent/requests/request_probe.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include <weir_requests.skel.h>  // needs the types of bpf/requests_abi.h

#include "agent/kernel/bpf_link.h"
#include "agent/kernel/bpf_log.h"
#include "agent/kernel/group_tree.h"
#include "agent/kernel/program_choice.h"
#include "agent/kernel/symbol_addresses.h"

namespace weir::agent::requests {
namespace {

constexpr double kWindowSeconds = 0.134;  // BUDGET_WINDOW_SHIFT in bpf/requests.bpf.c

struct DestroySkeleton {
  void operator()(weir_requests_bpf* skeleton) const { weir_requests_bpf__destroy(skeleton); }
};
struct FreeRing {
  void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
};
using Skeleton = std::unique_ptr<weir_requests_bpf, DestroySkeleton>;

// In the order they are tried.
constexpr RequestHooks kHooks[] = {
    {}, {.write_tracepoint = false}, {.write_tracepoint = false, .segment_dynptr = false}};

constexpr int kNotSupported = 524;  // ENOTSUPP of include/linux/errno.h, which libc does not know
constexpr std::string_view kDenied =
    "run as root, or with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN; if that is so already, this kernel's configuration "
    "refuses the program";
constexpr std::string_view kLacking =
    "Linux 6.16 or newer has the hooks, and so has 6.1 or newer with function tracing (CONFIG_FUNCTION_TRACER, "
    "CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS) and BTF; start with --requests off";

Status Failure(int error_number, std::string_view what, const kernel::BpfLogCapture& log) {
  std::string message = std::string(what) + ": ";
  message += error_number == kNotSupported ? "this kernel does not support it" : std::strerror(error_number);
  if (const std::string summary = log.Summary(); !summary.empty()) message += " (" + summary + ")";
  const bool denied = error_number == EPERM;  // EACCES is the verifier's
  return Status(denied ? Code::kDenied : Code::kUnsupported, message).WithRemedy(denied ? kDenied : kLacking);
}

class Probe final : public RequestProbe {
 public:
  Probe(Skeleton skeleton, const RequestHooks& hooks) : skeleton_(std::move(skeleton)), hooks_(hooks) {}

  Status Attach(const kernel::BpfLogCapture& log) {
    ring_.reset(ring_buffer__new(bpf_map__fd(skeleton_->maps.weir_steps), OnStep, this, nullptr));
    if (ring_ == nullptr) return Failure(errno, "map the ring of request steps", log);
    if (const int error = weir_requests_bpf__attach(skeleton_.get()); error != 0) {
      return Failure(-error, "attach the request programs", log);
    }
    accept_waits_ = AttachToGroups();
    return Status::Ok();
  }

  RequestHooks Hooks() const override { return hooks_; }
  Status AcceptWaits() const override { return accept_waits_; }

  void Drain(StepSink& sink) override {
    sink_ = &sink;
    ring_buffer__consume(ring_.get());
    sink_ = nullptr;
  }

  RequestLosses Losses() override {
    return {.skipped = Sum(WEIR_REQUESTS_SKIPPED),
            .ring_full = Sum(WEIR_REQUESTS_RING_FULL),
            .unreadable = Sum(WEIR_REQUESTS_UNREADABLE)};
  }

  kernel::ProgramTime Programs() const override { return kernel::TimeOfPrograms(skeleton_->obj); }

  void ForgetPorts(bool all) override {
    for (volatile weir_u64& place : skeleton_->bss->weir_places) {
      if (place != 0 && (all || (place & WEIR_PLACE_CLASS_MASK) != WEIR_PORT_SERVES)) place = 0;
    }
  }

  void Unfollow(uint64_t socket, uint64_t secured_ns) override {
    (void)bpf_map_update_elem(bpf_map__fd(skeleton_->maps.weir_unfollowed), &socket, &secured_ns, BPF_ANY);
  }

 private:
  Status AttachToGroups() {
    WEIR_ASSIGN_OR_RETURN(const kernel::GroupTree tree, kernel::OpenGroupTree());
    const int root = tree.root.get();
    peer_name4_.reset(bpf_program__attach_cgroup(skeleton_->progs.weir_peer_name4, root));
    if (peer_name4_ == nullptr) return Status::FromErrno(errno, "attach to the control groups");
    peer_name6_.reset(bpf_program__attach_cgroup(skeleton_->progs.weir_peer_name6, root));
    if (peer_name6_ == nullptr) return Status::FromErrno(errno, "attach to the control groups");
    if (tree.whole) return Status::Ok();
    return Status::Unsupported(std::string(kernel::kOwnGroupOnly) + "; " + std::string(kernel::kOwnGroupHint));
  }

  static int OnStep(void* self, void* data, size_t size) {
    if (size < sizeof(weir_step)) return 0;
    StepSink& sink = *static_cast<Probe*>(self)->sink_;
    const auto& step = *static_cast<const weir_step*>(data);
    switch (step.kind) {
      case WEIR_STEP_REQUEST:
      case WEIR_STEP_ANSWER:
      case WEIR_STEP_SECURED:
        if (size >= sizeof(weir_step_head)) sink.OnHead(*static_cast<const weir_step_head*>(data));
        break;
      case WEIR_STEP_BLOCK:
        if (size >= sizeof(weir_step_block)) sink.OnBlock(*static_cast<const weir_step_block*>(data));
        break;
      case WEIR_STEP_HELLO:
        if (size >= sizeof(weir_step_hello)) sink.OnHello(*static_cast<const weir_step_hello*>(data));
        break;
      default: sink.OnStep(step); break;
    }
    return 0;
  }

  uint64_t Sum(uint32_t index) {
    std::vector<uint64_t> values(static_cast<size_t>(std::max(libbpf_num_possible_cpus(), 1)));
    uint64_t total = 0;
    const int map = bpf_map__fd(skeleton_->maps.weir_request_counters);
    if (bpf_map_lookup_elem(map, &index, values.data()) != 0) return 0;
    for (const uint64_t value : values) total += value;
    return total;
  }

  const Skeleton skeleton_;
  const RequestHooks hooks_;
  std::unique_ptr<ring_buffer, FreeRing> ring_;
  kernel::BpfLink peer_name4_;
  kernel::BpfLink peer_name6_;
  Status accept_waits_;
  StepSink* sink_ = nullptr;  // during Drain
};

// What can be known without a trial.
Status Has(const RequestHooks& hooks) {
  if (hooks.write_tracepoint && !kernel::KernelHasTracepoint("tcp_sendmsg_locked")) {
    return Status::Unsupported("this kernel has no tracepoint tcp_sendmsg_locked").WithRemedy(kLacking);
  }
  // Where it is there but not for programs of this type (6.4 to 6.11) loading tells.
  if (hooks.segment_dynptr && !kernel::KernelHasFunction("bpf_dynptr_from_skb")) {
    return Status::Unsupported("this kernel has no function bpf_dynptr_from_skb()").WithRemedy(kLacking);
  }
  return Status::Ok();
}

// vmemmap_base and page_offset_base. Found once, while there is the privilege to.
const std::vector<uint64_t>& SegmentBases() {
  static const std::vector<uint64_t> bases = kernel::SymbolAddresses({"vmemmap_base", "page_offset_base"});
  return bases;
}

// Chooses the programs and what they are told before they are loaded. False: fragments of segments cannot be read.
bool Select(weir_requests_bpf& skeleton, const RequestHooks& hooks) {
  bpf_program__set_autoload(skeleton.progs.weir_answer_leaves, hooks.write_tracepoint);
  bpf_program__set_autoload(skeleton.progs.weir_answer_begins, !hooks.write_tracepoint);
  bpf_program__set_autoload(skeleton.progs.weir_pages_leave,
                            !hooks.write_tracepoint && kernel::KernelHasFunction("do_tcp_sendpages"));
  if (hooks.segment_dynptr) return true;
  const std::vector<uint64_t>& bases = SegmentBases();
  skeleton.rodata->weir_probe_segments = 1;
  skeleton.rodata->weir_vmemmap_at = bases[0];
  skeleton.rodata->weir_page_offset_at = bases[1];
  return bases[0] != 0 && bases[1] != 0;
}

Result<std::unique_ptr<RequestProbe>> OpenWith(const RequestProbeOptions& options, const RequestHooks& hooks) {
  WEIR_RETURN_IF_ERROR(Has(hooks));
  const kernel::BpfLogCapture log;
  Skeleton skeleton(weir_requests_bpf__open());
  if (skeleton == nullptr) return Failure(errno, "open the request programs", log);
  RequestHooks used = hooks;
  used.segment_fragments = Select(*skeleton, hooks);
  bpf_map__set_max_entries(skeleton->maps.weir_steps, options.ring_bytes);
  // Each processor has its share: a node whose load sits on one of them reaches its budget early.
  const int processors = std::max(libbpf_num_possible_cpus(), 1);
  const double share = options.steps_per_second * kWindowSeconds / processors;
  skeleton->rodata->weir_window_budget = std::max<uint64_t>(static_cast<uint64_t>(share), 4);
  if (!options.within.empty()) {
    WEIR_ASSIGN_OR_RETURN(const kernel::GroupPlace place, kernel::FindGroup(options.within));
    skeleton->rodata->weir_within_level = place.level;
    skeleton->rodata->weir_within_id = place.id;
  }
  if (const int error = weir_requests_bpf__load(skeleton.get()); error != 0) {
    return Failure(-error, "load the request programs", log);
  }
  auto probe = std::make_unique<Probe>(std::move(skeleton), used);
  WEIR_RETURN_IF_ERROR(probe->Attach(log));
  return std::unique_ptr<RequestProbe>(std::move(probe));
}

}  // namespace

void RequestProbe::Prepare() {
  // What has the tracepoint of 6.16 has the dynptr of 6.12 as well.
  if (!kernel::KernelHasTracepoint("tcp_sendmsg_locked")) (void)SegmentBases();
}

Result<std::unique_ptr<RequestProbe>> RequestProbe::Open(const RequestProbeOptions& options) {
  if (options.hooks.has_value()) return OpenWith(options, *options.hooks);
  std::string problems;
  for (const RequestHooks& hooks : kHooks) {
    auto opened = OpenWith(options, hooks);
    if (opened.ok() || opened.status().code() != Code::kUnsupported) return opened;
    if (!problems.empty()) problems += "; ";
    problems += opened.status().problem();
  }
  return Status::Unsupported(problems).WithRemedy(kLacking);
}

}  // namespace weir::agent::requests

#include "agent/kernel/program_choice.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <memory>
#include <utility>

#include "agent/kernel/bpf_link.h"
#include "bpf/abi.h"

#include <weir.skel.h>  // needs the types of bpf/abi.h

#include "agent/kernel/bpf_log.h"

namespace weir::agent::kernel {
namespace {

// Functions of the kernel that a program calls where its BTF has them. Without one the verifier would complain of the
// call that libbpf has put in its place.
constexpr std::pair<std::string_view, const char*> kFunctions[] = {
    {kSnapshotCast, "bpf_rdonly_cast"}, {kExistingTasks, "bpf_rcu_read_lock"}, {kExistingTasks, "bpf_iter_task_new"}};
// Programs of type `syscall` are run by the agent, and that of arrivals is attached when there is a need.
constexpr std::string_view kNotAttached[] = {kSnapshotCast, kSnapshotProbed, kExistingTasks, kSettleHolders, kArrivals};

int TryAttach(weir_bpf& skeleton, bpf_program* program) {
  const std::string_view name = bpf_program__name(program);
  BpfLink link;
  if (std::find(std::begin(kNotAttached), std::end(kNotAttached), name) != std::end(kNotAttached)) return 0;
  if (name == kSnapshotIter) {
    bpf_iter_link_info info{};
    info.map.map_fd = static_cast<__u32>(bpf_map__fd(skeleton.maps.weir_sockets));
    LIBBPF_OPTS(bpf_iter_attach_opts, options, .link_info = &info, .link_info_len = sizeof(info));
    link.reset(bpf_program__attach_iter(program, &options));
  } else {
    link.reset(bpf_program__attach(program));
  }
  return link == nullptr ? errno : 0;
}

Trial Failure(int error_number, const BpfLogCapture& log) {
  const std::string summary = log.Summary();
  return {false, error_number, summary.empty() ? std::strerror(error_number) : summary};
}

bool KernelHasType(const char* name, uint32_t kind) {
  const std::unique_ptr<btf, void (*)(btf*)> types(btf__load_vmlinux_btf(), btf__free);
  return types != nullptr && btf__find_by_name_kind(types.get(), name, kind) > 0;
}

}  // namespace

bool KernelHasFunction(const char* name) { return KernelHasType(name, BTF_KIND_FUNC); }

bool KernelHasTracepoint(const std::string& name) {
  return KernelHasType(("btf_trace_" + name).c_str(), BTF_KIND_TYPEDEF);
}

bool SelectPrograms(bpf_object* object, const std::vector<std::string_view>& programs) {
  size_t found = 0;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    const auto matches = std::count(programs.begin(), programs.end(), bpf_program__name(program));
    bpf_program__set_autoload(program, matches > 0);
    found += static_cast<size_t>(matches);
  }
  return found + static_cast<size_t>(std::count(programs.begin(), programs.end(), "")) == programs.size();
}

Trial TryProgram(std::string_view name) {
  for (const auto& [program, function] : kFunctions) {
    if (name == program && !KernelHasFunction(function)) {
      return {false, ENOENT, std::string("this kernel has no function ") + function + "()"};
    }
  }
  const BpfLogCapture log;
  const std::unique_ptr<weir_bpf, void (*)(weir_bpf*)> skeleton(weir_bpf__open(), weir_bpf__destroy);
  if (skeleton == nullptr) return Failure(errno, log);
  if (!SelectPrograms(skeleton->obj, {name})) return {false, ENOENT, "no such program in the object"};
  if (const int error = weir_bpf__load(skeleton.get()); error != 0) return Failure(-error, log);
  bpf_program* program = bpf_object__find_program_by_name(skeleton->obj, std::string(name).c_str());
  if (const int error = TryAttach(*skeleton, program); error != 0) return Failure(error, log);
  return {true, 0, ""};
}

Choice ChooseProgram(std::string_view probe, const std::vector<std::string_view>& candidates, std::string_view hint) {
  Choice choice;
  choice.report.name = probe;
  for (const std::string_view candidate : candidates) {
    Trial trial = TryProgram(candidate);
    if (trial.works) {
      choice.program = candidate;
      choice.report.state = candidate == candidates.front() ? "on" : "fallback";
      if (candidate != candidates.front()) choice.report.hint = hint;
      return choice;
    }
    if (!choice.report.reason.empty()) choice.report.reason += "; ";
    choice.report.reason.append(candidate).append(": ").append(trial.reason);
    choice.report.hint = HintFor(trial.error);
  }
  choice.report.state = "failed";
  return choice;
}

Code CodeFor(int error_number) {
  switch (error_number) {
    case EPERM: return Code::kDenied;
    case ENOMEM:
    case E2BIG: return Code::kExhausted;
    default: return Code::kUnsupported;
  }
}

std::string HintFor(int error_number) {
  switch (error_number) {
    case EACCES:
      return "this kernel's verifier refuses the program, or a security module does; see docs/kernels.md for "
             "which kernels take it";
    case EPERM:
      return "run as root, or with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN (CAP_SYS_ADMIN before Linux 5.8); "
             "if that is so already, this kernel's configuration refuses the program";
    case ESRCH:
    case EOPNOTSUPP:
    case ENOENT: return "this kernel lacks the hook; Linux 6.1 or newer with CONFIG_DEBUG_INFO_BTF has it";
    case ENOMEM:
    case E2BIG: return "lower --max-sockets";
    default: return "";
  }
}

}  // namespace weir::agent::kernel

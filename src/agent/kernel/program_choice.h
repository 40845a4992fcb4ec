// Which of several programs for one purpose this kernel takes.
#pragma once

#include <bpf/libbpf.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/side_report.h"

struct weir_bpf;  // the skeleton

namespace weir::agent::kernel {

inline constexpr std::string_view kTcpState = "weir_tcp_state";
inline constexpr std::string_view kRetransmit = "weir_retransmit";
inline constexpr std::string_view kAttemptError = "weir_attempt_error";
inline constexpr std::string_view kArrivals = "weir_arrivals_ingress";
inline constexpr std::string_view kSnapshotCast = "weir_snapshot_cast";
inline constexpr std::string_view kSnapshotProbed = "weir_snapshot_probed";
inline constexpr std::string_view kSnapshotIter = "weir_snapshot_iter";
inline constexpr std::string_view kExistingFiles = "weir_existing_files";
inline constexpr std::string_view kExistingTasks = "weir_existing_tasks";
inline constexpr std::string_view kExistingTcp = "weir_existing_tcp";
inline constexpr std::string_view kSettleHolders = "weir_settle_holders";

// Whether the running kernel has a function that programs may call.
bool KernelHasFunction(const char* name);
// Whether it has a tracepoint that programs of type tp_btf attach to.
bool KernelHasTracepoint(const std::string& name);

struct Trial {
  bool works = false;
  int error = 0;       // errno value
  std::string reason;  // "" when it works
};

// Loads and attaches one program in an object of its own, with tiny maps, and removes it again.
Trial TryProgram(std::string_view program);

struct Choice {
  std::string program;  // "" = none works
  model::ProbeReport report;
};

// The first of `candidates` that works. The report is "on" for the first, "fallback" for another, "failed"
// for none.
Choice ChooseProgram(std::string_view probe, const std::vector<std::string_view>& candidates, std::string_view hint);

// Of an errno value of bpf(2): EPERM is a missing privilege (kDenied), EACCES a refusal by the verifier or by a
// security module (kUnsupported).
Code CodeFor(int error_number);

// What to do about it.
std::string HintFor(int error_number);

// Marks exactly `programs` for loading; an empty name is none. False when the object lacks one of them.
bool SelectPrograms(bpf_object* object, const std::vector<std::string_view>& programs);

}  // namespace weir::agent::kernel

// KernelTracker: loads the BPF object, attaches it and reads its records.
//
// Which programs this kernel takes is found by loading and attaching them, each alone when the preferred set
// does not load at once: feature lists know program types, not what a given kernel was built or configured to
// refuse. Only weir_tcp_state is required. Everything is held by descriptors and nothing is pinned: if the
// agent dies, all is gone.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "agent/kernel/receive_loss.h"
#include "agent/kernel/socket_tracker.h"
#include "model/side_report.h"

namespace weir::agent::kernel {

struct KernelOptions {
  uint32_t max_sockets = 65'536;  // rounded up to a power of two; 128 B of kernel memory each
  uint32_t ring_bytes = 0;        // rounded up to a power of two, at least a page; 0 = 64 B per socket, 1..8 MiB
  ReceiveLoss receive_loss = ReceiveLoss::kOnEvidence;
  std::filesystem::path within{};  // whose sockets are tracked: a group below the version 2 root; "" = all

  // For tests: use only the first of these that loads. Empty = the order of preference.
  std::vector<std::string> snapshot_programs{};
  std::vector<std::string> existing_programs{};
  // For benchmarks: each snapshot walks the whole map of sockets.
  bool every_place = false;
  // For tests: as though the agent had a process namespace of its own.
  bool own_processes_only = false;
};

class KernelTracker : public SocketTracker {
 public:
  // Loads and attaches; births and deaths are tracked from here on. Appends one report per probe in any case.
  // kUnsupported: this kernel cannot; kDenied: this process may not. Messages carry the remedy.
  static Result<std::unique_ptr<KernelTracker>> Open(const KernelOptions& options,
                                                     std::vector<model::ProbeReport>& probes);

  // The programs in use, e.g. "weir_snapshot_cast".
  virtual std::string_view snapshot_program() const = 0;
  virtual std::string_view existing_program() const = 0;  // "" = none; the one that sees most
};

}  // namespace weir::agent::kernel

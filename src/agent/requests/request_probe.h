// RequestProbe: loads bpf/requests.bpf.c, attaches it and reads its steps. Held by descriptors, nothing is pinned.
// Thread: one at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "agent/kernel/program_time.h"
#include "base/status.h"
#include "bpf/requests_abi.h"
#include "model/side_report.h"

namespace weir::agent::requests {

// Takes what is read; everything is valid during the call only.
class StepSink {
 public:
  virtual ~StepSink() = default;
  virtual void OnHead(const weir_step_head& head) = 0;
  virtual void OnStep(const weir_step& step) = 0;
  virtual void OnBlock(const weir_step_block& block) = 0;
  virtual void OnHello(const weir_step_hello& hello) = 0;
};

// What the request programs stand on; the first of what the kernel takes is chosen.
struct RequestHooks {
  bool write_tracepoint = true;   // tcp_sendmsg_locked (6.16); else the function of that name begins (fentry)
  bool segment_dynptr = true;     // over the segments that arrive (6.12); else probe reads
  bool segment_fragments = true;  // false where it turned out that probe reads cannot find them
};

struct RequestProbeOptions {
  uint32_t steps_per_second = 50'000;   // of the node; above it, turns are left out and counted
  uint32_t ring_bytes = 8U << 20;       // a power of two
  std::filesystem::path within{};       // whose sockets are followed, below the version 2 root; "" = all
  std::optional<RequestHooks> hooks{};  // only these; nullopt = what the kernel takes
};

// Since the probe was opened.
struct RequestLosses {
  uint64_t skipped = 0;     // turns left out for the budget
  uint64_t ring_full = 0;   // steps
  uint64_t unreadable = 0;  // texts
};

class RequestProbe {
 public:
  virtual ~RequestProbe() = default;
  // kUnsupported: this kernel cannot; kDenied: this process may not. The status carries the remedy.
  static Result<std::unique_ptr<RequestProbe>> Open(const RequestProbeOptions& options);
  // Reads what an Open() after the agent dropped its privileges could not (CAP_SYSLOG); 100 ms before Linux 6.16.
  static void Prepare();

  virtual void Drain(StepSink& sink) = 0;
  virtual RequestLosses Losses() = 0;
  // Ports whose connections did not begin with HTTP are looked at anew; `all`: the others too, whose pods may be gone.
  virtual void ForgetPorts(bool all) = 0;
  // Nothing more is to be told of a connection; `secured_ns`: the time of its WEIR_STEP_SECURED.
  virtual void Unfollow(uint64_t /*socket*/, uint64_t /*secured_ns*/) {}
  virtual kernel::ProgramTime Programs() const { return {}; }
  virtual RequestHooks Hooks() const { return {}; }
  // Why waits for accept() are not measured while everything else is; ok = they are.
  virtual Status AcceptWaits() const { return Status::Ok(); }
};

}  // namespace weir::agent::requests

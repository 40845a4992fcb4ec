// The node agent: one loop thread that collects at wall-clock-aligned intervals, one exporter thread that
// sends. It never blocks collection on the network: what cannot be sent waits in memory, then on disk.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "agent/budget/ladder.h"
#include "agent/observe_options.h"
#include "base/clock.h"
#include "base/status.h"
#include "wire/batch_sink.h"

namespace weir::agent {

struct AgentOptions {
  std::string node;  // "" = host name
  std::string zone;  // of this machine; "" = its cloud is asked, where it is of one
  std::string region;
  std::chrono::milliseconds interval{1'000};  // 100 ms .. 60 s
  std::filesystem::path data_dir;             // agent id and spool
  uint64_t spool_limit_bytes = uint64_t{256} << 20;
  ObserveOptions observe;
  bool allow_ebpf = true;        // false: start in the degraded mode
  bool require_ebpf = false;     // true: fail rather than start in the degraded mode
  bool node_signals = true;      // read the limits of the node itself (docs/node-signals.md)
  bool drops = true;             // with them, what the kernel drops and why, by eBPF
  bool rate_ring = true;         // with them, the traffic of the last 30 s in steps of 10 ms (node/rate_ring.h)
  std::filesystem::path record;  // a new file for what comes from the kernel (recording/recorder.h); "" = none
  uint64_t record_limit_bytes = uint64_t{256} << 20;
  budget::Limits budget;       // what the agent may use; beyond, it gives up features in a fixed order (docs/budget.md)
  std::string metrics_listen;  // host:port of /metrics (metrics/endpoint.h); "" = none
  std::string instance_id;     // of the machine, in labels; "" = as its firmware says
  bool drop_privileges = true;  // keep only what collecting needs, after start
};

class Agent {
 public:
  // `sink` and `clock` outlive the agent. Fails only when no source at all can start or the data directory is
  // unusable; a missing probe is reported, not fatal. With drop_privileges the calling thread, and so the threads
  // it makes later, keep none: start what needs them (a port below 1024) before.
  static Result<std::unique_ptr<Agent>> Start(AgentOptions options, wire::BatchSink& sink, const Clock& clock);
  virtual ~Agent() = default;
  // Collects once more, sends or spools what is left (at most 2 s), stops. Idempotent.
  virtual void Stop() = 0;
  virtual std::string_view mode() const = 0;
  // Where /metrics is served, "127.0.0.1:9101"; "" when it is not.
  virtual std::string metrics_address() const = 0;
};

}  // namespace weir::agent

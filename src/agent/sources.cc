// The sources there are, best first. Apart from the rest of the agent, which knows none of them.
#include <utility>
#include <vector>

#include "agent/budget/agent_threads.h"
#include "agent/kernel/group_tree.h"
#include "agent/observe.h"
#include "agent/privileges.h"
#include "agent/recording/recorder.h"
#include "agent/source/sock_diag/sock_diag_source.h"
#include "agent/start.h"
#include "base/log.h"

namespace weir::agent {
namespace {

Result<std::unique_ptr<Source>> MakeRecorded(const AgentOptions& options, const Clock& clock) {
  recording::Header header = recording::HeaderOfThisMachine(clock);
  header.interval_ms = static_cast<uint32_t>(options.interval.count());
  recording::RecordOptions record;
  record.file = options.record;
  record.limit_bytes = options.record_limit_bytes;
  record.on_thread = [drop = options.drop_privileges] {
    budget::CountThisThread();
    const Status status = drop ? KeepNoPrivileges() : Status::Ok();
    if (!status.ok()) LogWarn("thread weir-record keeps its privileges: {}", status.message());
  };
  return recording::MakeRecorder(std::move(record), std::move(header), options.observe, ThisMachine(clock));
}

// Who asks for one slice of a node must not be shown all of it.
Status CheckWithin(const AgentOptions& options) {
  if (options.observe.within.empty()) return Status::Ok();
  if (!options.allow_ebpf) return Status::Invalid("--within needs eBPF; leave out --mode sock_diag");
  const Result<kernel::GroupPlace> place = kernel::FindGroup(options.observe.within);
  return place.ok() ? Status::Ok() : place.status().Annotate("--within");
}

}  // namespace

Result<std::unique_ptr<Agent>> Agent::Start(AgentOptions options, wire::BatchSink& sink, const Clock& clock) {
  WEIR_RETURN_IF_ERROR(CheckWithin(options));
  std::vector<std::unique_ptr<Source>> candidates;
  const bool record = !options.record.empty();
  if (record && !options.allow_ebpf) {
    return Status::Invalid("what the degraded mode sees cannot be recorded; leave out --record or --mode sock_diag");
  }
  if (record) {
    WEIR_ASSIGN_OR_RETURN(auto recorded, MakeRecorded(options, clock));
    candidates.push_back(std::move(recorded));
  } else if (options.allow_ebpf) {
    candidates.push_back(MakeObserver(options.observe, ThisMachine(clock)));
  }
  // A recording that is asked for and not made must not go unnoticed.
  if (!options.require_ebpf && !record && options.observe.within.empty()) {
    Beside beside = MakeBeside(options.observe, options.allow_ebpf, clock);
    candidates.push_back(WithOptions(MakeSockDiagSource(options.observe.max_flows, clock, beside.translations),
                                     std::move(beside.sources)));
  }
  return StartAgent(std::move(options), std::move(candidates), sink, clock);
}

}  // namespace weir::agent

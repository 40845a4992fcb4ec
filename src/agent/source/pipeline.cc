#include "agent/source/pipeline.h"

#include "agent/kernel/group_tree.h"
#include "base/metrics.h"

namespace weir::agent::source {

void Pipeline::Emit(Nanos now, Collection& out) {
  RoundEnds();
  identities_->Expire();
  const size_t before = out.reports.size();
  flows_.Emit(now, out.reports);
  if (before == 0) {
    addresses_.Learn(now, out.reports);
  } else {
    addresses_.Learn(now, {out.reports.begin() + static_cast<ptrdiff_t>(before), out.reports.end()});
  }
  out.local_addresses = addresses_.List();
  SetGauge(Metric::agent_sockets, sockets_.size());
}

model::ProbeReport Pipeline::IdentityProbe() const {
  if (identities_->asks_processes()) {
    return {"control_groups", "fallback", "containers may live in version 1 hierarchies",
            "processes that end within seconds have no container; boot with systemd.unified_cgroup_hierarchy=1"};
  }
  if (identities_->misses_processes()) {
    return {
        "control_groups", "fallback",
        "containers may live in version 1 hierarchies, and the machine's processes, which could tell, are out of sight",
        "start the agent in the machine's process namespace (--pid host, hostPID: true)"};
  }
  if (identities_->groups() == identity::Identities::Groups::kOwn) {
    return {"control_groups", "fallback", std::string(kernel::kOwnGroupOnly), std::string(kernel::kOwnGroupHint)};
  }
  if (identities_->groups() == identity::Identities::Groups::kNone) {
    return {"control_groups", "off", "no version 2 control groups in /sys/fs/cgroup",
            "mount the host's /sys/fs/cgroup into the agent's container to see containers and units"};
  }
  if (!identities_->misses_births().empty()) {
    return {
        "control_groups", "fallback", "control groups cannot be watched being made: " + identities_->misses_births(),
        "containers that end within a second have no name; grant CAP_BPF and CAP_PERFMON, or run Linux 5.7 or newer"};
  }
  return {"control_groups", "on", "", ""};
}

}  // namespace weir::agent::source

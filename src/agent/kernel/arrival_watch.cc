#include "agent/kernel/arrival_watch.h"

#include <cerrno>
#include <utility>

#include "base/metrics.h"

namespace weir::agent::kernel {
Result<std::unique_ptr<ArrivalWatch>> ArrivalWatch::Make(bpf_program* program) {
  WEIR_ASSIGN_OR_RETURN(GroupTree tree, OpenGroupTree());
  return std::unique_ptr<ArrivalWatch>(new ArrivalWatch(program, std::move(tree)));
}

Result<BpfLink> ArrivalWatch::Attach(int group) const {
  BpfLink link(bpf_program__attach_cgroup(program_, group));
  if (link == nullptr) return Status::FromErrno(errno, "watch the arrivals of a control group");
  return link;
}

Status ArrivalWatch::WatchAll() {
  WEIR_ASSIGN_OR_RETURN(all_, Attach(tree_.root.get()));
  return Status::Ok();
}

Status ArrivalWatch::Watch(uint64_t cgroup_id, Nanos now) {
  if (all_ != nullptr || cgroup_id == 0) return Status::Ok();
  if (const auto known = watched_.find(cgroup_id); known != watched_.end()) {
    known->second.until = now + kWatchPeriod;
    return Status::Ok();
  }
  if (watched_.size() >= kMaxGroups) {
    Count(Metric::agent_arrival_watch_full);
    return Status::Ok();
  }
  const UniqueFd group = OpenGroupById(tree_.root.get(), cgroup_id);
  if (!group.valid()) {
    if (errno == ESTALE || errno == ENOENT) return Status::NotFound("the control group is gone");
    return Status::FromErrno(errno, "open a control group by its id");
  }
  WEIR_ASSIGN_OR_RETURN(BpfLink link, Attach(group.get()));
  watched_.emplace(cgroup_id, Watched{std::move(link), now + kWatchPeriod});
  SetGauge(Metric::agent_arrival_watch_groups, watched_.size());
  return Status::Ok();
}

void ArrivalWatch::WatchNone() {
  all_.reset();
  watched_.clear();
  SetGauge(Metric::agent_arrival_watch_groups, 0);
}

void ArrivalWatch::Expire(Nanos now) {
  std::erase_if(watched_, [now](const auto& entry) { return entry.second.until < now; });
  SetGauge(Metric::agent_arrival_watch_groups, watched_.size());
}

}  // namespace weir::agent::kernel

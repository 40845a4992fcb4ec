#include "agent/kernel/arrival_watch.h"

#include <fcntl.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "agent/kernel/group_tree.h"
#include "base/metrics.h"

namespace weir::agent::kernel {
namespace {

constexpr int kKernfsHandle = 0xfe;  // FILEID_KERNFS, include/linux/exportfs.h

// A group's id is its file handle: no walk through the tree, and no mistake when a folder of this name is made anew.
UniqueFd OpenGroup(int root, uint64_t id) {
  alignas(file_handle) std::array<char, sizeof(file_handle) + sizeof(id)> space{};
  auto* handle = reinterpret_cast<file_handle*>(space.data());
  handle->handle_bytes = sizeof(id);
  handle->handle_type = kKernfsHandle;
  std::memcpy(space.data() + sizeof(file_handle), &id, sizeof(id));
  return UniqueFd(::open_by_handle_at(root, handle, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

}  // namespace

Result<std::unique_ptr<ArrivalWatch>> ArrivalWatch::Make(bpf_program* program) {
  WEIR_ASSIGN_OR_RETURN(UniqueFd root, OpenGroupTree());
  return std::unique_ptr<ArrivalWatch>(new ArrivalWatch(program, std::move(root)));
}

Result<BpfLink> ArrivalWatch::Attach(int group) const {
  BpfLink link(bpf_program__attach_cgroup(program_, group));
  if (link == nullptr) return Status::FromErrno(errno, "watch the arrivals of a control group");
  return link;
}

Status ArrivalWatch::WatchAll() {
  WEIR_ASSIGN_OR_RETURN(all_, Attach(root_.get()));
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
  const UniqueFd group = OpenGroup(root_.get(), cgroup_id);
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

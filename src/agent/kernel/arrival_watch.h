// ArrivalWatch: attaches bpf/arrivals.bpf.c, which runs per packet, to the control groups that need it and to no other.
//
// A group is watched for kWatchPeriod after the last evidence that something is lost on its way in. At most kMaxGroups
// at a time; beyond, groups wait, which is counted. Thread: the agent's loop, all calls.
#pragma once

#include <bpf/libbpf.h>

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "agent/kernel/bpf_link.h"
#include "agent/kernel/group_tree.h"
#include "base/clock.h"
#include "base/status.h"

namespace weir::agent::kernel {

class ArrivalWatch {
 public:
  static constexpr Nanos kWatchPeriod = 60'000'000'000;
  static constexpr size_t kMaxGroups = 64;

  // `program` is loaded and outlives the watch. kUnsupported: no control group v2 hierarchy is mounted.
  static Result<std::unique_ptr<ArrivalWatch>> Make(bpf_program* program);

  // Watches all groups there are and will be, for good.
  Status WatchAll();
  // Watches the group with this id (inode of its folder, 0 = unknown) from now on, or goes on watching it. Its
  // sockets and those of the groups below it. kNotFound: the group is gone.
  Status Watch(uint64_t cgroup_id, Nanos now);
  // Watches nobody.
  void WatchNone();
  // Lets go of groups without evidence for long.
  void Expire(Nanos now);
  size_t groups() const { return watched_.size(); }
  // Whether it could watch every group of the machine, not only the agent's own.
  bool sees_machine() const { return tree_.whole; }

 private:
  struct Watched {
    BpfLink link;
    Nanos until = 0;
  };

  ArrivalWatch(bpf_program* program, GroupTree tree) : program_(program), tree_(std::move(tree)) {}
  Result<BpfLink> Attach(int group) const;

  bpf_program* program_;
  GroupTree tree_;
  BpfLink all_;
  std::unordered_map<uint64_t, Watched> watched_;
};

}  // namespace weir::agent::kernel

#include "agent/kernel/group_births.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <weir_groups.skel.h>
#include "bpf/groups_abi.h"

#include "agent/kernel/bpf_log.h"

namespace weir::agent::kernel {
namespace {

struct DestroySkeleton {
  void operator()(weir_groups_bpf* skeleton) const { weir_groups_bpf__destroy(skeleton); }
};
using Skeleton = std::unique_ptr<weir_groups_bpf, DestroySkeleton>;

class BpfGroupBirths final : public GroupBirths {
 public:
  explicit BpfGroupBirths(Skeleton skeleton) : skeleton_(std::move(skeleton)) {}

  std::string PathOf(uint64_t id) const override {
    weir_group_path path{};
    if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.weir_groups), &id, &path) != 0) return "";
    return {path.text, ::strnlen(path.text, sizeof(path.text))};
  }

 private:
  const Skeleton skeleton_;
};

}  // namespace

Result<std::unique_ptr<GroupBirths>> GroupBirths::Open() {
  const BpfLogCapture log;
  Skeleton skeleton(weir_groups_bpf__open());
  if (skeleton == nullptr) return FromLibbpf(errno, "open the object of control groups", log);
  if (const int error = weir_groups_bpf__load(skeleton.get()); error != 0) {
    return FromLibbpf(-error, "load the object of control groups", log);
  }
  if (const int error = weir_groups_bpf__attach(skeleton.get()); error != 0) {
    return FromLibbpf(-error, "attach to the tracepoint cgroup_mkdir", log);
  }
  return std::unique_ptr<GroupBirths>(std::make_unique<BpfGroupBirths>(std::move(skeleton)));
}

}  // namespace weir::agent::kernel

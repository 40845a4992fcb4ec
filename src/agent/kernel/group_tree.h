// The tree of version 2 control groups, which programs are attached to.
#pragma once

#include <cstdint>
#include <filesystem>

#include "agent/kernel/unique_fd.h"
#include "base/status.h"

namespace weir::agent::kernel {

// Its root, at /sys/fs/cgroup or, where that has version 1, at its folder "unified". kUnsupported: there is none.
Result<UniqueFd> OpenGroupTree();

struct GroupPlace {
  uint32_t level = 0;  // below the root, whose level is 0
  uint64_t id = 0;     // as the kernel numbers it
};
// Of a folder of that tree, named from its root ("system.slice") or in full. kNotFound, kInvalid: it is none.
Result<GroupPlace> FindGroup(const std::filesystem::path& group);

}  // namespace weir::agent::kernel

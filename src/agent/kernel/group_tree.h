// The tree of version 2 control groups, which programs are attached to.
#pragma once

#include "agent/kernel/unique_fd.h"
#include "base/status.h"

namespace weir::agent::kernel {

// Its root, at /sys/fs/cgroup or, where that has version 1, at its folder "unified". kUnsupported: there is none.
Result<UniqueFd> OpenGroupTree();

}  // namespace weir::agent::kernel

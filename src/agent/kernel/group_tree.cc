#include "agent/kernel/group_tree.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/statfs.h>

namespace weir::agent::kernel {

Result<UniqueFd> OpenGroupTree() {
  for (const char* path : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
    UniqueFd folder(::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct statfs filesystem {};
    if (folder.valid() && ::fstatfs(folder.get(), &filesystem) == 0 && filesystem.f_type == CGROUP2_SUPER_MAGIC) {
      return folder;
    }
  }
  return Status::Unsupported("no control group v2 hierarchy is mounted at /sys/fs/cgroup");
}

}  // namespace weir::agent::kernel

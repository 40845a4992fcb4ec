#include "agent/kernel/group_tree.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include <iterator>

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

Result<GroupPlace> FindGroup(const std::filesystem::path& group) {
  WEIR_ASSIGN_OR_RETURN(const UniqueFd root, OpenGroupTree());
  std::error_code error;
  const std::filesystem::path top = std::filesystem::read_symlink(fmt::format("/proc/self/fd/{}", root.get()), error);
  const std::filesystem::path full = std::filesystem::canonical(top / group, error);
  if (error) return Status::NotFound(fmt::format("no control group {} below {}", group.string(), top.string()));
  const std::filesystem::path below = full.lexically_relative(top);
  if (below.empty() || *below.begin() == "..")
    return Status::Invalid(fmt::format("{} is no control group below {}", group.string(), top.string()));
  struct stat status {};
  if (::stat(full.c_str(), &status) != 0 || !S_ISDIR(status.st_mode))
    return Status::Invalid(fmt::format("{} is no control group", full.string()));
  if (below == ".") return GroupPlace{};  // the root: everything
  return GroupPlace{static_cast<uint32_t>(std::distance(below.begin(), below.end())), status.st_ino};
}

}  // namespace weir::agent::kernel

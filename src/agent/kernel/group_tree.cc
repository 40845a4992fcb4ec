#include "agent/kernel/group_tree.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include <array>
#include <cstring>
#include <iterator>
#include <string>
#include <system_error>
#include <utility>

namespace weir::agent::kernel {
namespace {

constexpr int kKernfsHandle = 0xfe;  // FILEID_KERNFS, include/linux/exportfs.h
constexpr uint64_t kRootGroup = 1;   // number of the root in every hierarchy
constexpr const char* kOpenFiles = "/proc/self/fd";

bool IsMachinesRoot(int folder) {
  struct stat info {};
  return ::fstat(folder, &info) == 0 && info.st_ino == kRootGroup;
}

GroupTree Beyond(UniqueFd mounted, std::filesystem::path path) {
  if (IsMachinesRoot(mounted.get())) return {std::move(mounted), std::move(path), true};
  UniqueFd root = OpenGroupById(mounted.get(), kRootGroup);
  if (!root.valid() || !IsMachinesRoot(root.get())) return {std::move(mounted), std::move(path), false};
  std::filesystem::path opened = std::filesystem::path(kOpenFiles) / std::to_string(root.get());
  return {std::move(root), std::move(opened), true};
}

}  // namespace

UniqueFd OpenGroupById(int tree, uint64_t id) {
  alignas(file_handle) std::array<char, sizeof(file_handle) + sizeof(id)> space{};
  auto* handle = reinterpret_cast<file_handle*>(space.data());
  handle->handle_bytes = sizeof(id);
  handle->handle_type = kKernfsHandle;
  std::memcpy(space.data() + sizeof(file_handle), &id, sizeof(id));
  return UniqueFd(::open_by_handle_at(tree, handle, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

Result<GroupTree> OpenGroupTree(const std::filesystem::path& mount) {
  for (const std::filesystem::path& path : {mount, mount / "unified"}) {
    UniqueFd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct statfs filesystem {};
    if (folder.valid() && ::fstatfs(folder.get(), &filesystem) == 0 && filesystem.f_type == CGROUP2_SUPER_MAGIC) {
      return Beyond(std::move(folder), path);
    }
  }
  return Status::Unsupported("no version 2 control groups are mounted at " + mount.string());
}

Result<GroupPlace> FindGroup(const std::filesystem::path& group) {
  WEIR_ASSIGN_OR_RETURN(const GroupTree tree, OpenGroupTree());
  std::error_code error;
  // A tree that was opened by its number has no path of its own: there, groups are named from its root.
  const bool mounted = tree.path.parent_path() != kOpenFiles;
  const std::filesystem::path top = mounted ? std::filesystem::canonical(tree.path, error) : tree.path;
  const std::filesystem::path full =
      mounted ? std::filesystem::canonical(top / group, error) : (top / group.relative_path()).lexically_normal();
  if (error) return Status::NotFound(fmt::format("no control group {} below {}", group.string(), top.string()));
  const std::filesystem::path below = full.lexically_relative(top);
  if (below.empty() || *below.begin() == "..")
    return Status::Invalid(fmt::format("{} is no control group below {}", group.string(), top.string()));
  struct stat status {};
  if (::stat(full.c_str(), &status) != 0)
    return Status::NotFound(fmt::format("no control group {} below {}", group.string(), top.string()));
  if (!S_ISDIR(status.st_mode)) return Status::Invalid(fmt::format("{} is no control group", full.string()));
  if (below == ".") return GroupPlace{};  // the root: everything
  return GroupPlace{static_cast<uint32_t>(std::distance(below.begin(), below.end())), status.st_ino,
                    "/" + below.string()};
}

bool IsBelow(std::string_view proc_file, std::string_view path) {
  constexpr std::string_view kVersion2 = "0::";
  size_t at = 0;
  while (proc_file.substr(at, kVersion2.size()) != kVersion2) {
    at = proc_file.find('\n', at);
    if (at++ == std::string_view::npos) return false;
  }
  std::string_view group = proc_file.substr(at + kVersion2.size());
  group = group.substr(0, group.find('\n'));
  return group.starts_with(path) && (group.size() == path.size() || group[path.size()] == '/' || path.empty());
}

}  // namespace weir::agent::kernel

// The tree of version 2 control groups, which programs are attached to and which names their members.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "agent/kernel/unique_fd.h"
#include "base/status.h"

namespace weir::agent::kernel {

struct GroupTree {
  UniqueFd root;               // its folder
  std::filesystem::path path;  // the same; valid as long as `root` is open
  bool whole = true;           // false: the root is the agent's own group, what lives outside is out of sight
};

// What a probe says where the tree is not whole.
inline constexpr std::string_view kOwnGroupOnly =
    "the agent has a control group namespace of its own and may not look beyond it: what lives outside its group is "
    "missing";
inline constexpr std::string_view kOwnGroupHint =
    "start it with --cgroupns host, mount the host's /sys/fs/cgroup, or grant CAP_DAC_READ_SEARCH";

// The machine's tree, mounted at `mount` or, where that has version 1, at its folder "unified". In a control group
// namespace of the agent's own the mount shows its own group as the root; the machine's is opened by its number then.
// kUnsupported: there is no such tree.
Result<GroupTree> OpenGroupTree(const std::filesystem::path& mount = "/sys/fs/cgroup");

// A group by its id, which is its file handle: no walk through the tree, and no mistake when a folder of its name is
// made anew. `tree`: any folder of it. Not valid, with errno, when it is gone or CAP_DAC_READ_SEARCH is missing.
UniqueFd OpenGroupById(int tree, uint64_t id);

struct GroupPlace {
  uint32_t level = 0;  // below the root, whose level is 0
  uint64_t id = 0;     // as the kernel numbers it
  std::string path{};  // as /proc/PID/cgroup writes it: "/system.slice"; "" = the root
};
// Of a folder of that tree, named from its root ("system.slice") or in full. kNotFound, kInvalid: it is none.
Result<GroupPlace> FindGroup(const std::filesystem::path& group);
// Whether what /proc/PID/cgroup says is a version 2 group of that GroupPlace::path, or below it.
bool IsBelow(std::string_view proc_file, std::string_view path);

}  // namespace weir::agent::kernel

// CPU throttling and pressure of control groups, from whatever hierarchies are mounted.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "model/node_signals.h"

namespace weir::agent::node {

inline constexpr size_t kMaxCgroups = 2'000;         // read in a pass
inline constexpr size_t kMaxCgroupsListed = 20'000;  // looked at to choose them

struct CgroupFolder {
  std::filesystem::path path;
  std::string subject;  // container id, a pod's folder, or the path below the root
  uint64_t inode = 0;
  bool is_workload = false;  // a container or a pod
};

struct CgroupList {
  std::vector<CgroupFolder> folders;  // workloads first, at most kMaxCgroups
  size_t skipped = 0;                 // beyond
};

// Folders below `root`, without the insides of containers.
CgroupList ListCgroups(const std::filesystem::path& root);

// What a folder says of throttling and, for workloads, of pressure. A folder that vanishes meanwhile says nothing.
void ReadCgroup(const CgroupFolder& folder, const std::function<void(model::NodeSignal, uint64_t)>& visit);

// Where hierarchies with these files are mounted: the one of version 2, or on a hybrid node both, below `mount`.
std::vector<std::filesystem::path> CgroupRoots(const std::filesystem::path& mount = "/sys/fs/cgroup");

// Whether `root` is the machine's, not that of a control group namespace.
bool IsMachinesRoot(const std::filesystem::path& root);

}  // namespace weir::agent::node

// IdentityIndex: from a socket's control group id to the container or unit that owns it, and from its network namespace
// to the name people gave that (netns_names.h).
//
// The kernel gives the inode of the v2 folder. The index walks the v2 tree (one readdir per folder, no stat:
// a directory entry carries the inode) and remembers id -> name. An id it does not know triggers another
// walk, at most one per second; ids that stay unknown (folder gone already) are remembered, so that they cost
// no further walks. Before it walks it asks who watched groups being made: that one knows those that are gone.
//
// On a node with v1 hierarchies containers may have no v2 folder of their own, and their sockets are in the
// v2 root or in the runtime's folder. There the socket's process is asked first, by /proc/PID/cgroup, while
// it lives.
//
// Thread: the agent's loop, all calls.
#pragma once

#include <tsl/robin_map.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "agent/identity/cgroup_name.h"
#include "agent/identity/container_metadata.h"
#include "agent/identity/identities.h"
#include "agent/identity/netns_names.h"
#include "base/clock.h"

namespace weir::agent::identity {

class IdentityIndex final : public Identities {
 public:
  struct Paths {
    std::filesystem::path cgroup = "/sys/fs/cgroup";
    std::filesystem::path proc = "/proc";
    // Where `ip netns` keeps its names; the older path is the newer one's symbolic link nearly everywhere.
    std::vector<std::filesystem::path> netns = {"/run/netns", "/var/run/netns"};
    // The version 2 tree, where it is known; "" = below `cgroup`.
    std::filesystem::path tree{};
    bool whole_tree = true;          // not only the agent's own control group namespace
    bool machines_processes = true;  // `proc` shows those of the kernel's records
    ContainerMetadataReader::Paths containers = {};
    // From a version 2 group's id to its path as of when it was made, "" when that was not seen; empty = nobody
    // watches.
    std::function<std::string(uint64_t)> path_at_birth{};
    std::string misses_births{};  // why nobody does
  };

  // `clock` outlives the index. Finds the v2 tree in Paths::cgroup or its folder "unified"; does not walk it
  // yet.
  IdentityIndex(Paths paths, const Clock& clock);

  std::shared_ptr<const CgroupName> NameOf(uint64_t owner) override;
  std::shared_ptr<const std::string> NetnsNameOf(uint32_t inode) override { return netns_names_.NameOf(inode); }
  Groups groups() const override {
    if (root_.empty()) return Groups::kNone;
    return paths_.whole_tree ? Groups::kAll : Groups::kOwn;
  }
  bool misses_processes() const override { return has_v1_ && !paths_.machines_processes; }
  size_t size() const { return names_.size(); }

 private:
  struct Entry {
    std::shared_ptr<const CgroupName> name;
    Nanos seen = 0;      // last walk that met it, or last use of a process's name
    int looks_left = 3;  // for what its runtime says of it
    Nanos next_look = 0;
  };

  struct ProcessEntry {
    uint64_t owner = 0;
    bool in_container = false;
    Nanos expires = 0;
  };

  uint64_t OwnerByProcess(uint64_t cgroup_id, uint32_t pid) override;
  // Forgets what processes said ten seconds ago, because pids are reused.
  void ExpireAnswers() override;
  ProcessEntry ReadProcess(uint32_t pid, Nanos now);
  std::shared_ptr<const CgroupName> Named(Entry& entry);
  void Walk(Nanos now);
  void WalkFolder(const std::filesystem::path& folder, std::string& relative, int depth, Nanos now);
  void ForgetOld(Nanos now);

  const Paths paths_;
  const Clock& clock_;
  std::filesystem::path root_;
  uint64_t root_id_ = 1;
  bool has_v1_ = false;
  Nanos next_walk_ = 0;
  std::unordered_map<uint64_t, Entry> names_;
  std::unordered_set<uint64_t> unknown_;
  tsl::robin_map<uint32_t, ProcessEntry> processes_;  // asked for every record, so no clock is read there
  NetnsNames netns_names_;
  ContainerMetadataReader containers_;
  std::shared_ptr<const CgroupName> nobody_ = std::make_shared<const CgroupName>();
};

}  // namespace weir::agent::identity

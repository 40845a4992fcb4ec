// What belongs to the node as a whole, from files: softnet, connection tracking, pressure, RDMA ports and control
// groups. Every source is optional.
#pragma once

#include <filesystem>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "agent/kernel/group_tree.h"
#include "agent/node/cgroups.h"
#include "agent/node/node_snapshot.h"
#include "agent/node/probe_list.h"
#include "agent/node/sample_table.h"

namespace weir::agent::node {

// Thread: one.
class HostReader {
 public:
  // Table and probes outlive the reader. `proc` and `sys` are the node's, or a test's.
  HostReader(SampleTable& table, ProbeList& probes, std::filesystem::path proc = "/proc",
             std::filesystem::path sys = "/sys");
  // What the machine has and the mounts do not show: the version 2 tree where it has been opened, and whether
  // connection tracking is read in the machine's own network namespace.
  void Use(kernel::GroupTree tree, bool own_network_is_machines);

  void ReadConntrack();
  void ReadPressure();
  void ReadRdma();
  void ReadSoftnet();
  void ReadCgroups();

  // As the last ReadRdma() found them.
  const std::vector<NodeSnapshot::EfaPort>& efa_ports() const { return efa_ports_; }

 private:
  void ReadRdmaPort(const std::string& device, const std::filesystem::path& port);

  SampleTable& table_;
  ProbeList& probes_;
  const std::filesystem::path proc_;
  const std::filesystem::path sys_;
  std::vector<std::filesystem::path> cgroup_roots_;
  kernel::GroupTree tree_;            // beneath one of them, where it was opened
  bool machines_groups_only_ = true;  // no root is that of a control group namespace
  bool machines_network_ = true;
  std::unordered_set<uint64_t> known_cgroups_;  // of the last complete listing
  bool cgroups_listed_ = false;
  std::vector<NodeSnapshot::EfaPort> efa_ports_;
};

}  // namespace weir::agent::node

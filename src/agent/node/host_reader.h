// What belongs to the node as a whole, from files: softnet, connection tracking, pressure, RDMA ports and control
// groups. Every source is optional.
#pragma once

#include <filesystem>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "agent/node/cgroups.h"
#include "agent/node/probe_list.h"
#include "agent/node/sample_table.h"

namespace weir::agent::node {

// Thread: one.
class HostReader {
 public:
  // Table and probes outlive the reader. `proc` and `sys` are the node's, or a test's.
  HostReader(SampleTable& table, ProbeList& probes, std::filesystem::path proc = "/proc",
             std::filesystem::path sys = "/sys");

  void ReadConntrack();
  void ReadPressure();
  void ReadRdma();
  void ReadSoftnet();
  void ReadCgroups();

 private:
  void ReadRdmaPort(const std::filesystem::path& port, const std::string& subject);

  SampleTable& table_;
  ProbeList& probes_;
  const std::filesystem::path proc_;
  const std::filesystem::path sys_;
  const std::vector<std::filesystem::path> cgroup_roots_;
  std::unordered_set<uint64_t> known_cgroups_;  // of the last complete listing
  bool cgroups_listed_ = false;
};

}  // namespace weir::agent::node

// NamespaceTable: the network namespaces of this machine, their addresses and the pods they belong to, put together
// from what was read of the machine (agent/node) and from the local ends of flows, which are there sooner.
//
// A namespace leaves when a complete reading does not list it, or a minute after anything was heard of it. Bounded:
// model::kMaxBatchNamespaces, with model::kMaxNamespaceAddresses each; what is beyond is left out and counted
// (agent_namespaces_full). Thread: the agent's loop, all calls.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "model/side_report.h"

namespace weir::agent::source {

class NamespaceTable {
 public:
  // `host_inode`: of the machine's own namespace; 0 = unknown. `only_seen`: those in which no flow ends are somebody
  // else's to tell, for several agents share the machine.
  explicit NamespaceTable(uint32_t host_inode, bool only_seen = false)
      : host_inode_(host_inode), only_seen_(only_seen) {}

  // What was read of the machine; `complete`: there are no others.
  void Read(Nanos now_monotonic, const std::vector<model::NetNamespace>& found, bool complete);
  void Learn(Nanos now_monotonic, const std::vector<model::SideReport>& reports);
  // Read() and Learn(), then Take() in place of what was read.
  void Merge(Nanos now_monotonic, const std::vector<model::SideReport>& reports,
             std::vector<model::NetNamespace>& read_and_result);
  // Those that changed since the last call, one that is gone without addresses; every ten seconds all.
  std::vector<model::NetNamespace> Take(Nanos now_monotonic);

  size_t size() const { return spaces_.size(); }

 private:
  struct Space {
    std::string name;
    std::string pod_uid;
    bool several_pods = false;
    bool is_host = false;
    bool changed = true;
    Nanos heard = 0;
    std::map<model::Address, Nanos> addresses;  // when last heard of
  };

  Space* Find(uint32_t inode, Nanos now);
  static void SetPod(Space& space, const std::string& pod_uid);
  static void AddAddress(Space& space, const model::Address& address, Nanos now);
  static void DropOld(Space& space, Nanos oldest);
  model::NetNamespace Describe(uint32_t inode, const Space& space) const;

  const uint32_t host_inode_;
  const bool only_seen_;
  std::unordered_map<uint32_t, Space> spaces_;
  std::vector<uint32_t> gone_;
  Nanos next_all_ = 0;
};

// Of the machine's first process, as far as this process may know it; 0 = it may not.
uint32_t HostNetNamespace();

}  // namespace weir::agent::source

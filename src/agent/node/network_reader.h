// Interfaces, queueing disciplines, driver statistics and the counters of IP, TCP, UDP and ICMP: of the agent's own
// network namespace with every pass, of all others with the slow ones, each entered for the length of two netlink dumps
// and four files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/kernel/net_namespaces.h"
#include "agent/node/ethtool.h"
#include "agent/node/link_message.h"
#include "agent/node/node_snapshot.h"
#include "agent/node/probe_list.h"
#include "agent/node/queue_stats.h"
#include "agent/node/sample_table.h"
#include "base/clock.h"
#include "model/side_report.h"

namespace weir::agent::node {

// Read in a pass; each is a descriptor held meanwhile, of 1,024.
inline constexpr size_t kMaxNamespaces = model::kMaxListedNamespaces;
inline constexpr Nanos kNamespaceBudget = 200'000'000;  // of a pass; the rest is counted and has its turn later

// A signal that is evidence of a limit grew on an interface of the agent's own namespace.
struct Rise {
  uint32_t ifindex = 0;
  std::string interface;
  model::NodeSignal signal = model::NodeSignal::node_pass_us;
  std::string subject;
};

// An interface worth 100 readings a second.
struct RateTarget {
  uint32_t ifindex = 0;
  std::string name;
};

// Thread: one, which stays in the namespace it calls Open() in.
class NetworkReader {
 public:
  // Both outlive the reader.
  NetworkReader(SampleTable& table, ProbeList& probes, const Clock& clock)
      : table_(table), probes_(probes), clock_(clock) {}

  // Of other network namespaces, only those of processes below this control group are the node's; as GroupPlace::path.
  void KeepTo(std::string group) { group_ = std::move(group); }
  // Fails when the kernel does not tell of interfaces at all.
  Status Open();
  void ReadOwn();
  // Driver statistics and queues of the own namespace; some devices are asked by a command of their own.
  void ReadDevices();
  void ReadOthers();
  // Interfaces and protocol counters of all namespaces known, for the board alone (SampleTable::BeginLook). Some 100 us
  // a namespace; bounded like a pass.
  void Look();
  // The namespaces that are there with their interfaces, and their values on `board`.
  void Show(const CounterBoard& board, NodeSnapshot& into) const;
  bool IsThere(uint32_t netns) const { return netns == 0 || others_.contains(netns); }
  // Whether what happens in a namespace, by its inode, is of this node.
  bool IsOurs(uint32_t inode) const { return group_.empty() || inode == own_inode_ || others_.contains(inode); }

  // As subjects begin: "" for the agent's own namespace; of one that is gone or not read yet, its number.
  std::string SpaceName(uint32_t inode) const;

  // What the last slow pass found, the own one first; empty when it has been taken already.
  std::vector<model::NetNamespace> TakeNamespaces() { return std::exchange(found_, {}); }

  std::vector<Rise> TakeRises() { return std::exchange(rises_, {}); }
  // Hardware first, then what has a shaper, then the rest that is up; at most `limit`.
  std::vector<RateTarget> RateTargets(size_t limit) const;

 private:
  struct ShownLink {
    uint32_t ifindex = 0;
    std::string name;
    uint32_t peer = 0;  // in another namespace; 0 = not there
    bool hardware = false;
  };
  struct Namespace {
    uint32_t number = 0;           // inode; 0 = the agent's own
    uint64_t cookie = 0;           // of the namespace, where the inode is soon another's; 0 = not read, or unknown
    std::string name;              // "" = the agent's own
    std::filesystem::path path;    // where it was found last
    std::string container;         // id, of the process it was found by
    std::vector<ShownLink> links;  // up, without loopback
    bool is_new = false;           // came to be after the last complete listing
    bool listed = false;           // its objects were listed before, so one not seen then is new
    bool present = false;
    std::string pod_uid;
    int looks_for_pod = 0;                  // so often its first process was asked
    uint32_t services_link = 0;             // an interface whose addresses are not its node's; 0 = there is none
    std::vector<model::Address> addresses;  // as last read
  };
  struct OwnLink {
    uint32_t ifindex = 0;
    std::string name;
    bool hardware = false;
    bool shaped = false;
  };
  using LinkNames = std::unordered_map<uint32_t, Link>;

  // The name is borrowed from `space`.
  static Object ObjectOf(const Namespace& space);
  Status ReadNamespace(NetlinkSocket& socket, Namespace& space);
  Status LookAt(NetlinkSocket& socket, Namespace& space);
  void AddCounters(Namespace& space, const Link& link, bool hardware, const Object& object);
  void AddLink(Namespace& space, const Link& link);
  std::string HostNameOf(const ShownLink& link) const;
  // Which interfaces of the own namespace the node's traffic leaves by.
  void AddUplinks(const LinkNames& links);
  Status ReadQdiscs(NetlinkSocket& socket, const Namespace& space, const LinkNames& links);
  Status AddProtocols(const Namespace& space);
  void AddDevice(const OwnLink& link);
  // Adds a counter and remembers a rise.
  void AddEvidence(const Namespace& space, const Link& link, const Object& object, model::NodeSignal signal,
                   uint64_t value);
  std::string NameOf(const kernel::NetNamespace& found) const;
  // As ProbeList::Judge(), of what the own namespace shows.
  void JudgeOwn(std::string_view probe, const Status& status);
  // Its pod, by the control group of the process it was found by. A new namespace is without processes at first.
  static void LookForPod(const kernel::NetNamespace& found, Namespace& space);
  static Status ReadAddresses(NetlinkSocket& socket, Namespace& space);
  // Whether the namespace `socket` is in is the one `space` describes: inodes of namespaces are soon given again.
  static bool IsSame(const NetlinkSocket& socket, Namespace& space);
  // Leaves out what is not there any more, with all that was counted of it.
  void DropGone();
  void Tell();
  void UpdateNamespaces(const std::vector<kernel::NetNamespace>& found);
  std::vector<kernel::NetNamespace> ListSpaces() const;

  SampleTable& table_;
  ProbeList& probes_;
  const Clock& clock_;
  std::optional<NetlinkSocket> socket_;
  std::optional<EthtoolReader> ethtool_;
  std::optional<QueueStatsReader> queues_;
  std::string group_;  // "" = all namespaces are the node's
  uint32_t own_inode_ = 0;
  bool machines_network_ = true;    // the own namespace is the machine's
  bool machines_processes_ = true;  // those of other namespaces are in sight
  uint32_t host_inode_ = 0;         // of the first process
  Namespace own_;
  std::vector<OwnLink> own_links_;
  std::unordered_map<uint32_t, Namespace> others_;         // by inode
  bool others_listed_ = false;                             // completely, by the last slow pass
  size_t next_other_ = 0;                                  // where the next slow pass begins
  std::unordered_map<uint32_t, std::string> bound_names_;  // of /run/netns, by inode
  std::vector<Rise> rises_;
  std::vector<model::NetNamespace> found_;
};

}  // namespace weir::agent::node

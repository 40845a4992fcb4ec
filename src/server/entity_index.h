// EntityIndex: what clusters and agents say of pods, nodes, services and addresses, over time. It answers who a pod
// uid, a container or an address is now, and was when a flow that comes late happened.
//
// Deleted pods are remembered (kMaxTombstones, for kTombstoneMs), because their flows may come later than their end. An
// address that goes from one pod to another never lends the old name nor steals the new one (address_timeline.h). Where
// two pods claim one address neither is guessed (server_names_contested).
//
// Several clusters may be known; their address ranges may overlap. Cluster 0 is none: plain hosts.
//
// Pure: no lock, no clock; `now` is the server's. What look-ups return is borrowed until the next change.
#pragma once

#include <tsl/robin_map.h>
#include <xxhash.h>

#include <cstdint>
#include <cstring>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "model/cluster.h"
#include "model/pod_names.h"
#include "model/side_report.h"
#include "server/address_timeline.h"
#include "server/pod_names_log.h"
#include "server/service_index.h"

namespace weir::server {

struct KnownNode {
  std::string name;  // in its cluster
  std::string zone;
  std::string region;
  std::string instance_type;
  std::vector<model::Address> addresses;
  ClusterNumber cluster = 0;
  bool gone = false;
  uint64_t version = 0;
};

struct KnownPod {
  struct Container {
    std::string id;
    std::string name;
    std::string image;
  };
  std::string uid;
  std::string name_space;
  std::string name;
  std::string workload_kind;
  std::string workload;
  std::string node;
  std::vector<Container> containers;
  std::vector<model::Address> addresses;
  std::vector<std::string> volumes;  // claims it mounts
  ClusterNumber cluster = 0;
  bool announced = false;  // the cluster told of it; else an agent alone
  bool seen_only = false;  // its addresses are known by agents, not yet by its cluster
  bool host_network = false;
  bool pulling = false;     // waits for an image
  UnixMillis started = 0;   // it had no address before
  UnixMillis finished = 0;  // all its containers had ended; 0 = not yet
  UnixMillis deletion = 0;
  UnixMillis gone = 0;   // deleted at
  UnixMillis heard = 0;  // of it, last
  uint64_t version = 0;  // grows with every change of what names are made of

  std::vector<std::string> container_ids;  // all it ever had, to be forgotten with it
  std::vector<model::Address> held;        // as well

  bool ending() const { return deletion != 0 || finished != 0 || gone != 0; }
};

// Who held an address during an interval. At most one of pod and node is set.
struct AddressHolder {
  const KnownPod* pod = nullptr;
  const KnownNode* node = nullptr;
  uint32_t pod_number = 0;
  bool contested = false;
  bool used_unnamed = false;  // flows were stored under the generation before its holder was known
  uint32_t generation = 0;
  ClusterNumber cluster = 0;  // whose address space it is; 0 = none has it
};

class EntityIndex {
 public:
  static constexpr size_t kMaxPods = 200'000;       // alive
  static constexpr size_t kMaxTombstones = 50'000;  // deleted ones
  static constexpr size_t kMaxAddresses = 262'144;
  static constexpr int64_t kTombstoneMs = 86'400'000;

  EntityIndex();

  // The number of a cluster; a new name gets one. At most 255, then 0.
  ClusterNumber ClusterOf(const std::string& name);
  const std::string& ClusterName(ClusterNumber cluster) const { return cluster_names_[cluster]; }
  size_t clusters() const { return cluster_names_.size() - 1; }

  // ---- What a cluster says ----
  void Changed(ClusterNumber cluster, const model::Pod& pod, UnixMillis now);
  void Changed(ClusterNumber cluster, const model::Node& node, UnixMillis now);
  void Changed(ClusterNumber cluster, const model::Service& service) { services_.Put(cluster, service); }
  void Changed(ClusterNumber cluster, const model::Endpoints& endpoints) { services_.Put(cluster, endpoints); }
  void GonePod(const std::string& uid, UnixMillis at, UnixMillis now);
  void GoneNode(const std::string& uid, UnixMillis now);
  void GoneService(const std::string& uid, UnixMillis at) { services_.RemoveService(uid, at); }
  void GoneEndpoints(const std::string& uid) { services_.RemoveEndpoints(uid); }

  // ---- What agents say ----
  // The pod's agent saw it at this address throughout the interval. Pods in their node's own network namespace are left
  // out by the caller.
  // `viewer`: the agent's cluster.
  void Prove(std::string_view pod_uid, ClusterNumber viewer, const model::Address& address, UnixMillis start,
             UnixMillis end, UnixMillis now);
  // The agent on a node called `agent_node` reports for this pod: it is where the pod is.
  void PlaceAgent(std::string_view agent_node, std::string_view pod_uid);

  // ---- Who is who ----
  const KnownPod* PodOfUid(std::string_view uid) const;
  // And which of its containers; nullptr when no pod has it.
  const KnownPod* PodOfContainer(std::string_view id, const KnownPod::Container** container) const;
  uint32_t NumberOf(const KnownPod& pod) const;
  const KnownPod& PodOf(uint32_t number) const { return pods_[number]; }
  const KnownNode* NodeOf(ClusterNumber cluster, std::string_view name) const;
  // The node an agent is on, by its name, or by the pods it reports for; nullptr when no cluster has it.
  const KnownNode* NodeOfAgent(std::string_view agent_node) const;
  // As the agent on that node calls it; its own name where no agent is known.
  std::string_view AgentNameOf(const KnownNode& node) const;
  // `viewer`: the cluster of whoever saw the address. Remembers that the answer was given to a flow.
  AddressHolder HolderOf(const model::Address& address, ClusterNumber viewer, UnixMillis start, UnixMillis end,
                         UnixMillis now);
  // Who holds a generation of the address, as is known by now.
  AddressHolder HolderOfGeneration(const model::Address& address, ClusterNumber cluster, uint32_t generation) const;
  const ServiceIndex& services() const { return services_; }
  // Those that are there, in any order.
  std::vector<const KnownPod*> PodsOn(ClusterNumber cluster, std::string_view node) const;

  // What the agent on this node does not know of its pods. Empty until the cluster's pods were listed.
  model::PodNames NamesFor(std::string_view agent_node, const model::NamesVersion& known) const;
  void PodsListed(ClusterNumber cluster);
  void SetEpoch(uint64_t epoch) { epoch_ = epoch; }

  // Pods and nodes whose names changed since the last call, by number; at most once each.
  struct Changes {
    std::vector<uint32_t> pods;
    std::vector<uint32_t> nodes;
    std::vector<model::Address> addresses;  // held by somebody else, or by somebody at last
  };
  Changes TakeChanges();
  // Forgets what is too old; to be called now and then.
  void Expire(UnixMillis now);

  // Grows with every change of what names are made of.
  uint64_t version() const { return version_; }
  size_t pods() const { return by_uid_.size(); }
  size_t tombstones() const { return tombstones_.size(); }
  size_t addresses() const { return addresses_.size(); }
  size_t contested() const { return contested_; }

 private:
  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return XXH3_64bits(text.data(), text.size()); }
  };
  struct TextEqual {
    using is_transparent = void;
    bool operator()(std::string_view a, std::string_view b) const { return a == b; }
  };
  template <typename Value>
  using ByText =
      tsl::robin_map<std::string, Value, TextHash, TextEqual, std::allocator<std::pair<std::string, Value>>, true>;

  struct SpaceAddress {
    model::Address address;
    uint64_t cluster = 0;
    bool operator==(const SpaceAddress&) const = default;
  };
  struct SpaceHash {
    // Two multiplications folded: a library's call would cost as much as the rest of a look-up.
    size_t operator()(const SpaceAddress& key) const {
      uint64_t words[2];
      std::memcpy(words, key.address.bytes.data(), sizeof(words));
      return Fold(Fold(words[0] ^ 0x9e37'79b9'7f4a'7c15, words[1] ^ 0xbf58'476d'1ce4'e5b9) ^ key.cluster,
                  0x94d0'49bb'1331'11eb);
    }
    static uint64_t Fold(uint64_t a, uint64_t b) {
      __extension__ using Wide = unsigned __int128;
      const Wide product = static_cast<Wide>(a) * b;
      return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
    }
  };
  struct Place {
    AddressTimeline timeline;
    std::vector<uint32_t> claimants;  // pods that are said to have it
    uint32_t node = kNone;            // or a node
    bool contested = false;
  };
  struct ContainerPlace {
    uint32_t pod = 0;
    uint32_t index = 0;
  };
  static constexpr uint32_t kNone = ~0U;

  uint32_t PodNumber(std::string_view uid);
  void Update(KnownPod& pod, ClusterNumber cluster, const model::Pod& from, UnixMillis now);
  void UpdateContainers(uint32_t number, const model::Pod& from);
  void RememberContainer(KnownPod& pod, const std::string& id);
  void SetAddresses(uint32_t number, std::vector<model::Address> addresses, UnixMillis now);
  // Borrowed until the next one is made.
  Place* PlaceOf(ClusterNumber cluster, const model::Address& address, UnixMillis now);
  void Claim(uint32_t pod, const model::Address& address, UnixMillis now);
  void Unclaim(uint32_t pod, const model::Address& address, UnixMillis now);
  // Decides who holds the address after its claimants, or what is known of them, changed.
  void Settle(const SpaceAddress& key, Place& place, UnixMillis now);
  void ProveOther(const SpaceAddress& key, Place& place, uint32_t pod, UnixMillis start, UnixMillis end,
                  UnixMillis now);
  uint32_t RightfulHolder(const Place& place, bool& contested) const;
  void Bury(uint32_t number, UnixMillis at, UnixMillis now);
  void DropTombstone();
  void MarkPod(uint32_t number);
  void MakeRoom(UnixMillis now);
  UnixMillis EndOf(const KnownPod& pod, UnixMillis now) const;

  std::vector<std::string> cluster_names_;
  std::deque<KnownPod> pods_;  // by number
  std::vector<uint32_t> free_pods_;
  ByText<uint32_t> by_uid_;
  ByText<ContainerPlace> by_container_;
  std::deque<uint32_t> tombstones_;  // pods that are gone, oldest first

  std::deque<KnownNode> nodes_;    // by number, never fewer
  ByText<uint32_t> node_by_name_;  // "cluster/name"
  ByText<uint32_t> node_by_uid_;
  ByText<uint32_t> node_by_agent_;
  std::unordered_map<uint32_t, std::string> agent_by_node_;

  tsl::robin_map<SpaceAddress, Place, SpaceHash> addresses_;
  size_t contested_ = 0;
  bool places_full_ = false;

  ServiceIndex services_;
  PodNamesLog names_log_;
  std::vector<bool> pods_listed_;  // by cluster
  uint64_t epoch_ = 0;
  uint64_t version_ = 0;
  std::vector<uint32_t> changed_pods_;
  std::vector<uint32_t> changed_nodes_;
  std::vector<model::Address> changed_addresses_;
};

}  // namespace weir::server

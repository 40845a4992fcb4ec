// Names: who the ends of flows are, as detectors see them. Entities of one pod are one party; an end outside of pods is
// a party of its own. Parties have small stable numbers, so that the hot path never touches a text.
//
// A party keeps its number when its name comes late or changes, and so does what detectors remember of it. Not
// thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "diagnose/capacity.h"
#include "diagnose/subject.h"
#include "model/cluster.h"
#include "model/entity.h"

namespace weir::diagnose {

using PartyNumber = uint32_t;
using NodeNumber = uint32_t;
using NameNumber = uint32_t;  // of an interned text; 0 = ""

inline constexpr PartyNumber kNobody = 0;
inline constexpr size_t kMaxParties = 2'000'000;
inline constexpr size_t kMaxNames = 200'000;
inline constexpr size_t kMaxContainers = 16;  // of a party

// Services whose data is loaded, as cloud_service says.
enum class RemoteClass : uint8_t { kNone, kObjectStore, kModelHub, kRegistry, kFileStore };
std::string_view RemoteClassName(RemoteClass remote_class);

struct Party {
  Subject subject;  // a pod, a process, a service or an outside end
  NodeNumber node = 0;
  NameNumber zone = 0;
  NameNumber workload = 0;  // of the owner; the party's own text where it has none
  RemoteClass remote_class = RemoteClass::kNone;
  std::string class_source;  // dns, sni, prefix, ...: how the class is known
  std::string image;
  std::vector<std::string> containers;  // ids, at most kMaxContainers
  std::string pod_key;                  // "namespace/pod", where it is in one
  bool seen = false;                    // by an agent, so that its end's measures exist
  int64_t used_s = 0;                   // Unix seconds; not used for long, it is forgotten
};

// What the hot path reads of a party: sixteen bytes.
struct PartyBrief {
  NodeNumber node = 0;
  NameNumber zone = 0;
  NameNumber workload = 0;
  RemoteClass remote_class = RemoteClass::kNone;
  bool seen = false;
};

class Names {
 public:
  explicit Names(Capacities capacities);

  void Learn(const model::Entity& entity);
  void Learn(const model::Pod& pod);
  void Learn(const model::Node& node);
  void Learn(const model::Endpoints& endpoints);
  void Learn(const model::VolumeAttachment& attachment);
  void Gone(model::ClusterListener::Kind kind, const std::string& uid, UnixMillis at);
  void LearnLinkSpeed(NodeNumber node, double bits_per_second);

  // The party of an entity; one nobody told of yet becomes an unknown one. kNobody for entity 0 and when full.
  PartyNumber Of(model::EntityId entity);
  // Follows parties that turned out to be the same.
  PartyNumber Resolve(PartyNumber number) const {
    while (redirects_[number] != number) number = redirects_[number];
    return number;
  }
  const Party& operator[](PartyNumber number) const { return parties_[Resolve(number)]; }
  const PartyBrief& Brief(PartyNumber number) const { return briefs_[Resolve(number)]; }
  void Used(PartyNumber number, int64_t second) { parties_[Resolve(number)].used_s = second; }
  size_t parties() const { return parties_.size(); }
  // Whether anything but its number is known of an entity; what was forgotten has to be learned again.
  bool Knows(model::EntityId entity) const;

  NodeNumber Node(std::string_view name);
  const std::string& NodeName(NodeNumber node) const { return Text(node); }
  Subject NodeSubjectOf(NodeNumber node) const;
  Capacity CapacityOf(NodeNumber node) const;
  const model::Node* NodeFacts(NodeNumber node) const;

  NameNumber Intern(std::string_view text);
  const std::string& Text(NameNumber number) const { return texts_[number]; }

  // nullptr when the party is in no pod that the cluster told of.
  const model::Pod* PodOf(PartyNumber party) const;
  const model::Pod* PodByUid(const std::string& uid) const;
  PartyNumber PartyOfPod(const std::string& name_space, const std::string& pod) const;
  // Of its party, or of what the cluster says where no flow of it was seen.
  Subject SubjectOfPod(const model::Pod& pod) const;
  const std::unordered_map<std::string, model::Pod>& pods() const { return pods_; }
  // When the pod ended, or was asked to; 0 = it lives, or is unknown.
  UnixMillis EndOf(PartyNumber party) const;
  // Pods whose volumes a Mountpoint pod serves; empty for any other.
  std::vector<const model::Pod*> ServedBy(PartyNumber helper) const;
  // Ready endpoints of the service that a workload's pods stand behind, by zone. Empty when no service does.
  struct ServiceZones {
    std::string name_space;
    std::string service;
    std::map<std::string, uint32_t> ready_by_zone;
  };
  ServiceZones ServiceOf(PartyNumber server) const;

  // Forgets parties that nobody used for `keep_s` seconds up to `now_s`, and pods that ended before that.
  void Forget(int64_t now_s, int64_t keep_s);

 private:
  PartyNumber Create();
  void Fill(Party& party, const model::Entity& entity);

  Capacities capacities_;
  std::vector<Party> parties_;
  std::vector<PartyBrief> briefs_;  // by party
  std::vector<PartyNumber> redirects_;
  std::vector<PartyNumber> free_;
  std::unordered_map<model::EntityId, PartyNumber> by_entity_;
  std::unordered_map<std::string, PartyNumber> by_pod_;    // "cluster\nnamespace/pod"
  std::unordered_map<std::string, model::Pod> pods_;       // by uid
  std::unordered_map<std::string, std::string> pod_uids_;  // "namespace/pod" -> uid of the latest
  std::unordered_map<std::string, UnixMillis> ended_;      // "namespace/pod"
  std::unordered_map<std::string, model::Node> nodes_;     // by name
  std::unordered_map<NodeNumber, double> link_bits_;
  std::unordered_map<std::string, model::Endpoints> endpoints_;  // by uid
  std::unordered_map<std::string, model::VolumeAttachment> attachments_;
  std::vector<std::string> texts_{""};
  std::unordered_map<std::string, NameNumber> numbers_{{"", 0}};
};

}  // namespace weir::diagnose

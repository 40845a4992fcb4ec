#include "server/entity_index.h"

#include <algorithm>
#include <utility>

#include "base/metrics.h"

namespace weir::server {
namespace {

constexpr int64_t kUnannouncedMs = 600'000;  // a pod that no cluster tells of is remembered so long after its last flow
constexpr int64_t kSimultaneousMs = 3'000;   // two pods seen at one address within this time may both have it
constexpr int64_t kIdleAddressMs = 3'600'000;
constexpr size_t kMaxClusters = 255;
constexpr size_t kMaxContainerIds = 64;

std::string NodeKey(ClusterNumber cluster, std::string_view name) {
  return std::to_string(cluster) + '/' + std::string(name);
}

bool CanBeHeld(const model::Address& address) {
  return !address.is_loopback() && !address.is_link_local() && !address.is_unspecified() && !address.is_multicast();
}

// When all containers that count had ended; 0 = one has not.
UnixMillis FinishedAt(const model::Pod& pod) {
  if (pod.phase != "Succeeded" && pod.phase != "Failed") {
    // A pod that is being deleted is over when its containers are, whatever its phase says meanwhile.
    if (pod.deletion == 0) return 0;
  }
  UnixMillis latest = 0;
  for (const model::PodContainer& container : pod.containers) {
    if (container.init) continue;
    if (container.state != "terminated") {
      if (pod.phase != "Succeeded" && pod.phase != "Failed") return 0;
      continue;
    }
    latest = std::max(latest, container.finished);
  }
  return latest;
}

bool IsPulling(const model::Pod& pod) {
  return std::any_of(pod.containers.begin(), pod.containers.end(), [](const model::PodContainer& container) {
    return container.state == "waiting" &&
           (container.reason == "ContainerCreating" || container.reason == "PodInitializing" ||
            container.reason == "Pulling" || container.reason.empty());
  });
}

bool SameContainers(const std::vector<KnownPod::Container>& known, const std::vector<model::PodContainer>& from) {
  return std::equal(known.begin(), known.end(), from.begin(), from.end(),
                    [](const KnownPod::Container& a, const model::PodContainer& b) {
                      return a.id == b.id && a.name == b.name && a.image == b.image;
                    });
}

}  // namespace

EntityIndex::EntityIndex() : cluster_names_{""}, pods_listed_{false} {}

ClusterNumber EntityIndex::ClusterOf(const std::string& name) {
  const auto known = std::find(cluster_names_.begin() + 1, cluster_names_.end(), name);
  if (known != cluster_names_.end()) return static_cast<ClusterNumber>(known - cluster_names_.begin());
  if (cluster_names_.size() > kMaxClusters) return 0;
  cluster_names_.push_back(name);
  pods_listed_.push_back(false);
  return static_cast<ClusterNumber>(cluster_names_.size() - 1);
}

// ---- Pods ----

uint32_t EntityIndex::PodNumber(std::string_view uid) {
  if (const auto known = by_uid_.find(uid); known != by_uid_.end()) return known->second;
  if (by_uid_.size() - tombstones_.size() >= kMaxPods) {
    Count(Metric::server_names_full);
    return kNone;
  }
  uint32_t number = static_cast<uint32_t>(pods_.size());
  if (free_pods_.empty()) {
    pods_.emplace_back();
  } else {
    number = free_pods_.back();
    free_pods_.pop_back();
  }
  pods_[number].uid = uid;
  by_uid_[std::string(uid)] = number;
  return number;
}

void EntityIndex::Changed(ClusterNumber cluster, const model::Pod& from, UnixMillis now) {
  if (from.uid.empty()) return;
  const uint32_t number = PodNumber(from.uid);
  if (number == kNone) return;
  KnownPod& pod = pods_[number];
  if (pod.gone != 0) return;  // an old list, or a uid that cannot come back
  const bool was_ending = pod.ending();
  Update(pod, cluster, from, now);
  UpdateContainers(number, from);
  // A pod that has ended keeps its addresses in its status, long after others were given them.
  std::vector<model::Address> addresses;
  if (!from.host_network && pod.finished == 0 && from.phase != "Succeeded" && from.phase != "Failed") {
    for (const model::Address& address : from.addresses) {
      if (CanBeHeld(address)) addresses.push_back(address);
    }
  }
  const bool still_to_come = pod.seen_only && addresses.empty() && pod.finished == 0;
  if (!still_to_come) {
    pod.seen_only = false;
    SetAddresses(number, std::move(addresses), now);
  }
  if (was_ending == pod.ending()) return;
  for (const model::Address& address : pod.addresses) {
    if (Place* const place = PlaceOf(cluster, address, now)) Settle({address, cluster}, *place, now);
  }
}

void EntityIndex::Update(KnownPod& pod, ClusterNumber cluster, const model::Pod& from, UnixMillis now) {
  const bool named = pod.announced && pod.cluster == cluster && pod.name_space == from.name_space &&
                     pod.name == from.name && pod.node == from.node && pod.workload == from.workload.name &&
                     pod.workload_kind == from.workload.kind && SameContainers(pod.containers, from.containers);
  pod.cluster = cluster;
  pod.name_space = from.name_space;
  pod.name = from.name;
  pod.workload_kind = from.workload.kind;
  pod.workload = from.workload.name;
  pod.node = from.node;
  pod.volumes = from.volumes;
  pod.host_network = from.host_network;
  pod.pulling = IsPulling(from);
  // The cluster's clock may run ahead.
  pod.started = std::min(std::max({from.started, from.scheduled, from.created}), now);
  pod.finished = std::min(FinishedAt(from), now);
  pod.deletion = from.deletion;
  pod.announced = true;
  pod.heard = now;
  if (!named) MarkPod(NumberOf(pod));
}

void EntityIndex::UpdateContainers(uint32_t number, const model::Pod& from) {
  KnownPod& pod = pods_[number];
  if (SameContainers(pod.containers, from.containers)) return;
  // A container that was started again has a new id; flows of the old one may still come, so that stays until the
  // pod goes.
  pod.containers.clear();
  for (const model::PodContainer& container : from.containers) {
    const auto index = static_cast<uint32_t>(pod.containers.size());
    pod.containers.push_back({container.id, container.name, container.image});
    if (container.id.empty()) continue;
    by_container_[container.id] = {number, index};
    RememberContainer(pod, container.id);
  }
}

// A container that fails over and over has many ids in its time.
void EntityIndex::RememberContainer(KnownPod& pod, const std::string& id) {
  if (std::find(pod.container_ids.begin(), pod.container_ids.end(), id) != pod.container_ids.end()) return;
  pod.container_ids.push_back(id);
  if (pod.container_ids.size() <= kMaxContainerIds) return;
  by_container_.erase(pod.container_ids.front());
  pod.container_ids.erase(pod.container_ids.begin());
}

void EntityIndex::SetAddresses(uint32_t number, std::vector<model::Address> addresses, UnixMillis now) {
  KnownPod& pod = pods_[number];
  if (pod.addresses == addresses) return;
  const std::vector<model::Address> before = std::exchange(pod.addresses, std::move(addresses));
  const auto has = [](const std::vector<model::Address>& list, const model::Address& address) {
    return std::find(list.begin(), list.end(), address) != list.end();
  };
  for (const model::Address& address : before) {
    if (!has(pod.addresses, address)) Unclaim(number, address, now);
  }
  for (const model::Address& address : pods_[number].addresses) {
    if (!has(before, address)) Claim(number, address, now);
  }
}

void EntityIndex::GonePod(const std::string& uid, UnixMillis at, UnixMillis now) {
  const auto known = by_uid_.find(uid);
  if (known == by_uid_.end() || pods_[known->second].gone != 0) return;
  Bury(known->second, std::clamp<UnixMillis>(at, 1, now), now);
}

void EntityIndex::Bury(uint32_t number, UnixMillis at, UnixMillis now) {
  KnownPod& pod = pods_[number];
  pod.gone = at;
  for (const model::Address& address : pod.held) Unclaim(number, address, now);
  pod.addresses.clear();
  pod.addresses.shrink_to_fit();
  pod.volumes.clear();
  names_log_.Gone(NodeKey(pod.cluster, pod.node), number, pod.uid, ++version_);
  tombstones_.push_back(number);
  if (tombstones_.size() > kMaxTombstones) {
    Count(Metric::server_names_forgotten);
    DropTombstone();
  }
}

void EntityIndex::DropTombstone() {
  const uint32_t number = tombstones_.front();
  tombstones_.pop_front();
  KnownPod& pod = pods_[number];
  by_uid_.erase(pod.uid);
  for (const std::string& id : pod.container_ids) {
    const auto found = by_container_.find(id);
    if (found != by_container_.end() && found->second.pod == number) by_container_.erase(found);
  }
  for (const model::Address& address : pod.held) {
    const auto place = addresses_.find(SpaceAddress{address, pod.cluster});
    if (place != addresses_.end()) place.value().timeline.Forget(Tenure::Kind::kPod, number);
  }
  pod = {};
  free_pods_.push_back(number);
}

void EntityIndex::MarkPod(uint32_t number) {
  KnownPod& pod = pods_[number];
  pod.version = ++version_;
  changed_pods_.push_back(number);
  if (pod.announced && pod.gone == 0) names_log_.Changed(NodeKey(pod.cluster, pod.node), number, pod.version);
}

uint32_t EntityIndex::NumberOf(const KnownPod& pod) const {
  const auto found = by_uid_.find(pod.uid);
  return found == by_uid_.end() ? kNone : found->second;
}

// ---- Nodes ----

void EntityIndex::Changed(ClusterNumber cluster, const model::Node& from, UnixMillis now) {
  const std::string key = NodeKey(cluster, from.name);
  auto known = node_by_name_.find(key);
  if (known == node_by_name_.end()) {
    if (nodes_.size() >= kMaxPods) {
      Count(Metric::server_names_full);
      return;
    }
    nodes_.emplace_back();
    known = node_by_name_.insert({key, static_cast<uint32_t>(nodes_.size() - 1)}).first;
  }
  const uint32_t number = known->second;
  node_by_uid_[from.uid] = number;
  KnownNode& node = nodes_[number];
  const bool named = node.version != 0 && !node.gone && node.zone == from.zone && node.region == from.region;
  node.name = from.name;
  node.cluster = cluster;
  node.zone = from.zone;
  node.region = from.region;
  node.instance_type = from.instance_type;
  node.gone = false;
  const std::vector<model::Address> before = std::exchange(node.addresses, from.addresses);
  if (!named) {
    node.version = ++version_;
    changed_nodes_.push_back(number);
  }
  const auto set = [&](const model::Address& address, uint32_t holder) {
    Place* const place = CanBeHeld(address) ? PlaceOf(cluster, address, now) : nullptr;
    if (place == nullptr || (holder == kNone && place->node != number)) return;
    place->node = holder;
    Settle({address, cluster}, *place, now);
  };
  for (const model::Address& address : before) {
    if (std::find(node.addresses.begin(), node.addresses.end(), address) == node.addresses.end()) set(address, kNone);
  }
  for (const model::Address& address : node.addresses) set(address, number);
}

void EntityIndex::GoneNode(const std::string& uid, UnixMillis now) {
  const auto known = node_by_uid_.find(uid);
  if (known == node_by_uid_.end()) return;
  const uint32_t number = known->second;
  KnownNode& node = nodes_[number];
  node.gone = true;
  for (const model::Address& address : node.addresses) {
    const auto place = addresses_.find(SpaceAddress{address, node.cluster});
    if (place == addresses_.end() || place.value().node != number) continue;
    place.value().node = kNone;
    Settle({address, node.cluster}, place.value(), now);
  }
  node_by_uid_.erase(known);
}

const KnownNode* EntityIndex::NodeOf(ClusterNumber cluster, std::string_view name) const {
  if (name.empty()) return nullptr;
  const auto found = node_by_name_.find(NodeKey(cluster, name));
  return found == node_by_name_.end() ? nullptr : &nodes_[found->second];
}

void EntityIndex::PlaceAgent(std::string_view agent_node, std::string_view pod_uid) {
  if (node_by_agent_.contains(agent_node)) return;
  const KnownPod* const pod = PodOfUid(pod_uid);
  if (pod == nullptr || !pod->announced || pod->gone != 0) return;
  const auto node = node_by_name_.find(NodeKey(pod->cluster, pod->node));
  if (node == node_by_name_.end()) return;
  node_by_agent_[std::string(agent_node)] = node->second;
  agent_by_node_[node->second] = agent_node;
}

const KnownNode* EntityIndex::NodeOfAgent(std::string_view agent_node) const {
  if (const auto placed = node_by_agent_.find(agent_node); placed != node_by_agent_.end()) {
    return &nodes_[placed->second];
  }
  const KnownNode* only = nullptr;
  for (ClusterNumber cluster = 1; cluster < cluster_names_.size(); ++cluster) {
    const KnownNode* const node = NodeOf(cluster, agent_node);
    if (node == nullptr || node->gone) continue;
    if (only != nullptr) return nullptr;  // clusters call their nodes alike
    only = node;
  }
  return only;
}

std::string_view EntityIndex::AgentNameOf(const KnownNode& node) const {
  const auto number = node_by_name_.find(NodeKey(node.cluster, node.name));
  if (number == node_by_name_.end()) return node.name;
  const auto agent = agent_by_node_.find(number->second);
  return agent == agent_by_node_.end() ? std::string_view(node.name) : agent->second;
}

// ---- Addresses ----

EntityIndex::Place* EntityIndex::PlaceOf(ClusterNumber cluster, const model::Address& address, UnixMillis now) {
  const SpaceAddress key{address, cluster};
  if (const auto known = addresses_.find(key); known != addresses_.end()) return &known.value();
  if (addresses_.size() >= kMaxAddresses) {
    MakeRoom(now);
    if (addresses_.size() >= kMaxAddresses) {
      Count(Metric::server_names_full);
      places_full_ = true;
      return nullptr;
    }
  }
  Place& place = addresses_.try_emplace(key).first.value();
  // Flows may have been stored under the first generation of an address for which there was no room.
  if (places_full_) place.timeline = AddressTimeline(static_cast<uint32_t>(now / 1'000) & 0x3fff'ffff);
  return &place;
}

void EntityIndex::MakeRoom(UnixMillis now) {
  for (auto item = addresses_.begin(); item != addresses_.end();) {
    const Place& place = item->second;
    const bool idle = place.claimants.empty() && place.node == kNone && place.timeline.tenures().size() == 1 &&
                      place.timeline.IsIdleSince(now - kIdleAddressMs);
    item = idle ? addresses_.erase(item) : std::next(item);
  }
}

void EntityIndex::Claim(uint32_t number, const model::Address& address, UnixMillis now) {
  KnownPod& pod = pods_[number];
  Place* const place = PlaceOf(pod.cluster, address, now);
  if (place == nullptr) return;
  if (std::find(place->claimants.begin(), place->claimants.end(), number) == place->claimants.end()) {
    place->claimants.push_back(number);
  }
  if (std::find(pod.held.begin(), pod.held.end(), address) == pod.held.end()) pod.held.push_back(address);
  Settle({address, pod.cluster}, *place, now);
}

void EntityIndex::Unclaim(uint32_t number, const model::Address& address, UnixMillis now) {
  const ClusterNumber cluster = pods_[number].cluster;
  const auto found = addresses_.find(SpaceAddress{address, cluster});
  if (found == addresses_.end()) return;
  Place& place = found.value();
  std::erase(place.claimants, number);
  Settle({address, cluster}, place, now);
}

// The only one that is not about to end; else the only one that is.
uint32_t EntityIndex::RightfulHolder(const Place& place, bool& contested) const {
  uint32_t lasting = kNone;
  uint32_t ending = kNone;
  size_t several_lasting = 0;
  size_t several_ending = 0;
  for (const uint32_t number : place.claimants) {
    if (pods_[number].ending()) {
      ending = number;
      ++several_ending;
    } else {
      lasting = number;
      ++several_lasting;
    }
  }
  contested = several_lasting > 1 || (several_lasting == 0 && several_ending > 1);
  if (contested) return kNone;
  return lasting != kNone ? lasting : ending;
}

// Until when the pod was surely there, as far as its cluster tells.
UnixMillis EntityIndex::EndOf(const KnownPod& pod, UnixMillis now) const {
  if (pod.finished != 0) return pod.finished;
  return pod.gone != 0 ? pod.gone : now;
}

void EntityIndex::Settle(const SpaceAddress& key, Place& place, UnixMillis now) {
  const Tenure before = place.timeline.current();
  const KnownPod* const last = before.kind == Tenure::Kind::kPod ? &pods_[before.holder] : nullptr;
  bool contested = false;
  const uint32_t holder = place.node == kNone ? RightfulHolder(place, contested) : kNone;
  if (place.node != kNone) {
    const UnixMillis from = place.timeline.tenures().size() > 1 ? now : 0;
    place.timeline.Begin(Tenure::Kind::kNode, place.node, from, from, 0);
  } else if (contested) {
    UnixMillis from = 0;
    for (const uint32_t number : place.claimants) from = std::max(from, pods_[number].started);
    place.timeline.Begin(Tenure::Kind::kContested, 0, from, from, 0);
  } else if (holder != kNone) {
    const KnownPod& pod = pods_[holder];
    const UnixMillis lasted = last != nullptr && last->finished != 0 ? last->finished : 0;
    const bool after_contest = before.kind == Tenure::Kind::kContested && before.first_used != 0;
    place.timeline.Begin(Tenure::Kind::kPod, holder, after_contest ? now : pod.started, now, lasted);
  } else if (last != nullptr) {
    place.timeline.End(EndOf(*last, now));
  } else {
    place.timeline.End(now);
  }
  if (contested != place.contested) {
    place.contested = contested;
    contested ? ++contested_ : --contested_;
    SetGauge(Metric::server_names_contested, contested_);
  }
  const Tenure& after = place.timeline.current();
  if (after.kind != before.kind || after.holder != before.holder) changed_addresses_.push_back(key.address);
}

void EntityIndex::Prove(std::string_view pod_uid, ClusterNumber viewer, const model::Address& address, UnixMillis start,
                        UnixMillis end, UnixMillis now) {
  if (!CanBeHeld(address)) return;
  const auto known = by_uid_.find(pod_uid);
  if (known != by_uid_.end()) {
    KnownPod& pod = pods_[known->second];
    if (pod.host_network) return;
    pod.heard = now;
    if (pod.announced) viewer = pod.cluster;
    // What the cluster does not tell of lies within the pod: a container engine of its own, say.
    const bool told = std::find(pod.held.begin(), pod.held.end(), address) != pod.held.end();
    if (!told && !pod.seen_only && !pod.held.empty()) return;
  }
  const uint32_t number = known != by_uid_.end() ? known->second : PodNumber(pod_uid);
  Place* const place = number == kNone ? nullptr : PlaceOf(viewer, address, now);
  if (place == nullptr || place->node != kNone) return;
  KnownPod& pod = pods_[number];
  pod.heard = now;
  // Its cluster may tell of the pod before it tells of its address.
  if (pod.gone == 0 && (!pod.announced || pod.held.empty() || pod.seen_only)) {
    pod.cluster = viewer;
    pod.seen_only = true;
    if (std::find(pod.addresses.begin(), pod.addresses.end(), address) == pod.addresses.end()) {
      pod.addresses.push_back(address);
    }
  }
  const Tenure current = place->timeline.current();
  if (!current.Is(Tenure::Kind::kPod, number)) {
    ProveOther({address, viewer}, *place, number, start, end, now);
    return;
  }
  place->timeline.Prove(number, pod.started, start, end);
}

// A pod was seen at an address that is said to be another's, or nobody's.
void EntityIndex::ProveOther(const SpaceAddress& key, Place& place, uint32_t number, UnixMillis start, UnixMillis end,
                             UnixMillis now) {
  KnownPod& pod = pods_[number];
  const Tenure current = place.timeline.current();
  // What comes late of a pod that is over is no claim.
  if (pod.gone == 0 && pod.finished == 0) {
    if (std::find(place.claimants.begin(), place.claimants.end(), number) == place.claimants.end()) {
      place.claimants.push_back(number);
    }
    if (std::find(pod.held.begin(), pod.held.end(), key.address) == pod.held.end()) pod.held.push_back(key.address);
  }
  bool contested = false;
  const uint32_t rightful = RightfulHolder(place, contested);
  // The one seen before may not have been seen ending yet: nobody has it until it has not been seen for a while.
  if (rightful == number || current.kind == Tenure::Kind::kNobody) {
    if (pod.gone == 0 || start < pod.gone) place.timeline.Prove(number, pod.started, start, end);
  } else if (contested && current.kind == Tenure::Kind::kPod && current.seen_to != 0 &&
             current.seen_to + kSimultaneousMs < start && end > current.from) {
    // Its cluster has not told of its end, but its agent has not seen it there for a while, and sees another.
    std::erase(place.claimants, current.holder);
    place.timeline.Prove(number, pod.started, start, end);
  }
  Settle(key, place, now);
}

AddressHolder EntityIndex::HolderOf(const model::Address& address, ClusterNumber viewer, UnixMillis start,
                                    UnixMillis end, UnixMillis now) {
  AddressHolder holder;
  if (clusters() == 0 || !CanBeHeld(address)) return holder;
  holder.cluster = viewer;
  auto found = addresses_.find(SpaceAddress{address, viewer});
  if (found == addresses_.end()) {
    // Of another cluster, if of one alone.
    size_t others = 0;
    for (ClusterNumber cluster = 1; cluster < cluster_names_.size(); ++cluster) {
      if (cluster == viewer) continue;
      const auto other = addresses_.find(SpaceAddress{address, cluster});
      if (other == addresses_.end() || other->second.timeline.current().kind == Tenure::Kind::kNobody) continue;
      found = other;
      holder.cluster = cluster;
      ++others;
    }
    if (others != 1) {
      holder.cluster = viewer;
      found = addresses_.end();
    }
  }
  Place* const place = found != addresses_.end() ? &found.value() : PlaceOf(holder.cluster, address, now);
  if (place == nullptr) return holder;
  const Tenure tenure = place->timeline.Use(start, end);
  holder.generation = tenure.generation;
  holder.used_unnamed = tenure.first_used != 0;
  holder.contested = tenure.kind == Tenure::Kind::kContested;
  if (tenure.kind == Tenure::Kind::kPod) {
    holder.pod = &pods_[tenure.holder];
    holder.pod_number = tenure.holder;
  } else if (tenure.kind == Tenure::Kind::kNode) {
    holder.node = &nodes_[tenure.holder];
  }
  return holder;
}

AddressHolder EntityIndex::HolderOfGeneration(const model::Address& address, ClusterNumber cluster,
                                              uint32_t generation) const {
  AddressHolder holder;
  holder.cluster = cluster;
  holder.generation = generation;
  const auto found = addresses_.find(SpaceAddress{address, cluster});
  if (found == addresses_.end()) return holder;
  for (const Tenure& tenure : found->second.timeline.tenures()) {
    if (tenure.generation != generation) continue;
    holder.contested = tenure.kind == Tenure::Kind::kContested;
    if (tenure.kind == Tenure::Kind::kPod) holder.pod = &pods_[tenure.holder];
    if (tenure.kind == Tenure::Kind::kNode) holder.node = &nodes_[tenure.holder];
  }
  return holder;
}

// ---- Look-ups ----

const KnownPod* EntityIndex::PodOfUid(std::string_view uid) const {
  const auto found = by_uid_.find(uid);
  return found == by_uid_.end() ? nullptr : &pods_[found->second];
}

const KnownPod* EntityIndex::PodOfContainer(std::string_view id, const KnownPod::Container** container) const {
  const auto found = by_container_.find(id);
  if (found == by_container_.end()) return nullptr;
  const KnownPod& pod = pods_[found->second.pod];
  if (container != nullptr) *container = &pod.containers[found->second.index];
  return &pod;
}

std::vector<const KnownPod*> EntityIndex::PodsOn(ClusterNumber cluster, std::string_view node) const {
  std::vector<const KnownPod*> pods;
  names_log_.ForEach(NodeKey(cluster, node), [&](uint32_t number) { pods.push_back(&pods_[number]); });
  return pods;
}

// ---- The way back ----

void EntityIndex::PodsListed(ClusterNumber cluster) { pods_listed_[cluster] = true; }

model::PodNames EntityIndex::NamesFor(std::string_view agent_node, const model::NamesVersion& known) const {
  const KnownNode* const node = NodeOfAgent(agent_node);
  // Before the first list nothing is known, which is not the same as that there is nothing.
  if (node == nullptr || !pods_listed_[node->cluster]) return {};
  return names_log_.Since(NodeKey(node->cluster, node->name), known, epoch_, [this](uint32_t number) {
    const KnownPod& pod = pods_[number];
    model::PodName name{pod.uid, cluster_names_[pod.cluster], pod.name_space, pod.name, pod.workload_kind, pod.workload,
                        {}};
    for (const KnownPod::Container& container : pod.containers) {
      if (!container.id.empty()) name.containers.push_back({container.id, container.name});
    }
    return name;
  });
}

EntityIndex::Changes EntityIndex::TakeChanges() {
  Changes changes{std::exchange(changed_pods_, {}), std::exchange(changed_nodes_, {}),
                  std::exchange(changed_addresses_, {})};
  for (std::vector<uint32_t>* const list : {&changes.pods, &changes.nodes}) {
    std::sort(list->begin(), list->end());
    list->erase(std::unique(list->begin(), list->end()), list->end());
  }
  std::sort(changes.addresses.begin(), changes.addresses.end());
  changes.addresses.erase(std::unique(changes.addresses.begin(), changes.addresses.end()), changes.addresses.end());
  return changes;
}

void EntityIndex::Expire(UnixMillis now) {
  while (!tombstones_.empty() && now - pods_[tombstones_.front()].gone > kTombstoneMs) DropTombstone();
  std::vector<uint32_t> forgotten;
  for (const auto& [uid, number] : by_uid_) {
    const KnownPod& pod = pods_[number];
    if (!pod.announced && pod.gone == 0 && now - pod.heard > kUnannouncedMs) forgotten.push_back(number);
  }
  for (const uint32_t number : forgotten) Bury(number, pods_[number].heard, now);
  if (places_full_ || addresses_.size() > kMaxAddresses / 2) {
    MakeRoom(now);
    if (addresses_.size() < kMaxAddresses * 9 / 10) places_full_ = false;
  }
}

}  // namespace weir::server

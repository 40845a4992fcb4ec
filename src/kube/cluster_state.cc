#include "kube/cluster_state.h"

#include <algorithm>
#include <utility>

#include "base/metrics.h"

namespace weir::kube {
namespace {

constexpr int kMaxOwners = 5;  // links from a pod to its workload; a circle ends here

model::ClusterListener::Kind KindOf(Resource resource) {
  using Kind = model::ClusterListener::Kind;
  switch (resource) {
    case Resource::kServices: return Kind::kService;
    case Resource::kEndpointSlices: return Kind::kEndpoints;
    case Resource::kNodes: return Kind::kNode;
    case Resource::kNamespaces: return Kind::kNamespace;
    case Resource::kVolumeAttachments: return Kind::kVolumeAttachment;
    default: return Kind::kPod;
  }
}

bool IsOwner(Resource resource) { return resource == Resource::kReplicaSets || resource == Resource::kJobs; }

// When the last container ended; 0 while one may run.
UnixMillis EndOf(const model::Pod& pod) {
  UnixMillis end = 0;
  for (const model::PodContainer& container : pod.containers) {
    if (container.state != "terminated" || container.finished == 0) return 0;
    end = std::max(end, container.finished);
  }
  return end;
}

// The Deployment controller names a ReplicaSet after the Deployment and a hash, and puts the hash into a label.
std::string DeploymentByLabel(const model::Pod& pod) {
  const auto hash = pod.labels.find("pod-template-hash");
  if (pod.controller.kind != "ReplicaSet" || hash == pod.labels.end()) return {};
  const std::string suffix = "-" + hash->second;
  const std::string& name = pod.controller.name;
  return name.size() > suffix.size() && name.ends_with(suffix) ? name.substr(0, name.size() - suffix.size()) : "";
}

}  // namespace

void ClusterState::Changed(Resource resource, Object object) {
  const std::lock_guard lock(mutex_);
  Take(resource, object);
  CountObjects();
}

void ClusterState::Take(Resource resource, Object& object) {
  if (auto* pod = std::get_if<model::Pod>(&object)) return PodChanged(std::move(*pod));
  uids_[static_cast<size_t>(resource)].insert(UidOf(object));
  if (auto* owner = std::get_if<Owner>(&object)) return OwnerChanged(std::move(*owner));
  std::visit(
      [this](const auto& each) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(each)>, Owner>) listener_.Changed(each);
      },
      object);
}

void ClusterState::Deleted(Resource resource, const Object& object) {
  const std::lock_guard lock(mutex_);
  const auto* pod = std::get_if<model::Pod>(&object);
  const UnixMillis ended = pod != nullptr ? EndOf(*pod) : 0;
  const UnixMillis now = clock_.WallMillis();
  Forget(resource, UidOf(object), ended != 0 ? std::min(ended, now) : now);
  CountObjects();
}

void ClusterState::Listed(Resource resource, const std::unordered_set<std::string>& uids) {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> gone;
  if (resource == Resource::kPods) {
    for (const auto& [uid, pod] : pods_) {
      if (uids.count(uid) == 0) gone.push_back(uid);
    }
  } else {
    for (const std::string& uid : uids_[static_cast<size_t>(resource)]) {
      if (uids.count(uid) == 0) gone.push_back(uid);
    }
  }
  for (const std::string& uid : gone) Forget(resource, uid, clock_.WallMillis());
  CountObjects();
  if (!IsOwner(resource)) listener_.Synced(KindOf(resource));
}

void ClusterState::SetOwnersReadable(bool readable) {
  const std::lock_guard lock(mutex_);
  if (std::exchange(owners_readable_, readable) == readable) return;
  for (const auto& [uid, pod] : pods_) {
    if (pod->controller.kind == "ReplicaSet") Announce(*pod);
  }
}

size_t ClusterState::Count(Resource resource) const {
  const std::lock_guard lock(mutex_);
  return resource == Resource::kPods ? pods_.size() : uids_[static_cast<size_t>(resource)].size();
}

void ClusterState::PodChanged(model::Pod pod) {
  if (!pod.controller.uid.empty()) pods_of_[pod.controller.uid].insert(pod.uid);
  PodPointer& known = pods_[pod.uid];
  if (known && known->controller.uid != pod.controller.uid) {
    if (const auto former = pods_of_.find(known->controller.uid); former != pods_of_.end())
      former->second.erase(pod.uid);
  }
  known = std::make_shared<const model::Pod>(std::move(pod));
  Announce(*known);
}

// Its pods are told again when it names another workload for them than before.
void ClusterState::OwnerChanged(Owner owner) {
  Owner& known = owners_[owner.uid];
  const bool same = known.uid == owner.uid && known.controller.uid == owner.controller.uid;
  known = std::move(owner);
  const auto pods = pods_of_.find(known.uid);
  if (same || pods == pods_of_.end()) return;
  for (const std::string& uid : pods->second) {
    if (const auto pod = pods_.find(uid); pod != pods_.end()) Announce(*pod->second);
  }
}

void ClusterState::Announce(const model::Pod& pod) {
  model::Pod told = pod;
  told.workload = WorkloadOf(pod);
  listener_.Changed(told);
}

// What no longer exists still was the workload of pods that do: owners stay until their last pod has gone.
void ClusterState::Forget(Resource resource, const std::string& uid, UnixMillis at) {
  if (resource != Resource::kPods) {
    uids_[static_cast<size_t>(resource)].erase(uid);
    if (!IsOwner(resource)) return listener_.Gone(KindOf(resource), uid, at);
    if (pods_of_.count(uid) == 0) owners_.erase(uid);
    return;
  }
  const auto pod = pods_.find(uid);
  if (pod != pods_.end()) {
    const std::string controller = pod->second->controller.uid;
    pods_.erase(pod);
    if (const auto siblings = pods_of_.find(controller); siblings != pods_of_.end()) {
      siblings->second.erase(uid);
      if (siblings->second.empty()) {
        pods_of_.erase(siblings);
        const bool exists = uids_[static_cast<size_t>(Resource::kReplicaSets)].count(controller) != 0 ||
                            uids_[static_cast<size_t>(Resource::kJobs)].count(controller) != 0;
        if (!exists) owners_.erase(controller);
      }
    }
  }
  listener_.Gone(model::ClusterListener::Kind::kPod, uid, at);
}

void ClusterState::CountObjects() {
  size_t objects = pods_.size();
  for (const auto& uids : uids_) objects += uids.size();
  // Several clusters add up; what is less than before wraps around to less.
  weir::Count(Metric::kube_objects, objects - std::exchange(counted_objects_, objects));
  weir::Count(Metric::kube_pods, pods_.size() - std::exchange(counted_pods_, pods_.size()));
}

model::OwnerReference ClusterState::WorkloadOf(const model::Pod& pod) const {
  // A static pod is said to be controlled by its node, which is where it runs and not what it belongs to.
  if (pod.controller.uid.empty() || pod.controller.kind == "Node") return {"Pod", pod.name, pod.uid};
  model::OwnerReference workload = pod.controller;
  for (int i = 0; i < kMaxOwners; ++i) {
    const auto owner = owners_.find(workload.uid);
    if (owner == owners_.end() || owner->second.controller.uid.empty()) break;
    workload = owner->second.controller;
  }
  if (!owners_readable_ && workload.uid == pod.controller.uid) {
    // Its uid stays unknown, which is why this is not done where ReplicaSets can be read.
    if (std::string name = DeploymentByLabel(pod); !name.empty()) return {"Deployment", std::move(name), ""};
  }
  return workload;
}

}  // namespace weir::kube

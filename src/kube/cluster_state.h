// What the watches know of the cluster together: which objects there are, and the chain of owners from a pod to its
// workload. Tells the listener, one call at a time, from whichever watch's thread learnt of it.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "kube/objects.h"
#include "kube/resources.h"
#include "model/cluster.h"

namespace weir::kube {

// Thread-safe.
class ClusterState {
 public:
  // Both outlive it.
  ClusterState(model::ClusterListener& listener, const Clock& clock) : listener_(listener), clock_(clock) {}

  void Changed(Resource resource, Object object);
  void Deleted(Resource resource, const Object& object);
  // A list of the resource is complete: what is known and not among `uids` is gone.
  void Listed(Resource resource, const std::unordered_set<std::string>& uids);
  // Whether ReplicaSets can be read. While they cannot, the labels of pods tell their Deployments.
  void SetOwnersReadable(bool readable);
  // Objects of it that exist now.
  size_t Count(Resource resource) const;

 private:
  using PodPointer = std::shared_ptr<const model::Pod>;

  void Take(Resource resource, Object& object);
  void CountObjects();
  void PodChanged(model::Pod pod);
  void OwnerChanged(Owner owner);
  void Announce(const model::Pod& pod);
  void Forget(Resource resource, const std::string& uid, UnixMillis at);
  model::OwnerReference WorkloadOf(const model::Pod& pod) const;

  model::ClusterListener& listener_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::array<std::unordered_set<std::string>, kResourceCount> uids_;  // of all but pods
  std::unordered_map<std::string, PodPointer> pods_;                  // by uid
  std::unordered_map<std::string, std::unordered_set<std::string>>
      pods_of_;                                    // uids of pods, by uid of their controller
  std::unordered_map<std::string, Owner> owners_;  // ReplicaSets and Jobs, by uid
  bool owners_readable_ = true;
  uint64_t counted_objects_ = 0;  // in the gauges
  uint64_t counted_pods_ = 0;
};

}  // namespace weir::kube

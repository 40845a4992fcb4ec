// ClusterListeners: tells several listeners of a cluster the same.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "model/cluster.h"

namespace weir::model {

// Threads as its listeners want them. All of them outlive it.
class ClusterListeners final : public ClusterListener {
 public:
  explicit ClusterListeners(std::vector<ClusterListener*> listeners) : listeners_(std::move(listeners)) {}

  void Changed(const Pod& pod) override { Tell(pod); }
  void Changed(const Service& service) override { Tell(service); }
  void Changed(const Endpoints& endpoints) override { Tell(endpoints); }
  void Changed(const Node& node) override { Tell(node); }
  void Changed(const Namespace& name_space) override { Tell(name_space); }
  void Changed(const VolumeAttachment& attachment) override { Tell(attachment); }
  void Gone(Kind kind, const std::string& uid, UnixMillis at) override {
    for (ClusterListener* listener : listeners_) listener->Gone(kind, uid, at);
  }
  void Synced(Kind kind) override {
    for (ClusterListener* listener : listeners_) listener->Synced(kind);
  }

 private:
  template <typename Object>
  void Tell(const Object& object) {
    for (ClusterListener* listener : listeners_) listener->Changed(object);
  }

  const std::vector<ClusterListener*> listeners_;
};

}  // namespace weir::model

// Objects of an API server as they are decoded, before owners are looked up.
#pragma once

#include <string>
#include <variant>

#include "model/cluster.h"

namespace weir::kube {

// A ReplicaSet or a Job: only a link between a pod and its workload.
struct Owner {
  std::string uid;
  std::string name;
  std::string name_space;
  model::OwnerReference controller;
};

using Object = std::variant<model::Pod, model::Service, model::Endpoints, model::Node, model::Namespace,
                            model::VolumeAttachment, Owner>;

inline const std::string& UidOf(const Object& object) {
  return std::visit([](const auto& each) -> const std::string& { return each.uid; }, object);
}

}  // namespace weir::kube

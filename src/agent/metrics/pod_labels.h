// How pods and containers are called in labels, whoever knows it.
#pragma once

#include <functional>
#include <string>

namespace weir::agent::metrics {

struct PodLabels {
  std::string name_space;
  std::string pod;
  std::string workload_kind;
  std::string workload;
  std::string container;  // name of the container that was asked for
  std::string uid;

  bool known() const { return !pod.empty(); }
};

// By the uid of a pod or the id of one of its containers, "" = not known. Thread-safe. Unknown pods have no name.
using NamePod = std::function<PodLabels(const std::string& uid, const std::string& container)>;

}  // namespace weir::agent::metrics

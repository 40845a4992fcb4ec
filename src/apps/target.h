// Whose /metrics is asked, and how such a target is named by a person or found among the pods of a cluster.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/inference_servers.h"
#include "base/status.h"
#include "model/cluster.h"

namespace weir::apps {

struct Target {
  std::string key;  // what it is: a pod's cluster and uid, or the URL
  std::string url;
  std::string host;  // of the URL, as the next two
  std::string path;
  uint16_t port = 0;
  std::string cluster;  // of a pod, as the next two
  std::string name_space;
  std::string pod;
  std::string name;  // as a person gave it: NAMESPACE/WORKLOAD, a pod, a process; "" = whoever listens at the port

  bool operator==(const Target&) const = default;
};

// "shop/llm=http://10.0.0.5:8000/metrics,http://127.0.0.1:9000": a URL without a path means /metrics. kInvalid names
// the item: no http or https, a user or a password in the URL.
Result<std::vector<Target>> ParseTargets(std::string_view list);

std::string KeyOfPod(const std::string& cluster, const std::string& uid);

// Where a pod's numbers are read, by what it says of itself: its annotations prometheus.io/scrape, port, path and
// scheme; a declared port called metrics; the image of a known server. Nothing for a pod that is not running, that has
// the node's network, or whose address is no pod's.
std::optional<Target> TargetOf(const model::Pod& pod, const std::string& cluster, const InferenceServers& table);

}  // namespace weir::apps

// The part of the status page about Kubernetes.
#pragma once

#include <string>
#include <vector>

#include "api/json.h"
#include "base/clock.h"
#include "kube/cluster_status.h"

namespace weir::api {

// The first cluster, the others beneath it as "others"; null where there is none.
Json ClustersJson(const std::vector<kube::ClusterStatus>& clusters, UnixMillis now);
// Sentences of the watches that cannot do their work, each once.
std::vector<std::string> ClusterProblems(const kube::ClusterStatus& status);

}  // namespace weir::api

// The part of the status page about Kubernetes.
#pragma once

#include <string>
#include <vector>

#include "api/json.h"
#include "base/clock.h"
#include "kube/cluster_status.h"

namespace weir::api {

Json ClusterJson(const kube::ClusterStatus& status, UnixMillis now);
// Sentences of the watches that cannot do their work, each once.
std::vector<std::string> ClusterProblems(const kube::ClusterStatus& status);

}  // namespace weir::api

// --kubernetes, --kubeconfig and --cluster: which API servers are followed, and with what.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "cmd/settings.h"
#include "kube/cluster_watch.h"
#include "model/cluster.h"

namespace weir::cmd {

// The clusters a daemon follows, if any.
class Kubernetes {
 public:
  // Who hears of the cluster of this name.
  using ListenerOf = std::function<model::ClusterListener&(const std::string& cluster)>;

  static constexpr size_t kMaxClusters = 64;

  // kInvalid or kNotFound: one was asked for and cannot be followed. Listeners and `clock` outlive the result.
  static Result<Kubernetes> Start(const Settings& settings, const ListenerOf& listener_of, const Clock& clock);

  // At least one: when none is followed, it says why.
  std::vector<kube::ClusterStatus> Report() const;
  void Stop();  // idempotent

 private:
  std::string off_;
  std::vector<std::unique_ptr<kube::ClusterWatch>> watches_;
};

}  // namespace weir::cmd

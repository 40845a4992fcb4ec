// --kubernetes, --kubeconfig and --cluster: which API server is followed, and with what.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "cmd/settings.h"
#include "kube/cluster_watch.h"
#include "model/cluster.h"

namespace weir::cmd {

// The cluster a daemon follows, if any.
class Kubernetes {
 public:
  // Who hears of the cluster of this name.
  using ListenerOf = std::function<model::ClusterListener&(const std::string& cluster)>;

  // kInvalid or kNotFound: one was asked for and cannot be followed. The listener and `clock` outlive the result.
  static Result<Kubernetes> Start(const Settings& settings, const ListenerOf& listener_of, const Clock& clock);

  kube::ClusterStatus Report() const;
  void Stop();  // idempotent

 private:
  std::string off_;
  std::unique_ptr<kube::ClusterWatch> watch_;  // nullptr: none is followed
};

}  // namespace weir::cmd

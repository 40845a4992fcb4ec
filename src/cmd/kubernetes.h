// --kubernetes, --kubeconfig and --cluster: which API server is followed, and with what.
#pragma once

#include <memory>

#include "base/clock.h"
#include "base/status.h"
#include "cmd/settings.h"
#include "kube/cluster_watch.h"
#include "model/cluster.h"

namespace weir::cmd {

// The cluster a daemon follows, if any.
class Kubernetes {
 public:
  // kInvalid or kNotFound: one was asked for and cannot be followed. `listener` and `clock` outlive the result.
  static Result<Kubernetes> Start(const Settings& settings, model::ClusterListener& listener, const Clock& clock);

  kube::ClusterStatus Report() const;
  void Stop();  // idempotent

 private:
  std::string off_;
  std::unique_ptr<kube::ClusterWatch> watch_;  // nullptr: none is followed
};

}  // namespace weir::cmd

// ClusterWatch: follows what a Kubernetes API server knows and tells a listener of it, by lists and watches alone.
//
// Threads: one per resource (`weir-kube-pods`...), which waits in its watch nearly always; each has a connection of its
// own, so that a slow or forbidden resource holds up no other. They call the listener one at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "kube/access.h"
#include "kube/cluster_status.h"
#include "model/cluster.h"

namespace weir::kube {

struct WatchTiming {
  std::chrono::milliseconds first_retry{500};  // doubles up to the longest, plus up to a half by chance
  std::chrono::milliseconds longest_retry{30'000};
  std::chrono::milliseconds denied_retry{15'000};    // rights and tokens are mended by people
  std::chrono::milliseconds absent_retry{60'000};    // an API that is not served may be installed later
  std::chrono::milliseconds answer_timeout{30'000};  // of a page, and of a watch's beginning
  std::chrono::seconds watch_life{300};              // asked of the server, plus up to a half by chance
  std::chrono::seconds watch_grace{20};              // what it may last beyond before it is given up
  std::chrono::milliseconds owners_wait{10'000};     // pods are listed after their owners, at the latest then
  uint32_t page_objects = 500;
  size_t page_bytes = size_t{48} << 20;   // beyond, smaller pages are asked for
  size_t list_bytes = size_t{256} << 20;  // of a list that cannot be had in pages
};

struct ClusterWatchOptions {
  Access access;
  std::string cluster;
  WatchTiming timing;
};

class ClusterWatch {
 public:
  // Never fails: an API server that is not there is waited for. `listener` and `clock` outlive it.
  static std::unique_ptr<ClusterWatch> Start(ClusterWatchOptions options, model::ClusterListener& listener,
                                             const Clock& clock);
  virtual ~ClusterWatch() = default;

  virtual ClusterStatus Report() const = 0;
  virtual void Stop() = 0;  // within about a second; idempotent
};

}  // namespace weir::kube

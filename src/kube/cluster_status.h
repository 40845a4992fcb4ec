// How the watches of a cluster are doing, for the status page.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"

namespace weir::kube {

struct WatchStatus {
  std::string resource;  // "pods"
  std::string state;     // "starting" | "listing" | "watching" | "retrying" | "denied" | "absent"
  std::string problem;   // a sentence with cause, effect and remedy; "" = none
  uint64_t objects = 0;  // that exist now
  uint64_t events = 0;   // since the start, as the rest
  uint64_t lists = 0;
  uint64_t failures = 0;
  uint64_t refused = 0;       // objects and events that were malformed or too large
  UnixMillis last_heard = 0;  // an event, a bookmark, the end of a list; 0 = never
};

struct ClusterStatus {
  std::string off;      // why no cluster is followed; "" = one is
  std::string cluster;  // "" = no name was given and none is known
  std::string server;   // url
  std::string source;   // where the credentials come from
  std::vector<WatchStatus> watches;
};

}  // namespace weir::kube

// GET /status: what Weir knows about itself, and what is wrong with it, in sentences that say what to do.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/json.h"
#include "base/clock.h"
#include "base/status.h"
#include "kube/cluster_status.h"
#include "server/server.h"
#include "store/store.h"

namespace weir::api {

struct StatusFacts {
  UnixMillis started = 0;
  UnixMillis now = 0;
  Result<store::StoreStatus> store = Status::Internal("not asked");
  UnixMillis store_as_of = 0;  // when the store said so
  std::string clock_trouble;   // Clock::Trouble() of this machine
  std::vector<server::AgentStatus> agents;
  std::vector<kube::ClusterStatus> clusters;  // empty: Kubernetes is no topic here
  std::vector<server::NameSource> name_sources;
  std::vector<uint64_t> own_counters;  // values, in the order of MetricCatalogue()
};

// The counters of this process.
std::vector<uint64_t> ReadOwnCounters();

Json StatusJson(const StatusFacts& facts);
std::vector<std::string> Problems(const StatusFacts& facts);
// Everything lost so far: this process's counters and its agents'.
uint64_t Losses(const StatusFacts& facts);

}  // namespace weir::api

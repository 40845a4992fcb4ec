// The answers of /nodes, /nodes/series and /nodes/windows, from what the store and the server know. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "api/json.h"
#include "base/clock.h"
#include "diagnose/capacity.h"
#include "server/server.h"
#include "store/node_store.h"

namespace weir::api {

inline constexpr int64_t kRecentMs = 15'000;  // what current rates are averages of: three readings of slow sources

struct NodesFacts {
  store::TimeRange range;
  UnixMillis now = 0;
  std::string node;                                      // "" = all
  std::vector<server::AgentStatus> agents;               // also those without samples are nodes
  store::NodeTotals totals;                              // of the range
  store::NodeTotals recent;                              // of its last kRecentMs
  std::map<std::string, diagnose::Capacity> capacities;  // of nodes, where known
};

// The signals whose recent totals NodesJson() needs.
const std::vector<model::NodeSignal>& RateSignals();

Json NodesJson(const NodesFacts& facts);

// A step of a counter in which the node was read and nothing was added is 0; one in which it was not read is null.
Json NodeSeriesJson(const store::NodeSeriesQuery& query, const store::NodeSeries& series,
                    const store::NodeSeries& heartbeats);

Json RateWindowsJson(const store::TimeRange& range, const std::vector<store::StoredRateWindow>& windows);

}  // namespace weir::api

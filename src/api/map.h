// The service map: flows folded into nodes and edges of one level (model/levels.h).
//
// The store answers with flows, at most 100,000, and their ends become nodes here: processes of one name are one node
// where they live in one pod, container, network namespace, unit or else machine. An end nobody reports from and nobody
// names is the host with its address when that is private, and otherwise part of "Internet". Flows of the same two
// nodes are one edge, whatever their ports and addresses.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "api/json.h"
#include "base/status.h"
#include "model/columns.h"
#include "model/levels.h"
#include "store/query.h"

namespace weir::api {

struct MapOptions {
  model::Level level = model::Level::kProcess;
  bool fold_internet = true;
  bool only_problems = false;
  size_t limit = 500;  // edges
  double seconds = 1;  // of the range, for rates
};

// What to ask the store for, range and filter aside.
store::FlowQuery MapQuery(const MapOptions& options);

// Whether any end of an answer to MapQuery() is in a Kubernetes namespace.
bool NamesNamespaces(const store::FlowResult& result, const store::FlowQuery& query);

struct Map {
  Json nodes = Json::array();
  Json edges = Json::array();  // unwell ones first, then by bytes
  uint64_t edges_left_out = 0;
  uint64_t nodes_left_out = 0;
};
// The round-trip times of edges, whose flows are given; by edge.
using RttOfEdges = std::function<Result<std::map<uint32_t, store::RttDistribution>>(const store::FlowGroups& edges)>;

// `result` answers MapQuery(); a column it lacks counts as 0 or "". `rtt` is called once, and its error passed on.
Result<Map> BuildMap(const store::FlowResult& result, const MapOptions& options, const RttOfEdges& rtt);

}  // namespace weir::api

// An edge of the map: what the flows between two nodes add up to.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "api/json.h"
#include "api/map_row.h"
#include "diagnose/edge_health.h"
#include "store/query.h"

namespace weir::api {

struct MapEdge {
  uint32_t client = 0;  // numbers of nodes
  uint32_t server = 0;
  uint32_t number = 0;
  std::set<uint64_t> ports;
#define WEIR_EDGE_FIELD(name) uint64_t name = 0;
  WEIR_EDGE_SUMS(WEIR_EDGE_FIELD)
#undef WEIR_EDGE_FIELD
  double rtt_min_us = 0;
  double rtt_max_us = 0;
  store::RttDistribution rtt;
  diagnose::EdgeVerdict verdict;

  struct Share {
    uint64_t bytes = 0;
    uint64_t attempts = 0;  // connections opened or failed
  };
  std::map<std::string, Share, std::less<>> localities;
  std::map<std::pair<std::string, std::string>, uint64_t> zone_pairs;  // client's and server's zone: bytes
  std::set<std::string, std::less<>> services;                         // "namespace/name"
  std::set<std::string, std::less<>> on_behalf_of;                     // "namespace/workload"

  uint64_t bytes() const { return bytes_to_server + bytes_to_client; }
  uint64_t segments() const { return segments_to_server + segments_to_client; }
  uint64_t failed() const;
  // The server's samples count only where the client has none: the client's include both hosts' delays.
  double P99() const { return (rtt.client.empty() ? rtt.server : rtt.client).Quantile(0.99); }

  void Add(const MapRowReader& reader, MapRowReader::Row row);
  diagnose::EdgeFacts Facts(double rtt_p99_us) const;
  Json ToJson(const std::string& client_id, const std::string& server_id, double seconds) const;
};

// The parts of a comma-separated list, each once.
void AddParts(std::string_view list, std::set<std::string, std::less<>>& into);

}  // namespace weir::api

#include "api/map_edge.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <vector>

namespace weir::api {
namespace {

constexpr size_t kMaxServices = 16;   // of an edge that are told
constexpr size_t kMaxZonePairs = 16;  // the same
constexpr size_t kMaxBehalf = 64;     // workloads a helper worked for

// Null without samples.
Json Average(uint64_t sum, uint64_t count) {
  if (count == 0) return nullptr;
  return static_cast<double>(sum) / static_cast<double>(count);
}

Json ZonePairsJson(const std::map<std::pair<std::string, std::string>, uint64_t>& pairs) {
  std::vector<std::pair<std::pair<std::string, std::string>, uint64_t>> sorted(pairs.begin(), pairs.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return b.second < a.second; });
  if (sorted.size() > kMaxZonePairs) sorted.resize(kMaxZonePairs);
  Json json = Json::array();
  for (const auto& [zones, bytes] : sorted) {
    json.push_back({{"client_zone", zones.first}, {"server_zone", zones.second}, {"bytes", bytes}});
  }
  return json;
}

}  // namespace

void AddParts(std::string_view list, std::set<std::string, std::less<>>& into) {
  while (!list.empty() && into.size() < kMaxBehalf) {
    const size_t end = std::min(list.find(','), list.size());
    std::string_view part = list.substr(0, end);
    while (part.starts_with(' ')) part.remove_prefix(1);
    if (!part.empty() && !into.contains(part)) into.emplace(part);
    list.remove_prefix(std::min(end + 1, list.size()));
  }
}

uint64_t MapEdge::failed() const {
  return failed_refused + failed_timed_out + failed_unreachable + failed_abandoned + failed_no_port + failed_other;
}

void MapEdge::Add(const MapRowReader& reader, MapRowReader::Row row) {
  ports.insert(reader.server_port(row));
#define WEIR_EDGE_ADD(name) name += reader.name(row);
  WEIR_EDGE_SUMS(WEIR_EDGE_ADD)
#undef WEIR_EDGE_ADD
  const auto least = static_cast<double>(reader.rtt_min_us(row));
  if (least > 0 && (rtt_min_us == 0 || least < rtt_min_us)) rtt_min_us = least;
  rtt_max_us = std::max(rtt_max_us, static_cast<double>(reader.rtt_max_us(row)));
  const uint64_t bytes_of_row = reader.bytes_to_server(row) + reader.bytes_to_client(row);
  if (const std::string_view locality = reader.locality(row); !locality.empty()) {
    auto share = localities.find(locality);
    if (share == localities.end()) share = localities.emplace(locality, Share{}).first;
    share->second.bytes += bytes_of_row;
    share->second.attempts += reader.connections_opened(row);
  }
  const std::string_view client_zone = reader.client_zone(row);
  const std::string_view server_zone = reader.server_zone(row);
  if (!client_zone.empty() || !server_zone.empty()) {
    zone_pairs[{std::string(client_zone), std::string(server_zone)}] += bytes_of_row;
  }
  if (const std::string_view service = reader.server_service(row); !service.empty() && services.size() < kMaxServices) {
    services.insert(fmt::format("{}/{}", reader.server_service_namespace(row), service));
  }
  AddParts(reader.client_on_behalf_of(row), on_behalf_of);
}

diagnose::EdgeFacts MapEdge::Facts(double rtt_p99_us) const {
  diagnose::EdgeFacts facts;
  facts.segments = segments();
  facts.retransmits = retransmits;
  const uint64_t overtaken = reordered_to_server + reordered_to_client;
  facts.late = late_segments > overtaken ? late_segments - overtaken : 0;
  facts.bytes = bytes();
  facts.opened = connections_opened;
  facts.failed_refused = failed_refused;
  facts.failed_timed_out = failed_timed_out;
  facts.failed_unreachable = failed_unreachable;
  facts.failed_abandoned = failed_abandoned;
  facts.failed_no_port = failed_no_port;
  facts.failed_other = failed_other;
  facts.rtt_min_us = rtt_min_us;
  facts.rtt_p99_us = rtt_p99_us;
  return facts;
}

namespace {

// Where the traffic of the edge went, and what of it crossed zones.
void AddPlaces(const MapEdge& edge, Json& json) {
  Json bytes = Json::object();
  std::string_view most;
  MapEdge::Share largest;
  uint64_t inter_zone = 0;
  for (const auto& [locality, share] : edge.localities) {
    bytes[locality] = share.bytes;
    const bool larger = std::pair(share.bytes, share.attempts) > std::pair(largest.bytes, largest.attempts);
    if (most.empty() || larger) {
      most = locality;
      largest = share;
    }
    if (locality == "inter_zone" || locality == "inter_region") inter_zone += share.bytes;
  }
  json["locality"] = most;
  json["localities"] = std::move(bytes);
  json["inter_zone_bytes"] = inter_zone;
  json["zone_pairs"] = ZonePairsJson(edge.zone_pairs);
}

}  // namespace

Json MapEdge::ToJson(const std::string& client_id, const std::string& server_id, double seconds) const {
  const std::string ends = client_id + server_id;
  const uint64_t rtt_count = client_rtt_count != 0 ? client_rtt_count : server_rtt_count;
  const uint64_t rtt_sum = client_rtt_count != 0 ? client_rtt_sum_us : server_rtt_sum_us;
  const std::string_view reported_by =
      client_reports == 0 ? (server_reports == 0 ? "" : "server") : (server_reports == 0 ? "client" : "both");
  Json json;
  json["id"] = fmt::format("e{:016x}", XXH3_64bits(ends.data(), ends.size()));
  json["client"] = client_id;
  json["server"] = server_id;
  json["ports"] = ports;
  json["services"] = services;
  json["on_behalf_of"] = on_behalf_of;
  json["bytes_to_server"] = bytes_to_server;
  json["bytes_to_client"] = bytes_to_client;
  json["bytes_per_second"] = static_cast<double>(bytes()) / seconds;
  json["connections_opened"] = connections_opened;
  json["connections_failed"] = failed();
  json["failed_refused"] = failed_refused;
  json["failed_timed_out"] = failed_timed_out;
  json["failed_unreachable"] = failed_unreachable;
  json["failed_abandoned"] = failed_abandoned;
  json["failed_no_port"] = failed_no_port;
  json["failed_other"] = failed_other;
  json["closed_reset"] = closed_reset;
  json["retransmits"] = retransmits;
  json["timeouts"] = timeouts;
  json["late_segments"] = late_segments;
  json["retransmit_percent"] = Average(100 * retransmits, segments());
  json["rtt_avg_us"] = Average(rtt_sum, rtt_count);
  json["rtt_p99_us"] = rtt_count == 0 ? Json(nullptr) : Json(P99());
  json["rtt_min_us"] = rtt_min_us == 0 ? Json(nullptr) : Json(rtt_min_us);
  json["connect_avg_us"] = Average(connect_sum_us, connect_count);
  json["segments"] = segments();
  json["cost_usd"] = static_cast<double>(cost_nano_usd) / 1e9;
  json["reported_by"] = reported_by;
  AddPlaces(*this, json);
  json["health"] = diagnose::EdgeHealthName(verdict.health);
  json["reasons"] = verdict.reasons;
  return json;
}

}  // namespace weir::api

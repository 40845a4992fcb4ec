#include "api/map.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>

#include "api/health.h"
#include "api/map_end.h"

namespace weir::api {
namespace {

using store::Cell;
using Row = std::vector<Cell>;

constexpr uint32_t kMaxGroups = 100'000;  // what the store gives at most

// The sums of an edge: adding rows and showing them come from this one list.
#define WEIR_EDGE_SUMS(X) \
  X(bytes_to_server)      \
  X(bytes_to_client)      \
  X(segments_to_server)   \
  X(segments_to_client)   \
  X(retransmits)          \
  X(connections_opened)   \
  X(failed_refused)       \
  X(failed_timed_out)     \
  X(failed_unreachable)   \
  X(failed_abandoned)     \
  X(failed_no_port)       \
  X(failed_other)         \
  X(closed_reset)         \
  X(late_segments)        \
  X(client_reports)       \
  X(server_reports)       \
  X(connect_count)        \
  X(connect_sum_us)       \
  X(client_rtt_count)     \
  X(client_rtt_sum_us)    \
  X(server_rtt_count)     \
  X(server_rtt_sum_us)

// Read besides the sums, or only for a flow's own account.
constexpr std::string_view kOtherColumns[] = {"rtt_min_us", "rtt_max_us", "rtt_p50_us", "rtt_p90_us", "rtt_p99_us"};

// The slow end of round trips over several flows. The store gives each flow's quantiles, not its distribution: samples
// are taken at the upper end of the quantile band they lie in, and evenly spread over the last band, up to the largest,
// so that a few slow samples of another flow do not push the answer up to it. Exact for a single flow, and never above
// the largest p99 of the flows.
class RttTail {
 public:
  void Add(double p50, double p90, double p99, double most, uint64_t samples) {
    constexpr int kPieces = 10;
    const auto count = static_cast<double>(samples);
    points_.insert(points_.end(), {{p50, 0.50 * count}, {p90, 0.40 * count}, {p99, 0.09 * count}});
    const double piece = (std::max(most, p99) - p99) / kPieces;
    for (int i = 1; i <= kPieces; ++i) points_.emplace_back(p99 + i * piece, 0.01 * count / kPieces);
  }
  bool empty() const { return points_.empty(); }
  double P99() {
    std::sort(points_.begin(), points_.end());
    double total = 0;
    for (const auto& [value, weight] : points_) total += weight;
    double seen = 0;
    for (const auto& [value, weight] : points_) {
      seen += weight;
      if (seen >= 0.99 * total * (1 - 1e-9)) return value;  // the weights are rounded
    }
    return 0;
  }

 private:
  std::vector<std::pair<double, double>> points_;  // microseconds, samples
};

struct Edge {
  size_t client = 0;
  size_t server = 0;
  std::set<uint64_t> ports;
#define WEIR_EDGE_FIELD(name) uint64_t name = 0;
  WEIR_EDGE_SUMS(WEIR_EDGE_FIELD)
#undef WEIR_EDGE_FIELD
  double rtt_min_us = 0;
  RttTail client_tail;
  RttTail server_tail;
  HealthVerdict verdict;

  uint64_t bytes() const { return bytes_to_server + bytes_to_client; }
  uint64_t segments() const { return segments_to_server + segments_to_client; }
  double P99() { return client_tail.empty() ? server_tail.P99() : client_tail.P99(); }
};

// Cells of a result by column name.
class Reader {
 public:
  explicit Reader(const store::FlowResult& result) {
    for (size_t i = 0; i < result.columns.size(); ++i) positions_[result.columns[i]->name] = i;
  }
  const Cell* Find(const Row& row, std::string_view name) const {
    const auto found = positions_.find(name);
    return found == positions_.end() ? nullptr : &row[found->second];
  }
  std::string_view Text(const Row& row, std::string_view name) const {
    const Cell* cell = Find(row, name);
    return cell == nullptr ? std::string_view{} : cell->text;
  }
  uint64_t Uint(const Row& row, std::string_view name) const {
    const Cell* cell = Find(row, name);
    return cell == nullptr ? 0 : cell->exact;
  }
  double Number(const Row& row, std::string_view name) const {
    const Cell* cell = Find(row, name);
    return cell == nullptr ? 0 : cell->number;
  }

 private:
  std::unordered_map<std::string_view, size_t> positions_;
};

class Folding {
 public:
  Folding(const store::FlowResult& result, const MapOptions& options) : reader_(result), options_(options) {}

  // Every row, before the first Add(): which namespace is a node's main one shows only in all of them.
  void Survey(const Row& row) {
    if (IsAboutAListener(row)) return;
    main_netns_.Add(ClientOf(row));
    main_netns_.Add(ServerOf(row));
  }

  void Add(const Row& row) {
    if (IsAboutAListener(row)) return;
    const size_t client = NodeIndex(ClientOf(row));
    const size_t server = NodeIndex(ServerOf(row));
    Edge& edge = edges_[{client, server}];
    edge.client = client;
    edge.server = server;
    edge.ports.insert(reader_.Uint(row, "server_port"));
#define WEIR_EDGE_ADD(name) edge.name += reader_.Uint(row, #name);
    WEIR_EDGE_SUMS(WEIR_EDGE_ADD)
#undef WEIR_EDGE_ADD
    AddRtt(edge, row);
  }

  // A full accept queue is nobody's connection: the client is unspecified.
  bool IsAboutAListener(const Row& row) const {
    const std::string_view client = reader_.Text(row, "client_address");
    return client == "0.0.0.0" || client == "::";
  }

  Map Finish() {
    std::vector<Edge*> chosen;
    for (auto& [ends, edge] : edges_) {
      edge.verdict = Judge(FactsOf(edge));
      if (!options_.only_problems || edge.verdict.health != Health::kOk) chosen.push_back(&edge);
    }
    std::sort(chosen.begin(), chosen.end(), [this](const Edge* a, const Edge* b) {
      return std::make_tuple(b->verdict.health, b->bytes(), nodes_[a->client].id, nodes_[a->server].id) <
             std::make_tuple(a->verdict.health, a->bytes(), nodes_[b->client].id, nodes_[b->server].id);
    });
    Map map;
    const size_t nodes_before = CountNodes(chosen);
    if (chosen.size() > options_.limit) {
      map.edges_left_out = chosen.size() - options_.limit;
      chosen.resize(options_.limit);
    }
    map.nodes_left_out = nodes_before - CountNodes(chosen);
    std::set<size_t> shown;
    for (Edge* edge : chosen) {
      for (const size_t node : {edge->client, edge->server}) {
        if (shown.insert(node).second) map.nodes.push_back(NodeJson(nodes_[node]));
      }
      map.edges.push_back(EdgeJson(*edge));
    }
    return map;
  }

 private:
  struct Known {
    MapNode node;
    std::string id;
    std::set<std::string> addresses;
  };

  EndFacts ClientOf(const Row& row) const {
    return {.process = reader_.Text(row, "client_process"),
            .container = reader_.Text(row, "client_container"),
            .unit = reader_.Text(row, "client_unit"),
            .node = reader_.Text(row, "client_node"),
            .address = reader_.Text(row, "client_address"),
            .other_node = reader_.Text(row, "server_node"),
            .netns_name = reader_.Text(row, "client_netns_name"),
            .netns = static_cast<uint32_t>(reader_.Uint(row, "client_netns"))};
  }
  EndFacts ServerOf(const Row& row) const {
    return {.process = reader_.Text(row, "server_process"),
            .container = reader_.Text(row, "server_container"),
            .unit = reader_.Text(row, "server_unit"),
            .node = reader_.Text(row, "server_node"),
            .address = reader_.Text(row, "server_address"),
            .other_node = reader_.Text(row, "client_node"),
            .netns_name = reader_.Text(row, "server_netns_name"),
            .netns = static_cast<uint32_t>(reader_.Uint(row, "server_netns"))};
  }

  size_t NodeIndex(EndFacts end) {
    if (end.netns == main_netns_.Of(end.node)) end.netns = 0;
    MapNode node = NodeOf(end, options_);
    std::string id = node.Id();
    const auto [found, fresh] = index_.try_emplace(id, nodes_.size());
    if (fresh) nodes_.push_back({std::move(node), std::move(id), {}});
    Known& known = nodes_[found->second];
    if (known.node.kind != "internet") known.addresses.emplace(end.address);
    return found->second;
  }

  void AddRtt(Edge& edge, const Row& row) const {
    const double least = reader_.Number(row, "rtt_min_us");
    if (least > 0 && (edge.rtt_min_us == 0 || least < edge.rtt_min_us)) edge.rtt_min_us = least;
    const uint64_t by_client = reader_.Uint(row, "client_rtt_count");
    const uint64_t by_server = reader_.Uint(row, "server_rtt_count");
    if (by_client + by_server == 0) return;
    RttTail& tail = by_client != 0 ? edge.client_tail : edge.server_tail;
    tail.Add(reader_.Number(row, "rtt_p50_us"), reader_.Number(row, "rtt_p90_us"), reader_.Number(row, "rtt_p99_us"),
             reader_.Number(row, "rtt_max_us"), by_client != 0 ? by_client : by_server);
  }

  static EdgeFacts FactsOf(Edge& edge) {
    EdgeFacts facts;
    facts.segments = edge.segments();
    facts.retransmits = edge.retransmits;
    facts.bytes = edge.bytes();
    facts.opened = edge.connections_opened;
    facts.failed_refused = edge.failed_refused;
    facts.failed_timed_out = edge.failed_timed_out;
    facts.failed_unreachable = edge.failed_unreachable;
    facts.failed_abandoned = edge.failed_abandoned;
    facts.failed_no_port = edge.failed_no_port;
    facts.failed_other = edge.failed_other;
    facts.rtt_min_us = edge.rtt_min_us;
    facts.rtt_p99_us = edge.P99();
    return facts;
  }

  static size_t CountNodes(const std::vector<Edge*>& edges) {
    std::set<size_t> nodes;
    for (const Edge* edge : edges) nodes.insert({edge->client, edge->server});
    return nodes.size();
  }

  static Json NodeJson(const Known& known) {
    const MapNode& node = known.node;
    return {{"id", known.id},
            {"kind", node.kind},
            {"name", node.name},
            {"group", node.group},
            {"group_kind", node.group_kind},
            {"container", node.container},
            {"netns_name", node.netns_name},
            {"netns", node.netns},
            {"unit", node.unit},
            {"node", node.node},
            {"addresses", known.addresses},
            {"external", node.external}};
  }

  Json EdgeJson(Edge& edge) const;

  const Reader reader_;
  const MapOptions options_;
  MainNetns main_netns_;
  std::vector<Known> nodes_;
  std::unordered_map<std::string, size_t> index_;    // by id
  std::map<std::pair<size_t, size_t>, Edge> edges_;  // by client and server
};

// Null without samples.
Json Average(uint64_t sum, uint64_t count) {
  if (count == 0) return nullptr;
  return static_cast<double>(sum) / static_cast<double>(count);
}

Json Folding::EdgeJson(Edge& edge) const {
  const std::string ends = nodes_[edge.client].id + nodes_[edge.server].id;
  const uint64_t rtt_count = edge.client_rtt_count != 0 ? edge.client_rtt_count : edge.server_rtt_count;
  const uint64_t rtt_sum = edge.client_rtt_count != 0 ? edge.client_rtt_sum_us : edge.server_rtt_sum_us;
  const std::string_view reported_by = edge.client_reports == 0 ? (edge.server_reports == 0 ? "" : "server")
                                                                : (edge.server_reports == 0 ? "client" : "both");
  const uint64_t failed = edge.failed_refused + edge.failed_timed_out + edge.failed_unreachable +
                          edge.failed_abandoned + edge.failed_no_port + edge.failed_other;
  Json json;
  json["id"] = fmt::format("e{:016x}", XXH3_64bits(ends.data(), ends.size()));
  json["client"] = nodes_[edge.client].id;
  json["server"] = nodes_[edge.server].id;
  json["ports"] = edge.ports;
  json["bytes_to_server"] = edge.bytes_to_server;
  json["bytes_to_client"] = edge.bytes_to_client;
  json["bytes_per_second"] = static_cast<double>(edge.bytes()) / options_.seconds;
  json["connections_opened"] = edge.connections_opened;
  json["connections_failed"] = failed;
  json["failed_refused"] = edge.failed_refused;
  json["failed_timed_out"] = edge.failed_timed_out;
  json["failed_unreachable"] = edge.failed_unreachable;
  json["failed_abandoned"] = edge.failed_abandoned;
  json["failed_no_port"] = edge.failed_no_port;
  json["failed_other"] = edge.failed_other;
  json["closed_reset"] = edge.closed_reset;
  json["retransmits"] = edge.retransmits;
  json["late_segments"] = edge.late_segments;
  json["retransmit_percent"] = Average(100 * edge.retransmits, edge.segments());
  json["rtt_avg_us"] = Average(rtt_sum, rtt_count);
  json["rtt_p99_us"] = rtt_count == 0 ? Json(nullptr) : Json(edge.P99());
  json["connect_avg_us"] = Average(edge.connect_sum_us, edge.connect_count);
  json["segments"] = edge.segments();
  json["reported_by"] = reported_by;
  json["health"] = HealthName(edge.verdict.health);
  json["reasons"] = edge.verdict.reasons;
  return json;
}

}  // namespace

store::FlowQuery MapQuery(const MapOptions& options) {
  std::vector<std::string_view> ends = {"node", "address"};
  if (options.level != MapLevel::kHost) ends.insert(ends.end(), {"container", "netns_name", "netns", "unit"});
  if (options.level == MapLevel::kProcess) ends.push_back("process");
  store::FlowQuery query;
  for (const std::string_view side : {"client_", "server_"}) {
    for (const std::string_view end : ends) query.group_by.push_back(model::FindColumn(std::string(side).append(end)));
  }
  query.group_by.push_back(model::FindColumn("server_port"));
  query.by_flow = options.level == MapLevel::kProcess;  // what else tells flows apart hardly makes more rows
  query.totals = false;
#define WEIR_EDGE_COLUMN(name) query.columns.push_back(model::FindColumn(#name));
  WEIR_EDGE_SUMS(WEIR_EDGE_COLUMN)
#undef WEIR_EDGE_COLUMN
  for (const std::string_view name : kOtherColumns) query.columns.push_back(model::FindColumn(name));
  // Should there be more flows than the store gives, those that matter come first.
  if (options.only_problems)
    query.sort = {{model::FindColumn("connections_failed"), true}, {model::FindColumn("retransmits"), true}};
  query.limit = kMaxGroups;
  return query;
}

Map BuildMap(const store::FlowResult& result, const MapOptions& options) {
  Folding folding(result, options);
  for (const Row& row : result.rows) folding.Survey(row);
  for (const Row& row : result.rows) folding.Add(row);
  Map map = folding.Finish();
  map.edges_left_out += result.groups_left_out;  // at most so many edges lie among them
  return map;
}

}  // namespace weir::api

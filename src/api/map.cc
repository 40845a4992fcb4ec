#include "api/map.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <deque>
#include <set>
#include <tuple>
#include <unordered_map>

#include "api/map_end.h"
#include "diagnose/edge_health.h"

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

struct Edge {
  uint32_t client = 0;
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

  uint64_t bytes() const { return bytes_to_server + bytes_to_client; }
  uint64_t segments() const { return segments_to_server + segments_to_client; }
  // The server's samples count only where the client has none: the client's include both hosts' delays.
  double P99() const { return (rtt.client.empty() ? rtt.server : rtt.client).Quantile(0.99); }
};

// Every column the map reads but the sums.
#define WEIR_MAP_TEXTS(X) \
  X(client_kind)          \
  X(client_process)       \
  X(client_container)     \
  X(client_unit)          \
  X(client_node)          \
  X(client_address)       \
  X(client_netns_name)    \
  X(server_kind)          \
  X(server_process)       \
  X(server_container)     \
  X(server_unit)          \
  X(server_node)          \
  X(server_address)       \
  X(server_netns_name)
#define WEIR_MAP_NUMBERS(X) X(client_netns) X(server_netns) X(server_port) X(rtt_min_us) X(rtt_max_us)

// Cells of a row of a result, by column. A column the result lacks is "" or 0.
class Reader {
 public:
  explicit Reader(const store::FlowResult& result) {
    for (size_t i = 0; i < result.columns.size(); ++i) {
      const std::string_view name = result.columns[i]->name;
#define WEIR_FIND(column) \
  if (name == #column) column##_ = i;
      WEIR_MAP_TEXTS(WEIR_FIND)
      WEIR_MAP_NUMBERS(WEIR_FIND)
      WEIR_EDGE_SUMS(WEIR_FIND)
#undef WEIR_FIND
    }
  }

#define WEIR_READ_TEXT(column)                                              \
  std::string_view column(const Row& row) const {                           \
    return column##_ == kAbsent ? std::string_view{} : row[column##_].text; \
  }
  WEIR_MAP_TEXTS(WEIR_READ_TEXT)
#undef WEIR_READ_TEXT
#define WEIR_READ_NUMBER(column) \
  uint64_t column(const Row& row) const { return column##_ == kAbsent ? 0 : row[column##_].exact; }
  WEIR_MAP_NUMBERS(WEIR_READ_NUMBER)
  WEIR_EDGE_SUMS(WEIR_READ_NUMBER)
#undef WEIR_READ_NUMBER

 private:
  static constexpr size_t kAbsent = SIZE_MAX;
#define WEIR_POSITION(column) size_t column##_ = kAbsent;
  WEIR_MAP_TEXTS(WEIR_POSITION)
  WEIR_MAP_NUMBERS(WEIR_POSITION)
  WEIR_EDGE_SUMS(WEIR_POSITION)
#undef WEIR_POSITION
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

  // `flow` is the row's number in the store; 0 = none, as of rows that are no flows.
  void Add(const Row& row, uint64_t flow) {
    if (IsAboutAListener(row)) return;
    const uint32_t client = NodeIndex(ClientOf(row));
    const uint32_t server = NodeIndex(ServerOf(row));
    const auto [found, fresh] = edges_by_ends_.try_emplace(uint64_t{client} << 32 | server, edges_.size());
    if (fresh) {
      Edge& edge = edges_.emplace_back();
      edge.client = client;
      edge.server = server;
      edge.number = static_cast<uint32_t>(found->second);
    }
    Edge& edge = edges_[found->second];
    edge.ports.insert(reader_.server_port(row));
#define WEIR_EDGE_ADD(name) edge.name += reader_.name(row);
    WEIR_EDGE_SUMS(WEIR_EDGE_ADD)
#undef WEIR_EDGE_ADD
    const auto least = static_cast<double>(reader_.rtt_min_us(row));
    if (least > 0 && (edge.rtt_min_us == 0 || least < edge.rtt_min_us)) edge.rtt_min_us = least;
    edge.rtt_max_us = std::max(edge.rtt_max_us, static_cast<double>(reader_.rtt_max_us(row)));
    if (reader_.client_rtt_count(row) + reader_.server_rtt_count(row) == 0) return;
    sampled_.flows.push_back(flow);
    sampled_.groups.push_back(edge.number);
  }

  // In older rows a full accept queue is a flow whose client is unspecified.
  bool IsAboutAListener(const Row& row) const {
    const std::string_view client = reader_.client_address(row);
    return client == "0.0.0.0" || client == "::";
  }

  // The flows with round-trip times of the edges whose distribution matters: those that would be shown without it, and
  // those whose health it may change.
  store::FlowGroups Wanted() {
    std::vector<bool> wanted(edges_.size());
    for (Edge& edge : edges_) {
      edge.verdict = diagnose::JudgeEdge(FactsOf(edge, 0));
      const double highest = edge.rtt_max_us * kBucketError;
      wanted[edge.number] = diagnose::JudgeEdge(FactsOf(edge, highest)).health != edge.verdict.health;
    }
    for (const Edge* edge : Chosen()) wanted[edge->number] = true;
    store::FlowGroups flows;
    for (size_t i = 0; i < sampled_.flows.size(); ++i) {
      if (!wanted[sampled_.groups[i]]) continue;
      flows.flows.push_back(sampled_.flows[i]);
      flows.groups.push_back(sampled_.groups[i]);
    }
    return flows;
  }
  void SetRtt(const std::map<uint32_t, store::RttDistribution>& distributions) {
    for (const auto& [number, rtt] : distributions) {
      Edge& edge = edges_.at(number);
      edge.rtt = rtt;
      edge.verdict = diagnose::JudgeEdge(FactsOf(edge, edge.P99()));
    }
  }

  Map Finish() {
    size_t candidates = 0;
    size_t nodes_before = 0;
    const std::vector<const Edge*> chosen = Chosen(&candidates, &nodes_before);
    Map map;
    map.edges_left_out = candidates - chosen.size();
    map.nodes_left_out = nodes_before - CountNodes(chosen);
    std::set<uint32_t> shown;
    for (const Edge* edge : chosen) {
      for (const uint32_t node : {edge->client, edge->server}) {
        if (shown.insert(node).second) map.nodes.push_back(NodeJson(nodes_[node]));
      }
      map.edges.push_back(EdgeJson(*edge));
    }
    return map;
  }

 private:
  // A quantile is the middle of a bucket, which may lie so much above the largest sample in it.
  static constexpr double kBucketError = 1.2;

  struct Known {
    MapNode node;
    std::string id;
    std::set<std::string> addresses;
  };

  EndFacts ClientOf(const Row& row) const {
    return {.process = reader_.client_process(row),
            .container = reader_.client_container(row),
            .unit = reader_.client_unit(row),
            .node = reader_.client_node(row),
            .address = reader_.client_address(row),
            .other_node = reader_.server_node(row),
            .netns_name = reader_.client_netns_name(row),
            .netns = static_cast<uint32_t>(reader_.client_netns(row)),
            .unreported = reader_.client_kind(row) == "address"};
  }
  EndFacts ServerOf(const Row& row) const {
    return {.process = reader_.server_process(row),
            .container = reader_.server_container(row),
            .unit = reader_.server_unit(row),
            .node = reader_.server_node(row),
            .address = reader_.server_address(row),
            .other_node = reader_.client_node(row),
            .netns_name = reader_.server_netns_name(row),
            .netns = static_cast<uint32_t>(reader_.server_netns(row)),
            .unreported = reader_.server_kind(row) == "address"};
  }

  // The facts of an end as one text: the same end is met in many flows.
  static void SpellOut(const EndFacts& end, std::string& text) {
    text.clear();
    for (const std::string_view fact :
         {end.process, end.container, end.unit, end.node, end.address, end.other_node, end.netns_name}) {
      text.append(fact).push_back('\0');
    }
    text.append(reinterpret_cast<const char*>(&end.netns), sizeof(end.netns));
    text.push_back(end.unreported ? 'x' : ' ');
  }

  uint32_t NodeIndex(EndFacts end) {
    if (end.netns == main_netns_.Of(end.node)) end.netns = 0;
    SpellOut(end, facts_);
    const auto [met, first] = index_by_facts_.try_emplace(facts_, 0);
    if (!first) return met->second;
    MapNode node = NodeOf(end, options_);
    std::string id = node.Id();
    const auto [found, fresh] = index_.try_emplace(id, static_cast<uint32_t>(nodes_.size()));
    if (fresh) nodes_.push_back({std::move(node), std::move(id), {}});
    Known& known = nodes_[found->second];
    if (known.node.kind != "internet") known.addresses.emplace(end.address);
    met->second = found->second;
    return found->second;
  }

  // The edges to show, in order, by what is known of them so far.
  std::vector<const Edge*> Chosen(size_t* candidates = nullptr, size_t* nodes = nullptr) const {
    std::vector<const Edge*> chosen;
    for (const Edge& edge : edges_) {
      if (!options_.only_problems || edge.verdict.health != diagnose::EdgeHealth::kOk) chosen.push_back(&edge);
    }
    if (candidates != nullptr) *candidates = chosen.size();
    if (nodes != nullptr) *nodes = CountNodes(chosen);
    const size_t shown = std::min(options_.limit, chosen.size());
    std::partial_sort(chosen.begin(), chosen.begin() + static_cast<ptrdiff_t>(shown), chosen.end(),
                      [this](const Edge* a, const Edge* b) {
                        if (a->verdict.health != b->verdict.health) return b->verdict.health < a->verdict.health;
                        if (a->bytes() != b->bytes()) return b->bytes() < a->bytes();
                        return std::tie(nodes_[a->client].id, nodes_[a->server].id) <
                               std::tie(nodes_[b->client].id, nodes_[b->server].id);
                      });
    chosen.resize(shown);
    return chosen;
  }

  static diagnose::EdgeFacts FactsOf(const Edge& edge, double rtt_p99_us) {
    diagnose::EdgeFacts facts;
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
    facts.rtt_p99_us = rtt_p99_us;
    return facts;
  }

  size_t CountNodes(const std::vector<const Edge*>& edges) const {
    std::vector<bool> seen(nodes_.size());
    for (const Edge* edge : edges) seen[edge->client] = seen[edge->server] = true;
    return static_cast<size_t>(std::count(seen.begin(), seen.end(), true));
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

  Json EdgeJson(const Edge& edge) const;

  const Reader reader_;
  const MapOptions options_;
  MainNetns main_netns_;
  std::vector<Known> nodes_;
  std::unordered_map<std::string, uint32_t> index_;  // by id
  std::unordered_map<std::string, uint32_t> index_by_facts_;
  std::string facts_;
  std::deque<Edge> edges_;
  std::unordered_map<uint64_t, size_t> edges_by_ends_;  // client << 32 | server
  store::FlowGroups sampled_;                           // flows with round-trip times, by the number of their edge
};

// Null without samples.
Json Average(uint64_t sum, uint64_t count) {
  if (count == 0) return nullptr;
  return static_cast<double>(sum) / static_cast<double>(count);
}

Json Folding::EdgeJson(const Edge& edge) const {
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
  json["health"] = diagnose::EdgeHealthName(edge.verdict.health);
  json["reasons"] = edge.verdict.reasons;
  return json;
}

}  // namespace

store::FlowQuery MapQuery(const MapOptions& options) {
  std::vector<std::string_view> ends = {"node", "address", "kind"};
  if (options.level != MapLevel::kHost) ends.insert(ends.end(), {"container", "netns_name", "netns", "unit"});
  if (options.level == MapLevel::kProcess) ends.push_back("process");
  store::FlowQuery query;
  for (const std::string_view side : {"client_", "server_"}) {
    for (const std::string_view end : ends) query.group_by.push_back(model::FindColumn(std::string(side).append(end)));
  }
  query.group_by.push_back(model::FindColumn("server_port"));
  query.by_flow = true;  // what else tells flows apart hardly makes more rows
  query.totals = false;
#define WEIR_EDGE_COLUMN(name) query.columns.push_back(model::FindColumn(#name));
  WEIR_EDGE_SUMS(WEIR_EDGE_COLUMN)
#undef WEIR_EDGE_COLUMN
  query.columns.push_back(model::FindColumn("rtt_min_us"));
  query.columns.push_back(model::FindColumn("rtt_max_us"));
  // Should there be more flows than the store gives, those that matter come first.
  if (options.only_problems)
    query.sort = {{model::FindColumn("connections_failed"), true}, {model::FindColumn("retransmits"), true}};
  query.limit = kMaxGroups;
  return query;
}

Result<Map> BuildMap(const store::FlowResult& result, const MapOptions& options, const RttOfEdges& rtt) {
  Folding folding(result, options);
  for (const Row& row : result.rows) folding.Survey(row);
  for (size_t i = 0; i < result.rows.size(); ++i) {
    folding.Add(result.rows[i], i < result.flows.size() ? result.flows[i] : 0);
  }
  WEIR_ASSIGN_OR_RETURN(const auto distributions, rtt(folding.Wanted()));
  folding.SetRtt(distributions);
  Map map = folding.Finish();
  map.edges_left_out += result.groups_left_out;  // at most so many edges lie among them
  return map;
}

}  // namespace weir::api

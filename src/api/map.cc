#include "api/map.h"

#include <tsl/robin_map.h>
#include <xxhash.h>

#include <algorithm>
#include <deque>
#include <random>
#include <set>
#include <tuple>
#include <unordered_map>

#include "api/map_edge.h"
#include "api/map_end.h"
#include "api/map_row.h"
#include "api/map_services.h"
#include "diagnose/edge_health.h"

namespace weir::api {
namespace {

using model::Level;
using Row = MapRowReader::Row;

constexpr uint32_t kMaxGroups = 100'000;  // what the store gives at most

// On these a node is what its addresses are, too.
bool HasAddresses(Level level) { return level == Level::kProcess || level == Level::kContainer; }

class Folding {
 public:
  Folding(const store::FlowResult& result, const MapOptions& options)
      : reader_(result, MapQuery(options).group_by), options_(options) {}

  // Of every row, before the first Add(): a node's main namespace and what stands behind a service show only in all.
  void Survey() {
    tsl::robin_map<EndKey, Met, HashOfKey> clients;
    tsl::robin_map<EndKey, Met, HashOfKey> servers;
    for (Row row = 0; row < reader_.rows(); ++row) {
      if (IsAboutAListener(row)) continue;
      const EndKey client = reader_.ClientKey(row);
      const EndKey server = reader_.ServerKey(row);
      if (client.first == nullptr) {
        main_netns_.Add(reader_.ClientOf(row));
      } else {
        ++clients.try_emplace(client, Met{row}).first.value().flows;
      }
      if (server.first == nullptr) {
        SurveyServer({row, 1});
      } else {
        ++servers.try_emplace(server, Met{row}).first.value().flows;
      }
    }
    for (const auto& [key, met] : clients) main_netns_.Add(reader_.ClientOf(met.row), met.flows);
    for (const auto& [key, met] : servers) SurveyServer(met);
  }

  // `flow` is the row's number in the store; 0 = none, as of rows that are no flows.
  void Add(Row row, uint64_t flow) {
    if (IsAboutAListener(row)) return;
    const EndKey client_key = reader_.ClientKey(row);
    const EndKey server_key = reader_.ServerKey(row);
    auto met_client = index_by_key_.find(client_key);
    auto met_server = index_by_key_.find(server_key);
    const bool known = met_client != index_by_key_.end() && met_server != index_by_key_.end();
    const auto [client, server] = known ? std::pair(met_client->second, met_server->second) : NodesOf(row);
    if (!known) {
      Remember(client_key, client);
      Remember(server_key, server);
    }
    const auto [found, fresh] = edges_by_ends_.try_emplace(uint64_t{client} << 32 | server, edges_.size());
    if (fresh) {
      MapEdge& edge = edges_.emplace_back();
      edge.client = client;
      edge.server = server;
      edge.number = static_cast<uint32_t>(found->second);
    }
    MapEdge& edge = edges_[found->second];
    edge.Add(reader_, row);
    if (reader_.client_rtt_count(row) + reader_.server_rtt_count(row) == 0) return;
    sampled_.flows.push_back(flow);
    sampled_.groups.push_back(edge.number);
  }

  // In older rows a full accept queue is a flow whose client is unspecified.
  bool IsAboutAListener(Row row) const {
    const std::string_view client = reader_.client_address(row);
    return client == "0.0.0.0" || client == "::";
  }

  // The flows with round-trip times of the edges whose distribution matters: those that would be shown without it, and
  // those whose health it may change.
  store::FlowGroups Wanted() {
    std::vector<bool> wanted(edges_.size());
    for (MapEdge& edge : edges_) {
      edge.verdict = diagnose::JudgeEdge(edge.Facts(0));
      const double highest = edge.rtt_max_us * kBucketError;
      wanted[edge.number] = diagnose::JudgeEdge(edge.Facts(highest)).health != edge.verdict.health;
    }
    for (const MapEdge* edge : Chosen()) wanted[edge->number] = true;
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
      MapEdge& edge = edges_.at(number);
      edge.rtt = rtt;
      edge.verdict = diagnose::JudgeEdge(edge.Facts(edge.P99()));
    }
  }

  Map Finish() {
    size_t candidates = 0;
    size_t nodes_before = 0;
    const std::vector<const MapEdge*> chosen = Chosen(&candidates, &nodes_before);
    Map map;
    map.edges_left_out = candidates - chosen.size();
    map.nodes_left_out = nodes_before - CountNodes(chosen);
    std::set<uint32_t> shown;
    for (const MapEdge* edge : chosen) {
      for (const uint32_t node : {edge->client, edge->server}) {
        if (shown.insert(node).second) map.nodes.push_back(NodeJson(nodes_[node]));
      }
      map.edges.push_back(edge->ToJson(nodes_[edge->client].id, nodes_[edge->server].id, options_.seconds));
    }
    return map;
  }

 private:
  // A quantile is the middle of a bucket, which may lie so much above the largest sample in it.
  static constexpr double kBucketError = 1.2;
  static constexpr size_t kMaxAddresses = 1'000;  // of a node

  struct Known {
    MapNode node;
    std::string id;
    std::set<std::string, std::less<>> addresses;
    std::set<std::string, std::less<>> zones;
    std::set<std::string, std::less<>> on_behalf_of;
    uint32_t shared = 0;
  };

  using EndKey = MapRowReader::EndKey;
  struct HashOfKey {
    size_t operator()(const EndKey& key) const { return XXH3_64bits(&key, sizeof(key)); }
  };
  struct Met {
    Row row = 0;  // one of its rows
    uint64_t flows = 0;
  };

  void SurveyServer(const Met& met) {
    const EndFacts server = reader_.ServerOf(met.row);
    main_netns_.Add(server, met.flows);
    if (options_.level == Level::kService || options_.level == Level::kWorkload) pairs_.Add(server);
  }

  // The numbers of the nodes of the row's client and server.
  std::pair<uint32_t, uint32_t> NodesOf(Row row) {
    EndFacts client = reader_.ClientOf(row);
    EndFacts server = reader_.ServerOf(row);
    LeadLoopbackHome(client, server);
    if (options_.level == Level::kWorkload) pairs_.LeadToWorkload(server);
    if (options_.level == Level::kService) {
      pairs_.Lead(client);
      pairs_.Lead(server);
    }
    const uint32_t index_of_client = NodeIndex(client);
    return {index_of_client, NodeIndex(server)};
  }

  // Where nothing but the entity decides which node an end is, neither its address nor the other end.
  void Remember(const EndKey& key, uint32_t index) {
    if (key.first == nullptr || HasAddresses(options_.level)) return;
    const bool only_address = key.first->node.empty() || key.first->kind == "address";
    const MapNode& node = nodes_[index].node;
    if (!only_address && !node.external && node.address.empty()) index_by_key_.try_emplace(key, index);
  }

  // Loopback is the other end's own: where that is a pod or something larger, so is this one.
  void LeadLoopbackHome(EndFacts& client, EndFacts& server) const {
    if (HasAddresses(options_.level)) return;
    for (const auto& [end, other] : {std::pair{&client, &server}, std::pair{&server, &client}}) {
      if (end->kind != "address" || other->kind == "address" || !IsLoopback(end->address)) continue;
      const std::string_view service = end->service;
      *end = *other;
      end->service = service;
    }
  }
  static bool IsLoopback(std::string_view address) { return address == "::1" || address.starts_with("127."); }

  // The facts of an end as one text: the same end is met in many flows.
  static void SpellOut(const EndFacts& end, std::string& text) {
    text.clear();
#define WEIR_SPELL(field, attribute) text.append(end.field).push_back('\0');
    WEIR_MAP_END_TEXTS(WEIR_SPELL)
#undef WEIR_SPELL
    for (const std::string_view fact : {end.other_node, end.service, end.service_namespace}) {
      text.append(fact).push_back('\0');
    }
    text.append(reinterpret_cast<const char*>(&end.netns), sizeof(end.netns));
    text.append(reinterpret_cast<const char*>(&end.shared), sizeof(end.shared));
  }

  uint32_t NodeIndex(EndFacts end) {
    if (end.netns == main_netns_.Of(end.node)) end.netns = 0;
    SpellOut(end, facts_);
    const XXH128_hash_t hash = XXH3_128bits_withSeed(facts_.data(), facts_.size(), seed_);
    const auto [met, first] = index_by_facts_.try_emplace({hash.low64, hash.high64}, 0);
    if (!first) return met->second;
    MapNode node = NodeOf(end, options_);
    std::string id = node.Id();
    const auto [found, fresh] = index_.try_emplace(id, static_cast<uint32_t>(nodes_.size()));
    if (fresh) nodes_.push_back({std::move(node), std::move(id), {}, {}, {}, 0});
    Known& known = nodes_[found->second];
    const bool own_address = HasAddresses(options_.level) || !known.node.address.empty();
    if (known.node.kind != "internet" && own_address && known.addresses.size() < kMaxAddresses) {
      known.addresses.emplace(end.address);
    }
    if (!end.zone.empty()) known.zones.emplace(end.zone);
    AddParts(end.on_behalf_of, known.on_behalf_of);
    known.shared = std::max(known.shared, end.shared);
    met.value() = found->second;
    return found->second;
  }

  // The edges to show, in order, by what is known of them so far.
  std::vector<const MapEdge*> Chosen(size_t* candidates = nullptr, size_t* nodes = nullptr) const {
    std::vector<const MapEdge*> chosen;
    for (const MapEdge& edge : edges_) {
      if (!options_.only_problems || edge.verdict.health != diagnose::EdgeHealth::kOk) chosen.push_back(&edge);
    }
    if (candidates != nullptr) *candidates = chosen.size();
    if (nodes != nullptr) *nodes = CountNodes(chosen);
    const size_t shown = std::min(options_.limit, chosen.size());
    std::partial_sort(chosen.begin(), chosen.begin() + static_cast<ptrdiff_t>(shown), chosen.end(),
                      [this](const MapEdge* a, const MapEdge* b) {
                        if (a->verdict.health != b->verdict.health) return b->verdict.health < a->verdict.health;
                        if (a->bytes() != b->bytes()) return b->bytes() < a->bytes();
                        return std::tie(nodes_[a->client].id, nodes_[a->server].id) <
                               std::tie(nodes_[b->client].id, nodes_[b->server].id);
                      });
    chosen.resize(shown);
    return chosen;
  }

  size_t CountNodes(const std::vector<const MapEdge*>& edges) const {
    std::vector<bool> seen(nodes_.size());
    for (const MapEdge* edge : edges) seen[edge->client] = seen[edge->server] = true;
    return static_cast<size_t>(std::count(seen.begin(), seen.end(), true));
  }

  Json NodeJson(const Known& known) const {
    const MapNode& node = known.node;
    return {
        {"id", known.id},
        {"kind", node.kind},
        {"name", node.name},
        {"group", node.group},
        {"group_kind", node.group_kind},
        {"cluster", node.cluster},
        {"namespace", node.name_space},
        {"workload", node.workload},
        {"workload_kind", node.workload_kind},
        {"pod", node.pod},
        {"container_name", node.container_name},
        {"container", node.container},
        {"process", node.process},
        {"netns_name", node.netns_name},
        {"netns", node.netns},
        {"unit", node.unit},
        {"node", node.node},
        {"zone", node.zone},
        {"region", node.region},
        {"zones", known.zones},
        {"service", node.service},
        {"cloud_service", node.cloud_service},
        {"external_name", node.external_name},
        {"external_service", node.external_service},
        {"name_source", node.name_source},
        {"on_behalf_of", known.on_behalf_of},
        {"shared", known.shared},
        {"addresses", known.addresses},
        {"external", node.external},
        {"filters", {{"client", FilterOf(node, "client", options_)}, {"server", FilterOf(node, "server", options_)}}}};
  }

  const MapRowReader reader_;
  const MapOptions options_;
  MainNetns main_netns_;
  ServicePairs pairs_;
  std::vector<Known> nodes_;
  std::unordered_map<std::string, uint32_t> index_;  // by id
  // By a hash that nobody can foresee, who might choose names that collide.
  const uint64_t seed_ = std::random_device()() | uint64_t{std::random_device()()} << 32;
  struct FirstHalf {
    size_t operator()(const std::pair<uint64_t, uint64_t>& hash) const { return hash.first; }
  };
  tsl::robin_map<std::pair<uint64_t, uint64_t>, uint32_t, FirstHalf> index_by_facts_;
  tsl::robin_map<EndKey, uint32_t, HashOfKey> index_by_key_;
  std::string facts_;
  std::deque<MapEdge> edges_;
  std::unordered_map<uint64_t, size_t> edges_by_ends_;  // client << 32 | server
  store::FlowGroups sampled_;                           // flows with round-trip times, by the number of their edge
};

void AddColumn(std::string_view name, std::vector<const model::Column*>& columns) {
  const model::Column* column = model::FindColumn(name);
  if (std::find(columns.begin(), columns.end(), column) == columns.end()) columns.push_back(column);
}

}  // namespace

store::FlowQuery MapQuery(const MapOptions& options) {
  store::FlowQuery query;
  query.group_by = model::ColumnsOf(options.level);
  for (const char* name : {"client_zone", "server_zone", "locality", "server_port"}) AddColumn(name, query.group_by);
  const bool named_services = options.level != Level::kNamespace && options.level != Level::kNode &&
                              options.level != Level::kZone && options.level != Level::kCluster;
  if (named_services) {
    for (const char* name : {"server_service", "server_service_namespace"}) AddColumn(name, query.group_by);
  }
  query.by_flow = true;  // names of flows are at hand in memory, and their groups by name cost more to tell
  query.whole_ends = true;
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

bool NamesNamespaces(const store::FlowResult& result, const store::FlowQuery& query) {
  const MapRowReader reader(result, query.group_by);
  for (Row row = 0; row < reader.rows(); ++row) {
    if (!reader.ClientOf(row).namespace_.empty() || !reader.ServerOf(row).namespace_.empty()) return true;
  }
  return false;
}

Result<Map> BuildMap(const store::FlowResult& result, const MapOptions& options, const RttOfEdges& rtt) {
  Folding folding(result, options);
  folding.Survey();
  for (Row row = 0; row < result.rows.size(); ++row) {
    folding.Add(row, row < result.flows.size() ? result.flows[row] : 0);
  }
  WEIR_ASSIGN_OR_RETURN(const auto distributions, rtt(folding.Wanted()));
  folding.SetRtt(distributions);
  Map map = folding.Finish();
  map.edges_left_out += result.groups_left_out;  // at most so many edges lie among them
  return map;
}

}  // namespace weir::api

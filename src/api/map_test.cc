// The map: which ends become which nodes, what edges add up to, and when they are unwell.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "api/fakes.h"
#include "api/map.h"
#include "api/map_end.h"

namespace weir::api {
namespace {

using testing::ElementsAre;
using testing::StartsWith;

constexpr const char* kContainer = "3f2a9c71d0be55aa3f2a9c71d0be55aa";

// Without samples of round-trip times.
Map MapOf(const store::FlowResult& result, const MapOptions& options) {
  using Distributions = std::map<uint32_t, store::RttDistribution>;
  const auto none = [](const store::FlowGroups&) { return Result<Distributions>(Distributions{}); };
  const Map map = *BuildMap(result, options, none);
  const Map of_whole_ends = *BuildMap(WithWholeEnds(result), options, none);
  EXPECT_EQ(map.nodes, of_whole_ends.nodes);
  EXPECT_EQ(map.edges, of_whole_ends.edges);
  return map;
}

struct EndCase {
  EndFacts end;
  model::Level level;
  const char* kind;
  const char* name;
  const char* group;
  const char* group_kind;
  bool external;
};

TEST(MapEnd, EveryKindOfEnd) {
  const EndFacts in_container{"nginx", kContainer, "", "host1", "10.1.0.2", ""};
  const EndFacts in_unit{"sshd", "", "ssh.service", "host1", "10.0.0.1", ""};
  const EndFacts bare{"bash", "", "", "host1", "10.0.0.1", ""};
  const EndFacts in_named{"curl", "", "session-3.scope", "host1", "10.77.1.2", "", "lab-client", 4026532201};
  const EndFacts in_nameless{"curl", "", "worker.service", "host1", "10.77.1.2", "", "", 4026532201};
  const EndFacts pod{"nginx", kContainer, "", "host1", "10.1.0.2", "", "cni-1a2b", 4026532202};
  const EndFacts kernel_socket{"", "", "", "host1", "10.77.1.2", "", "lab-client", 4026532201};
  const EndFacts in_hex_folder{"job", "", "0123456789abcdef0123456789abcdef", "host1", "10.0.0.1", ""};
  const EndFacts in_plain_folder{"job", "", "job7", "host1", "10.0.0.1", ""};
  const EndFacts in_slice{"job", "", "batch.slice", "host1", "10.0.0.1", ""};
  const EndFacts nameless{"", kContainer, "", "host1", "10.1.0.2", ""};
  const EndFacts private_address{"", "", "", "", "10.9.9.9", "host1"};
  const EndFacts public_address{"", "", "", "", "93.184.216.34", "host1"};
  const EndFacts own_loopback{"", "", "", "", "127.0.0.1", "host1"};
  const EndCase cases[] = {
      {in_container, model::Level::kProcess, "process", "nginx", "container 3f2a9c71d0be", "container", false},
      {in_container, model::Level::kContainer, "container", "3f2a9c71d0be", "host1", "host", false},
      {in_container, model::Level::kNode, "host", "host1", "", "", false},
      {in_unit, model::Level::kProcess, "process", "sshd", "ssh.service", "unit", false},
      {in_unit, model::Level::kContainer, "container", "ssh.service", "host1", "host", false},
      {bare, model::Level::kProcess, "process", "bash", "host1", "host", false},
      {bare, model::Level::kContainer, "host", "host1", "", "", false},
      {in_named, model::Level::kProcess, "process", "curl", "lab-client", "netns", false},
      {in_named, model::Level::kContainer, "netns", "lab-client", "host1", "host", false},
      {in_named, model::Level::kNode, "host", "host1", "", "", false},
      {in_nameless, model::Level::kProcess, "process", "curl", "netns 4026532201", "netns", false},
      {in_nameless, model::Level::kContainer, "netns", "netns 4026532201", "host1", "host", false},
      {pod, model::Level::kProcess, "process", "nginx", "container 3f2a9c71d0be", "container", false},
      {kernel_socket, model::Level::kProcess, "netns", "lab-client", "host1", "host", false},
      {in_hex_folder, model::Level::kProcess, "process", "job", "host1", "host", false},
      {in_hex_folder, model::Level::kContainer, "host", "host1", "", "", false},
      {in_plain_folder, model::Level::kProcess, "process", "job", "host1", "host", false},
      {in_slice, model::Level::kProcess, "process", "job", "batch.slice", "unit", false},
      {nameless, model::Level::kProcess, "container", "3f2a9c71d0be", "host1", "host", false},
      {private_address, model::Level::kProcess, "host", "10.9.9.9", "", "", true},
      {public_address, model::Level::kProcess, "internet", "Internet", "", "", true},
      {own_loopback, model::Level::kProcess, "host", "127.0.0.1", "host1", "host", true},
      {own_loopback, model::Level::kNode, "host", "host1", "", "", false},
  };
  for (const EndCase& c : cases) {
    const MapNode node = NodeOf(c.end, {.level = c.level});
    EXPECT_EQ(node.kind, c.kind) << c.name;
    EXPECT_EQ(node.name, c.name);
    EXPECT_EQ(node.group, c.group) << c.name;
    EXPECT_EQ(node.group_kind, c.group_kind) << c.name;
    EXPECT_EQ(node.external, c.external) << c.name;
  }
  EXPECT_EQ(NodeOf(public_address, {.fold_internet = false}).name, "93.184.216.34");
}

TEST(MapEnd, IdsTellThingsApartAndStay) {
  const EndFacts base{"nginx", kContainer, "", "host1", "10.1.0.2", ""};
  EndFacts other_process = base;
  other_process.process = "redis";
  EndFacts other_container = base;
  other_container.container = "3f2a9c71d0beffff";  // the same when shortened
  EndFacts other_node = base;
  other_node.node = "host2";
  EndFacts bare = base;
  bare.container = "";
  EndFacts in_netns = bare;
  in_netns.netns = 4026532201;
  EndFacts in_other_netns = bare;
  in_other_netns.netns = 4026532202;
  EndFacts in_named_netns = in_netns;
  in_named_netns.netns_name = "lab-a";
  EndFacts other_address = base;
  other_address.address = "10.1.0.3";
  std::set<std::string> ids;
  for (const EndFacts& end :
       {base, other_process, other_container, other_node, bare, in_netns, in_other_netns, in_named_netns}) {
    ids.insert(NodeOf(end, {}).Id());
  }
  EXPECT_EQ(ids.size(), 8U);
  EndFacts same_name = in_named_netns;
  same_name.netns = 4026532203;  // made anew by the next run of a script
  EXPECT_EQ(NodeOf(same_name, {}).Id(), NodeOf(in_named_netns, {}).Id());
  EXPECT_EQ(NodeOf(other_address, {}).Id(), NodeOf(base, {}).Id());
  EXPECT_EQ(NodeOf({"", "", "", "", "10.9.9.9", ""}, {}).Id(), NodeOf({"", "", "", "", "10.9.9.9", "host1"}, {}).Id());
  EXPECT_NE(NodeOf({"", "", "", "", "127.0.0.1", "host1"}, {}).Id(),
            NodeOf({"", "", "", "", "127.0.0.1", "host2"}, {}).Id());
  // Links people keep contain ids: this one may not change from release to release without need.
  EXPECT_EQ(NodeOf({"", "", "", "", "10.9.9.9", ""}, {}).Id(),
            NodeOf({"", "", "", "", "10.9.9.9", ""}, {.level = model::Level::kNode}).Id());
}

std::map<std::string_view, store::Cell> Flow(const char* client, const char* server, uint64_t port) {
  return {{"client_process", Text(client)}, {"client_node", Text("host1")}, {"client_address", Text("10.0.0.1")},
          {"server_process", Text(server)}, {"server_node", Text("host2")}, {"server_address", Text("10.0.0.2")},
          {"server_port", Exact(port)},     {"client_reports", Exact(1)}};
}

using Cells = std::map<std::string_view, store::Cell>;
Cells With(Cells cells, const Cells& more) {
  for (const auto& [name, cell] : more) cells.insert_or_assign(name, cell);
  return cells;
}

TEST(Map, FoldsFlowsOfTheSameTwoNodes) {
  const MapOptions options{.seconds = 10};
  ResultBuilder builder(MapQuery(options));
  builder.Row(With(Flow("curl", "nginx", 80), {{"bytes_to_server", Exact(100)},
                                               {"bytes_to_client", Exact(200)},
                                               {"connections_opened", Exact(2)},
                                               {"segments_to_server", Exact(10)},
                                               {"retransmits", Exact(1)},
                                               {"connect_count", Exact(2)},
                                               {"connect_sum_us", Exact(100)}}));
  builder.Row(With(Flow("curl", "nginx", 443), {{"bytes_to_server", Exact(1)},
                                                {"segments_to_client", Exact(10)},
                                                {"server_reports", Exact(1)},
                                                {"server_address", Text("10.0.0.3")},
                                                {"connect_count", Exact(1)},
                                                {"connect_sum_us", Exact(50)}}));
  const Map map = MapOf(builder.result, options);
  ASSERT_EQ(map.edges.size(), 1U);
  const Json& edge = map.edges[0];
  EXPECT_EQ(edge["ports"], Json::array({80, 443}));
  EXPECT_EQ(edge["bytes_to_server"], 101);
  EXPECT_EQ(edge["bytes_to_client"], 200);
  EXPECT_EQ(edge["bytes_per_second"], 30.1);
  EXPECT_EQ(edge["segments"], 20);
  EXPECT_EQ(edge["retransmit_percent"], 5);
  EXPECT_EQ(edge["connect_avg_us"], 50);
  EXPECT_EQ(edge["reported_by"], "both");
  EXPECT_EQ(edge["health"], "ok");  // one retransmit is below what counts
  EXPECT_TRUE(edge["rtt_avg_us"].is_null());
  EXPECT_TRUE(edge["rtt_p99_us"].is_null());
  ASSERT_EQ(map.nodes.size(), 2U);
  EXPECT_EQ(map.nodes[0]["name"], "curl");
  EXPECT_EQ(map.nodes[0]["id"], edge["client"]);
  EXPECT_EQ(map.nodes[1]["addresses"], Json::array({"10.0.0.2", "10.0.0.3"}));
}

Cells InNamespaces(uint64_t client_netns, const char* client_name, uint64_t server_netns, const char* server_name) {
  return {{"server_node", Text("host1")},
          {"client_netns", Exact(client_netns)},
          {"client_netns_name", Text(client_name)},
          {"server_netns", Exact(server_netns)},
          {"server_netns_name", Text(server_name)}};
}

TEST(Map, SameProcessInTwoNamedNamespacesIsTwoNodes) {
  ResultBuilder builder(MapQuery({}));
  builder.Row(With(Flow("python3", "python3", 7501), InNamespaces(4026532201, "lab-client", 4026532202, "lab-server")));
  const Map map = MapOf(builder.result, {});
  ASSERT_EQ(map.nodes.size(), 2U);
  EXPECT_EQ(map.nodes[0]["group_kind"], "netns");
  EXPECT_EQ(map.nodes[0]["group"], "lab-client");
  EXPECT_EQ(map.nodes[0]["netns_name"], "lab-client");
  EXPECT_EQ(map.nodes[0]["netns"], 0);
  EXPECT_EQ(map.nodes[1]["netns_name"], "lab-server");
  EXPECT_NE(map.edges[0]["client"], map.edges[0]["server"]);
  // The same traffic level by level: one machine.
  ResultBuilder hosts(MapQuery({.level = model::Level::kNode}));
  hosts.Row({{"client_node", Text("host1")}, {"server_node", Text("host1")}, {"server_port", Exact(7501)}});
  EXPECT_EQ(MapOf(hosts.result, {.level = model::Level::kNode}).nodes.size(), 1U);
}

TEST(Map, ANamespaceThatIsNotTheNodesMainOneIsAGroup) {
  constexpr uint64_t kHost = 4026531840;
  constexpr uint64_t kApart = 4026532300;
  constexpr uint64_t kNamed = 4026532201;
  ResultBuilder builder(MapQuery({}));
  // Ends in named namespaces are many here, but say nothing about the node's own.
  for (const uint64_t port : {1, 2, 3, 4}) {
    builder.Row(With(Flow("a", "b", port), InNamespaces(kNamed, "lab", kNamed, "lab")));
  }
  builder.Row(With(Flow("python3", "python3", 80), InNamespaces(kHost, "", kApart, "")));
  builder.Row(With(Flow("python3", "sshd", 22), InNamespaces(kHost, "", kHost, "")));
  const Map map = MapOf(builder.result, {});
  std::map<std::string, std::string> groups;
  for (const Json& node : map.nodes)
    groups[node["name"].get<std::string>() + " in " + node["group"].get<std::string>()] = node["group_kind"];
  EXPECT_EQ(groups, (std::map<std::string, std::string>{{"a in lab", "netns"},
                                                        {"b in lab", "netns"},
                                                        {"python3 in host1", "host"},
                                                        {"python3 in netns 4026532300", "netns"},
                                                        {"sshd in host1", "host"}}));
  for (const Json& node : map.nodes) EXPECT_EQ(node["netns"] == kApart, node["group"] == "netns 4026532300");
}

TEST(MainNetns, TheMostCommonOfEachNodeElseTheLowest) {
  MainNetns main;
  const auto add = [&main](const char* node, uint32_t netns) {
    EndFacts end;
    end.node = node;
    end.netns = netns;
    main.Add(end);
  };
  add("host1", 7);
  add("host1", 9);
  EXPECT_EQ(main.Of("host1"), 7U);
  add("host1", 9);
  add("host2", 5);
  add("host2", 0);  // unknown
  EXPECT_EQ(main.Of("host1"), 9U);
  EXPECT_EQ(main.Of("host2"), 5U);
  EXPECT_EQ(main.Of("host3"), 0U);
}

TEST(Map, InternetIsOneNodeWithoutAddresses) {
  ResultBuilder builder(MapQuery({}));
  for (const char* address : {"93.184.216.34", "2606:2800:220:1::1"}) {
    builder.Row({{"client_process", Text("curl")},
                 {"client_node", Text("host1")},
                 {"client_address", Text("10.0.0.1")},
                 {"server_address", Text(address)},
                 {"server_port", Exact(443)}});
  }
  const Map map = MapOf(builder.result, {});
  ASSERT_EQ(map.nodes.size(), 2U);
  EXPECT_EQ(map.nodes[1]["kind"], "internet");
  EXPECT_EQ(map.nodes[1]["addresses"], Json::array());
  EXPECT_EQ(MapOf(builder.result, {.fold_internet = false}).nodes.size(), 3U);
}

TEST(Map, RttOfAnEdgeIsOverTheSamplesOfAllItsFlows) {
  ResultBuilder builder(MapQuery({}));
  for (const uint64_t port : {80, 81, 82}) {
    builder.Row(
        With(Flow("a", "b", port), {{"client_rtt_count", Exact(port == 82 ? 0 : 1)}, {"rtt_min_us", Exact(50)}}));
  }
  builder.Row(With(Flow("c", "b", 80), {{"server_rtt_count", Exact(1)}}));
  builder.result.flows = {11, 12, 13, 14};
  store::FlowGroups asked;
  const auto rtt = [&](const store::FlowGroups& edges) -> Result<std::map<uint32_t, store::RttDistribution>> {
    asked = edges;
    store::RttDistribution both;
    both.client.Add(300, 99);
    both.client.Add(7'000, 1);
    both.server.Add(90'000, 100);
    store::RttDistribution server;
    server.server.Add(90'000, 1);
    return std::map<uint32_t, store::RttDistribution>{{0, both}, {1, server}};
  };
  const Result<Map> map = BuildMap(builder.result, {}, rtt);
  ASSERT_TRUE(map.ok());
  EXPECT_EQ(asked.flows, (std::vector<uint64_t>{11, 12, 14})) << "a flow without samples is not asked about";
  EXPECT_EQ(asked.groups, (std::vector<uint32_t>{0, 0, 1}));
  std::map<std::string, double> p99;
  for (const Json& edge : map->edges) {
    if (edge["rtt_p99_us"].is_number()) p99[edge["client"]] = edge["rtt_p99_us"];
  }
  ASSERT_EQ(p99.size(), 2U);
  std::vector<double> values;
  for (const auto& [client, value] : p99) values.push_back(value);
  EXPECT_THAT(values, testing::UnorderedElementsAre(model::BucketMiddle(model::BucketOf(300)),
                                                    model::BucketMiddle(model::BucketOf(90'000))));
}

TEST(Map, OnlyRttThatMayMatterIsAskedFor) {
  ResultBuilder builder(MapQuery({}));
  const auto flow = [&](const char* client, uint64_t bytes, uint64_t min, uint64_t max) {
    builder.Row(With(Flow(client, "b", 80), {{"client_rtt_count", Exact(100)},
                                             {"bytes_to_server", Exact(bytes)},
                                             {"rtt_min_us", Exact(min)},
                                             {"rtt_max_us", Exact(max)}}));
    builder.result.flows.push_back(builder.result.flows.size() + 1);
  };
  flow("largest", 900, 1'000, 2'000);
  flow("small and slow", 1, 1'000, 90'000);
  flow("small", 2, 1'000, 2'000);
  store::FlowGroups asked;
  const auto rtt = [&](const store::FlowGroups& edges) -> Result<std::map<uint32_t, store::RttDistribution>> {
    asked = edges;
    store::RttDistribution slow;
    slow.client.Add(90'000, 100);
    return std::map<uint32_t, store::RttDistribution>{{1, slow}};
  };
  const Result<Map> map = BuildMap(builder.result, {.limit = 1}, rtt);
  EXPECT_EQ(asked.flows, (std::vector<uint64_t>{1, 2}));
  ASSERT_EQ(map->edges.size(), 1U);
  EXPECT_EQ(map->edges[0]["health"], "warn") << "it comes before the larger ones that are well";
  EXPECT_EQ(map->edges_left_out, 2U);
  EXPECT_EQ(map->nodes_left_out, 2U);
}

TEST(Map, AnErrorOfTheStoreIsPassedOn) {
  ResultBuilder builder(MapQuery({}));
  builder.Row(Flow("a", "b", 80));
  const auto rtt = [](const store::FlowGroups&) -> Result<std::map<uint32_t, store::RttDistribution>> {
    return Status::Exhausted("too much");
  };
  EXPECT_EQ(BuildMap(builder.result, {}, rtt).status().code(), Code::kExhausted);
}

TEST(Map, UnwellFirstThenBusiestAndLeftOutIsCounted) {
  ResultBuilder builder(MapQuery({}));
  builder.Row(With(Flow("a", "idle", 1), {{"bytes_to_server", Exact(1)}, {"connections_opened", Exact(1)}}));
  builder.Row(With(Flow("a", "busy", 2), {{"bytes_to_server", Exact(1'000)}, {"connections_opened", Exact(1)}}));
  builder.Row(With(Flow("a", "dead", 3), {{"failed_refused", Exact(4)}}));
  builder.Row(With(Flow("a", "sick", 4), {{"connections_opened", Exact(99)}, {"failed_timed_out", Exact(1)}}));
  const auto health = [](const Map& map) {
    std::vector<std::string> all;
    for (const Json& edge : map.edges) all.push_back(edge["health"].get<std::string>());
    return all;
  };
  EXPECT_THAT(health(MapOf(builder.result, {})), ElementsAre("failed", "warn", "ok", "ok"));
  EXPECT_THAT(health(MapOf(builder.result, {.only_problems = true})), ElementsAre("failed", "warn"));
  builder.result.groups_left_out = 5;
  const Map cut = MapOf(builder.result, {.limit = 3});
  EXPECT_THAT(health(cut), ElementsAre("failed", "warn", "ok"));
  EXPECT_EQ(cut.edges[2]["bytes_to_server"], 1'000);
  EXPECT_EQ(cut.edges_left_out, 6U);
  EXPECT_EQ(cut.nodes_left_out, 1U);
  EXPECT_EQ(cut.nodes.size(), 4U);
}

TEST(Map, AsksOnlyForWhatTheLevelNeeds) {
  const auto names = [](model::Level level) {
    std::set<std::string_view> all;
    for (const model::Column* column : MapQuery({.level = level}).group_by) all.insert(column->name);
    return all;
  };
  EXPECT_TRUE(names(model::Level::kProcess).contains("client_process"));
  EXPECT_FALSE(names(model::Level::kContainer).contains("client_process"));
  EXPECT_TRUE(names(model::Level::kContainer).contains("server_container"));
  EXPECT_FALSE(names(model::Level::kNode).contains("server_container"));
  EXPECT_FALSE(names(model::Level::kNamespace).contains("client_workload"));
  EXPECT_TRUE(names(model::Level::kNamespace).contains("client_zone"));
  EXPECT_TRUE(names(model::Level::kContainer).contains("client_netns_name"));
  EXPECT_FALSE(names(model::Level::kNode).contains("client_netns"));
  for (const model::Column* column : MapQuery({}).columns) ASSERT_NE(column, nullptr);
  for (const model::Column* column : MapQuery({}).group_by) ASSERT_NE(column, nullptr);
}

}  // namespace
}  // namespace weir::api

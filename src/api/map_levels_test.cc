// The map on the levels that have names: nodes, edges between zones, and filters that select what a node stands for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "api/fakes.h"
#include "api/map.h"
#include "api/map_end.h"
#include "model/filter.h"
#include "model/row_edit.h"

namespace weir::api {
namespace {

using model::Level;

Map MapOf(const store::FlowResult& result, const MapOptions& options) {
  using Distributions = std::map<uint32_t, store::RttDistribution>;
  const auto none = [](const store::FlowGroups&) { return Result<Distributions>(Distributions{}); };
  const Map map = *BuildMap(result, options, none);
  const Map of_whole_ends = *BuildMap(WithWholeEnds(result), options, none);
  EXPECT_EQ(map.nodes, of_whole_ends.nodes);
  EXPECT_EQ(map.edges, of_whole_ends.edges);
  return map;
}

using Cells = std::map<std::string_view, store::Cell>;

// A row between pods of two workloads.
Cells Between(const char* client, const char* server, const char* client_zone, const char* server_zone,
              const char* locality, uint64_t bytes) {
  return {{"client_kind", Text("pod")},
          {"client_cluster", Text("prod")},
          {"client_namespace", Text("shop")},
          {"client_workload", Text(client)},
          {"client_zone", Text(client_zone)},
          {"client_address", Text("10.1.0.2")},
          {"server_kind", Text("pod")},
          {"server_cluster", Text("prod")},
          {"server_namespace", Text("shop")},
          {"server_workload", Text(server)},
          {"server_zone", Text(server_zone)},
          {"server_address", Text("10.1.0.3")},
          {"locality", Text(locality)},
          {"bytes_to_server", Exact(bytes)},
          {"server_port", Exact(80)},
          {"connections_opened", Exact(1)},
          {"server_service", Text("web")},
          {"server_service_namespace", Text("shop")},
          {"client_workload_kind", Text("Job")},
          {"server_workload_kind", Text("Deployment")},
          {"timeouts", Exact(2)}};
}

TEST(MapLevels, TrafficBetweenZonesIsMarkedWithBothZones) {
  const MapOptions options{.level = Level::kWorkload};
  ResultBuilder builder(MapQuery(options));
  builder.Row(Between("load", "web", "a", "a", "same_zone", 100));
  builder.Row(Between("load", "web", "a", "b", "inter_zone", 900));
  builder.Row(Between("load", "web", "a", "c", "inter_zone", 500));
  const Map map = MapOf(builder.result, options);
  ASSERT_EQ(map.nodes.size(), 2U);
  ASSERT_EQ(map.edges.size(), 1U);
  const Json& edge = map.edges[0];
  EXPECT_EQ(edge["locality"], "inter_zone");
  EXPECT_EQ(edge["inter_zone_bytes"], 1'400);
  EXPECT_EQ(edge["localities"]["same_zone"], 100);
  ASSERT_EQ(edge["zone_pairs"].size(), 3U);
  EXPECT_EQ(edge["zone_pairs"][0], Json({{"client_zone", "a"}, {"server_zone", "b"}, {"bytes", 900}}));
  EXPECT_EQ(edge["services"], Json::array({"shop/web"}));
  EXPECT_EQ(edge["timeouts"], 6);
  EXPECT_EQ(map.nodes[0]["kind"], "workload");
  EXPECT_EQ(map.nodes[0]["name"], "load");
  EXPECT_EQ(map.nodes[0]["group"], "shop");
  EXPECT_EQ(map.nodes[0]["group_kind"], "namespace");
  EXPECT_EQ(map.nodes[0]["zone"], "") << "a workload is in many";
  EXPECT_EQ(map.nodes[1]["zones"], Json::array({"a", "b", "c"}));
  EXPECT_EQ(map.nodes[1]["addresses"], Json::array());
  EXPECT_EQ(
      map.nodes[0]["filters"]["client"],
      "client_cluster = prod and client_namespace = shop and client_workload = load and client_workload_kind = Job");
}

TEST(MapLevels, AnAttemptThatReachedNobodyIsToldOfTheWorkloadBehindItsService) {
  const MapOptions options{.level = Level::kWorkload};
  ResultBuilder builder(MapQuery(options));
  Cells reached = Between("load", "shop-api", "a", "a", "same_zone", 100);
  reached["server_service"] = Text("api");
  Cells in_vain = Between("load", "api", "a", "", "unknown", 0);
  in_vain["server_kind"] = Text("service");
  in_vain["server_service"] = Text("api");
  in_vain["server_workload_kind"] = Text("");
  in_vain["connections_opened"] = Exact(0);
  in_vain["failed_timed_out"] = Exact(3);
  builder.Row(reached);
  builder.Row(in_vain);
  const Map map = MapOf(builder.result, options);
  ASSERT_EQ(map.nodes.size(), 2U);
  ASSERT_EQ(map.edges.size(), 1U);
  EXPECT_EQ(map.edges[0]["connections_opened"], 1);
  EXPECT_EQ(map.edges[0]["connections_failed"], 3);
  EXPECT_EQ(map.nodes[1]["name"], "shop-api");
}

TEST(MapLevels, AServiceThatCallsAnotherIsOneNode) {
  const MapOptions options{.level = Level::kService};
  ResultBuilder builder(MapQuery(options));
  Cells called = Between("load", "shop-api", "a", "a", "same_zone", 100);
  called["server_service"] = Text("api");
  Cells calls = Between("shop-api", "db-0", "a", "a", "same_zone", 50);
  calls["server_service"] = Text("db");
  calls["client_workload_kind"] = Text("Deployment");
  Cells past = Between("load", "shop-api", "a", "a", "same_zone", 10);
  past["server_service"] = Text("");
  past["server_service_namespace"] = Text("");
  for (const Cells& each : {called, calls, past}) builder.Row(each);
  Map map = MapOf(builder.result, options);
  ASSERT_EQ(map.nodes.size(), 3U);
  ASSERT_EQ(map.edges.size(), 2U);
  std::map<std::string, Json> nodes;
  for (const Json& node : map.nodes) nodes[node["name"]] = node;
  EXPECT_EQ(nodes["load"]["kind"], "workload");
  ASSERT_EQ(nodes["api"]["kind"], "service");
  EXPECT_EQ(nodes["api"]["workload"], "shop-api");
  EXPECT_EQ(nodes["api"]["filters"]["client"],
            "client_cluster = prod and client_namespace = shop and client_workload = shop-api");
  const std::string server = nodes["api"]["filters"]["server"];
  EXPECT_EQ(server,
            "(server_service = api and server_service_namespace = shop or server_cluster = prod and "
            "server_namespace = shop and server_workload = shop-api and server_service = \"\")");
  EXPECT_TRUE(model::Filter::Parse(server).ok());
  EXPECT_EQ(map.edges[0]["bytes_to_server"], 110) << "also what went past the service";
  EXPECT_EQ(map.edges[0]["server"], map.edges[1]["client"]);

  Cells canary = called;
  canary["server_workload"] = Text("shop-api-next");
  builder.Row(canary);
  map = MapOf(builder.result, options);
  nodes.clear();
  for (const Json& node : map.nodes) nodes[node["name"]] = node;
  EXPECT_EQ(nodes["api"]["workload"], "") << "there are two";
  EXPECT_EQ(nodes["api"]["filters"]["client"], "");
  EXPECT_EQ(nodes["shop-api"]["kind"], "workload") << "who calls is known, in whose name is not";
}

TEST(MapLevels, ALocalityWithoutBytesIsTheEdgesAllTheSame) {
  const MapOptions options{.level = Level::kNamespace};
  ResultBuilder builder(MapQuery(options));
  builder.Row({{"client_kind", Text("pod")},
               {"client_namespace", Text("shop")},
               {"server_kind", Text("process")},
               {"server_node", Text("n1")},
               {"locality", Text("inter_zone")},
               {"failed_refused", Exact(3)}});
  const Json edge = MapOf(builder.result, options).edges[0];
  EXPECT_EQ(edge["locality"], "inter_zone");
  EXPECT_EQ(edge["inter_zone_bytes"], 0);
  EXPECT_EQ(edge["health"], "failed");
}

TEST(MapLevels, HelpersSayForWhomTheyWorked) {
  const MapOptions options{.level = Level::kNamespace};
  ResultBuilder builder(MapQuery(options));
  for (const char* workloads : {"shop/web, ml/train", "ml/eval"}) {
    builder.Row({{"client_kind", Text("pod")},
                 {"client_namespace", Text("mount-s3")},
                 {"client_on_behalf_of", Text(workloads)},
                 {"client_shared", Exact(2)},
                 {"server_kind", Text("cloud_service")},
                 {"server_external_service", Text("Amazon S3")},
                 {"server_cloud_service", Text("object_store")},
                 {"server_region", Text("eu-1")},
                 {"bytes_to_client", Exact(5)}});
  }
  const Map map = MapOf(builder.result, options);
  ASSERT_EQ(map.nodes.size(), 2U);
  EXPECT_EQ(map.nodes[0]["on_behalf_of"], Json::array({"ml/eval", "ml/train", "shop/web"}));
  EXPECT_EQ(map.nodes[0]["shared"], 2);
  EXPECT_EQ(map.edges[0]["on_behalf_of"], map.nodes[0]["on_behalf_of"]);
  EXPECT_EQ(map.nodes[1]["kind"], "cloud_service");
  EXPECT_EQ(map.nodes[1]["name"], "Amazon S3 eu-1");
  EXPECT_EQ(map.nodes[1]["external"], true);
}

TEST(MapLevels, LoopbackOfAPodIsThePodItself) {
  const MapOptions options{.level = Level::kPod};
  ResultBuilder builder(MapQuery(options));
  builder.Row({{"client_kind", Text("pod")},
               {"client_namespace", Text("shop")},
               {"client_pod", Text("web-1")},
               {"server_kind", Text("address")},
               {"server_address", Text("127.0.0.1")},
               {"server_port", Exact(9)}});
  const Map map = MapOf(builder.result, options);
  ASSERT_EQ(map.nodes.size(), 1U);
  EXPECT_EQ(map.edges[0]["client"], map.edges[0]["server"]);
}

TEST(MapLevels, ProcessesOfPodsLiveInThem) {
  const EndFacts end{.process = "nginx",
                     .container = "3f2a9c71d0be55aa",
                     .node = "n1",
                     .kind = "pod",
                     .cluster = "prod",
                     .namespace_ = "shop",
                     .workload = "web",
                     .pod = "web-1",
                     .container_name = "app"};
  const MapNode process = NodeOf(end, {});
  EXPECT_EQ(process.kind, "process");
  EXPECT_EQ(process.group, "shop/web-1");
  EXPECT_EQ(process.group_kind, "pod");
  const MapNode container = NodeOf(end, {.level = Level::kContainer});
  EXPECT_EQ(container.name, "app");
  EXPECT_EQ(container.group, "shop/web-1");
  EndFacts restarted = end;
  restarted.container = "aaaa";
  restarted.node = "n2";
  EXPECT_EQ(NodeOf(restarted, {}).Id(), process.Id());
  EndFacts unseen = end;  // known by its address alone
  unseen.process = unseen.container = unseen.container_name = {};
  EXPECT_EQ(NodeOf(unseen, {}).kind, "pod");
  EXPECT_EQ(NodeOf(unseen, {}).group, "shop/web");
}

TEST(MapLevels, NamesOutsideAreNodesOfTheirOwn) {
  const EndFacts s3{.address = "52.1.2.3",
                    .kind = "cloud_service",
                    .cloud_service = "object_store",
                    .external_name = "b.s3.example",
                    .external_service = "Amazon S3",
                    .name_source = "dns"};
  const MapNode node = NodeOf(s3, {});
  EXPECT_EQ(node.kind, "cloud_service");
  EXPECT_EQ(node.name, "b.s3.example");
  EXPECT_EQ(node.name_source, "dns");
  EndFacts other = s3;
  other.address = "52.1.2.4";
  EXPECT_EQ(NodeOf(other, {}).Id(), node.Id()) << "one name, whatever it resolves to";
  EndFacts plain = s3;
  plain.external_name = plain.external_service = plain.cloud_service = {};
  plain.kind = "address";
  EXPECT_EQ(NodeOf(plain, {}).kind, "internet");
}

// A row with this client, and what its node on the level would be filtered by.
void ExpectFilterSelects(const model::Entity& client, Level level) {
  model::FlowRow row;
  row.client = model::MakeEntity(client);
  row.client_address = *model::Address::Parse("10.1.0.2");
  const model::Entity& entity = client;
  const EndFacts end{.process = entity.process,
                     .container = entity.container,
                     .unit = entity.unit,
                     .node = entity.node,
                     .address = "10.1.0.2",
                     .netns_name = entity.netns_name,
                     .netns = entity.netns,
                     .kind = entity.kind,
                     .cluster = entity.cluster,
                     .namespace_ = entity.namespace_,
                     .workload = entity.workload,
                     .workload_kind = entity.workload_kind,
                     .pod = entity.pod,
                     .container_name = entity.container_name,
                     .zone = entity.zone,
                     .region = entity.region,
                     .cloud_service = entity.cloud_service,
                     .external_name = entity.external_name,
                     .external_service = entity.external_service};
  const std::string text = FilterOf(NodeOf(end, {.level = level}), "client", {.level = level});
  const auto filter = model::Filter::Parse(text);
  ASSERT_TRUE(filter.ok()) << text << ": " << filter.status().message();
  EXPECT_FALSE(text.empty());
  EXPECT_TRUE(filter->Matches(row)) << text << " on level " << model::NameOf(level);
  model::FlowRow other;
  other.client = model::MakeEntity(
      {.address = {}, .kind = "pod", .cluster = "x", .namespace_ = "x", .workload = "x", .pod = "x", .node = "x"});
  other.client_address = *model::Address::Parse("10.9.9.9");
  EXPECT_FALSE(filter->Matches(other)) << text;
}

TEST(MapLevels, AFilterSelectsWhatTheNodeStandsFor) {
  const std::string hostile = "it's \"so\" \\ and\n<b>";
  const model::Entity ends[] = {
      {.address = {},
       .kind = "pod",
       .cluster = "prod",
       .namespace_ = "shop",
       .workload = hostile,
       .workload_kind = "Deployment",
       .pod = hostile,
       .container_name = "app",
       .container = "c1",
       .process = hostile,
       .node = "n1",
       .zone = "a"},
      {.address = {}, .kind = "process", .process = "sshd", .unit = "sshd.service", .node = hostile, .zone = "a"},
      {.address = {}, .kind = "process", .container = "c1", .process = "sshd", .node = hostile},
      {.address = {}, .kind = "process", .process = "sshd", .node = "n1", .netns = 7},
      {.address = {}, .kind = "process", .process = "sshd", .node = "n1", .netns_name = hostile},
      {.address = {},
       .kind = "cloud_service",
       .region = "eu",
       .cloud_service = "object_store",
       .external_name = hostile,
       .external_service = "Amazon S3"},
      {.address = {}, .kind = "address"},
  };
  for (const model::Entity& end : ends) {
    for (size_t level = 0; level < model::kLevels.size(); ++level) {
      SCOPED_TRACE(end.kind + " " + end.node);
      ExpectFilterSelects(end, static_cast<Level>(level));
    }
  }
}

}  // namespace
}  // namespace weir::api

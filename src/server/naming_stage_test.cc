// The naming stage told by a scripted cluster and by rows as the matcher makes them.
#include "server/naming_stage.h"

#include <gtest/gtest.h>

#include "base/metrics.h"
#include "model/locality.h"
#include "server/entity_pool.h"

namespace weir::server {
namespace {

using model::Side;

constexpr UnixMillis kNoon = 1'764'500'000'000;
constexpr uint64_t kGib = uint64_t{1} << 30;

model::Address Ip(std::string_view text) { return *model::Address::Parse(text); }

struct NamingStageTest : testing::Test {
  NamingStageTest() { Make({}); }

  void Make(NamingOptions options) {
    clock.StepWall((kNoon - clock.WallMillis()) * 1'000'000);
    stage = std::make_unique<NamingStage>(std::move(options), clock);
    cluster = &stage->ListenerOf("prod");
  }

  // ---- What the cluster says ----

  static model::Pod Pod(const std::string& uid, const std::string& name, const std::string& address,
                        const std::string& node = "n1") {
    model::Pod pod;
    pod.uid = uid;
    pod.name = name;
    pod.name_space = "shop";
    pod.node = node;
    pod.phase = "Running";
    pod.created = pod.scheduled = pod.started = kNoon - 60'000;
    pod.workload = {"Deployment", name.substr(0, name.find('-')), "w"};
    if (!address.empty()) pod.addresses = {Ip(address)};
    model::PodContainer container;
    container.name = "app";
    container.id = uid + "-c";
    container.image = "app:1";
    container.state = "running";
    pod.containers = {container};
    return pod;
  }
  void TellNode(const std::string& name, const std::string& address, const std::string& zone) {
    model::Node node;
    node.uid = name + "-uid";
    node.name = name;
    node.zone = zone;
    node.region = "eu-central-1";
    node.addresses = {Ip(address)};
    cluster->Changed(node);
  }
  void TellService(const std::string& name, const std::string& address, uint16_t port, uint16_t node_port = 0) {
    model::Service service;
    service.uid = name + "-uid";
    service.name = name;
    service.name_space = "shop";
    if (!address.empty()) service.addresses = {Ip(address)};
    service.ports = {{"", "TCP", port, node_port}};
    cluster->Changed(service);
  }
  void TellEndpoints(const std::string& service, uint16_t port, const std::vector<std::string>& pods) {
    model::Endpoints endpoints;
    endpoints.uid = service + "-slice";
    endpoints.name_space = "shop";
    endpoints.service = service;
    endpoints.ports = {port};
    for (const std::string& pod : pods) endpoints.endpoints.push_back({{}, true, "", "", pod, {}});
    cluster->Changed(endpoints);
  }

  // ---- Rows ----

  model::EntityRef Process(const std::string& node, const std::string& process, const std::string& pod_uid = "",
                           uint32_t netns = 7) {
    model::LocalIdentity identity;
    identity.process = process;
    identity.pod_uid = pod_uid;
    if (!pod_uid.empty()) identity.container = pod_uid + "-c";
    return pool.Reported({node, identity, netns}, kNoon);
  }
  // An end that no agent reports.
  model::EntityRef Unknown(std::string_view address, const std::string& holder = "") {
    return pool.Unreported(Ip(address), holder, kNoon);
  }
  store::StoredRow Row(model::EntityRef client, std::string_view client_address, model::EntityRef server,
                       std::string_view server_address, uint16_t port = 8'080, UnixMillis start = kNoon) {
    store::StoredRow row;
    row.row.start = start;
    row.row.end = start + 1'000;
    row.row.protocol = "tcp";
    row.row.client_address = Ip(client_address);
    row.row.server_address = Ip(server_address);
    row.row.server_port = port;
    row.row.client_reports = client->kind == "address" ? 0 : 1;
    row.row.server_reports = server->kind == "address" ? 0 : 1;
    row.row.connections_opened = 1;
    row.row.client = std::move(client);
    row.row.server = std::move(server);
    return row;
  }
  model::FlowRow Name(store::StoredRow row, UnixMillis now = 0) {
    std::vector<store::StoredRow> rows = {std::move(row)};
    stage->Name(rows, now == 0 ? rows[0].row.end + 500 : now);
    return rows[0].row;
  }
  // "pod cart-1" of shop, by kind and the name that goes with it.
  static std::string Short(const model::EntityRef& ref) {
    const model::Entity& entity = Of(ref);
    if (entity.kind == "pod") return entity.pod;
    if (entity.kind == "node") return "node " + entity.node;
    if (entity.kind == "service") return "service " + entity.service;
    if (!entity.external_name.empty()) return entity.external_name;
    return entity.kind;
  }

  FakeClock clock;
  EntityPool pool;
  std::unique_ptr<NamingStage> stage;
  model::ClusterListener* cluster = nullptr;
};

TEST_F(NamingStageTest, BothEndsHavePodWorkloadNodeAndZone) {
  TellNode("n1", "192.0.2.1", "eu-central-1a");
  TellNode("n2", "192.0.2.2", "eu-central-1b");
  cluster->Changed(Pod("u1", "web-1", "10.1.0.2", "n1"));
  cluster->Changed(Pod("u2", "cart-1", "10.1.1.2", "n2"));
  const model::FlowRow row =
      Name(Row(Process("n1", "nginx", "u1"), "10.1.0.2", Process("n2", "cart", "u2"), "10.1.1.2"));
  const model::Entity& client = *row.client;
  EXPECT_EQ(client.kind, "pod");
  EXPECT_EQ(client.cluster, "prod");
  EXPECT_EQ(client.namespace_, "shop");
  EXPECT_EQ(client.pod, "web-1");
  EXPECT_EQ(client.workload, "web");
  EXPECT_EQ(client.workload_kind, "Deployment");
  EXPECT_EQ(client.container_name, "app");
  EXPECT_EQ(client.image, "app:1");
  EXPECT_EQ(client.process, "nginx");
  EXPECT_EQ(client.node, "n1");
  EXPECT_EQ(client.zone, "eu-central-1a");
  EXPECT_EQ(client.region, "eu-central-1");
  EXPECT_EQ(client.name_source, "cluster");
  EXPECT_EQ(row.server->zone, "eu-central-1b");
  EXPECT_EQ(model::LocalityOf(*row.client, *row.server, row.client_address, row.server_address), "inter_zone");
}

TEST_F(NamingStageTest, NamesKeepTheIdOfTheEndAndAreSharedAmongRows) {
  cluster->Changed(Pod("u1", "web-1", "10.1.0.2"));
  const model::EntityRef base = Process("n1", "nginx", "u1");
  const model::FlowRow first = Name(Row(base, "10.1.0.2", Unknown("10.1.0.3"), "10.1.0.3"));
  const model::FlowRow second = Name(Row(base, "10.1.0.2", Unknown("10.1.0.3"), "10.1.0.3", 80, kNoon + 1'000));
  EXPECT_EQ(first.client->id, base->id);
  EXPECT_GT(first.client->version, base->version);
  EXPECT_EQ(first.client, second.client);
  EXPECT_EQ(first.server, second.server);
}

TEST_F(NamingStageTest, ALateNameMakesNoSecondFlowAndIsToldThoughNoFlowMoves) {
  const model::FlowRow before = Name(Row(Process("n1", "nginx", "u1"), "10.1.0.2", Unknown("10.1.0.3"), "10.1.0.3"));
  EXPECT_EQ(Short(before.client), "container");
  EXPECT_EQ(Short(before.server), "address");
  TellNode("n1", "192.0.2.1", "eu-central-1a");
  cluster->Changed(Pod("u1", "web-1", "10.1.0.2"));
  cluster->Changed(Pod("u2", "cart-1", "10.1.0.3"));
  const auto late = stage->TakeChanged(kNoon + 3'000);
  ASSERT_EQ(late.size(), 2U);
  for (const model::EntityRef& entity : late) {
    const model::EntityRef& earlier = entity->id == before.client->id ? before.client : before.server;
    EXPECT_EQ(entity->id, earlier->id);
    EXPECT_GT(entity->version, earlier->version);
    EXPECT_EQ(Short(entity), entity->id == before.client->id ? "web-1" : "cart-1");
  }
  EXPECT_TRUE(stage->TakeChanged(kNoon + 3'000).empty());
  const model::FlowRow after =
      Name(Row(Process("n1", "nginx", "u1"), "10.1.0.2", Unknown("10.1.0.3"), "10.1.0.3", 8'080, kNoon + 4'000));
  EXPECT_EQ(after.client->id, before.client->id);
  EXPECT_EQ(after.server->id, before.server->id);
  EXPECT_EQ(Short(after.server), "cart-1");
}

TEST_F(NamingStageTest, APodThatChangesItsOwnerIsTold) {
  cluster->Changed(Pod("u1", "web-1", "10.1.0.2"));
  const model::FlowRow before = Name(Row(Process("n1", "nginx", "u1"), "10.1.0.2", Unknown("10.1.0.3"), "10.1.0.3"));
  stage->TakeChanged(kNoon);
  model::Pod pod = Pod("u1", "web-1", "10.1.0.2");
  pod.workload = {"Rollout", "web-blue", "w2"};
  cluster->Changed(pod);
  const auto changed = stage->TakeChanged(kNoon + 1'000);
  ASSERT_EQ(changed.size(), 1U);
  EXPECT_EQ(changed[0]->id, before.client->id);
  EXPECT_EQ(changed[0]->workload, "web-blue");
  EXPECT_EQ(changed[0]->workload_kind, "Rollout");
}

TEST_F(NamingStageTest, HostNetworkPodsAreToldByTheirControlGroups) {
  TellNode("n1", "192.0.2.1", "eu-central-1a");
  for (const char* uid : {"u1", "u2"}) {
    model::Pod pod = Pod(uid, uid == std::string("u1") ? "proxy-1" : "dns-1", "192.0.2.1");
    pod.host_network = true;
    cluster->Changed(pod);
  }
  const auto server = Process("n2", "web", "", 9);
  EXPECT_EQ(Short(Name(Row(Process("n1", "proxy", "u1"), "192.0.2.1", server, "192.0.2.2")).client), "proxy-1");
  EXPECT_EQ(Short(Name(Row(Process("n1", "coredns", "u2"), "192.0.2.1", server, "192.0.2.2")).client), "dns-1");
  const model::FlowRow own = Name(Row(Process("n1", "kubelet"), "192.0.2.1", server, "192.0.2.2"));
  EXPECT_EQ(own.client->process, "kubelet");
  EXPECT_EQ(own.client->pod, "");
  EXPECT_EQ(own.client->zone, "eu-central-1a");
  EXPECT_EQ(Short(Name(Row(server, "192.0.2.2", Unknown("192.0.2.1"), "192.0.2.1")).server), "node n1");
}

TEST_F(NamingStageTest, APodOfTwoPortsIsOneClient) {
  cluster->Changed(Pod("u1", "web-1", "10.1.0.2"));
  TellService("web", "", 80);
  TellService("metrics", "", 9'090);
  const model::FlowRow row = Name(Row(Unknown("10.1.0.2"), "10.1.0.2", Process("n2", "db", "u9"), "10.1.0.9"));
  EXPECT_EQ(Short(row.client), "web-1");
}

TEST_F(NamingStageTest, ServiceAndBackend) {
  TellNode("n1", "192.0.2.1", "a");
  cluster->Changed(Pod("u1", "web-1", "10.1.0.2"));
  cluster->Changed(Pod("u2", "cart-1", "10.1.1.2"));
  TellService("cart", "10.96.0.10", 80, 30'080);
  TellEndpoints("cart", 8'080, {"u2"});
  const auto client = Process("n1", "nginx", "u1");
  // Through NAT: the backend is the server, the service stands beside it.
  store::StoredRow nat = Row(client, "10.1.0.2", Process("n2", "cart", "u2"), "10.1.1.2");
  nat.row.service_address = Ip("10.96.0.10");
  nat.row.service_port = 80;
  const model::FlowRow through = Name(nat);
  EXPECT_EQ(Short(through.server), "cart-1");
  EXPECT_EQ(Short(through.service), "service cart");
  EXPECT_EQ(through.service->namespace_, "shop");
  // At the pod's own address: the service it belongs to.
  EXPECT_EQ(Short(Name(Row(client, "10.1.0.2", Process("n2", "cart", "u2"), "10.1.1.2")).service), "service cart");
  EXPECT_EQ(Name(Row(client, "10.1.0.2", Process("n2", "cart", "u2"), "10.1.1.2", 9'999)).service, nullptr);
  // No backend is known: the service is all there is.
  const model::FlowRow alone = Name(Row(client, "10.1.0.2", Unknown("10.96.0.10"), "10.96.0.10", 80));
  EXPECT_EQ(Short(alone.server), "service cart");
  EXPECT_EQ(Short(alone.service), "service cart");
  EXPECT_EQ(alone.server->workload, "cart");
  // By a node's port.
  store::StoredRow node_port = Row(client, "10.1.0.2", Process("n2", "cart", "u2"), "10.1.1.2");
  node_port.row.service_address = Ip("192.0.2.1");
  node_port.row.service_port = 30'080;
  EXPECT_EQ(Short(Name(node_port).service), "service cart");
}

TEST_F(NamingStageTest, AnExternalNameServiceIsKnownByWhatWasAskedFor) {
  TellNode("n1", "192.0.2.1", "a");
  model::Service service;
  service.uid = "s";
  service.name = "models";
  service.name_space = "shop";
  service.type = "ExternalName";
  service.external_name = "models.example.org";
  cluster->Changed(service);
  cluster->Changed(Pod("u1", "web-1", "10.1.0.2"));
  model::AgentBatch batch;
  batch.node = "n1";
  batch.start = kNoon;
  batch.end = kNoon + 1'000;
  batch.resolved = {{Ip("198.51.100.7"), "models.shop.svc.cluster.local", "models.example.org", 60, 7, "u1"}};
  stage->Observe(batch, kNoon);
  const model::FlowRow row =
      Name(Row(Process("n1", "python", "u1"), "10.1.0.2", Unknown("198.51.100.7"), "198.51.100.7", 443));
  EXPECT_EQ(Short(row.service), "service models");
}

TEST_F(NamingStageTest, ADeadPodsLateFlowsKeepItsNameAndNewAttemptsGetNone) {
  cluster->Changed(Pod("u1", "web-1", "10.1.0.2"));
  cluster->Changed(Pod("u2", "cart-1", "10.1.0.3"));
  const auto client = Process("n1", "nginx", "u1");
  const auto server = Process("n2", "cart", "u2");
  Name(Row(client, "10.1.0.2", server, "10.1.0.3"));
  clock.Advance(10'000'000'000);
  cluster->Gone(model::ClusterListener::Kind::kPod, "u2", kNoon + 10'000);
  EXPECT_EQ(Short(Name(Row(client, "10.1.0.2", server, "10.1.0.3", 8'080, kNoon + 9'000)).server), "cart-1");
  // What goes on with it is still its own, though only the client reports.
  store::StoredRow going_on = Row(client, "10.1.0.2", server, "10.1.0.3", 8'080, kNoon + 12'000);
  going_on.row.server_reports = 0;
  going_on.row.connections_opened = 0;
  EXPECT_EQ(Short(Name(going_on).server), "cart-1");
  store::StoredRow attempt = going_on;
  attempt.row.connections_failed = 1;
  EXPECT_EQ(Short(Name(attempt).server), "address");
  // A service that led there is at least who was meant.
  TellService("cart", "10.96.0.10", 80, 0);
  attempt.row.service_address = Ip("10.96.0.10");
  attempt.row.service_port = 80;
  const model::FlowRow in_vain = Name(attempt);
  EXPECT_EQ(Short(in_vain.server), "service cart");
  EXPECT_EQ(in_vain.server->workload, "cart");
  EXPECT_EQ(in_vain.server->pod, "");
}

TEST_F(NamingStageTest, AnAddressReusedIsTheNewPodsFromThenOn) {
  cluster->Changed(Pod("u1", "web-1", "10.1.0.2"));
  cluster->Changed(Pod("u2", "old-1", "10.1.0.3"));
  const auto client = Process("n1", "nginx", "u1");
  const model::FlowRow before = Name(Row(client, "10.1.0.2", Unknown("10.1.0.3"), "10.1.0.3"));
  EXPECT_EQ(Short(before.server), "old-1");
  clock.Advance(120'000'000'000);
  cluster->Gone(model::ClusterListener::Kind::kPod, "u2", kNoon + 10'000);
  model::Pod next = Pod("u3", "new-1", "10.1.0.3");
  next.created = next.scheduled = next.started = kNoon + 100'000;
  cluster->Changed(next);
  const model::FlowRow after = Name(Row(client, "10.1.0.2", Unknown("10.1.0.3"), "10.1.0.3", 8'080, kNoon + 121'000));
  EXPECT_EQ(Short(after.server), "new-1");
  EXPECT_NE(after.server->id, before.server->id);
  for (const model::EntityRef& entity : stage->TakeChanged(kNoon + 122'000)) {
    EXPECT_NE(entity->id, before.server->id) << "the old name stays where it was";
  }
}

TEST_F(NamingStageTest, OnPlainHostsAddressesOfNamespacesOfTheMachineAreKnown) {
  model::AgentBatch batch;
  batch.node = "box";
  batch.zone = "rack-7";
  batch.start = kNoon;
  batch.end = kNoon + 1'000;
  batch.namespaces = {{9, "demo-collector", false, "", {Ip("10.81.4.2")}}, {1, "", true, "", {Ip("192.0.2.9")}}};
  stage->Observe(batch, kNoon);
  const model::FlowRow row =
      Name(Row(Process("box", "curl"), "10.81.3.2", Unknown("10.81.4.2", "box"), "10.81.4.2", 9'999));
  EXPECT_EQ(row.server->netns_name, "demo-collector");
  EXPECT_EQ(row.server->netns, 9U);
  EXPECT_EQ(row.server->node, "box");
  EXPECT_EQ(row.server->zone, "rack-7");
  EXPECT_EQ(row.client->zone, "rack-7");
  EXPECT_EQ(Short(Name(Row(Process("box", "curl"), "10.81.3.2", Unknown("192.0.2.9", "box"), "192.0.2.9")).server),
            "node box");
}

TEST_F(NamingStageTest, OutsideByHandshakeAnswerPrefixAndLabelInThatOrder) {
  auto prefixes = std::make_shared<Prefixes>();
  ASSERT_TRUE(prefixes
                  ->AddFile("ip-ranges.json", R"({"prefixes": [
    {"ip_prefix": "198.51.100.0/24", "region": "us-east-1", "service": "S3"}]})")
                  .ok());
  ASSERT_TRUE(prefixes->AddLabels("10.200.0.0/16=office,203.0.113.0/24=partner").ok());
  Make({prefixes, nullptr, nullptr});
  cluster->Changed(Pod("u1", "web-1", "10.1.0.2"));
  model::AgentBatch batch;
  batch.node = "n1";
  batch.start = kNoon;
  batch.end = kNoon + 1'000;
  batch.resolved = {{Ip("198.51.100.7"), "models.s3.us-east-1.amazonaws.com", "", 60, 7, "u1"},
                    {Ip("198.51.100.8"), "cdn.example.org", "d1.cloudfront.net", 60, 7, "u1"}};
  stage->Observe(batch, kNoon);
  const auto client = Process("n1", "python", "u1");
  const auto end = [&](std::string_view address, const std::string& sni = "", model::EntityRef who = nullptr) {
    store::StoredRow row = Row(who ? who : client, "10.1.0.2", Unknown(address), address, 443);
    row.row.server_name = sni;
    return Name(row).server;
  };
  const model::EntityRef dns = end("198.51.100.7");
  EXPECT_EQ(dns->external_name, "models.s3.us-east-1.amazonaws.com");
  EXPECT_EQ(dns->external_service, "Amazon S3");
  EXPECT_EQ(dns->cloud_service, "object_store");
  EXPECT_EQ(dns->region, "us-east-1");
  EXPECT_EQ(dns->name_source, "dns");
  EXPECT_EQ(dns->kind, "cloud_service");
  EXPECT_EQ(end("198.51.100.8")->external_service, "Amazon CloudFront") << "by what the name is an alias of";
  const model::EntityRef sni = end("198.51.100.7", "Other.Example.org");
  EXPECT_EQ(sni->external_name, "other.example.org");
  EXPECT_EQ(sni->name_source, "sni");
  EXPECT_EQ(sni->cloud_service, "object_store") << "the address is S3's all the same";
  EXPECT_NE(sni->id, dns->id);
  const model::EntityRef prefix = end("198.51.100.7", "", Process("n1", "python", "u2"));
  EXPECT_EQ(prefix->external_name, "Amazon S3") << "the answer was another pod's";
  EXPECT_EQ(prefix->name_source, "prefix");
  EXPECT_EQ(end("10.200.1.1")->external_name, "office");
  EXPECT_EQ(end("10.200.1.1")->name_source, "label");
  EXPECT_EQ(end("203.0.113.9")->kind, "external");
  EXPECT_EQ(end("192.0.2.77")->kind, "address");
}

TEST_F(NamingStageTest, AFlowOutsideKeepsItsNameWhenTheAnswerHasLapsed) {
  model::AgentBatch batch;
  batch.node = "n1";
  batch.start = kNoon;
  batch.end = kNoon + 1'000;
  batch.resolved = {{Ip("198.51.100.7"), "models.example.org", "", 1, 7, "u1"}};
  stage->Observe(batch, kNoon);
  const auto client = Process("n1", "python", "u1");
  const model::EntityRef first = Name(Row(client, "10.1.0.2", Unknown("198.51.100.7"), "198.51.100.7", 443)).server;
  for (UnixMillis at = kNoon; at < kNoon + 1'200'000; at += 60'000) {
    const auto server = Name(Row(client, "10.1.0.2", Unknown("198.51.100.7"), "198.51.100.7", 443, at)).server;
    EXPECT_EQ(server->id, first->id) << (at - kNoon) / 1'000;
  }
}

TEST_F(NamingStageTest, ADnsAnswerNeverOverridesTheCluster) {
  cluster->Changed(Pod("u1", "web-1", "10.1.0.2"));
  cluster->Changed(Pod("u2", "cart-1", "10.1.0.3"));
  model::AgentBatch batch;
  batch.node = "n1";
  batch.start = kNoon;
  batch.end = kNoon + 1'000;
  batch.resolved = {{Ip("10.1.0.3"), "bank.example.org", "", 60, 7, "u1"}};
  stage->Observe(batch, kNoon);
  const auto server = Name(Row(Process("n1", "nginx", "u1"), "10.1.0.2", Unknown("10.1.0.3"), "10.1.0.3")).server;
  EXPECT_EQ(Short(server), "cart-1");
  EXPECT_EQ(server->external_name, "");
}

TEST_F(NamingStageTest, HelpersWorkForPods) {
  TellNode("n1", "192.0.2.1", "a");
  model::Pod mountpoint = Pod("m1", "mp-1", "10.1.0.7");
  mountpoint.name_space = "mount-s3";
  cluster->Changed(mountpoint);
  cluster->Changed(Pod("u1", "sd-1", "10.1.0.2"));
  cluster->Changed(Pod("u2", "train-1", "10.1.0.3"));
  model::Pod pulling = Pod("u3", "llm-1", "");
  pulling.phase = "Pending";
  pulling.containers[0].state = "waiting";
  pulling.containers[0].reason = "ContainerCreating";
  cluster->Changed(pulling);
  model::VolumeAttachment attachment;
  attachment.uid = "a1";
  attachment.node = "n1";
  attachment.served_pods = {{"mp-1", {"u1", "u2"}}};
  cluster->Changed(attachment);
  const auto s3 = [&](model::EntityRef client, std::string_view address) {
    store::StoredRow row = Row(std::move(client), address, Unknown("198.51.100.7"), "198.51.100.7", 443);
    row.row.server_name = "models.s3.us-east-1.amazonaws.com";
    return Name(row).client;
  };
  const model::EntityRef shared = s3(Process("n1", "mount-s3", "m1"), "10.1.0.7");
  EXPECT_EQ(shared->pod, "mp-1") << "the helper stays visible";
  EXPECT_EQ(shared->on_behalf_of, "shop/sd, shop/train");
  EXPECT_EQ(shared->shared, 2U);
  attachment.served_pods = {{"mp-1", {"u1"}}};
  cluster->Changed(attachment);
  const model::EntityRef alone = s3(Process("n1", "mount-s3", "m1"), "10.1.0.7");
  EXPECT_EQ(alone->on_behalf_of, "shop/sd");
  EXPECT_EQ(alone->shared, 1U);
  EXPECT_NE(alone->id, shared->id) << "for whom it worked then stays so";
  const model::EntityRef pull = s3(Process("n1", "containerd", "", 1), "192.0.2.1");
  EXPECT_EQ(pull->process, "containerd");
  EXPECT_EQ(pull->on_behalf_of, "shop/llm");
  EXPECT_EQ(s3(Process("n1", "curl", "", 1), "192.0.2.1")->on_behalf_of, "");
  EXPECT_EQ(s3(Process("n1", "python", "u1"), "10.1.0.2")->on_behalf_of, "");
}

TEST_F(NamingStageTest, TrafficHasItsPrice) {
  auto table = PriceTable::Parse(R"({dated: "2026-11-30", source: s, rules: [
    {name: zone, locality: inter_zone, direction: both, usd_per_gib: 0.02},
    {name: egress, locality: internet, direction: out, usd_per_gib: 0.09}]})");
  ASSERT_TRUE(table.ok()) << table.status().message();
  Make({nullptr, nullptr, std::make_shared<const PriceTable>(*std::move(table))});
  TellNode("n1", "192.0.2.1", "a");
  TellNode("n2", "192.0.2.2", "b");
  cluster->Changed(Pod("u1", "web-1", "10.1.0.2", "n1"));
  cluster->Changed(Pod("u2", "cart-1", "10.1.1.2", "n2"));
  store::StoredRow zones = Row(Process("n1", "nginx", "u1"), "10.1.0.2", Process("n2", "cart", "u2"), "10.1.1.2");
  zones.row.bytes_to_server = kGib;
  zones.row.bytes_to_client = 2 * kGib;
  EXPECT_EQ(Name(zones).cost_nano_usd, 60'000'000U);
  store::StoredRow out = Row(Process("n1", "nginx", "u1"), "10.1.0.2", Unknown("198.51.100.7"), "198.51.100.7", 443);
  out.row.bytes_to_server = kGib;
  out.row.bytes_to_client = 5 * kGib;
  EXPECT_EQ(Name(out).cost_nano_usd, 90'000'000U);
  store::StoredRow in = Row(Unknown("198.51.100.7"), "198.51.100.7", Process("n1", "nginx", "u1"), "10.1.0.2", 443);
  in.row.bytes_to_server = kGib;
  in.row.bytes_to_client = 5 * kGib;
  EXPECT_EQ(Name(in).cost_nano_usd, 450'000'000U) << "what leaves costs, whoever connected";
}

TEST_F(NamingStageTest, TwoClustersInOneServer) {
  model::ClusterListener& other = stage->ListenerOf("staging");
  TellNode("n1", "192.0.2.1", "a");
  cluster->Changed(Pod("u1", "web-1", "10.1.0.2", "n1"));
  cluster->Changed(Pod("u2", "cart-prod-1", "10.1.0.3", "n1"));
  model::Node node;
  node.uid = "m1-uid";
  node.name = "m1";
  node.addresses = {Ip("192.0.2.50")};
  other.Changed(node);
  other.Changed(Pod("u3", "web-1", "10.1.0.2", "m1"));
  other.Changed(Pod("u4", "cart-staging-1", "10.1.0.3", "m1"));
  const model::FlowRow prod = Name(Row(Process("n1", "nginx", "u1"), "10.1.0.2", Unknown("10.1.0.3"), "10.1.0.3"));
  const model::FlowRow staging = Name(Row(Process("m1", "nginx", "u3"), "10.1.0.2", Unknown("10.1.0.3"), "10.1.0.3"));
  EXPECT_EQ(Short(prod.server), "cart-prod-1");
  EXPECT_EQ(Short(staging.server), "cart-staging-1");
  EXPECT_EQ(staging.client->cluster, "staging");
  EXPECT_NE(prod.server->id, staging.server->id);
}

TEST_F(NamingStageTest, HostileNamesAreOnlyText) {
  model::Pod pod = Pod("u1", "<script>alert(1)</script>", "10.1.0.2");
  pod.name_space = "'; DROP TABLE flows; --";
  cluster->Changed(pod);
  const auto client = Name(Row(Process("n1", "nginx", "u1"), "10.1.0.2", Unknown("10.9.9.9"), "10.9.9.9")).client;
  EXPECT_EQ(client->pod, "<script>alert(1)</script>");
  EXPECT_EQ(client->namespace_, "'; DROP TABLE flows; --");
}

}  // namespace
}  // namespace weir::server

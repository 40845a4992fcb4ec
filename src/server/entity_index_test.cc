#include "server/entity_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/metrics.h"

namespace weir::server {
namespace {

constexpr UnixMillis kNoon = 1'764'500'000'000;

model::Address Ip(std::string_view text) { return *model::Address::Parse(text); }

model::Pod Pod(const std::string& uid, const std::string& name, std::vector<std::string> addresses,
               UnixMillis started = kNoon) {
  model::Pod pod;
  pod.uid = uid;
  pod.name = name;
  pod.name_space = "shop";
  pod.node = "n1";
  pod.phase = "Running";
  pod.created = pod.scheduled = pod.started = started;
  pod.workload = {"Deployment", "cart", "w"};
  for (const std::string& address : addresses) pod.addresses.push_back(Ip(address));
  model::PodContainer container;
  container.name = "app";
  container.id = uid + "-app";
  container.image = "cart:1";
  container.state = "running";
  pod.containers = {container};
  return pod;
}

model::Node Node(const std::string& name, const std::string& address, const std::string& zone = "z1") {
  model::Node node;
  node.uid = name + "-uid";
  node.name = name;
  node.zone = zone;
  node.region = "r1";
  node.addresses = {Ip(address)};
  return node;
}

struct EntityIndexTest : testing::Test {
  EntityIndexTest() { cluster = index.ClusterOf("prod"); }
  // Name of the pod or node that held it, "?" where it is contested, "" where nobody is known.
  std::string Holder(std::string_view address, UnixMillis start, UnixMillis end, ClusterNumber viewer = 1) {
    const AddressHolder holder = index.HolderOf(Ip(address), viewer, start, end, end);
    generation = holder.generation;
    if (holder.contested) return "?";
    if (holder.pod != nullptr) return holder.pod->announced ? holder.pod->name : "unannounced " + holder.pod->uid;
    return holder.node != nullptr ? holder.node->name : "";
  }
  EntityIndex index;
  ClusterNumber cluster = 0;
  uint32_t generation = 0;
};

TEST_F(EntityIndexTest, APodIsFoundByUidContainerAndAddress) {
  index.Changed(cluster, Pod("u1", "cart-1", {"10.1.0.2", "fd00::2"}), kNoon);
  ASSERT_NE(index.PodOfUid("u1"), nullptr);
  EXPECT_EQ(index.PodOfUid("u1")->name, "cart-1");
  const KnownPod::Container* container = nullptr;
  ASSERT_NE(index.PodOfContainer("u1-app", &container), nullptr);
  EXPECT_EQ(container->name, "app");
  EXPECT_EQ(container->image, "cart:1");
  EXPECT_EQ(Holder("10.1.0.2", kNoon, kNoon + 1'000), "cart-1");
  EXPECT_EQ(Holder("fd00::2", kNoon, kNoon + 1'000), "cart-1");
  EXPECT_EQ(Holder("10.1.0.3", kNoon, kNoon + 1'000), "");
  EXPECT_EQ(index.PodOfUid("u2"), nullptr);
}

TEST_F(EntityIndexTest, AnObjectThatComesAgainChangesNothing) {
  const model::Pod pod = Pod("u1", "cart-1", {"10.1.0.2"});
  index.Changed(cluster, pod, kNoon);
  EXPECT_EQ(index.TakeChanges().pods.size(), 1U);
  index.Changed(cluster, pod, kNoon + 1'000);
  const auto changes = index.TakeChanges();
  EXPECT_TRUE(changes.pods.empty());
  EXPECT_TRUE(changes.addresses.empty());
}

TEST_F(EntityIndexTest, ADeadPodKeepsItsNameForFlowsThatComeLate) {
  index.Changed(cluster, Pod("u1", "cart-1", {"10.1.0.2"}), kNoon);
  index.GonePod("u1", kNoon + 60'000, kNoon + 60'500);
  EXPECT_EQ(Holder("10.1.0.2", kNoon + 58'000, kNoon + 59'000), "cart-1");
  EXPECT_EQ(Holder("10.1.0.2", kNoon + 61'000, kNoon + 62'000), "");
  EXPECT_EQ(index.PodOfUid("u1")->name, "cart-1");
  EXPECT_NE(index.PodOfContainer("u1-app", nullptr), nullptr);
  index.Expire(kNoon + 60'000 + EntityIndex::kTombstoneMs + 1);
  EXPECT_EQ(index.PodOfUid("u1"), nullptr);
  EXPECT_EQ(index.PodOfContainer("u1-app", nullptr), nullptr);
  EXPECT_EQ(Holder("10.1.0.2", kNoon + 58'000, kNoon + 59'000), "");
}

TEST_F(EntityIndexTest, AnAddressThatChangesHandsWithinTwoSeconds) {
  model::Pod first = Pod("u1", "old", {"10.1.0.2"});
  index.Changed(cluster, first, kNoon);
  EXPECT_EQ(Holder("10.1.0.2", kNoon + 29'000, kNoon + 30'000), "old");
  const uint32_t old_generation = generation;
  first.deletion = kNoon + 30'000;
  index.Changed(cluster, first, kNoon + 30'100);
  EXPECT_EQ(Holder("10.1.0.2", kNoon + 30'000, kNoon + 31'000), "old") << "it still serves";
  first.containers[0].state = "terminated";
  first.containers[0].finished = kNoon + 31'000;
  index.Changed(cluster, first, kNoon + 31'900);
  // The new one is told of before the old one's end.
  index.Changed(cluster, Pod("u2", "new", {"10.1.0.2"}, kNoon + 32'000), kNoon + 33'000);
  index.GonePod("u1", kNoon + 33'500, kNoon + 33'500);
  EXPECT_EQ(Holder("10.1.0.2", kNoon + 30'000, kNoon + 31'000), "old");
  EXPECT_EQ(generation, old_generation);
  EXPECT_EQ(Holder("10.1.0.2", kNoon + 34'000, kNoon + 35'000), "new");
  EXPECT_NE(generation, old_generation);
  EXPECT_EQ(index.contested(), 0U);
}

TEST_F(EntityIndexTest, TwoPodsThatClaimOneAddressAreCountedAndNeitherIsGuessed) {
  index.Changed(cluster, Pod("u1", "one", {"10.1.0.2"}), kNoon);
  index.Changed(cluster, Pod("u2", "two", {"10.1.0.2"}, kNoon + 10'000), kNoon + 10'000);
  EXPECT_EQ(index.contested(), 1U);
  EXPECT_EQ(Read(Metric::server_names_contested), 1U);
  EXPECT_EQ(Holder("10.1.0.2", kNoon + 5'000, kNoon + 6'000), "one");
  EXPECT_EQ(Holder("10.1.0.2", kNoon + 11'000, kNoon + 12'000), "?");
  index.GonePod("u1", kNoon + 20'000, kNoon + 20'000);
  EXPECT_EQ(index.contested(), 0U);
  EXPECT_EQ(Holder("10.1.0.2", kNoon + 11'000, kNoon + 12'000), "?") << "stored so";
  EXPECT_EQ(Holder("10.1.0.2", kNoon + 22'000, kNoon + 23'000), "two");
}

TEST_F(EntityIndexTest, APodThatHasEndedLeavesItsAddressThoughItsStatusKeepsIt) {
  model::Pod job = Pod("u1", "job-1", {"10.1.0.2"});
  index.Changed(cluster, job, kNoon);
  job.phase = "Succeeded";
  job.containers[0].state = "terminated";
  job.containers[0].finished = kNoon + 1'000;
  index.Changed(cluster, job, kNoon + 1'500);
  EXPECT_EQ(Holder("10.1.0.2", kNoon, kNoon + 1'000), "job-1");
  EXPECT_EQ(Holder("10.1.0.2", kNoon + 3'000, kNoon + 4'000), "");
  index.Changed(cluster, Pod("u2", "next", {"10.1.0.2"}, kNoon + 10'000), kNoon + 11'000);
  EXPECT_EQ(Holder("10.1.0.2", kNoon + 12'000, kNoon + 13'000), "next");
  EXPECT_EQ(index.contested(), 0U);
  EXPECT_EQ(index.PodOfUid("u1")->name, "job-1");
}

TEST_F(EntityIndexTest, PodsOfTheHostNetworkDoNotHoldTheirNodesAddress) {
  index.Changed(cluster, Node("n1", "192.0.2.1"), kNoon);
  model::Pod pod = Pod("u1", "proxy", {"192.0.2.1"});
  pod.host_network = true;
  index.Changed(cluster, pod, kNoon);
  index.Prove("u1", cluster, Ip("192.0.2.1"), kNoon, kNoon + 1'000, kNoon + 1'000);
  EXPECT_EQ(Holder("192.0.2.1", kNoon, kNoon + 1'000), "n1");
  EXPECT_EQ(index.PodOfUid("u1")->name, "proxy");
}

TEST_F(EntityIndexTest, AnAgentsWordComesBeforeTheClusters) {
  index.Prove("u1", cluster, Ip("10.1.0.2"), kNoon, kNoon + 1'000, kNoon + 1'000);
  EXPECT_EQ(Holder("10.1.0.2", kNoon, kNoon + 1'000), "unannounced u1");
  const uint32_t before = generation;
  index.TakeChanges();
  index.Changed(cluster, Pod("u1", "cart-1", {"10.1.0.2"}), kNoon + 3'000);
  EXPECT_EQ(Holder("10.1.0.2", kNoon, kNoon + 1'000), "cart-1");
  EXPECT_EQ(generation, before);
  EXPECT_EQ(index.TakeChanges().pods.size(), 1U);
}

TEST_F(EntityIndexTest, ADockerInsideAPodLendsItsAddressesToNobody) {
  index.Changed(cluster, Pod("u1", "builder-1", {"10.1.0.2"}), kNoon);
  index.Changed(cluster, Pod("u2", "builder-2", {"10.1.0.3"}), kNoon);
  for (const char* uid : {"u1", "u2"}) {
    index.Prove(uid, cluster, Ip("172.17.0.2"), kNoon, kNoon + 1'000, kNoon + 1'000);
  }
  EXPECT_EQ(Holder("172.17.0.2", kNoon, kNoon + 1'000), "");
}

TEST_F(EntityIndexTest, APodNoClusterTellsOfIsForgotten) {
  index.Prove("u1", cluster, Ip("10.1.0.2"), kNoon, kNoon + 1'000, kNoon + 1'000);
  index.Expire(kNoon + 500'000);
  EXPECT_EQ(Holder("10.1.0.2", kNoon + 499'000, kNoon + 500'000), "unannounced u1");
  index.Expire(kNoon + 700'000);
  EXPECT_EQ(Holder("10.1.0.2", kNoon + 699'000, kNoon + 700'000), "");
}

TEST_F(EntityIndexTest, ClustersMayUseTheSameAddresses) {
  const ClusterNumber other = index.ClusterOf("staging");
  index.Changed(cluster, Pod("u1", "in-prod", {"10.1.0.2"}), kNoon);
  index.Changed(other, Pod("u2", "in-staging", {"10.1.0.2"}), kNoon);
  index.Changed(other, Pod("u3", "alone", {"10.1.0.9"}), kNoon);
  EXPECT_EQ(Holder("10.1.0.2", kNoon, kNoon + 1'000, cluster), "in-prod");
  EXPECT_EQ(Holder("10.1.0.2", kNoon, kNoon + 1'000, other), "in-staging");
  EXPECT_EQ(Holder("10.1.0.2", kNoon, kNoon + 1'000, 0), "") << "seen from outside it may be either";
  EXPECT_EQ(Holder("10.1.0.9", kNoon, kNoon + 1'000, cluster), "alone");
  EXPECT_EQ(index.contested(), 0U);
}

TEST_F(EntityIndexTest, AContainerStartedAgainIsStillItsPods) {
  model::Pod pod = Pod("u1", "cart-1", {"10.1.0.2"});
  index.Changed(cluster, pod, kNoon);
  for (int restart = 0; restart < 100; ++restart) {
    pod.containers[0].id = "again-" + std::to_string(restart);
    index.Changed(cluster, pod, kNoon + restart);
  }
  EXPECT_NE(index.PodOfContainer("again-99", nullptr), nullptr);
  EXPECT_NE(index.PodOfContainer("again-50", nullptr), nullptr) << "its flows may come late";
  EXPECT_EQ(index.PodOfContainer("again-1", nullptr), nullptr) << "bounded";
  EXPECT_EQ(index.PodOfUid("u1")->container_ids.size(), 64U);
}

TEST_F(EntityIndexTest, AgentsArePlacedByNameOrByTheirPods) {
  index.Changed(cluster, Node("n1", "192.0.2.1", "zone-a"), kNoon);
  EXPECT_EQ(index.NodeOfAgent("n1")->zone, "zone-a");
  EXPECT_EQ(index.NodeOfAgent("host-17.example"), nullptr);
  index.Changed(cluster, Pod("u1", "cart-1", {"10.1.0.2"}), kNoon);
  index.PlaceAgent("host-17.example", "u1");
  ASSERT_NE(index.NodeOfAgent("host-17.example"), nullptr);
  EXPECT_EQ(index.NodeOfAgent("host-17.example")->name, "n1");
  EXPECT_EQ(index.AgentNameOf(*index.NodeOf(cluster, "n1")), "host-17.example");
}

TEST_F(EntityIndexTest, ANodesAddressPassesToTheNextNode) {
  index.Changed(cluster, Node("n1", "192.0.2.1"), kNoon);
  index.GoneNode("n1-uid", kNoon + 10'000);
  index.Changed(cluster, Node("n2", "192.0.2.1"), kNoon + 20'000);
  EXPECT_EQ(Holder("192.0.2.1", kNoon + 5'000, kNoon + 6'000), "n1");
  EXPECT_EQ(Holder("192.0.2.1", kNoon + 15'000, kNoon + 16'000), "");
  EXPECT_EQ(Holder("192.0.2.1", kNoon + 25'000, kNoon + 26'000), "n2");
}

TEST_F(EntityIndexTest, ServicesAreFoundByAddressPortAndPods) {
  model::Service service;
  service.uid = "s1";
  service.name = "cart";
  service.name_space = "shop";
  service.addresses = {Ip("10.96.0.10")};
  service.ports = {{"http", "TCP", 80, 30'080}};
  index.Changed(cluster, service);
  const auto at = [&](std::string_view address, uint16_t port) {
    const KnownService* const found = index.services().At(cluster, Ip(address), port, model::Protocol::kTcp, kNoon);
    return found == nullptr ? "" : found->name;
  };
  EXPECT_EQ(at("10.96.0.10", 80), "cart");
  EXPECT_EQ(at("10.96.0.10", 81), "cart") << "an attempt at a port it does not have is one at the service";
  EXPECT_EQ(at("10.96.0.11", 80), "");
  EXPECT_EQ(index.services().OfNodePort(cluster, 30'080, model::Protocol::kTcp)->name, "cart");

  model::Service headless = service;
  headless.uid = "s2";
  headless.name = "cart-peers";
  headless.addresses.clear();
  headless.ports = {{"http", "TCP", 8'080, 0}};
  index.Changed(cluster, headless);
  model::Endpoints endpoints;
  endpoints.uid = "e1";
  endpoints.name_space = "shop";
  endpoints.service = "cart";
  endpoints.ports = {8'080};
  endpoints.endpoints.push_back({{Ip("10.1.0.2")}, true, "n1", "", "u1", {}});
  index.Changed(cluster, endpoints);
  EXPECT_EQ(index.services().OfPod("u1", 8'080)->name, "cart");
  EXPECT_EQ(index.services().OfPod("u1", 9'090), nullptr);
  endpoints.uid = "e2";
  endpoints.service = "cart-peers";
  index.Changed(cluster, endpoints);
  EXPECT_EQ(index.services().OfPod("u1", 8'080)->name, "cart-peers") << "asked at its own address: the headless one";
  index.GoneEndpoints("e2");
  EXPECT_EQ(index.services().OfPod("u1", 8'080)->name, "cart");

  index.GoneService("s1", kNoon + 10'000);
  EXPECT_EQ(at("10.96.0.10", 80), "cart") << "at noon it was there";
  model::Service next = service;
  next.uid = "s3";
  next.name = "other";
  index.Changed(cluster, next);
  EXPECT_EQ(index.services().At(cluster, Ip("10.96.0.10"), 80, model::Protocol::kTcp, kNoon + 20'000)->name, "other");
}

TEST_F(EntityIndexTest, SeveralServicesMayShareAnAddress) {
  for (const uint16_t port : {uint16_t{80}, uint16_t{443}}) {
    model::Service service;
    service.uid = service.name = "s" + std::to_string(port);
    service.addresses = {Ip("198.51.100.1")};
    service.ports = {{"", "TCP", port, 0}};
    index.Changed(cluster, service);
  }
  const auto& services = index.services();
  EXPECT_EQ(services.At(cluster, Ip("198.51.100.1"), 443, model::Protocol::kTcp, kNoon)->name, "s443");
  EXPECT_EQ(services.At(cluster, Ip("198.51.100.1"), 22, model::Protocol::kTcp, kNoon), nullptr);
}

// ---- The way back ----

TEST_F(EntityIndexTest, AnAgentIsToldWhatItDoesNotKnow) {
  index.SetEpoch(77);
  index.Changed(cluster, Node("n1", "192.0.2.1"), kNoon);
  index.Changed(cluster, Pod("u1", "cart-1", {"10.1.0.2"}), kNoon);
  EXPECT_EQ(index.NamesFor("n1", {}), model::PodNames{}) << "the cluster's pods are not listed yet";
  index.PodsListed(cluster);
  const model::PodNames all = index.NamesFor("n1", {5, 5});
  EXPECT_TRUE(all.complete);
  ASSERT_EQ(all.pods.size(), 1U);
  EXPECT_EQ(all.pods[0], (model::PodName{"u1", "prod", "shop", "cart-1", "Deployment", "cart", {{"u1-app", "app"}}}));
  EXPECT_TRUE(index.NamesFor("n1", all.to).empty());

  index.Changed(cluster, Pod("u2", "cart-2", {"10.1.0.3"}), kNoon);
  index.GonePod("u1", kNoon, kNoon);
  const model::PodNames change = index.NamesFor("n1", all.to);
  EXPECT_FALSE(change.complete);
  ASSERT_EQ(change.pods.size(), 1U);
  EXPECT_EQ(change.pods[0].pod, "cart-2");
  EXPECT_EQ(change.gone, std::vector<std::string>{"u1"});
  EXPECT_TRUE(index.NamesFor("n1", change.to).empty());
  EXPECT_EQ(index.NamesFor("elsewhere", {}), model::PodNames{});
}

TEST_F(EntityIndexTest, AnAgentThatMissedTooMuchIsToldEverything) {
  index.SetEpoch(77);
  index.Changed(cluster, Node("n1", "192.0.2.1"), kNoon);
  index.PodsListed(cluster);
  index.Changed(cluster, Pod("u0", "stays", {}), kNoon);
  const model::NamesVersion known = index.NamesFor("n1", {}).to;
  for (size_t i = 0; i <= PodNamesLog::kMaxGone; ++i) {
    const std::string uid = "gone-" + std::to_string(i);
    index.Changed(cluster, Pod(uid, uid, {}), kNoon);
    index.GonePod(uid, kNoon, kNoon);
  }
  const model::PodNames all = index.NamesFor("n1", known);
  EXPECT_TRUE(all.complete);
  EXPECT_EQ(all.pods.size(), 1U);
  EXPECT_FALSE(index.NamesFor("n1", all.to).complete) << "once";
}

TEST_F(EntityIndexTest, TombstonesAreBounded) {
  const uint64_t before = Read(Metric::server_names_forgotten);
  for (size_t i = 0; i < EntityIndex::kMaxTombstones + 10; ++i) {
    const std::string uid = "u" + std::to_string(i);
    index.Changed(cluster, Pod(uid, uid, {}), kNoon);
    index.GonePod(uid, kNoon, kNoon);
  }
  EXPECT_EQ(index.tombstones(), EntityIndex::kMaxTombstones);
  EXPECT_EQ(Read(Metric::server_names_forgotten) - before, 10U);
  EXPECT_EQ(index.PodOfUid("u9"), nullptr);
  EXPECT_NE(index.PodOfUid("u10"), nullptr);
}

}  // namespace
}  // namespace weir::server

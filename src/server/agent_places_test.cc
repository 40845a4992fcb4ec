#include "server/agent_places.h"

#include <gtest/gtest.h>

namespace weir::server {
namespace {

constexpr UnixMillis kNoon = 1'764'500'000'000;

model::Address Ip(std::string_view text) { return *model::Address::Parse(text); }

model::AgentBatch Batch(const std::string& node, std::vector<model::NetNamespace> spaces) {
  model::AgentBatch batch;
  batch.node = node;
  batch.namespaces = std::move(spaces);
  return batch;
}

uint32_t SpaceOf(const AgentPlaces& places, std::string_view node, std::string_view address) {
  const model::NetNamespace* const space = places.SpaceOf(node, Ip(address));
  return space == nullptr ? 0 : space->inode;
}

TEST(AgentPlaces, AnAddressIsOfOneNamespaceOfItsMachine) {
  AgentPlaces places;
  places.Observe(Batch("n1", {{1, "", true, "", {Ip("192.0.2.1")}}, {7, "web", false, "", {Ip("172.17.0.2")}}}), kNoon);
  places.Observe(Batch("n2", {{9, "db", false, "", {Ip("172.17.0.2")}}}), kNoon);
  EXPECT_EQ(SpaceOf(places, "n1", "172.17.0.2"), 7U);
  EXPECT_EQ(SpaceOf(places, "n2", "172.17.0.2"), 9U);
  EXPECT_EQ(SpaceOf(places, "n1", "172.17.0.3"), 0U);
  EXPECT_EQ(SpaceOf(places, "n3", "172.17.0.2"), 0U);
  EXPECT_TRUE(places.IsHost("n1", 1));
  EXPECT_FALSE(places.IsHost("n1", 7));
  EXPECT_FALSE(places.IsHost("n2", 1));
}

TEST(AgentPlaces, TheSameAddressTwiceOnOneMachineIsNobodys) {
  AgentPlaces places;
  places.Observe(Batch("n1", {{7, "", false, "", {Ip("10.0.0.2")}}, {8, "", false, "", {Ip("10.0.0.2")}}}), kNoon);
  EXPECT_EQ(SpaceOf(places, "n1", "10.0.0.2"), 0U);
  places.Observe(Batch("n1", {{8, "", false, "", {}}}), kNoon + 1'000);
  EXPECT_EQ(SpaceOf(places, "n1", "10.0.0.2"), 7U);
}

TEST(AgentPlaces, NamespacesThatAreNotToldOfAnyMoreAreForgottenButNotThoseOfAnAgentThatIsCutOff) {
  AgentPlaces places;
  places.Observe(Batch("n1", {{7, "", false, "", {Ip("10.0.0.2")}}, {8, "", false, "", {Ip("10.0.0.3")}}}), kNoon);
  places.Expire(kNoon + 300'000);
  EXPECT_EQ(places.spaces(), 2U);
  places.Observe(Batch("n1", {{7, "", false, "", {Ip("10.0.0.2")}}}), kNoon + 300'000);
  places.Expire(kNoon + 300'001);
  EXPECT_EQ(SpaceOf(places, "n1", "10.0.0.2"), 7U);
  EXPECT_EQ(SpaceOf(places, "n1", "10.0.0.3"), 0U);
  places.Expire(kNoon + 4'000'000);
  EXPECT_EQ(places.spaces(), 0U);
  EXPECT_EQ(places.Find("n1"), nullptr);
}

TEST(AgentPlaces, RemembersZoneAndRegion) {
  AgentPlaces places;
  model::AgentBatch batch = Batch("n1", {});
  batch.zone = "eu-central-1a";
  batch.region = "eu-central-1";
  places.Observe(batch, kNoon);
  places.Observe(Batch("n1", {}), kNoon + 1'000);
  EXPECT_EQ(places.Find("n1")->zone, "eu-central-1a");
  EXPECT_EQ(places.Find("n1")->region, "eu-central-1");
}

}  // namespace
}  // namespace weir::server

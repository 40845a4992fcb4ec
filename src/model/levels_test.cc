// Levels: what an end is on each, and that nothing of it stays that would tell equal things apart.
#include "model/levels.h"

#include <gtest/gtest.h>

#include <set>

#include "model/row_edit.h"

namespace weir::model {
namespace {

FlowRow RowOf(const Entity& client, const Entity& server = {}) {
  FlowRow row;
  row.client = MakeEntity(client);
  row.server = MakeEntity(server);
  row.client_address = *Address::Parse("10.1.0.2");
  row.server_address = *Address::Parse("10.1.0.3");
  return row;
}

Entity PodEntity() {
  Entity pod;
  pod.kind = "pod";
  pod.cluster = "prod";
  pod.namespace_ = "shop";
  pod.workload = "web";
  pod.workload_kind = "Deployment";
  pod.pod = "web-1";
  pod.pod_uid = "u1";
  pod.container_name = "app";
  pod.container = "c1";
  pod.process = "nginx";
  pod.node = "n1";
  pod.zone = "a";
  pod.region = "r";
  pod.name_source = "cluster";
  return pod;
}

const Entity& ClientOn(Level level, const FlowRow& row) {
  static FlowRow folded;
  folded = Folded(row, {.level = level});
  return Of(folded.client);
}

TEST(Levels, APodIsWhatEachLevelCallsIt) {
  const FlowRow row = RowOf(PodEntity());
  const auto kind = [&](Level level) { return ClientOn(level, row).kind; };
  EXPECT_EQ(kind(Level::kProcess), "process");
  EXPECT_EQ(kind(Level::kContainer), "container");
  EXPECT_EQ(kind(Level::kPod), "pod");
  EXPECT_EQ(kind(Level::kWorkload), "workload");
  EXPECT_EQ(kind(Level::kNamespace), "namespace");
  EXPECT_EQ(kind(Level::kNode), "node");
  EXPECT_EQ(kind(Level::kZone), "zone");
  EXPECT_EQ(kind(Level::kCluster), "cluster");
  EXPECT_EQ(kind(Level::kService), "workload");
  const Entity& workload = ClientOn(Level::kWorkload, row);
  EXPECT_EQ(workload.workload, "web");
  EXPECT_EQ(workload.namespace_, "shop");
  EXPECT_EQ(workload.pod, "");
  EXPECT_EQ(workload.node, "");
  EXPECT_EQ(workload.zone, "");
  const FlowRow folded = Folded(row, {.level = Level::kNamespace, .keeps_zones = true});
  EXPECT_EQ(Of(folded.client).zone, "a");
  EXPECT_EQ(Of(folded.client).workload, "");
  EXPECT_TRUE(folded.client_address.is_unspecified());
}

TEST(Levels, WhatIsNoSuchThingIsTheNextThatTellsSomething) {
  Entity process;
  process.kind = "process";
  process.node = "n1";
  process.unit = "sshd.service";
  process.process = "sshd";
  const FlowRow on_host = RowOf(process);
  EXPECT_EQ(ClientOn(Level::kWorkload, on_host).kind, "container");
  EXPECT_EQ(ClientOn(Level::kWorkload, on_host).unit, "sshd.service");
  EXPECT_EQ(ClientOn(Level::kWorkload, on_host).process, "");
  EXPECT_EQ(ClientOn(Level::kNamespace, on_host).kind, "node");
  EXPECT_EQ(ClientOn(Level::kZone, on_host).node, "n1");
  EXPECT_EQ(ClientOn(Level::kCluster, on_host).kind, "node");

  Entity outside;
  outside.kind = "cloud_service";
  outside.external_name = "b.s3.example";
  outside.external_service = "Amazon S3";
  outside.cloud_service = "object_store";
  const FlowRow far = RowOf(outside);
  EXPECT_EQ(ClientOn(Level::kWorkload, far).external_name, "b.s3.example");
  EXPECT_EQ(ClientOn(Level::kNamespace, far).external_name, "");
  EXPECT_EQ(ClientOn(Level::kNamespace, far).external_service, "Amazon S3");
  EXPECT_EQ(ClientOn(Level::kNamespace, far).kind, "cloud_service");
}

TEST(Levels, AddressesStayWhereNothingElseIsKnownAndPublicOnesAreOne) {
  Entity stranger;
  stranger.kind = "address";
  FlowRow row = RowOf(stranger);
  for (const LevelDescription& level : kLevels) {
    const FlowRow folded = Folded(row, {.level = *LevelNamed(level.name)});
    EXPECT_EQ(folded.client_address, row.client_address) << level.name;
    EXPECT_EQ(Of(folded.client).kind, "address") << level.name;
  }
  row.client_address = *Address::Parse("93.184.216.34");
  const FlowRow internet = Folded(row, {.level = Level::kWorkload});
  EXPECT_EQ(Of(internet.client).kind, "internet");
  EXPECT_TRUE(internet.client_address.is_unspecified());
  EXPECT_EQ(Folded(row, {.level = Level::kWorkload, .fold_internet = false}).client_address, row.client_address);
  // Of a machine, but of none of its namespaces that is known: an address on fine levels, the machine on coarse ones.
  stranger.node = "n1";
  EXPECT_EQ(ClientOn(Level::kPod, RowOf(stranger)).kind, "address");
  EXPECT_EQ(ClientOn(Level::kNode, RowOf(stranger)).kind, "node");
}

TEST(Levels, AServiceIsWhatAServersClientAskedFor) {
  FlowRow row = RowOf(PodEntity(), PodEntity());
  EXPECT_EQ(Of(Folded(row, {.level = Level::kService}).server).kind, "workload");
  Entity service;
  service.service = "web";
  service.namespace_ = "shop";
  row.service = MakeEntity(service);
  const FlowRow folded = Folded(row, {.level = Level::kService});
  EXPECT_EQ(Of(folded.server).kind, "service");
  EXPECT_EQ(Of(folded.server).workload, "") << "its backends are one";
  EXPECT_EQ(Of(folded.client).kind, "workload");
}

TEST(Levels, TheirColumnsAreAllThatTheirThingsKeep) {
  for (size_t i = 0; i < kLevels.size(); ++i) {
    const auto level = static_cast<Level>(i);
    std::set<std::string_view> names;
    for (const Column* column : ColumnsOf(level)) EXPECT_TRUE(names.insert(column->name).second) << column->name;
    for (const LevelThing& thing : ThingsOf(level)) {
      for (const EntityField field : thing.keeps) {
        for (const char* end : {"client_", "server_"}) {
          const std::string name = end + std::string(kEntityFields[static_cast<size_t>(field)].name);
          EXPECT_TRUE(names.contains(name)) << name << " of " << kLevels[i].name;
        }
      }
    }
    EXPECT_TRUE(ThingsOf(level).back().needs.empty()) << "the last holds of every end";
    EXPECT_TRUE(ThingsOf(level).back().keeps_address);
    EXPECT_EQ(LevelNamed(kLevels[i].name), level);
  }
  EXPECT_EQ(LevelNamed("host"), Level::kNode);
  EXPECT_FALSE(LevelNamed("auto"));
}

}  // namespace
}  // namespace weir::model

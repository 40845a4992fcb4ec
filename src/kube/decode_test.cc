#include "kube/decode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/metrics.h"
#include "kube/timestamp.h"

namespace weir::kube {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

model::Address At(const char* text) { return *model::Address::Parse(text); }

// The one object of a list.
template <typename T>
T DecodeOne(Resource resource, const std::string& object) {
  std::string body = R"({"metadata":{"resourceVersion":"7"},"items":[)" + object + "]}";
  T found;
  size_t count = 0;
  const auto page = Decoder(resource).DecodeList(body, [&](Object&& each) {
    found = std::get<T>(std::move(each));
    ++count;
  });
  EXPECT_TRUE(page.ok()) << page.status().message();
  EXPECT_EQ(count, 1U);
  return found;
}

constexpr const char* kPod = R"({
  "metadata": {"name": "web-abc-1", "namespace": "shop", "uid": "u-1", "resourceVersion": "41",
    "creationTimestamp": "2026-11-30T09:00:00Z", "deletionTimestamp": "2026-11-30T09:10:30Z", "deletionGracePeriodSeconds": 30,
    "labels": {"app": "web", "pod-template-hash": "abc"}, "annotations": {"big": "ignored", "prometheus.io/port": "9100"},
    "ownerReferences": [{"kind": "Other", "name": "o", "uid": "u-0"},
                        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-abc", "uid": "u-rs", "controller": true}],
    "managedFields": [{"manager": "kubelet", "fieldsV1": {"f:status": {"f:phase": {}}}}]},
  "spec": {"nodeName": "n1", "hostNetwork": true,
    "volumes": [{"name": "w", "persistentVolumeClaim": {"claimName": "weights"}}, {"name": "t", "emptyDir": {}}],
    "initContainers": [{"name": "first", "image": "i:1"}],
    "containers": [{"name": "app", "image": "registry/app:1",
      "ports": [{"containerPort": 8080}, {"name": "http-metrics", "containerPort": 9100}, {"containerPort": 53, "protocol": "UDP"}, {"containerPort": 99999}],
      "resources": {"limits": {"nvidia.com/gpu": "8", "cpu": "2"}}}, {"name": "side", "image": "s:1"}]},
  "status": {"phase": "Running", "podIP": "10.0.0.5", "podIPs": [{"ip": "10.0.0.5"}, {"ip": "fd00::5"}],
    "startTime": "2026-11-30T09:00:02Z",
    "conditions": [{"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-11-30T09:00:01Z"},
                   {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-30T09:00:04Z"}],
    "initContainerStatuses": [{"name": "first", "containerID": "containerd://i1", "restartCount": 0, "state": {"terminated":
       {"reason": "Completed", "startedAt": "2026-11-30T09:00:02Z", "finishedAt": "2026-11-30T09:00:03Z"}}}],
    "containerStatuses": [{"name": "side", "containerID": "", "state": {"waiting": {"reason": "CrashLoopBackOff"}}},
      {"name": "app", "containerID": "containerd://c1", "restartCount": 3, "state": {"running": {"startedAt": "2026-11-30T09:00:03Z"}}}]}
})";

TEST(DecodePod, ReadsEverythingThatNamesAFlow) {
  const auto pod = DecodeOne<model::Pod>(Resource::kPods, kPod);
  const UnixMillis nine = ParseTimestamp("2026-11-30T09:00:00Z");
  EXPECT_EQ(pod.uid, "u-1");
  EXPECT_EQ(pod.name, "web-abc-1");
  EXPECT_EQ(pod.name_space, "shop");
  EXPECT_EQ(pod.node, "n1");
  EXPECT_TRUE(pod.host_network);
  EXPECT_THAT(pod.addresses, ElementsAre(At("10.0.0.5"), At("fd00::5")));
  EXPECT_EQ(pod.phase, "Running");
  EXPECT_TRUE(pod.ready);
  EXPECT_EQ(pod.created, nine);
  EXPECT_EQ(pod.scheduled, nine + 1'000);
  EXPECT_EQ(pod.started, nine + 2'000);
  EXPECT_EQ(pod.ready_since, nine + 4'000);
  EXPECT_EQ(pod.deletion, nine + 600'000);  // when it was asked for
  EXPECT_EQ(pod.controller.kind, "ReplicaSet");
  EXPECT_EQ(pod.controller.uid, "u-rs");
  EXPECT_EQ(pod.labels.at("app"), "web");
  EXPECT_EQ(pod.annotations, (std::map<std::string, std::string>{{"prometheus.io/port", "9100"}}));
  EXPECT_THAT(pod.volumes, ElementsAre("weights"));
}

TEST(DecodePod, JoinsContainersWithTheirStates) {
  const auto pod = DecodeOne<model::Pod>(Resource::kPods, kPod);
  const UnixMillis nine = ParseTimestamp("2026-11-30T09:00:00Z");
  ASSERT_EQ(pod.containers.size(), 3U);
  const model::PodContainer& first = pod.containers[0];
  EXPECT_TRUE(first.init);
  EXPECT_EQ(first.id, "i1");
  EXPECT_EQ(first.state, "terminated");
  EXPECT_EQ(first.finished, nine + 3'000);
  const model::PodContainer& app = pod.containers[1];
  EXPECT_EQ(app.name, "app");
  EXPECT_EQ(app.id, "c1");
  EXPECT_EQ(app.image, "registry/app:1");
  EXPECT_EQ(app.state, "running");
  EXPECT_EQ(app.restarts, 3U);
  EXPECT_EQ(app.started, nine + 3'000);
  EXPECT_THAT(app.tcp_ports, ElementsAre(8080, 9100));
  EXPECT_EQ(app.metrics_port, 9100);
  EXPECT_EQ(app.gpus, 8U);
  EXPECT_EQ(pod.containers[2].state, "waiting");
  EXPECT_EQ(pod.containers[2].reason, "CrashLoopBackOff");
  EXPECT_EQ(pod.containers[2].id, "");
}

TEST(DecodePod, APendingOneHasNoAddressAndNullsAreNothing) {
  const auto pod = DecodeOne<model::Pod>(Resource::kPods, R"({"metadata":{"name":"p","uid":"u","labels":null,
    "creationTimestamp":null,"ownerReferences":null},"spec":{"containers":null,"volumes":null},"status":{"phase":"Pending","podIPs":null}})");
  EXPECT_TRUE(pod.addresses.empty());
  EXPECT_TRUE(pod.containers.empty());
  EXPECT_EQ(pod.created, 0);
}

TEST(DecodeService, ReadsAllOfItsAddresses) {
  const auto service = DecodeOne<model::Service>(Resource::kServices, R"({"metadata":{"name":"web","namespace":"shop",
    "uid":"s","annotations":{"service.kubernetes.io/topology-mode":"Auto","other":"x"}},
    "spec":{"type":"LoadBalancer","clusterIP":"10.96.0.1","clusterIPs":["10.96.0.1","fd00::1"],"externalIPs":["192.0.2.1"],
    "trafficDistribution":"PreferClose","ports":[{"name":"http","port":80,"nodePort":30080},{"port":53,"protocol":"UDP"}]},
    "status":{"loadBalancer":{"ingress":[{"ip":"203.0.113.9"},{"hostname":"lb.example"}]}}})");
  EXPECT_THAT(service.addresses, ElementsAre(At("10.96.0.1"), At("fd00::1"), At("192.0.2.1"), At("203.0.113.9")));
  ASSERT_EQ(service.ports.size(), 2U);
  EXPECT_EQ(service.ports[0].node_port, 30080);
  EXPECT_EQ(service.ports[0].protocol, "TCP");
  EXPECT_EQ(service.ports[1].protocol, "UDP");
  EXPECT_EQ(service.annotations.at("service.kubernetes.io/topology-mode"), "Auto");
  EXPECT_EQ(service.annotations.at("spec.trafficDistribution"), "PreferClose");
  EXPECT_EQ(service.annotations.count("other"), 0U);
}

TEST(DecodeService, AHeadlessOneHasNoAddress) {
  const auto service = DecodeOne<model::Service>(
      Resource::kServices, R"({"metadata":{"name":"h","uid":"s"},"spec":{"type":"ClusterIP","clusterIP":"None"}})");
  EXPECT_TRUE(service.addresses.empty());
}

TEST(DecodeEndpoints, BothVersionsSayTheSame) {
  const char* v1 =
      R"({"metadata":{"name":"web-x","uid":"e","namespace":"shop","labels":{"kubernetes.io/service-name":"web"}},
    "addressType":"IPv4","endpoints":[{"addresses":["10.0.0.5"],"conditions":{"ready":true},"nodeName":"n1","zone":"a",
    "targetRef":{"kind":"Pod","name":"p","uid":"u-1"},"hints":{"forZones":[{"name":"a"},{"name":"b"}]}},
    {"addresses":["10.0.0.6"],"conditions":{"ready":false}},{"addresses":["10.0.0.7"],"conditions":{}}],"ports":[{"port":8080}]})";
  const auto slice = DecodeOne<model::Endpoints>(Resource::kEndpointSlices, v1);
  EXPECT_EQ(slice.service, "web");
  ASSERT_EQ(slice.endpoints.size(), 3U);
  EXPECT_EQ(slice.endpoints[0].node, "n1");
  EXPECT_EQ(slice.endpoints[0].zone, "a");
  EXPECT_EQ(slice.endpoints[0].pod_uid, "u-1");
  EXPECT_THAT(slice.endpoints[0].hint_zones, ElementsAre("a", "b"));
  EXPECT_TRUE(slice.endpoints[0].ready);
  EXPECT_FALSE(slice.endpoints[1].ready);
  EXPECT_TRUE(slice.endpoints[2].ready);
  EXPECT_THAT(slice.ports, ElementsAre(8080));

  const char* beta =
      R"({"metadata":{"name":"web-x","uid":"e"},"endpoints":[{"addresses":["10.0.0.5"],"conditions":{"ready":true},
    "topology":{"kubernetes.io/hostname":"n1","topology.kubernetes.io/zone":"a"}}],"ports":null})";
  const auto older = DecodeOne<model::Endpoints>(Resource::kEndpointSlices, beta);
  EXPECT_EQ(older.endpoints[0].node, "n1");
  EXPECT_EQ(older.endpoints[0].zone, "a");
}

TEST(DecodeNode, ReadsPlaceAndCapacity) {
  const auto node = DecodeOne<model::Node>(Resource::kNodes, R"({"metadata":{"name":"n1","uid":"n","labels":{
    "topology.kubernetes.io/zone":"eu-1a","failure-domain.beta.kubernetes.io/region":"eu-1","node.kubernetes.io/instance-type":"p5",
    "karpenter.k8s.aws/instance-network-bandwidth":"10000"}},"spec":{"providerID":"aws:///eu-1a/i-1"},
    "status":{"capacity":{"cpu":"8","nvidia.com/gpu":"8"},"addresses":[{"type":"InternalIP","address":"10.0.0.1"},
    {"type":"Hostname","address":"n1"}]}})");
  EXPECT_EQ(node.zone, "eu-1a");
  EXPECT_EQ(node.region, "eu-1");
  EXPECT_EQ(node.instance_type, "p5");
  EXPECT_EQ(node.baseline_mbits, 10'000U);
  EXPECT_EQ(node.gpus, 8U);
  EXPECT_EQ(node.provider_id, "aws:///eu-1a/i-1");
  EXPECT_THAT(node.addresses, ElementsAre(At("10.0.0.1")));
}

TEST(DecodeAttachment, ReadsWhomAMountpointPodServes) {
  const auto attachment =
      DecodeOne<model::VolumeAttachment>(Resource::kVolumeAttachments, R"({"metadata":{"name":"a","uid":"x"},
    "spec":{"nodeName":"n1","persistentVolumeName":"pv","mountpointS3PodAttachments":{"mp-1":[{"workloadPodUID":"u-1"},
    {"workloadPodUID":"u-2"}],"mp-2":[]}}})");
  EXPECT_EQ(attachment.node, "n1");
  EXPECT_EQ(attachment.persistent_volume, "pv");
  EXPECT_THAT(attachment.served_pods.at("mp-1"), ElementsAre("u-1", "u-2"));
}

TEST(DecodeOwner, ReadsTheLinkUpwards) {
  const auto owner =
      DecodeOne<Owner>(Resource::kReplicaSets, R"({"kind":"PartialObjectMetadata","metadata":{"name":"web-abc",
    "uid":"rs","namespace":"shop","ownerReferences":[{"kind":"Deployment","name":"web","uid":"d","controller":true}]}})");
  EXPECT_EQ(owner.name, "web-abc");
  EXPECT_EQ(owner.controller.kind, "Deployment");
  EXPECT_EQ(owner.controller.name, "web");
}

// --- bad input ---

TEST(DecodeList, BrokenObjectsAreCountedAndTheRestIsKept) {
  const uint64_t before = Read(Metric::kube_objects_refused);
  const std::string long_name(254, 'x');
  std::string body =
      R"({"metadata":{"resourceVersion":"7","continue":"next page"},"items":[{"metadata":{"name":"a","uid":"1"}},
    {"metadata":{"name":"no uid"}},{"metadata":{"name":5,"uid":"2"}},5,null,{},{"metadata":{"name":")" +
      long_name +
      R"(","uid":"3"}},{"metadata":{"name":"b","uid":"4"},"spec":[]},{"metadata":{"name":"c","uid":"5"}}]})";
  std::vector<std::string> names;
  Decoder decoder(Resource::kPods);
  const auto page = decoder.DecodeList(body, [&](Object&& each) { names.push_back(std::get<model::Pod>(each).name); });
  ASSERT_TRUE(page.ok()) << page.status().message();
  EXPECT_THAT(names, ElementsAre("a", "c"));
  EXPECT_EQ(page->refused, 7U);
  EXPECT_EQ(page->continue_token, "next page");
  EXPECT_EQ(Read(Metric::kube_objects_refused) - before, 7U);
}

TEST(DecodeList, WhatIsNoListIsCorrupt) {
  Decoder decoder(Resource::kPods);
  for (const char* text :
       {"", "garbage", "<html>", "[]", "{}", "null", R"({"items":[]})", R"({"metadata":{"resourceVersion":"1"}})",
        R"({"metadata":{"resourceVersion":"1"},"items":[{"metadata")", R"({"metadata":5,"items":[]})",
        R"({"metadata":{"resourceVersion":"1"},"items":{}})"}) {
    std::string body = text;
    EXPECT_EQ(decoder.DecodeList(body, [](Object&&) {}).status().code(), Code::kCorrupt) << text;
  }
}

TEST(DecodeList, NamesAtTheirLimitsAndHostileTextsAreKeptAsTheyAre) {
  const std::string name(253, 'n');
  const std::string value = "<script>'; DROP TABLE x; --\\u001b[31m";
  const auto pod = DecodeOne<model::Pod>(
      Resource::kPods, R"({"metadata":{"name":")" + name + R"(","uid":"1","labels":{"app":")" + value + R"("}}})");
  EXPECT_EQ(pod.name, name);
  EXPECT_EQ(pod.labels.at("app"), "<script>'; DROP TABLE x; --\x1b[31m");
}

TEST(DecodeList, LabelsBeyondTheLimitsAreCutAndCounted) {
  const uint64_t before = Read(Metric::kube_cut);
  std::string labels = R"("long":")" + std::string(64, 'v') + R"(")";
  for (int i = 0; i < 70; ++i) labels += ",\"l" + std::to_string(i) + "\":\"v\"";
  const auto pod =
      DecodeOne<model::Pod>(Resource::kPods, R"({"metadata":{"name":"p","uid":"1","labels":{)" + labels + "}}}");
  EXPECT_EQ(pod.labels.size(), kMaxLabels);
  EXPECT_EQ(pod.labels.count("long"), 0U);
  EXPECT_EQ(Read(Metric::kube_cut) - before, 7U);
}

TEST(DecodeList, AnObjectThatIsTooLargeIsRefused) {
  std::string body = R"({"metadata":{"resourceVersion":"7"},"items":[{"metadata":{"name":"a","uid":"1"},"padding":")" +
                     std::string(kMaxObjectBytes, 'x') + R"("},{"metadata":{"name":"b","uid":"2"}}]})";
  size_t count = 0;
  Decoder decoder(Resource::kPods);
  const auto page = decoder.DecodeList(body, [&](Object&&) { ++count; });
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->refused, 1U);
  EXPECT_EQ(count, 1U);
}

TEST(DecodeList, LongTextsAreCutBetweenCharacters) {
  std::string image;
  for (int i = 0; i < 300; ++i) image += "\xc3\xa4";  // 600 bytes
  const auto pod = DecodeOne<model::Pod>(
      Resource::kPods,
      R"({"metadata":{"name":"p","uid":"1"},"spec":{"containers":[{"name":"c","image":"x)" + image + R"("}]}})");
  EXPECT_EQ(pod.containers[0].image.size(), 511U);
}

TEST(DecodeEvent, KnowsAllFiveTypesInAnyOrderOfFields) {
  Decoder decoder(Resource::kPods);
  std::string added = R"({"type":"ADDED","object":{"metadata":{"name":"a","uid":"1","resourceVersion":"8"}}})";
  const auto event = decoder.DecodeEvent(added);
  ASSERT_TRUE(event.ok()) << event.status().message();
  EXPECT_EQ(event->type, EventType::kAdded);
  EXPECT_EQ(event->resource_version, "8");
  EXPECT_EQ(UidOf(event->object), "1");
  std::string turned = R"({"object":{"metadata":{"name":"a","uid":"1","resourceVersion":"9"}},"type":"DELETED"})";
  EXPECT_EQ(decoder.DecodeEvent(turned)->type, EventType::kDeleted);
  std::string bookmark =
      R"({"type":"BOOKMARK","object":{"kind":"Pod","metadata":{"resourceVersion":"12","creationTimestamp":null}}})";
  EXPECT_EQ(decoder.DecodeEvent(bookmark)->resource_version, "12");
  std::string error =
      R"({"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}})";
  const auto expired = decoder.DecodeEvent(error);
  ASSERT_TRUE(expired.ok());
  EXPECT_EQ(expired->refusal.code, 410);
  EXPECT_EQ(expired->refusal.message, "too old");
}

TEST(DecodeEvent, TellsGarbageFromObjectsItRefuses) {
  Decoder decoder(Resource::kPods);
  for (const char* text : {"", "garbage", R"({"type":"ADDED","object":{"metad)", R"({"type":"ADDED"})",
                           R"({"type":"ADDED","object":5})", "[1,2]", "\xff\xfe"}) {
    std::string line = text;
    EXPECT_EQ(decoder.DecodeEvent(line).status().code(), Code::kCorrupt) << text;
  }
  for (const char* text :
       {R"({"type":"ADDED","object":{"metadata":{"name":"no uid"}}})", R"({"type":"RENAMED","object":{}})",
        R"({"type":"ADDED","object":{"metadata":{"name":[],"uid":"1"}}})"}) {
    std::string line = text;
    EXPECT_EQ(decoder.DecodeEvent(line).status().code(), Code::kInvalid) << text;
  }
}

TEST(DecodeRefusal, SaysWhyOrNothing) {
  Decoder decoder(Resource::kPods);
  std::string body = R"({"kind":"Status","message":"pods is forbidden","reason":"Forbidden","code":403})";
  EXPECT_EQ(decoder.DecodeRefusal(body).message, "pods is forbidden");
  for (const char* other : {"<html>", "[", "null", "5", "", "[null]", "{"}) {
    std::string text = other;
    EXPECT_EQ(decoder.DecodeRefusal(text).message, "") << other;
  }
}

TEST(DecodeGroupVersions, ReadsWhatIsServed) {
  std::string body =
      R"({"kind":"APIGroup","name":"discovery.k8s.io","versions":[{"groupVersion":"discovery.k8s.io/v1beta1","version":"v1beta1"}]})";
  EXPECT_THAT(*DecodeGroupVersions(body), ElementsAre("v1beta1"));
  std::string empty = R"({"versions":[]})";
  EXPECT_EQ(DecodeGroupVersions(empty).status().code(), Code::kCorrupt);
}

TEST(Timestamp, ReadsWhatTheApiWrites) {
  EXPECT_EQ(ParseTimestamp("1970-01-01T00:00:01Z"), 1'000);
  EXPECT_EQ(ParseTimestamp("2026-11-30T09:00:00Z"), 1'796'029'200'000);
  EXPECT_EQ(ParseTimestamp("2026-11-30T09:00:00.123456Z"), 1'796'029'200'123);
  EXPECT_EQ(ParseTimestamp("2026-11-30T11:00:00+02:00"), 1'796'029'200'000);
  for (const char* text :
       {"", "now", "2026-11-30", "2026-13-30T09:00:00Z", "2026-02-30T09:00:00Z", "2026-11-30T25:00:00Z",
        "2026-11-30T09:00:00", "2026-11-30T09:00:00+2:00", "2026-11-30T09:00:00Zx"}) {
    EXPECT_EQ(ParseTimestamp(text), 0) << text;
  }
}

}  // namespace
}  // namespace weir::kube

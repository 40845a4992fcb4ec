#include "agent/metrics/node_samples.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/kept_samples.h"

namespace weir::agent::metrics {
namespace {

using model::NodeSignal;
using model::SignalScope;
using node::NodeSnapshot;
using testing::IsEmpty;
using Values = std::map<std::string, double>;

const std::string kContainer(64, 'a');

PodLabels Name(const std::string& uid, const std::string& container) {
  if (uid != "uid-1" && container != kContainer) return {};
  return {"shop", "cart-0", "Deployment", "cart", container == kContainer ? "app" : "", "uid-1"};
}

NodeSnapshot::Interface Interface(std::string name, std::string host_name, uint64_t rx, uint64_t tx) {
  return {std::move(name),
          std::move(host_name),
          false,
          7,
          {{NodeSignal::interface_rx_bytes, rx}, {NodeSignal::interface_tx_bytes, tx}}};
}

KeptSamples Show(const NodeSnapshot& snapshot) {
  LabelContext common;
  common.instance_id = "i-1";
  common.node = "n1";
  const NodeSamples samples(snapshot, common, Name);
  KeptSamples kept;
  for (size_t i = 0; i < model::kAgentFamilyCount; ++i) {
    const auto family = static_cast<model::AgentFamily>(i);
    FamilyOut out(model::Describe(family).family, kept);
    samples.AddTo(family, out);
  }
  samples.VisitEfa(kept);
  for (const auto& [name, times] : kept.begun) EXPECT_EQ(times, 1) << name;
  return kept;
}

TEST(NodeSamples, ThePodsTrafficUnderBothNames) {
  NodeSnapshot snapshot;
  snapshot.spaces.push_back({.netns = 0});
  snapshot.spaces.push_back({.netns = 7,
                             .name = "cni-1",
                             .pod_uid = "uid-1",
                             .container = "",
                             .created = 9,
                             .values = {{NodeSignal::tcp_active_opens, 3}, {NodeSignal::tcp_passive_opens, 4}},
                             .interfaces = {Interface("eth0", "veth1", 10, 20), Interface("net1", "", 1, 2)}});
  const KeptSamples kept = Show(snapshot);
  const std::string pod = "pod=cart-0 namespace=shop node=n1";
  EXPECT_EQ(kept.Of("ingress_bytes"),
            (Values{{"instance_id=i-1 iface=veth1 " + pod, 10}, {"instance_id=i-1 iface=net1 " + pod, 1}}));
  EXPECT_EQ(kept.Of("egress_bytes"),
            (Values{{"instance_id=i-1 iface=veth1 " + pod, 20}, {"instance_id=i-1 iface=net1 " + pod, 2}}));
  EXPECT_EQ(kept.Of("ingress_flow"), (Values{{"instance_id=i-1 iface=veth1 " + pod, 4}})) << "once for the pod";
  EXPECT_EQ(kept.Of("egress_flow"), (Values{{"instance_id=i-1 iface=veth1 " + pod, 3}}));
  EXPECT_EQ(kept.Of("weir_pod_network_io_bytes"),
            (Values{{"namespace=shop pod=cart-0 interface=eth0 direction=receive node=n1", 10},
                    {"namespace=shop pod=cart-0 interface=eth0 direction=transmit node=n1", 20},
                    {"namespace=shop pod=cart-0 interface=net1 direction=receive node=n1", 1},
                    {"namespace=shop pod=cart-0 interface=net1 direction=transmit node=n1", 2}}));
  EXPECT_EQ(kept.Of("weir_tcp_connections_opened"), (Values{{"namespace=shop pod=cart-0 role=client node=n1", 3},
                                                            {"namespace=shop pod=cart-0 role=server node=n1", 4}}));
  EXPECT_EQ(kept.created.at("ingress_flow instance_id=i-1 iface=veth1 " + pod), 9);
  EXPECT_EQ(kept.created.at("ingress_bytes instance_id=i-1 iface=net1 " + pod), 7);
}

TEST(NodeSamples, WhoHasNoNameIsCalledByWhatIsKnown) {
  NodeSnapshot snapshot;
  snapshot.spaces.push_back(
      {.netns = 1, .name = "blue", .pod_uid = "uid-9", .interfaces = {Interface("eth0", "", 1, 0)}});
  snapshot.spaces.push_back(
      {.netns = 2, .name = "blue", .container = std::string(64, 'b'), .interfaces = {Interface("eth0", "", 2, 0)}});
  snapshot.spaces.push_back({.netns = 3, .name = "blue", .interfaces = {Interface("eth0", "", 3, 0)}});
  snapshot.spaces.push_back({.netns = 4, .name = "sandbox", .values = {{NodeSignal::tcp_retransmits, 1}}});
  const KeptSamples kept = Show(snapshot);
  EXPECT_EQ(kept.Of("ingress_bytes"), (Values{{"instance_id=i-1 iface=eth0 pod=uid-9 node=n1", 1},
                                              {"instance_id=i-1 iface=eth0 pod=bbbbbbbbbbbb node=n1", 2},
                                              {"instance_id=i-1 iface=eth0 pod=blue node=n1", 3}}));
  EXPECT_THAT(kept.Of("weir_tcp_retransmitted_segments"), IsEmpty()) << "nothing but loopback";
}

TEST(NodeSamples, TheNodesDevicesAreNoPods) {
  NodeSnapshot snapshot;
  NodeSnapshot::Space own{.netns = 0, .values = {{NodeSignal::tcp_retransmits, 8}, {NodeSignal::tcp_passive_opens, 1}}};
  own.interfaces.push_back({"ens5",
                            "",
                            true,
                            0,
                            {{NodeSignal::interface_rx_bytes, 100},
                             {NodeSignal::interface_rx_missed, 6},
                             {NodeSignal::allowance_bandwidth_in, 5},
                             {NodeSignal::allowance_connections_left, 900}}});
  snapshot.spaces.push_back(own);
  const KeptSamples kept = Show(snapshot);
  EXPECT_THAT(kept.Of("ingress_bytes"), IsEmpty());
  EXPECT_THAT(kept.Of("ingress_flow"), IsEmpty());
  EXPECT_EQ(kept.Of("weir_node_network_io_bytes"), (Values{{"interface=ens5 direction=receive node=n1", 100}}));
  EXPECT_EQ(kept.Of("weir_node_network_dropped_packets"),
            (Values{{"interface=ens5 direction=receive reason=missed node=n1", 6}}));
  EXPECT_EQ(kept.Of("bw_in_allowance_exceeded"), (Values{{"instance_id=i-1 eni=ens5 node=n1", 5}}));
  EXPECT_EQ(kept.Of("conntrack_allowance_available"), (Values{{"instance_id=i-1 eni=ens5 node=n1", 900}}));
  EXPECT_EQ(kept.Of("weir_node_allowance_exceeded_packets"),
            (Values{{"interface=ens5 allowance=bandwidth_in node=n1", 5}}));
  EXPECT_EQ(kept.Of("weir_tcp_retransmitted_segments"), (Values{{"node=n1", 8}}));
}

TEST(NodeSamples, OtherObjectsByWhatTheyAre) {
  NodeSnapshot snapshot;
  snapshot.spaces.push_back({.netns = 0});
  snapshot.spaces.push_back({.netns = 7, .pod_uid = "uid-1", .interfaces = {Interface("eth0", "", 1, 1)}});
  const auto add = [&](uint32_t netns, SignalScope scope, std::string name, NodeSignal signal, uint64_t value) {
    snapshot.objects.push_back({netns, scope, std::move(name), 0, {{signal, value}}});
  };
  add(7, SignalScope::kQdisc, "eth0 tbf 8001:", NodeSignal::qdisc_drops, 4);
  add(0, SignalScope::kQdisc, "ens5 fq 0:", NodeSignal::qdisc_overlimits, 5);
  add(7, SignalScope::kDrop, "NETFILTER_DROP", NodeSignal::drop_rule, 6);
  add(0, SignalScope::kDrop, "unknown/NO_SOCKET", NodeSignal::drop_unwanted, 7);
  add(0, SignalScope::kNode, "cpu3", NodeSignal::softnet_dropped, 8);
  add(0, SignalScope::kNode, "", NodeSignal::pressure_io_us, 1'500'000);
  add(0, SignalScope::kCgroup, kContainer, NodeSignal::cgroup_throttled_us, 2'500'000);
  add(0, SignalScope::kCgroup, "system.slice/a.service", NodeSignal::cgroup_throttled_us, 1);
  add(0, SignalScope::kRdmaPort, "mlx5_0/1", NodeSignal::rdma_rx_words, 10);
  add(99, SignalScope::kQdisc, "eth0 fq 1:", NodeSignal::qdisc_drops, 1);
  const KeptSamples kept = Show(snapshot);
  EXPECT_EQ(kept.Of("weir_qdisc_dropped_packets"),
            (Values{{"namespace=shop pod=cart-0 interface=eth0 qdisc=tbf 8001: node=n1", 4}}));
  EXPECT_EQ(kept.Of("weir_qdisc_overlimits"), (Values{{"interface=ens5 qdisc=fq 0: node=n1", 5}}));
  EXPECT_EQ(kept.Of("weir_kernel_dropped_packets"),
            (Values{{"namespace=shop pod=cart-0 class=rule reason=NETFILTER_DROP node=n1", 6},
                    {"pod=unknown class=unwanted reason=NO_SOCKET node=n1", 7}}));
  EXPECT_EQ(kept.Of("weir_softnet_dropped_packets"), (Values{{"cpu=3 node=n1", 8}}));
  EXPECT_EQ(kept.Of("weir_node_pressure_seconds"), (Values{{"resource=io node=n1", 1.5}}));
  EXPECT_EQ(kept.Of("weir_container_cpu_throttled_seconds"),
            (Values{{"namespace=shop pod=cart-0 container=app node=n1", 2.5}}));
  EXPECT_EQ(kept.Of("weir_rdma_io_bytes"), (Values{{"device=mlx5_0 port=1 direction=receive node=n1", 40}}));
}

TEST(NodeSamples, EfaCountersUnderTheirOwnNames) {
  NodeSnapshot snapshot;
  snapshot.efa.push_back({"efa_0", "1", {{0, 11}, {1, 12}}});
  const KeptSamples kept = Show(snapshot);
  const std::string labels = "instance_id=i-1 device=efa_0 port=1 node=n1 pod=unknown namespace=unknown";
  EXPECT_EQ(kept.Of("efa_tx_bytes"), (Values{{labels, 11}}));
  EXPECT_EQ(kept.Of("efa_rx_bytes"), (Values{{labels, 12}}));
  EXPECT_EQ(model::kEfaCounters.size(), 22U);
}

TEST(MetricFamilies, AreWellFormed) {
  std::set<std::string_view> names;
  for (const model::FamilyDescription& description : model::kAgentFamilies) {
    const MetricFamily& family = description.family;
    SCOPED_TRACE(family.name);
    EXPECT_TRUE(names.insert(family.name).second);
    EXPECT_EQ(family.name.starts_with("weir_"), description.role != model::FamilyRole::kCompatible);
    EXPECT_FALSE(family.name.ends_with("_total"));
    EXPECT_FALSE(family.help.empty());
    EXPECT_TRUE(family.name.ends_with(family.unit));
    size_t labels = 0;
    ForEachWord(family.labels, [&](std::string_view label) {
      ++labels;
      EXPECT_NE(model::AttributeOf(label), label) << label << " is not in WEIR_METRIC_LABELS";
    });
    EXPECT_LE(labels, FamilyOut::kMaxLabels);
  }
}

}  // namespace
}  // namespace weir::agent::metrics

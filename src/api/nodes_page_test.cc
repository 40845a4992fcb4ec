#include "api/nodes_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "api/fakes.h"
#include "api/openapi.h"
#include "api/routes.h"

namespace weir::api {
namespace {

using model::NodeSignal;

constexpr UnixMillis kNoon = 1'700'000'000'000;

store::NodeTotal Total(std::string subject, NodeSignal signal, uint64_t sum, uint64_t samples = 1,
                       UnixMillis first = kNoon, UnixMillis last = kNoon) {
  store::NodeTotal total;
  total.node = "n1";
  total.subject = std::move(subject);
  total.signal = signal;
  total.sum = total.last = total.highest = sum;
  total.samples = samples;
  total.first_time = first;
  total.last_time = last;
  return total;
}

NodesFacts SomeFacts() {
  NodesFacts facts;
  facts.range = {kNoon - 60'000, kNoon};
  facts.now = kNoon;
  server::AgentStatus agent;
  agent.node = "n1";
  agent.mode = "ebpf";
  agent.last_seen = kNoon - 500;
  agent.probes = {{"tcp_state", "on", "", ""}, {"node_rdma", "off", "no RDMA device", ""}};
  facts.agents = {agent};
  facts.totals.totals = {
      Total("", NodeSignal::node_pass_us, 900, 60, kNoon - 59'000, kNoon),
      Total("eth0", NodeSignal::interface_hardware, 1),
      Total("eth0", NodeSignal::interface_rx_bytes, 60'000),
      Total("veth1", NodeSignal::interface_hardware, 0),
      Total("veth1", NodeSignal::interface_rx_bytes, 60'000),
      Total("eth0", NodeSignal::allowance_bandwidth_in, 7, 2, kNoon - 9'000, kNoon - 8'000),
      Total("db", NodeSignal::cgroup_throttled, 3, 1, kNoon - 1'000, kNoon - 1'000),
      Total("db", NodeSignal::cgroup_throttled_us, 4'500, 1, kNoon - 1'000, kNoon - 1'000),
      Total("host", NodeSignal::tcp_retransmits, 12),
  };
  facts.recent.totals = {
      Total("", NodeSignal::node_pass_us, 0, 10, kNoon - 9'000, kNoon),  // ten readings, ten seconds
      Total("eth0", NodeSignal::interface_rx_bytes, 20'000),
      Total("veth1", NodeSignal::interface_rx_bytes, 20'000),
  };
  return facts;
}

TEST(NodesPage, ANodeIsItsInterfacesAndLimits) {
  const Json json = NodesJson(SomeFacts());
  ASSERT_EQ(json["nodes"].size(), 1U);
  const Json& node = json["nodes"][0];
  EXPECT_EQ(node["node"], "n1");
  EXPECT_FALSE(node["stale"].get<bool>());
  EXPECT_EQ(node["rx_bytes_per_second"], 2'000.0) << "hardware alone: the veth carries the same bytes again";
  EXPECT_EQ(node["tx_bytes_per_second"], 0.0);
  ASSERT_EQ(node["interfaces"].size(), 2U);
  EXPECT_EQ(node["interfaces"][0]["name"], "eth0");
  EXPECT_EQ(node["interfaces"][0]["rx_bytes"], 60'000);
  EXPECT_EQ(node["interfaces"][0]["rx_bytes_per_second"], 2'000.0);
  ASSERT_EQ(node["limits"].size(), 3U);
  EXPECT_EQ(node["limits"][0]["limit"], "CPU quota") << "the latest first";
  EXPECT_EQ(node["limits"][2]["signal"], "allowance.bandwidth_in_exceeded");
  EXPECT_EQ(node["limits"][2]["limit"], "inbound bandwidth");
  EXPECT_EQ(node["limits"][2]["count"], 7);
  EXPECT_EQ(node["limits"][2]["first"], "2023-11-14T22:13:11.000Z");
  EXPECT_NE(node["limits"][2]["meaning"], "");
  EXPECT_EQ(node["throttled"][0], Json::parse(R"({"cgroup": "db", "periods": 3, "microseconds": 4500})"));
  EXPECT_EQ(node["others"][0]["signal"], "tcp.retransmits") << "context, not evidence";
  ASSERT_EQ(node["probes"].size(), 1U) << "of this part of the agent";
  EXPECT_EQ(node["probes"][0]["name"], "node_rdma");
}

TEST(NodesPage, WhatANodeMayCarryIsToldWithItsSourceOrIsNull) {
  NodesFacts facts = SomeFacts();
  EXPECT_TRUE(NodesJson(facts)["nodes"][0]["capacity"].is_null());
  facts.capacities["n1"] = {.baseline_bits = 5e9, .peak_bits = 1e10, .source = "node label"};
  EXPECT_EQ(NodesJson(facts)["nodes"][0]["capacity"],
            Json::parse(R"({"baseline_bits": 5e9, "peak_bits": 1e10, "source": "node label"})"));
}

TEST(NodesPage, ANodeWithoutReadingsSaysSoWithNulls) {
  NodesFacts facts = SomeFacts();
  facts.totals.totals.clear();
  facts.recent.totals.clear();
  const Json node = NodesJson(facts)["nodes"][0];
  EXPECT_TRUE(node["pass_us"].is_null());
  EXPECT_TRUE(node["rx_bytes_per_second"].is_null());
  EXPECT_TRUE(node["limits"].empty());
  facts.agents.clear();
  EXPECT_TRUE(NodesJson(facts)["nodes"].empty());
}

TEST(NodesPage, ANamespaceWithoutHardwareIsItsOwnInterfaces) {
  NodesFacts facts = SomeFacts();
  facts.totals.totals[1].last = 0;  // eth0 is virtual too
  EXPECT_EQ(NodesJson(facts)["nodes"][0]["rx_bytes_per_second"], 4'000.0);
}

TEST(NodesPage, AStepThatWasNotReadIsNullNotZero) {
  store::NodeSeriesQuery query;
  query.range = {kNoon, kNoon + 4'000};
  query.node = "n1";
  query.signal = NodeSignal::qdisc_drops;
  query.any_subject = true;
  const store::NodeSeries series{1'000, {{kNoon + 1'000, 5}}};
  const store::NodeSeries heartbeats{1'000, {{kNoon, 1}, {kNoon + 1'000, 1}, {kNoon + 3'000, 1}}};
  EXPECT_EQ(NodeSeriesJson(query, series, heartbeats)["values"], Json::parse("[0, 5, null, 0]"));
  query.signal = NodeSignal::qdisc_backlog;
  EXPECT_EQ(NodeSeriesJson(query, series, heartbeats)["values"], Json::parse("[null, 5, null, null]"))
      << "a level that was not read is not known";
}

TEST(NodesPage, WindowsCarryTheirCause) {
  store::StoredRateWindow stored;
  stored.node = "n1";
  stored.window.subject = "eth0";
  stored.window.cause = NodeSignal::interface_rx_missed;
  stored.window.event = stored.window.start = kNoon;
  stored.window.step_us = {10'000};
  stored.window.rx_bytes = {7};
  const Json window = RateWindowsJson({kNoon, kNoon + 1}, {stored})["windows"][0];
  EXPECT_EQ(window["cause"], "interface.rx_missed");
  EXPECT_EQ(window["limit"], "receive ring");
  EXPECT_EQ(window["rx_bytes"], Json::parse("[7]"));
}

TEST(NodesPage, EveryOperationHasAnIdOfItsOwn) {
  const Json description = OpenApi(Routes());
  std::set<std::string> ids;
  for (const auto& [path, operations] : description["paths"].items()) {
    for (const auto& [method, operation] : operations.items()) {
      EXPECT_TRUE(ids.insert(operation["operationId"].get<std::string>()).second) << path;
    }
  }
  EXPECT_TRUE(ids.contains("getNodesSeries"));
  EXPECT_TRUE(ids.contains("getFlows"));
}

}  // namespace
}  // namespace weir::api

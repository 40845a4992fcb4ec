#include "server/server_metrics.h"

#include <gtest/gtest.h>

#include "base/kept_samples.h"

namespace weir::server {
namespace {

KeptSamples Seen(const ServerMetricsSources& sources) {
  KeptSamples seen;
  ServerMetrics(sources, 1'000).Visit(seen);
  for (const auto& [family, times] : seen.begun) EXPECT_EQ(times, 1) << family;
  return seen;
}

TEST(ServerMetrics, AgentsSpeakForThemselvesByTheirNode) {
  const auto agents = [] {
    AgentStatus one;
    one.node = "n1";
    one.counters = {{"weir_agent_ticks_total", 7},
                    {"weir_agent_cpu_microseconds_total", 2'500'000},
                    {"weir_server_batches_accepted_total", 99},
                    {"weir_agent_of_tomorrow_total", 1}};
    AgentStatus two = one;
    two.node = "n2";
    return std::vector<AgentStatus>{one, two};
  };
  const KeptSamples seen = Seen({.workloads = nullptr, .agents = agents, .diagnosis = nullptr});
  EXPECT_EQ(seen.values.at("weir_agent_ticks node=n1"), 7);
  EXPECT_EQ(seen.values.at("weir_agent_ticks node=n2"), 7);
  EXPECT_EQ(seen.values.at("weir_agent_cpu_seconds node=n1"), 2.5);
  EXPECT_EQ(seen.values.count("weir_agent_ticks"), 0U);
  EXPECT_EQ(seen.begun.count("weir_agent_of_tomorrow"), 0U);
  EXPECT_EQ(seen.begun.count("weir_server_batches_accepted"), 1U);  // this process' own, which no agent can speak for
  EXPECT_EQ(seen.values.count("weir_server_batches_accepted node=n1"), 0U);
}

TEST(ServerMetrics, AnUnknownIndicatorIsAbsent) {
  auto view = std::make_shared<DiagnosisView>();
  const auto sources = [&] {
    return ServerMetricsSources{.workloads = nullptr, .agents = nullptr, .diagnosis = [&] { return view; }};
  };
  EXPECT_EQ(Seen(sources()).begun.count("weir_findings_open"), 0U);  // nothing was judged yet
  view->judged = 5;
  diagnose::HealthIndicator node;
  node.scope = diagnose::NodeSubject("", "n1", "a");
  node.judged = 40;
  view->indicators = {node};
  KeptSamples seen = Seen(sources());
  EXPECT_EQ(seen.begun.count("weir_network_health_indicator"), 0U);
  EXPECT_EQ(seen.values.at("weir_network_health_judged_flows scope=node subject=node:n1"), 40);
  EXPECT_EQ(seen.values.at("weir_findings_open detector=loss confidence=high"), 0);

  view->indicators[0].value = 1;
  view->open.emplace_back().detector = diagnose::Detector::loss;
  view->open[0].level = diagnose::Level::kHigh;
  seen = Seen(sources());
  EXPECT_EQ(seen.values.at("weir_network_health_indicator scope=node subject=node:n1"), 1);
  EXPECT_EQ(seen.values.at("weir_findings_open detector=loss confidence=high"), 1);
}

}  // namespace
}  // namespace weir::server

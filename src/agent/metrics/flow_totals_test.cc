#include "agent/metrics/flow_totals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/kept_samples.h"
#include "base/metrics.h"

namespace weir::agent::metrics {
namespace {

using testing::IsEmpty;
using Values = std::map<std::string, double>;

constexpr uint32_t kHost = 1;
constexpr Nanos kMinute = 60'000'000'000;
const std::string kContainer(64, 'a');

PodLabels Name(const std::string&, const std::string& container) {
  return container == kContainer ? PodLabels{"kube-system", "proxy-0", "DaemonSet", "proxy", "", "uid-1"} : PodLabels{};
}

model::SideReport Report(uint32_t netns, const std::string& container, model::Side side = model::Side::kClient) {
  model::SideReport report;
  report.ends.netns = netns;
  report.ends.side = side;
  report.identity.container = container;
  return report;
}

struct FlowTotalsTest : testing::Test {
  KeptSamples Show(const std::vector<PodLabels>& pods = {}) const {
    LabelContext common;
    common.node = "n1";
    const std::vector<FlowTotals::Item> items = totals.Take();
    const FlowSamples samples(items, pods, common, Name);
    KeptSamples kept;
    for (size_t i = 0; i < model::kAgentFamilyCount; ++i) {
      const auto family = static_cast<model::AgentFamily>(i);
      FamilyOut out(model::Describe(family).family, kept);
      samples.AddTo(family, out);
    }
    return kept;
  }
  FakeClock clock;
  FlowTotals totals{kHost, clock};
};

TEST_F(FlowTotalsTest, APodOfTheNodesNetworkByItsSockets) {
  model::SideReport report = Report(kHost, kContainer);
  report.counters.bytes_sent = 100;
  report.counters.bytes_received = 900;
  report.counters.segments_sent = 2;
  report.counters.segments_received = 3;
  report.counters.opened = 4;
  model::SideReport served = Report(kHost, kContainer, model::Side::kServer);
  served.counters.bytes_received = 50;
  served.counters.opened = 1;
  model::SideReport nobody = Report(kHost, "");
  nobody.counters.bytes_sent = 7;
  totals.Add({report, served, nobody});
  totals.Add({report});
  const KeptSamples kept = Show();
  const std::string labels = "iface=host pod=proxy-0 namespace=kube-system node=n1";
  EXPECT_EQ(kept.Of("ingress_bytes"), (Values{{labels, 1'850}}));
  EXPECT_EQ(kept.Of("egress_bytes"), (Values{{labels, 200}}));
  EXPECT_EQ(kept.Of("ingress_packets"), (Values{{labels, 6}}));
  EXPECT_EQ(kept.Of("egress_packets"), (Values{{labels, 4}}));
  EXPECT_EQ(kept.Of("ingress_flow"), (Values{{labels, 1}}));
  EXPECT_EQ(kept.Of("egress_flow"), (Values{{labels, 8}}));
  EXPECT_EQ(kept.Of("weir_host_network_pod_io_bytes"),
            (Values{{"namespace=kube-system pod=proxy-0 direction=receive node=n1", 1'850},
                    {"namespace=kube-system pod=proxy-0 direction=transmit node=n1", 200}}));
  EXPECT_EQ(kept.created.at("ingress_bytes " + labels), clock.WallMillis());
}

TEST_F(FlowTotalsTest, AnInterfacesTrafficIsNotCountedTwice) {
  model::SideReport report = Report(7, kContainer);
  report.counters.bytes_sent = 100;
  report.counters.failed_refused = 2;
  report.counters.late_segments = 3;
  totals.Add({report});
  const KeptSamples kept = Show();
  EXPECT_THAT(kept.Of("ingress_bytes"), IsEmpty());
  EXPECT_EQ(kept.Of("weir_tcp_connections_failed").at("namespace=kube-system pod=proxy-0 reason=refused node=n1"), 2);
  EXPECT_EQ(kept.Of("weir_tcp_connections_failed").size(), 6U);
  EXPECT_EQ(kept.Of("weir_tcp_late_segments"), (Values{{"namespace=kube-system pod=proxy-0 node=n1", 3}}));
}

TEST_F(FlowTotalsTest, ServersDoNotFail) {
  model::SideReport report = Report(7, kContainer, model::Side::kServer);
  report.counters.failed_refused = 2;
  totals.Add({report});
  EXPECT_EQ(Show().Of("weir_tcp_connections_failed").at("namespace=kube-system pod=proxy-0 reason=refused node=n1"), 0);
}

TEST_F(FlowTotalsTest, DnsByResult) {
  model::SideReport report = Report(7, kContainer);
  report.request = {"dns", "A", "example.com", "NOERROR"};
  report.counters.requests = 2;
  report.counters.request_latency_histogram.Add(900, 2);
  report.counters.request_latency_sum_us = 1'800;
  model::SideReport late = report;
  late.request.result = "timeout";
  late.counters = {};
  late.counters.requests = 1;
  model::SideReport http = report;
  http.request.application = "http1";
  http.counters.bytes_sent = 99;
  totals.Add({report, late, http});
  const KeptSamples kept = Show();
  EXPECT_EQ(kept.Of("weir_dns_lookups"), (Values{{"namespace=kube-system pod=proxy-0 result=NOERROR node=n1", 2},
                                                 {"namespace=kube-system pod=proxy-0 result=timeout node=n1", 1}}));
  EXPECT_EQ(kept.Of("weir_dns_lookup_duration_seconds"),
            (Values{{"namespace=kube-system pod=proxy-0 node=n1 count", 2},
                    {"namespace=kube-system pod=proxy-0 node=n1 sum", 0.0018}}));
}

TEST_F(FlowTotalsTest, APodThatIsThereIsShownBeforeItFails) {
  const PodLabels pod{"shop", "cart-0", "", "", "", "uid-2"};
  EXPECT_EQ(Show({pod}).Of("weir_tcp_connections_failed").at("namespace=shop pod=cart-0 reason=refused node=n1"), 0);
  totals.Add({Report(7, kContainer)});
  EXPECT_EQ(Show({{"kube-system", "proxy-0", "", "", "", ""}}).Of("weir_tcp_late_segments").size(), 1U);
}

TEST_F(FlowTotalsTest, TheSilentLeaveAndBoundsHold) {
  totals.Add({Report(kHost, kContainer)});
  clock.Advance(9 * kMinute);
  totals.Add({});
  EXPECT_EQ(totals.Take().size(), 1U);
  clock.Advance(2 * kMinute);
  totals.Add({});
  EXPECT_THAT(totals.Take(), IsEmpty());
  const uint64_t full = Read(Metric::agent_metrics_pods_full);
  std::vector<model::SideReport> many;
  for (size_t i = 0; i < FlowTotals::kMaxPods + 2; ++i) many.push_back(Report(kHost, std::to_string(i)));
  totals.Add(many);
  EXPECT_EQ(totals.Take().size(), FlowTotals::kMaxPods);
  EXPECT_EQ(Read(Metric::agent_metrics_pods_full), full + 2);
}

TEST(HistogramTotal, ShowsWhatLiesBelowEachPowerOfTwo) {
  model::HistogramTotal total;
  model::Histogram histogram;
  for (const uint64_t us : {1, 100, 255, 256, 300, 511, 512, 1'000'000, 100'000'000}) histogram.Add(us);
  total.Add(histogram, 101'001'935);
  const std::vector<double> bounds = model::kLookupBounds.InSeconds();
  EXPECT_EQ(bounds.front(), 0.000256);
  std::vector<uint64_t> buckets;
  const HistogramSample shown = total.Show(model::kLookupBounds, bounds, buckets);
  EXPECT_EQ(shown.buckets[0], 3U) << "below 256 us";
  EXPECT_EQ(shown.buckets[1], 3U) << "256 to 511 us";
  EXPECT_EQ(shown.buckets[2], 1U);
  EXPECT_EQ(shown.buckets[12], 1U) << "a second lies below 2^20 us";
  EXPECT_EQ(shown.buckets.back(), 1U) << "beyond the last bound";
  EXPECT_NEAR(shown.sum, 101.001935, 1e-9);
}

}  // namespace
}  // namespace weir::agent::metrics

#include "telemetry/otlp_metrics.h"

#include <gtest/gtest.h>

#include <array>

#include "model/metric_families.h"

namespace weir::telemetry {
namespace {

const model::FamilyDescription& Io() { return model::Describe(model::AgentFamily::pod_network_io); }

TEST(OtlpMetrics, NamesAndUnitsAreOpenTelemetrys) {
  EXPECT_EQ(OtelNameOf(Io().family), "k8s.pod.network.io");
  EXPECT_EQ(OtelUnitOf(Io().family), "By");
  const MetricFamily& failed = model::Describe(model::ServerFamily::workload_failed).family;
  EXPECT_EQ(OtelNameOf(failed), "weir.workload.connections_failed");
  EXPECT_EQ(OtelUnitOf(failed), "1");
  EXPECT_EQ(OtelNameOf(model::Describe(model::ServerFamily::workload_rtt).family), "weir.workload.round_trip");
  EXPECT_EQ(OtelNameOf(model::Describe(model::AgentFamily::ingress_bytes).family), "ingress_bytes");
}

TEST(OtlpMetrics, CountersAreCumulativeSinceTheirBeginning) {
  const ResourceAttributes resource{{"service.name", "weir"}, {"k8s.cluster.name", ""}};
  OtlpMetrics metrics(resource, 9'000, 1'000);
  metrics.Begin(Io().family);
  metrics.Add(std::array<std::string_view, 5>{"shop", "web-1", "eth0", "receive", ""}, 42, 2'000);
  metrics.Add(std::array<std::string_view, 5>{"shop", "web-2", "eth0", "receive", "n1"}, 43, 0);
  const std::vector<Encoded> requests = metrics.Finish();
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].items, 2U);
  otlp::MetricsRequest request;
  ASSERT_TRUE(request.ParseFromString(requests[0].body));
  const otlp::ResourceMetrics& part = request.resource_metrics(0);
  ASSERT_EQ(part.resource().attributes_size(), 1);
  EXPECT_EQ(part.scope_metrics(0).scope().name(), "weir");
  const otlp::Metric& metric = part.scope_metrics(0).metrics(0);
  EXPECT_TRUE(metric.sum().monotonic());
  EXPECT_EQ(metric.sum().temporality(), otlp::CUMULATIVE);
  ASSERT_EQ(metric.sum().points_size(), 2);
  const otlp::NumberPoint& point = metric.sum().points(0);
  EXPECT_EQ(point.as_double(), 42);
  EXPECT_EQ(point.start_time_unix_nano(), 2'000'000'000U);
  EXPECT_EQ(point.time_unix_nano(), 9'000'000'000U);
  EXPECT_EQ(point.attributes_size(), 4);
  EXPECT_EQ(point.attributes(0).key(), "k8s.namespace.name");
  EXPECT_EQ(point.attributes(3).key(), "network.io.direction");
  EXPECT_EQ(metric.sum().points(1).start_time_unix_nano(), 1'000'000'000U);
}

TEST(OtlpMetrics, AHistogramKeepsItsBuckets) {
  const ResourceAttributes resource;
  OtlpMetrics metrics(resource, 9'000, 1'000);
  const std::array<double, 2> bounds{0.5, 1};
  const std::array<uint64_t, 3> buckets{1, 2, 3};
  metrics.Begin(model::Describe(model::ServerFamily::dns_request_duration).family);
  metrics.AddHistogram(std::array<std::string_view, 2>{"shop", "web"}, {bounds, buckets, 4.5}, 0);
  otlp::MetricsRequest request;
  ASSERT_TRUE(request.ParseFromString(metrics.Finish().at(0).body));
  const otlp::Metric& metric = request.resource_metrics(0).scope_metrics(0).metrics(0);
  EXPECT_EQ(metric.name(), "dns.lookup.duration");
  const otlp::HistogramPoint& point = metric.histogram().points(0);
  EXPECT_EQ(point.count(), 6U);
  EXPECT_EQ(point.sum(), 4.5);
  EXPECT_EQ(point.bucket_counts_size(), 3);
  EXPECT_EQ(point.explicit_bounds_size(), 2);
}

TEST(OtlpMetrics, RequestsAreBoundedAndSplitFamilies) {
  const ResourceAttributes resource;
  OtlpMetrics metrics(resource, 9'000, 1'000);
  metrics.Begin(model::Describe(model::AgentFamily::conntrack_entries).family);
  for (int i = 0; i < 4'001; ++i) metrics.Add(std::array<std::string_view, 1>{"n1"}, i, 0);
  const std::vector<Encoded> requests = metrics.Finish();
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_EQ(requests[2].items, 1U);
  otlp::MetricsRequest request;
  ASSERT_TRUE(request.ParseFromString(requests[2].body));
  EXPECT_EQ(request.resource_metrics(0).scope_metrics(0).metrics(0).gauge().points(0).as_double(), 4'000);
}

}  // namespace
}  // namespace weir::telemetry

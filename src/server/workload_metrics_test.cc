#include "server/workload_metrics.h"

#include <gtest/gtest.h>

#include "base/kept_samples.h"
#include "base/metrics.h"

namespace weir::server {
namespace {

model::EntityRef Workload(std::string name_space, std::string workload, std::string zone = "") {
  auto entity = std::make_shared<model::Entity>();
  entity->namespace_ = std::move(name_space);
  entity->workload = std::move(workload);
  entity->zone = std::move(zone);
  return entity;
}

model::FlowRow Row(const std::string& client, const std::string& server, uint64_t bytes) {
  model::FlowRow row;
  row.protocol = "tcp";
  row.client = Workload("shop", client, "a");
  row.server = Workload("shop", server, "b");
  row.bytes_to_server = bytes;
  row.bytes_to_client = 2 * bytes;
  return row;
}

std::string Labels(const std::string& client, const std::string& server) {
  return "client_namespace=shop client_workload=" + client + " server_namespace=shop server_workload=" + server;
}

class WorkloadMetricsTest : public testing::Test {
 protected:
  KeptSamples Seen() const {
    KeptSamples seen;
    metrics_.Visit(seen);
    for (const auto& [family, times] : seen.begun) EXPECT_EQ(times, 1) << family;
    return seen;
  }

  FakeClock clock_;
  WorkloadMetrics metrics_{{.max_pairs = 2, .max_workloads = 2, .time_to_live_ms = 900'000}, clock_};
};

TEST_F(WorkloadMetricsTest, AddsUpWhatAPairDoesByDirectionAndCause) {
  model::FlowRow row = Row("web", "db", 1'000);
  row.connections_opened = 3;
  row.failed_refused = 2;
  row.connect_count = 3;
  row.connect_sum_us = 1'500'000;
  row.retransmits_to_client = 4;
  row.late_segments_to_server = 5;
  metrics_.Add({row, row});
  const KeptSamples seen = Seen();
  const std::string pair = Labels("web", "db");
  EXPECT_EQ(seen.values.at("weir_workload_io_bytes " + pair + " direction=to_server"), 2'000);
  EXPECT_EQ(seen.values.at("weir_workload_io_bytes " + pair + " direction=to_client"), 4'000);
  EXPECT_EQ(seen.values.at("weir_workload_connections_opened " + pair), 6);
  EXPECT_EQ(seen.values.at("weir_workload_connections_failed " + pair + " reason=refused"), 4);
  EXPECT_EQ(seen.values.at("weir_workload_connections_failed " + pair + " reason=timed_out"), 0);
  EXPECT_EQ(seen.values.at("weir_workload_connect_seconds " + pair + " count"), 6);
  EXPECT_EQ(seen.values.at("weir_workload_connect_seconds " + pair + " sum"), 3);
  EXPECT_EQ(seen.values.at("weir_workload_retransmitted_segments " + pair + " direction=to_client"), 8);
  EXPECT_EQ(seen.values.at("weir_workload_late_segments " + pair + " direction=to_server"), 10);
  EXPECT_EQ(seen.values.at("weir_zone_io_bytes " + pair + " client_zone=a server_zone=b direction=to_server"), 2'000);
  EXPECT_EQ(seen.created.at("weir_workload_connections_opened " + pair), clock_.WallMillis());
  EXPECT_EQ(seen.begun.count("weir_workload_cost_dollars"), 0U);  // no price is not a price of 0
}

TEST_F(WorkloadMetricsTest, SaysWhatTrafficCostsWhereItHasAPrice) {
  model::FlowRow row = Row("web", "db", 1'000);
  row.cost_nano_usd = 1'500'000'000;
  metrics_.Add({row});
  EXPECT_EQ(Seen().values.at("weir_workload_cost_dollars " + Labels("web", "db")), 1.5);
}

TEST_F(WorkloadMetricsTest, FoldsTheRestAndCountsIt) {
  const uint64_t folded = Read(Metric::server_pair_rows_folded);
  std::vector<model::FlowRow> rows;
  for (int i = 0; i < 10; ++i) rows.push_back(Row("web" + std::to_string(i), "db", 100));
  metrics_.Add(rows);
  const KeptSamples seen = Seen();
  EXPECT_EQ(Read(Metric::server_pair_rows_folded) - folded, 8U);
  EXPECT_EQ(Read(Metric::server_pairs), 2U);
  double sum = 0;
  const std::map<std::string, double> bytes = seen.Of("weir_workload_io_bytes");
  for (const auto& [labels, value] : bytes) sum += value;
  EXPECT_EQ(sum, 10 * 300);  // nothing is lost by folding
  EXPECT_EQ(bytes.size(), 2U * 3U);
  EXPECT_EQ(
      bytes.at("client_namespace=(other) client_workload=(other) server_namespace=(other) server_workload=(other) "
               "direction=to_server"),
      800);
}

TEST_F(WorkloadMetricsTest, ABusyNewcomerTakesThePlaceOfAQuietPair) {
  metrics_.Add({Row("quiet", "db", 1), Row("loud", "db", 1'000'000)});
  metrics_.Add({Row("new", "db", 5'000'000)});
  clock_.Advance(61'000'000'000);
  metrics_.Add({Row("new", "db", 7'000'000)});  // sweeps
  clock_.Advance(61'000'000'000);
  metrics_.Add({Row("new", "db", 10)});
  const std::map<std::string, double> bytes = Seen().Of("weir_workload_io_bytes");
  EXPECT_EQ(bytes.count(Labels("quiet", "db") + " direction=to_server"), 0U);
  EXPECT_EQ(bytes.count(Labels("loud", "db") + " direction=to_server"), 1U);
  EXPECT_EQ(bytes.count(Labels("new", "db") + " direction=to_server"), 1U);
}

TEST_F(WorkloadMetricsTest, PairsNothingIsHeardOfGoAway) {
  metrics_.Add({Row("gone", "db", 100)});
  clock_.Advance(901'000'000'000);
  metrics_.Add({Row("web", "db", 100)});
  const std::map<std::string, double> bytes = Seen().Of("weir_workload_io_bytes");
  EXPECT_EQ(bytes.count(Labels("gone", "db") + " direction=to_server"), 0U);
  EXPECT_EQ(bytes.count(Labels("web", "db") + " direction=to_server"), 1U);
}

TEST_F(WorkloadMetricsTest, StreamsAndUnaryAnswersAreApart) {
  model::FlowRow row = Row("web", "llm", 0);
  row.requests = 10;
  row.application = "http1";
  row.result = "200";
  row.first_chunk_histogram.Add(50'000);
  row.first_chunk_sum_us = 50'000;
  model::FlowRow stream = row;
  stream.requests_streamed = 10;
  metrics_.Add({row, stream, stream});
  const KeptSamples seen = Seen();
  const std::string server = "server_namespace=shop server_workload=llm ";
  EXPECT_EQ(seen.values.at("weir_http_server_time_to_first_chunk_seconds " + server + "streaming=false count"), 1);
  EXPECT_EQ(seen.values.at("weir_http_server_time_to_first_chunk_seconds " + server + "streaming=true count"), 2);
  EXPECT_EQ(seen.values.at("weir_http_server_requests " + server + "streaming=true result=2xx"), 20);
  EXPECT_EQ(seen.begun.count("weir_workload_io_bytes"), 0U);  // its transport is a row of its own
}

TEST_F(WorkloadMetricsTest, RowsThatAreHistoryAreCountedAndLeftOut) {
  const uint64_t late = Read(Metric::server_pair_rows_late);
  LiveBlock block;
  block.late = true;
  block.rows = {Row("web", "db", 100)};
  metrics_.Take(std::make_shared<const LiveBlock>(block));
  EXPECT_EQ(Read(Metric::server_pair_rows_late) - late, 1U);
  EXPECT_TRUE(Seen().begun.empty());
  const uint64_t lost = Read(Metric::server_pair_rows_lost);
  metrics_.Lost(7);
  EXPECT_EQ(Read(Metric::server_pair_rows_lost) - lost, 7U);
}

TEST(WorkloadNameOf, IsTheBestThereIs) {
  model::Entity end;
  const model::Address inside = *model::Address::Parse("10.0.0.1");
  EXPECT_EQ(WorkloadNameOf(end, inside), "private");
  EXPECT_EQ(WorkloadNameOf(end, *model::Address::Parse("8.8.8.8")), "internet");
  EXPECT_EQ(WorkloadNameOf(end, model::Address()), "unknown");
  end.process = "curl";
  EXPECT_EQ(WorkloadNameOf(end, inside), "curl");
  end.external_name = "s3.amazonaws.com";
  EXPECT_EQ(WorkloadNameOf(end, inside), "s3.amazonaws.com");
  end.workload = "web";
  EXPECT_EQ(WorkloadNameOf(end, inside), "web");
}

}  // namespace
}  // namespace weir::server

#include "telemetry/push.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <snappy.h>

#include <array>

#include "base/metrics.h"
#include "foreign/otlp.pb.h"
#include "foreign/remote_write.pb.h"
#include "net/gzip.h"
#include "telemetry/test_receiver.h"

namespace weir::telemetry {
namespace {

using testing::HasSubstr;

constexpr MetricFamily kFamily{"weir_things", FamilyType::kGauge, "", "", "", "Things."};

void OneThing(MetricVisitor& visitor) {
  visitor.Begin(kFamily);
  visitor.Add({}, 1);
}

server::LiveBlockRef Block(size_t rows) {
  server::LiveBlock block;
  block.stored = 7;
  block.rows.resize(rows);
  return std::make_shared<const server::LiveBlock>(std::move(block));
}

class PushTest : public testing::Test {
 protected:
  std::unique_ptr<Push> Make(PushOptions options) {
    auto push = Push::Create(std::move(options), clock_, [this] { return receiver_.Client(); });
    EXPECT_TRUE(push.ok()) << push.status().message();
    return *std::move(push);
  }

  SystemClock clock_;
  TestReceiver receiver_;
};

TEST_F(PushTest, RefusesWhatIsNoAddress) {
  const auto refusal = [&](PushOptions options) {
    const auto push = Push::Create(std::move(options), clock_);
    return push.ok() ? "" : push.status().message();
  };
  PushOptions options;
  options.remote_write = {"prometheus:9090"};
  EXPECT_THAT(refusal(options), HasSubstr("--remote-write prometheus:9090 is no URL; write http://"));
  options.remote_write = {};
  options.otlp = "grpc://collector";
  EXPECT_THAT(refusal(options), HasSubstr("--otlp"));
  options.otlp = "";
  options.flows = true;
  EXPECT_THAT(refusal(options), HasSubstr("nowhere"));
}

TEST_F(PushTest, SendsRemoteWriteAsItsSpecificationSays) {
  PushOptions options;
  options.remote_write = {"http://receiver/api/v1/write"};
  options.headers = {{"Authorization", "Bearer x"}};
  options.instance = "server-0";
  const std::unique_ptr<Push> push = Make(options);
  push->Start(OneThing);
  const net::ClientRequest request = receiver_.Await(1).at(0);
  EXPECT_EQ(request.url, "http://receiver/api/v1/write");
  EXPECT_EQ(request.headers.at("Content-Type"), "application/x-protobuf");
  EXPECT_EQ(request.headers.at("Content-Encoding"), "snappy");
  EXPECT_EQ(request.headers.at("X-Prometheus-Remote-Write-Version"), "0.1.0");
  EXPECT_EQ(request.headers.at("Authorization"), "Bearer x");
  EXPECT_THAT(request.headers.at("User-Agent"), HasSubstr("weir/"));
  std::string plain;
  ASSERT_TRUE(snappy::Uncompress(request.body.data(), request.body.size(), &plain));
  remote_write::Request decoded;
  ASSERT_TRUE(decoded.ParseFromString(plain));
  EXPECT_EQ(decoded.series(0).labels(1).value(), "server-0");
}

TEST_F(PushTest, SendsMetricsAndFlowsByOtlp) {
  PushOptions options;
  options.otlp = "http://collector:4318/";
  options.flows = true;
  const std::unique_ptr<Push> push = Make(options);
  push->Start(OneThing);
  push->Take(Block(3));
  std::map<std::string, net::ClientRequest> requests;
  for (const net::ClientRequest& request : receiver_.Await(2)) requests[request.url] = request;
  for (const auto& [url, request] : requests) EXPECT_EQ(request.headers.at("Content-Encoding"), "gzip");
  otlp::LogsRequest logs;
  ASSERT_TRUE(logs.ParseFromString(*net::Gunzip(requests.at("http://collector:4318/v1/logs").body, 1 << 20)));
  EXPECT_EQ(logs.resource_logs(0).scope_logs(0).log_records_size(), 3);
  otlp::MetricsRequest metrics;
  ASSERT_TRUE(metrics.ParseFromString(*net::Gunzip(requests.at("http://collector:4318/v1/metrics").body, 1 << 20)));
  EXPECT_EQ(metrics.resource_metrics(0).scope_metrics(0).metrics(0).name(), "weir.things");
}

TEST_F(PushTest, FlowsThatFindNoRoomAreCounted) {
  PushOptions options;
  options.otlp = "http://collector:4318";
  options.flows = true;
  options.max_queued_rows = 10;
  const std::unique_ptr<Push> push = Make(options);  // its thread takes nothing yet
  const uint64_t lost = Read(Metric::push_otlp_rows_lost);
  push->Take(Block(8));
  push->Take(Block(8));
  EXPECT_EQ(Read(Metric::push_otlp_rows_lost) - lost, 8U);
  push->Lost(5);
  EXPECT_EQ(Read(Metric::push_otlp_rows_lost) - lost, 13U);
}

TEST_F(PushTest, ReadsWhatACollectorRefused) {
  otlp::Answer answer;
  answer.mutable_partial_success()->set_rejected(1);
  receiver_.Say(200, answer.SerializeAsString());
  PushOptions options;
  options.otlp = "http://collector:4318";
  const std::unique_ptr<Push> push = Make(options);
  const uint64_t rejected = Read(Metric::push_otlp_rejected);
  push->Start(OneThing);
  receiver_.Await(1);
  push->Stop();
  EXPECT_EQ(Read(Metric::push_otlp_rejected) - rejected, 1U);
}

TEST_F(PushTest, WaitsForWhatItMayAndLosesWhatItMust) {
  receiver_.Say(501);  // which OTLP takes as final, and remote write does not
  PushOptions options;
  options.otlp = "http://collector:4318";
  const std::unique_ptr<Push> push = Make(options);
  const uint64_t rejected = Read(Metric::push_otlp_rejected);
  push->Start(OneThing);
  receiver_.Await(1);
  push->Stop();
  EXPECT_EQ(Read(Metric::push_otlp_rejected) - rejected, 1U);
}

}  // namespace
}  // namespace weir::telemetry

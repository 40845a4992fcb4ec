#include "agent/requests/request_table.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "agent/identity/identity_index.h"
#include "agent/requests/grpc_status.h"
#include "agent/requests/turn_builder.h"

namespace weir::agent::requests {
namespace {

Turn Answered(const std::string& resource, int status, int64_t latency_us) {
  Turn turn;
  turn.outcome = TurnOutcome::kAnswered;
  turn.application = "http1";
  turn.method = "GET";
  turn.resource = resource;
  turn.status = status;
  turn.latency_us = latency_us;
  turn.duration_us = latency_us + 10;
  return turn;
}

class RequestTableTest : public testing::Test {
 protected:
  std::vector<model::SideReport> Emit() {
    std::vector<model::SideReport> reports;
    table_.Emit(reports);
    return reports;
  }

  FakeClock clock_;
  identity::IdentityIndex identities_{{.cgroup = "/nonexistent", .proc = "/nonexistent", .netns = {}}, clock_};
  RequestTable table_{identities_};
  weir_step_head ends_ = MakeHead(WEIR_STEP_ANSWER, 0, "");
};

TEST_F(RequestTableTest, TurnsOfAKindAddUp) {
  table_.Add(ends_, Answered("/a", 200, 100));
  table_.Add(ends_, Answered("/a", 200, 300));
  const auto reports = Emit();
  ASSERT_EQ(reports.size(), 1U);
  const model::SideReport& report = reports[0];
  EXPECT_EQ(report.ends.side, model::Side::kServer);
  EXPECT_EQ(report.ends.client_address, model::Address::FromV4(ends_.remote_address[0]));
  EXPECT_EQ(report.ends.server_port, 8080);
  EXPECT_EQ(report.ends.netns, 7U);
  EXPECT_EQ(report.identity.process, "server");
  EXPECT_EQ(report.request, (model::RequestKind{"http1", "GET", "/a", "200"}));
  EXPECT_EQ(report.counters.requests, 2U);
  EXPECT_EQ(report.counters.request_latency_count, 2U);
  EXPECT_EQ(report.counters.request_latency_sum_us, 400U);
  EXPECT_EQ(report.counters.request_latency_max_us, 300U);
  EXPECT_EQ(report.counters.request_latency_histogram.total(), 2U);
  EXPECT_EQ(report.counters.request_duration_sum_us, 420U);
  EXPECT_EQ(report.counters.first_chunk_count, 0U);
  EXPECT_TRUE(Emit().empty());
}

TEST_F(RequestTableTest, OutcomesAreCounted) {
  table_.Add(ends_, Answered("/a", 503, 1));
  Turn turn = Answered("/a", 0, -1);
  turn.outcome = TurnOutcome::kUnanswered;
  turn.duration_us = -1;
  table_.Add(ends_, turn);
  Turn unusable;
  unusable.application = "h2";
  table_.Add(ends_, unusable);
  model::SideCounters sum;
  for (const auto& report : Emit()) {
    sum.requests += report.counters.requests;
    sum.requests_failed += report.counters.requests_failed;
    sum.requests_unanswered += report.counters.requests_unanswered;
    sum.requests_unusable += report.counters.requests_unusable;
    EXPECT_EQ(report.request.application == "h2", report.counters.requests_unusable == 1);
  }
  EXPECT_EQ(sum.requests, 2U);
  EXPECT_EQ(sum.requests_failed, 1U);
  EXPECT_EQ(sum.requests_unanswered, 1U);
  EXPECT_EQ(sum.requests_unusable, 1U);
}

TEST_F(RequestTableTest, ACallThatFailedIsNoSuccessForItsHttpStatus) {
  const auto call = [this](int grpc_status, int status = 200) {
    Turn turn = Answered("/shop.Shop/Buy", status, 1);
    turn.grpc_status = grpc_status;
    table_.Add(ends_, turn);
    const auto reports = Emit();
    return reports[0].request.result + " " + std::to_string(reports[0].counters.requests_failed);
  };
  EXPECT_EQ(call(0), "200 0");
  EXPECT_EQ(call(-1), "200 0") << "not known, or not gRPC";
  EXPECT_EQ(call(14), "UNAVAILABLE 1");
  EXPECT_EQ(call(5), "NOT_FOUND 0");
  EXPECT_EQ(call(kNoGrpcStatus), "no_grpc_status 1");
  EXPECT_EQ(call(14, 503), "503 1") << "counted once";
}

TEST_F(RequestTableTest, TemplatesArePerPortAndBounded) {
  for (int i = 0; i < 300; ++i) table_.Add(ends_, Answered("/p" + std::to_string(i), 200, 1));
  weir_step_head other = ends_;
  other.local_port = 8081;
  table_.Add(other, Answered("/p299", 200, 1));
  const auto reports = Emit();
  EXPECT_EQ(reports.size(), RequestTable::kMaxTemplates + 2);
  uint64_t folded = 0;
  for (const auto& report : reports) folded += report.request.resource == "(other)" ? report.counters.requests : 0;
  EXPECT_EQ(folded, 100U);
  table_.Add(ends_, Answered("/p299", 200, 1));
  EXPECT_EQ(Emit()[0].request.resource, "/p299") << "each interval anew";
}

}  // namespace
}  // namespace weir::agent::requests

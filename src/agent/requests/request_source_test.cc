// The source over a probe that plays steps.
#include "agent/requests/request_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "agent/requests/turn_builder.h"

namespace weir::agent::requests {
namespace {

class PlayedProbe final : public RequestProbe {
 public:
  explicit PlayedProbe(RequestLosses& losses, const RequestHooks& hooks = {}) : losses_(losses), hooks_(hooks) {}
  void Drain(StepSink& sink) override {
    if (std::exchange(played_, true)) return;
    sink.OnHead(MakeHead(WEIR_STEP_REQUEST, 10, "GET /a HTTP/1.1\r\n\r\n"));
    sink.OnHead(MakeHead(WEIR_STEP_ANSWER, 12, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  }
  RequestLosses Losses() override { return losses_; }
  void ForgetPorts(bool) override {}
  RequestHooks Hooks() const override { return hooks_; }

 private:
  RequestLosses& losses_;
  const RequestHooks hooks_;
  bool played_ = false;
};

TEST(RequestSourceTest, WhatCannotStartIsAReportWithARemedy) {
  FakeClock clock;
  auto source = MakeRequestSource(
      [](const RequestProbeOptions&) {
        return Result<std::unique_ptr<RequestProbe>>(Status::Unsupported("no hook").WithRemedy("use 6.99"));
      },
      source::SystemSurroundings(clock));
  source->Start();
  source->Poll();
  Collection out;
  source->Collect(0, out);
  EXPECT_TRUE(out.reports.empty());
  EXPECT_EQ(source->names().Find(1, 0, 10), 0U);
  ASSERT_EQ(source->Probes().size(), 1U);
  EXPECT_EQ(source->Probes()[0].state, "failed");
  EXPECT_EQ(source->Probes()[0].reason, "no hook");
  EXPECT_THAT(source->Probes()[0].hint, testing::StartsWith("use 6.99; everything else"));
}

TEST(RequestSourceTest, WhatTheHooksDoNotSeeIsSaid) {
  FakeClock clock;
  RequestLosses losses;
  RequestHooks hooks{.write_tracepoint = false};
  const auto open = [&] {
    auto made = MakeRequestSource(
        [&](const RequestProbeOptions&) {
          return Result<std::unique_ptr<RequestProbe>>(std::make_unique<PlayedProbe>(losses, hooks));
        },
        source::SystemSurroundings(clock));
    made->Start();
    return made;
  };
  auto source = open();
  EXPECT_EQ(source->Probes()[0].state, "fallback");
  EXPECT_THAT(source->Probes()[0].reason, testing::HasSubstr("fentry"));
  EXPECT_THAT(source->Probes()[0].hint, testing::HasSubstr("6.16"));
  hooks.segment_dynptr = hooks.segment_fragments = false;
  source = open();
  EXPECT_EQ(source->Probes()[0].state, "fallback");
  EXPECT_THAT(source->Probes()[0].reason, testing::HasSubstr("most requests are not seen"));
  EXPECT_THAT(source->Probes()[0].hint, testing::HasSubstr("CAP_SYSLOG"));
}

TEST(RequestSourceTest, GivenUpItLetsGoAndBeginsAnewAfterwards) {
  FakeClock clock;
  RequestLosses losses;
  int opened = 0;
  auto source = MakeRequestSource(
      [&](const RequestProbeOptions&) {
        ++opened;
        return Result<std::unique_ptr<RequestProbe>>(std::make_unique<PlayedProbe>(losses));
      },
      source::SystemSurroundings(clock));
  source->Start();
  EXPECT_EQ(source->Dispensable(), MaskOf(GivenUp::kRequests));
  Restraint restraint;
  restraint.Set(GivenUp::kRequests, "too much");
  source->Restrain(restraint);
  source->Restrain(restraint);
  EXPECT_EQ(source->Probes()[0].state, "off");
  EXPECT_EQ(source->Probes()[0].reason, "too much");
  Collection out;
  source->Poll();
  source->Collect(20'000'000, out);
  EXPECT_EQ(out.reports.size(), 1U) << "what was seen until then";
  EXPECT_EQ(source->Dispensable(), MaskOf(GivenUp::kRequests)) << "or nobody would take it back";
  out = {};
  source->Collect(30'000'000, out);
  EXPECT_TRUE(out.reports.empty());
  source->Restrain({});
  EXPECT_EQ(opened, 2);
  source->Collect(60'000'000, out);
  EXPECT_EQ(out.reports.size(), 1U);
  EXPECT_EQ(source->Probes()[0].state, "on");
}

TEST(RequestSourceTest, NothingRunsUntilSomebodyServesAndLongAfterNobodyDoes) {
  FakeClock clock;
  RequestLosses losses;
  int opened = 0;
  auto source = MakeRequestSource(
      [&](const RequestProbeOptions&) {
        ++opened;
        return Result<std::unique_ptr<RequestProbe>>(std::make_unique<PlayedProbe>(losses));
      },
      source::SystemSurroundings(clock), When::kServing);
  model::SideReport asked;
  asked.ends.side = model::Side::kClient;
  asked.identity.process = "vllm";
  model::SideReport web;
  web.ends.side = model::Side::kServer;
  web.identity.process = "nginx";
  model::SideReport serving = asked;
  serving.ends.side = model::Side::kServer;
  Collection out;
  const auto step = [&](Nanos now, const std::vector<model::SideReport>& reports) {
    source->Collect(now, out);
    source->Saw(reports);
  };
  source->Start();
  step(1'000'000'000, {asked, web});
  EXPECT_EQ(opened, 0);
  EXPECT_EQ(source->Dispensable(), 0U);
  EXPECT_FALSE(source->NeedsPolls());
  EXPECT_EQ(source->Probes()[0].state, "off");
  step(2'000'000'000, {web, serving});
  EXPECT_EQ(opened, 1);
  EXPECT_EQ(source->Probes()[0].state, "on");
  step(300'000'000'000, {web});
  EXPECT_EQ(source->Probes()[0].state, "on") << "it may only be idle";
  step(302'000'000'000, {web});
  EXPECT_EQ(source->Probes()[0].state, "off");
  EXPECT_FALSE(source->NeedsPolls());
  EXPECT_EQ(out.reports.size(), 1U) << "what was seen until then";
  Restraint restraint;
  restraint.Set(GivenUp::kRequests, "too much");
  source->Restrain(restraint);
  step(303'000'000'000, {serving});
  EXPECT_EQ(opened, 1) << "there is no budget for it";
  source->Restrain({});
  EXPECT_EQ(opened, 2);
}

TEST(RequestSourceTest, StepsBecomeReportsAndLossesShowForTheirInterval) {
  FakeClock clock;
  RequestLosses losses;
  auto source = MakeRequestSource(
      [&losses](const RequestProbeOptions&) {
        return Result<std::unique_ptr<RequestProbe>>(std::make_unique<PlayedProbe>(losses));
      },
      source::SystemSurroundings(clock));
  source->Start();
  losses.skipped = 5;
  Collection out;
  source->Collect(20'000'000, out);
  ASSERT_EQ(out.reports.size(), 1U);
  EXPECT_EQ(out.reports[0].request.resource, "/a");
  EXPECT_EQ(source->Probes()[0].state, "fallback");
  EXPECT_THAT(source->Probes()[0].reason, testing::StartsWith("5 "));
  source->Collect(30'000'000, out);
  EXPECT_EQ(source->Probes()[0].state, "on");
}

}  // namespace
}  // namespace weir::agent::requests

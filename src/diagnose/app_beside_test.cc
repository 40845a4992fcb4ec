#include "diagnose/app_beside.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::diagnose {
namespace {

using ::testing::HasSubstr;

WireTimes Wire(double first_us) {
  WireTimes wire;
  wire.requests = wire.first_chunks = wire.durations = 100;
  wire.first_chunk_us = first_us;
  wire.duration_us = first_us + 1'000'000;
  return wire;
}

AppTimes App(double first_us, double samples = 100) {
  AppTimes app;
  app.server = "vLLM";
  app.clock_starts = "when it begins to tokenize";
  app.first_token = AppMean{samples, first_us};
  return app;
}

TEST(AppBeside, CloseIsTheSame) {
  const Beside beside = CompareFirstChunk(Wire(840'000), App(800'000));
  EXPECT_EQ(beside.verdict, BesideVerdict::agree);
  EXPECT_EQ(beside.confidence, "high");
  EXPECT_EQ(beside.sentence, "vLLM says 800 ms to the first token, the wire 840 ms to the first chunk: they agree.");
}

TEST(AppBeside, AWaitThatWasMeasuredExplains) {
  WireTimes wire = Wire(2'100'000);
  wire.receive_wait_us = 1'200'000;
  wire.accept_wait_us = 1'150'000;
  Beside beside = CompareFirstChunk(wire, App(800'000));
  EXPECT_EQ(beside.verdict, BesideVerdict::explained);
  EXPECT_DOUBLE_EQ(*beside.difference_us, 1'300'000);
  EXPECT_EQ(
      beside.sentence,
      "vLLM says 800 ms to the first token, the wire 2100 ms to the first chunk: 1300 ms pass before the application "
      "starts its clock (when it begins to tokenize); requests wait 1150 ms for accept().");
  wire.accept_wait_us = 1'000;
  EXPECT_THAT(CompareFirstChunk(wire, App(800'000)).sentence, HasSubstr("lie unread for 1200 ms"));
  wire.receive_wait_us = 10;
  wire.upload_us = 1'100'000;
  EXPECT_THAT(CompareFirstChunk(wire, App(800'000)).sentence, HasSubstr("take 1100 ms to arrive"));
}

TEST(AppBeside, WhatNobodyMeasuredIsNotExplained) {
  const Beside beside = CompareFirstChunk(Wire(2'100'000), App(800'000));
  EXPECT_EQ(beside.verdict, BesideVerdict::unexplained);
  EXPECT_EQ(beside.confidence, "medium");
  EXPECT_THAT(beside.sentence, HasSubstr("1300 ms are in no wait that was measured"));
}

TEST(AppBeside, AnApplicationThatSaysMoreIsNotTrusted) {
  const Beside beside = CompareFirstChunk(Wire(900'000), App(3'000'000));
  EXPECT_EQ(beside.verdict, BesideVerdict::contradiction);
  EXPECT_EQ(beside.confidence, "low");
  EXPECT_THAT(beside.sentence, HasSubstr("the wire's number is the one to trust"));
}

TEST(AppBeside, CountsThatDoNotFitAreOfOtherRequests) {
  const Beside beside = CompareFirstChunk(Wire(900'000), App(900'000, 1'000));
  EXPECT_EQ(beside.verdict, BesideVerdict::different_requests);
  EXPECT_EQ(beside.confidence, "low");
  EXPECT_THAT(beside.sentence, HasSubstr("it counted 1000 and the wire 100"));
}

TEST(AppBeside, FewSamplesAreNeverSure) {
  EXPECT_EQ(CompareFirstChunk(Wire(840'000), App(800'000, 2)).confidence, "low");
}

TEST(AppBeside, WhatIsMissingIsUnknownWithItsReason) {
  AppTimes app;
  app.unknown = "it has not answered for 90 s";
  Beside beside = CompareFirstChunk(Wire(840'000), app);
  EXPECT_EQ(beside.verdict, BesideVerdict::unknown);
  EXPECT_EQ(beside.confidence, "none");
  EXPECT_FALSE(beside.app_us);
  EXPECT_EQ(beside.sentence, "What the application says of itself is unknown: it has not answered for 90 s.");
  app.unknown.clear();
  app.server = "TGI";
  EXPECT_EQ(CompareFirstChunk(Wire(1), app).sentence, "TGI tells no time to first token.");
  EXPECT_THAT(CompareFirstChunk(Wire(1), App(1, 0)).sentence, HasSubstr("counted no first token"));
  beside = CompareFirstChunk(WireTimes{}, App(800'000));
  EXPECT_EQ(beside.verdict, BesideVerdict::unknown);
  EXPECT_EQ(beside.app_us, 800'000);
}

TEST(AppBeside, AChunkMayHoldSeveralTokens) {
  WireTimes wire;
  wire.chunk_gap_us = 60'000;
  AppTimes app;
  app.output_token = AppMean{100, 20'000};
  EXPECT_THAT(CompareChunkGap(wire, app).sentence, HasSubstr("about 3 tokens"));
  app.output_token = AppMean{100, 55'000};
  EXPECT_EQ(CompareChunkGap(wire, app).verdict, BesideVerdict::agree);
  app.output_token = AppMean{100, 600'000};
  EXPECT_EQ(CompareChunkGap(wire, app).verdict, BesideVerdict::contradiction);
}

TEST(AppBeside, WholeRequestsAreComparedLikewise) {
  AppTimes app = App(1);
  app.duration = AppMean{100, 1'800'000};
  EXPECT_EQ(CompareDuration(Wire(840'000), app).verdict, BesideVerdict::agree);
}

}  // namespace
}  // namespace weir::diagnose

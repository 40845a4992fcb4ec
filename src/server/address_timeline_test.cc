#include "server/address_timeline.h"

#include <gtest/gtest.h>

namespace weir::server {
namespace {

using Kind = Tenure::Kind;

TEST(AddressTimeline, AnAddressNobodyHasIsNobodysForEver) {
  AddressTimeline timeline;
  const Tenure tenure = timeline.Use(100'000, 101'000);
  EXPECT_EQ(tenure.kind, Kind::kNobody);
  EXPECT_EQ(tenure.generation, 0U);
}

TEST(AddressTimeline, ALateNameGoesToTheGenerationFlowsWereStoredUnder) {
  AddressTimeline timeline;
  const uint32_t generation = timeline.Use(100'000, 101'000).generation;
  timeline.Begin(Kind::kPod, 7, 99'000, 103'000, 0);
  const Tenure now = timeline.Use(102'000, 103'000);
  EXPECT_TRUE(now.Is(Kind::kPod, 7)) << "nobody else had it";
  EXPECT_EQ(now.generation, generation);
  const Tenure before = timeline.At(50'000, 51'000);
  EXPECT_EQ(before.kind, Kind::kNobody) << "it had no address then";
  EXPECT_NE(before.generation, generation);
}

TEST(AddressTimeline, AFlowFromBeforeTheHolderStaysNameless) {
  AddressTimeline timeline;
  const uint32_t stranger = timeline.Use(90'000, 91'000).generation;
  timeline.Begin(Kind::kPod, 7, 99'000, 103'000, 0);
  const Tenure now = timeline.Use(102'000, 103'000);
  EXPECT_TRUE(now.Is(Kind::kPod, 7));
  EXPECT_NE(now.generation, stranger);
  EXPECT_EQ(timeline.At(90'000, 91'000).generation, stranger);
}

TEST(AddressTimeline, ADeadHolderKeepsItsFlowsAndGetsNoOthers) {
  AddressTimeline timeline;
  timeline.Begin(Kind::kPod, 7, 99'000, 99'000, 0);
  timeline.End(150'000);
  EXPECT_TRUE(timeline.At(148'000, 149'000).Is(Kind::kPod, 7)) << "it comes late";
  EXPECT_TRUE(timeline.At(149'500, 150'500).Is(Kind::kPod, 7)) << "it had begun";
  const Tenure after = timeline.Use(150'000, 151'000);
  EXPECT_EQ(after.kind, Kind::kNobody);
  EXPECT_NE(after.generation, timeline.At(148'000, 149'000).generation);
}

TEST(AddressTimeline, AReusedAddressNeitherLendsNorStealsAName) {
  AddressTimeline timeline;
  timeline.Begin(Kind::kPod, 7, 99'000, 99'000, 0);
  timeline.Begin(Kind::kPod, 8, 150'000, 152'500, 149'000);
  const Tenure before = timeline.At(148'000, 149'000);
  const Tenure after = timeline.At(153'000, 154'000);
  EXPECT_TRUE(before.Is(Kind::kPod, 7));
  EXPECT_TRUE(after.Is(Kind::kPod, 8));
  EXPECT_NE(before.generation, after.generation);
  for (const UnixMillis start : {149'500, 150'000, 151'000, 152'000}) {
    const Tenure between = timeline.At(start, start + 1'000);
    EXPECT_EQ(between.kind, Kind::kContested) << start << ": it changed hands some time";
    EXPECT_NE(between.generation, before.generation);
    EXPECT_NE(between.generation, after.generation);
  }
}

TEST(AddressTimeline, WhereTheOneEndedBeforeTheOtherBeganNothingIsUnsure) {
  AddressTimeline timeline;
  timeline.Begin(Kind::kPod, 7, 99'000, 99'000, 0);
  timeline.End(120'000);
  const Tenure nobody = timeline.Use(130'000, 131'000);
  timeline.Begin(Kind::kPod, 8, 190'000, 192'500, 120'000);
  EXPECT_TRUE(timeline.At(118'000, 119'000).Is(Kind::kPod, 7));
  EXPECT_EQ(timeline.At(130'000, 131'000).generation, nobody.generation);
  EXPECT_TRUE(timeline.At(190'000, 191'000).Is(Kind::kPod, 8));
}

TEST(AddressTimeline, OneThatHasJustEndedMayLinger) {
  AddressTimeline timeline;
  timeline.Begin(Kind::kPod, 7, 99'000, 99'000, 0);
  timeline.End(120'000);
  const Tenure nobody = timeline.Use(121'000, 122'000);
  timeline.Begin(Kind::kPod, 8, 125'000, 127'500, 120'000);
  EXPECT_TRUE(timeline.At(118'000, 119'000).Is(Kind::kPod, 7));
  EXPECT_EQ(timeline.At(121'000, 122'000).generation, nobody.generation);
  EXPECT_EQ(timeline.At(121'000, 122'000).kind, Kind::kNobody);
  EXPECT_EQ(timeline.At(126'000, 127'000).kind, Kind::kContested);
  EXPECT_TRUE(timeline.At(127'500, 128'500).Is(Kind::kPod, 8));
}

TEST(AddressTimeline, AnAgentKnowsToTheInterval) {
  AddressTimeline timeline;
  timeline.Begin(Kind::kPod, 7, 99'000, 99'000, 0);
  timeline.Prove(7, 0, 150'000, 151'000);
  timeline.Prove(8, 151'000, 152'000, 153'000);
  EXPECT_TRUE(timeline.current().Is(Kind::kPod, 8));
  EXPECT_TRUE(timeline.At(149'000, 150'000).Is(Kind::kPod, 7));
  EXPECT_TRUE(timeline.At(150'000, 151'000).Is(Kind::kPod, 7)) << "the other was not there before 151";
  EXPECT_EQ(timeline.At(151'000, 152'000).kind, Kind::kContested);
  EXPECT_EQ(timeline.At(152'000, 153'000).kind, Kind::kContested);
  EXPECT_TRUE(timeline.At(153'000, 154'000).Is(Kind::kPod, 8));
  timeline.Prove(7, 0, 149'000, 150'000);
  EXPECT_TRUE(timeline.current().Is(Kind::kPod, 8)) << "a report that comes late changes nothing";
}

TEST(AddressTimeline, AnAgentEndsAContestSoonerThanTheCluster) {
  AddressTimeline timeline;
  timeline.Begin(Kind::kPod, 7, 99'000, 99'000, 0);
  timeline.Begin(Kind::kPod, 8, 150'000, 155'000, 149'000);
  EXPECT_EQ(timeline.At(153'000, 154'000).kind, Kind::kContested);
  timeline.Prove(8, 150'000, 151'000, 152'000);
  EXPECT_TRUE(timeline.At(153'000, 154'000).Is(Kind::kPod, 8));
  EXPECT_EQ(timeline.At(151'000, 152'000).kind, Kind::kContested);
}

TEST(AddressTimeline, AnAgentSeesAPodThatNoClusterHasToldOf) {
  AddressTimeline timeline;
  const uint32_t generation = timeline.Use(100'000, 101'000).generation;
  timeline.Prove(7, 100'000, 100'000, 101'000);
  EXPECT_TRUE(timeline.current().Is(Kind::kPod, 7));
  EXPECT_EQ(timeline.current().generation, generation);
  EXPECT_EQ(timeline.current().from, 100'000);
}

TEST(AddressTimeline, AContestNothingWasStoredUnderNeverHappened) {
  AddressTimeline timeline;
  timeline.Begin(Kind::kPod, 7, 10'000, 10'000, 0);
  timeline.Begin(Kind::kContested, 0, 50'000, 50'000, 0);
  timeline.Begin(Kind::kPod, 8, 50'000, 50'500, 49'000);
  EXPECT_TRUE(timeline.At(20'000, 21'000).Is(Kind::kPod, 7));
  EXPECT_TRUE(timeline.At(52'000, 53'000).Is(Kind::kPod, 8));

  AddressTimeline other;
  other.Begin(Kind::kPod, 7, 10'000, 10'000, 0);
  const uint32_t generation = other.current().generation;
  other.Begin(Kind::kContested, 0, 50'000, 50'000, 0);
  other.Begin(Kind::kPod, 7, 10'000, 10'000, 0);
  EXPECT_EQ(other.At(60'000, 61'000).generation, generation) << "the first one had it all the time";
}

TEST(AddressTimeline, AContestThatFlowsFellIntoStaysOne) {
  AddressTimeline timeline;
  timeline.Begin(Kind::kPod, 7, 10'000, 10'000, 0);
  timeline.Begin(Kind::kContested, 0, 50'000, 50'000, 0);
  const Tenure contested = timeline.Use(51'000, 52'000);
  EXPECT_EQ(contested.kind, Kind::kContested);
  timeline.Begin(Kind::kPod, 8, 60'000, 60'000, 0);
  EXPECT_EQ(timeline.At(51'000, 52'000).generation, contested.generation);
  EXPECT_EQ(timeline.At(51'000, 52'000).kind, Kind::kContested);
  EXPECT_TRUE(timeline.At(61'000, 62'000).Is(Kind::kPod, 8));
}

TEST(AddressTimeline, RemembersAFewHolders) {
  AddressTimeline timeline;
  for (uint32_t pod = 1; pod <= 40; ++pod) timeline.Begin(Kind::kPod, pod, pod * 10'000, pod * 10'000, 0);
  EXPECT_EQ(timeline.tenures().size(), AddressTimeline::kMaxTenures);
  EXPECT_TRUE(timeline.At(395'000, 396'000).Is(Kind::kPod, 39));
  const Tenure forgotten = timeline.Use(15'000, 16'000);
  EXPECT_EQ(forgotten.kind, Kind::kNobody);
  EXPECT_GE(forgotten.generation, AddressTimeline::kBetween) << "no generation of anybody";
}

TEST(AddressTimeline, AForgottenHolderLeavesItsGenerationTaken) {
  AddressTimeline timeline;
  timeline.Begin(Kind::kPod, 7, 10'000, 10'000, 0);
  const uint32_t generation = timeline.current().generation;
  timeline.End(20'000);
  timeline.Forget(Kind::kPod, 7);
  EXPECT_EQ(timeline.At(15'000, 16'000).kind, Kind::kNobody);
  timeline.Begin(Kind::kPod, 8, 30'000, 30'000, 0);
  EXPECT_NE(timeline.current().generation, generation);
}

}  // namespace
}  // namespace weir::server

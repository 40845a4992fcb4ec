#include "diagnose/why.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::diagnose {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::SizeIs;

constexpr UnixMillis kNow = 1'700'000'000'000;

Subject Pod(const std::string& name) {
  Subject subject;
  subject.kind = SubjectKind::kPod;
  subject.key = HashText(name);
  subject.name_space = "app";
  subject.pod = name;
  subject.workload = name.substr(0, name.rfind('-'));
  return subject;
}

WhyFacts Healthy() {
  WhyFacts facts;
  facts.subject = Pod("web-1");
  facts.from = kNow - 60'000;
  facts.to = kNow;
  facts.flows = 12;
  facts.bytes = 40'000'000;
  facts.segments = 30'000;
  facts.lost = 2;
  facts.connections_opened = 80;
  facts.rtt_us = 320;
  facts.rtt_usual_us = 300;
  facts.node = "n1";
  facts.node_bits = 6e8;
  facts.node_exceeded = 0;
  facts.node_baseline_bits = 5e9;
  facts.capacity_source = "node label";
  facts.requests = 500;
  facts.receive_wait_p99_us = 800;
  facts.dns_queries = 40;
  return facts;
}

Finding Breach() {
  Finding breach;
  breach.id = 7;
  breach.detector = Detector::bandwidth_breach;
  breach.kind = "sustained";
  breach.subject = NodeSubject("", "n1", "a");
  breach.severity = Severity::kMajor;
  breach.start = kNow - 30'000;
  breach.end = kNow - 5'000;
  breach.state = FindingState::kClosed;
  Add(breach, {"allowance", "9000 packets were queued or dropped over the allowance.", 9'000, "packets", 100, {}});
  breach.level = Level::kHigh;
  breach.verdict = "node n1 receives more than it may, for 25 s.";
  breach.culprits = {{Pod("engine-1"), 0.9, "12.7 GB of 14.0 GB (90 %)"}};
  breach.victims = {{Pod("web-1"), 2.3, "95th percentile of the gap between chunks grew from 18 ms to 41 ms"}};
  breach.not_excluded = {"The counter does not tell packets that waited from packets that were dropped."};
  breach.advice = "Cap the loader.";
  return breach;
}

TEST(Why, AVictimLearnsOfTheBreachInFiveLines) {
  const WhyAnswer answer = Why(Healthy(), {Breach()}, Thresholds{});
  ASSERT_THAT(answer.lines, SizeIs(5));
  EXPECT_THAT(answer.lines[0], HasSubstr("receives more than it may"));
  EXPECT_THAT(answer.lines[1], HasSubstr("Cause: pod app/engine-1 (12.7 GB of 14.0 GB (90 %))"));
  EXPECT_THAT(answer.lines[1], HasSubstr("Suffers: pod app/web-1"));
  EXPECT_THAT(answer.lines[1], HasSubstr("22:12:50 to 22:13:15 UTC (25.0 s)"));
  EXPECT_THAT(answer.lines[2], HasSubstr("Confidence: high (100 points). 9000 packets"));
  EXPECT_THAT(answer.lines[3], HasSubstr("Not excluded: The counter"));
  EXPECT_EQ(answer.lines[4], "Advice: Cap the loader.");
  EXPECT_EQ(answer.blames, "node");
}

TEST(Why, TheNetworkIsAcquittedWithNumbers) {
  const WhyAnswer answer = Why(Healthy(), {}, Thresholds{});
  ASSERT_THAT(answer.lines, SizeIs(5));
  EXPECT_EQ(answer.blames, "nothing");
  EXPECT_THAT(answer.lines[0], HasSubstr("no fault of the network with pod app/web-1"));
  EXPECT_THAT(answer.lines[2], HasSubstr("2 of 30000 segments were lost"));
  EXPECT_THAT(answer.acquittals, Contains(testing::Field(&Evidence::name, "node_rate")));
  EXPECT_THAT(answer.unknown, SizeIs(0));
}

TEST(Why, AFaultOfSomebodyElseIsNotTheSubjects) {
  Finding breach = Breach();
  breach.victims.clear();
  EXPECT_EQ(Why(Healthy(), {breach}, Thresholds{}).blames, "nothing");
}

TEST(Why, ItsNodesBreachConcernsAPodThatLostSegments) {
  Finding breach = Breach();
  breach.victims.clear();
  WhyFacts facts = Healthy();
  facts.lost = 3'000;
  EXPECT_EQ(Why(facts, {breach}, Thresholds{}).blames, "node");
  facts.node = "n2";
  EXPECT_EQ(Why(facts, {breach}, Thresholds{}).blames, "nothing");
}

TEST(Why, AFaultOfAnotherTimeIsNoAnswer) {
  Finding breach = Breach();
  breach.start = kNow - 600'000;
  breach.end = kNow - 500'000;
  EXPECT_EQ(Why(Healthy(), {breach}, Thresholds{}).blames, "nothing");
}

TEST(Why, WhatNobodySawIsUnknownAndNotWell) {
  WhyFacts facts;
  facts.subject = Pod("web-1");
  facts.from = kNow - 60'000;
  facts.to = kNow;
  const WhyAnswer answer = Why(facts, {}, Thresholds{});
  ASSERT_THAT(answer.lines, SizeIs(5));
  EXPECT_EQ(answer.blames, "unknown");
  EXPECT_THAT(answer.acquittals, SizeIs(0));
  EXPECT_THAT(answer.lines[0], HasSubstr("Nothing is known"));
}

TEST(Why, EachThingThatWasNotMeasuredIsSaid) {
  WhyFacts facts = Healthy();
  facts.rtt_us.reset();
  facts.node_exceeded.reset();
  facts.node_baseline_bits = 0;
  facts.requests = facts.dns_queries = 0;
  facts.readings_missing = true;
  HealthIndicator unknown;
  unknown.scope = ZonePairSubject("a", "b");
  unknown.why = "Only 3 flows could be judged.";
  facts.indicators = {unknown};
  const WhyAnswer answer = Why(facts, {}, Thresholds{});
  EXPECT_THAT(answer.unknown, SizeIs(7));
  EXPECT_THAT(answer.unknown, Contains(HasSubstr("zones a and b is unknown")));
}

TEST(Why, ABreachExplainsTheLossItCauses) {
  Finding loss = Breach();
  loss.id = 8;
  loss.detector = Detector::loss;
  loss.kind = "path";
  loss.severity = Severity::kCritical;
  loss.subject = Pod("web-1");
  loss.verdict = "segments are lost";
  const WhyAnswer answer = Why(Healthy(), {loss, Breach()}, Thresholds{});
  ASSERT_THAT(answer.findings, SizeIs(2));
  EXPECT_EQ(answer.findings[0].id, 7U);
}

Finding Stall() {
  Finding stall;
  stall.id = 9;
  stall.detector = Detector::serving_stall;
  stall.kind = "receive_wait";
  stall.subject = Pod("web-1");
  stall.severity = Severity::kMajor;
  stall.start = kNow - 30'000;
  stall.end = kNow - 5'000;
  Add(stall, {"receive_wait", "The slowest twentieth of requests waited 200 ms.", 200'000, "us", 85, {}});
  stall.level = LevelOf(stall.points, Thresholds{});
  stall.verdict = "app/web-1 does not read requests that have arrived.";
  return stall;
}

Beside Said(BesideVerdict verdict, std::string sentence) {
  Beside beside;
  beside.verdict = verdict;
  beside.difference_us = 200'000;
  beside.sentence = std::move(sentence);
  return beside;
}

TEST(Why, AnApplicationThatAgreesIsAnAcquittal) {
  WhyFacts facts = Healthy();
  facts.beside = Said(BesideVerdict::agree, "vLLM and the wire agree.");
  const WhyAnswer answer = Why(facts, {}, Thresholds{});
  EXPECT_THAT(answer.acquittals, Contains(testing::Field(&Evidence::sentence, "vLLM and the wire agree.")));
}

TEST(Why, WhatAnApplicationLeavesUnknownIsSaid) {
  WhyFacts facts = Healthy();
  facts.beside = Said(BesideVerdict::unknown, "What the application says of itself is unknown: it timed out.");
  EXPECT_THAT(Why(facts, {}, Thresholds{}).unknown, Contains(HasSubstr("it timed out")));
}

TEST(Why, AStallIsAsSureAsBeforeWhereTheApplicationBearsItOutAndLessWhereItContradicts) {
  WhyFacts facts = Healthy();
  facts.beside = Said(BesideVerdict::explained, "200 ms pass before its clock starts.");
  WhyAnswer answer = Why(facts, {Stall()}, Thresholds{});
  EXPECT_EQ(answer.findings[0].level, Stall().level);
  EXPECT_THAT(answer.findings[0].evidence, SizeIs(2));
  facts.beside = Said(BesideVerdict::contradiction, "The application says more than the wire saw.");
  answer = Why(facts, {Stall()}, Thresholds{});
  EXPECT_LT(answer.findings[0].level, Stall().level);
  EXPECT_THAT(answer.unknown, Contains(HasSubstr("says more")));
  EXPECT_LT(WhyFinding(Stall(), facts, {Stall()}, Thresholds{}).findings[0].level, Stall().level);
}

TEST(Why, AWorkloadStandsForItsPods) {
  WhyFacts facts = Healthy();
  facts.subject = {};
  facts.subject.kind = SubjectKind::kWorkload;
  facts.subject.name_space = "app";
  facts.subject.workload = "engine";
  EXPECT_EQ(Why(facts, {Breach()}, Thresholds{}).blames, "node");
  facts.subject.name_space = "other";
  EXPECT_EQ(Why(facts, {Breach()}, Thresholds{}).blames, "nothing");
}

TEST(Why, AFindingIsItsOwnAnswer) {
  WhyFacts facts = Healthy();
  facts.subject = Breach().subject;
  const WhyAnswer answer = WhyFinding(Breach(), facts, {Breach()}, Thresholds{});
  EXPECT_THAT(answer.findings, SizeIs(1));
  EXPECT_EQ(answer.lines[0], Breach().verdict);
}

}  // namespace
}  // namespace weir::diagnose

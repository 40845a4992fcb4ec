// The parts beneath the detectors: statistics, thresholds, capacities, names, subjects and the book of findings.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "diagnose/activity.h"
#include "diagnose/capacity.h"
#include "diagnose/detect_startup.h"
#include "diagnose/finding_book.h"
#include "diagnose/flow_table.h"
#include "diagnose/names.h"
#include "diagnose/stats.h"
#include "model/filter.h"

namespace weir::diagnose {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

constexpr UnixMillis kNow = 1'700'000'000'000;

TEST(Stats, WilsonSaysLittleAboutFewSamples) {
  EXPECT_EQ(WilsonLower(0, 1'000), 0);
  EXPECT_EQ(WilsonLower(5, 0), 0);
  EXPECT_NEAR(WilsonLower(10, 100), 0.0552, 0.001);  // the textbook's value
  EXPECT_LT(WilsonLower(1, 3), 0.1);
  EXPECT_GT(WilsonLower(1'000, 10'000), 0.094);
}

TEST(Stats, RecentSecondsCountWithinTheirWindow) {
  RecentSeconds recent;
  EXPECT_EQ(recent.Count(100, 10), 0);
  for (const int64_t second : {100, 102, 103}) recent.Note(second, true);
  recent.Note(104, false);
  EXPECT_EQ(recent.Count(104, 5), 3);
  EXPECT_EQ(recent.Count(104, 2), 1);
  EXPECT_EQ(recent.Count(108, 5), 0);
  EXPECT_EQ(recent.Count(106, 5), 2);
  EXPECT_EQ(recent.FirstOf(104, 5), 100);
  EXPECT_EQ(recent.FirstOf(104, 3), 102);
  recent.Note(101, true);  // late
  EXPECT_EQ(recent.Count(104, 5), 4);
  recent.Note(1'000, true);
  EXPECT_EQ(recent.Count(1'000, 64), 1);
  EXPECT_EQ(recent.First(), 1'000);
  recent.Note(100, true);  // long past
  EXPECT_EQ(recent.Count(1'000, 64), 1);
}

TEST(Thresholds, AreSetByNameAndRefuseNonsense) {
  Thresholds thresholds;
  EXPECT_TRUE(SetThreshold(thresholds, "loss_warn_ratio=0.002").ok());
  EXPECT_EQ(thresholds.loss_warn_ratio, 0.002);
  for (const char* wrong : {"", "loss_warn_ratio", "loss_warn_ratio=", "loss_warn_ratio=x", "loss_warn_ratio=-1",
                            "loss_warn_ratio=inf", "loss_warn_ratio=1 ", "no_such=1"}) {
    EXPECT_FALSE(SetThreshold(thresholds, wrong).ok()) << wrong;
  }
  EXPECT_THAT(SetThreshold(thresholds, "no_such=1").message(), HasSubstr("thresholds.md"));
}

TEST(Thresholds, EachBelongsToADetectorOrToAll) {
  std::set<std::string_view> groups{"common", "edge", "agent"};
  for (const DetectorDescription& detector : kDetectors) groups.insert(detector.name);
  for (const ThresholdDescription& threshold : kThresholds) {
    EXPECT_TRUE(groups.contains(threshold.group)) << threshold.name;
    EXPECT_FALSE(threshold.help.empty()) << threshold.name;
  }
}

TEST(Capacity, TheShippedTableHasSourceAndDate) {
  const InstanceTable& table = InstanceTable::Shipped();
  EXPECT_GT(table.size(), 1'000U);
  EXPECT_EQ(table.date(), "2026-08-18");
  const Capacity* g5 = table.Find("g5.2xlarge");
  ASSERT_NE(g5, nullptr);
  EXPECT_EQ(g5->baseline_bits, 5e9);
  EXPECT_EQ(g5->peak_bits, 10e9);
  EXPECT_EQ(g5->source, "instance table of 2026-08-18");
  EXPECT_EQ(table.Find("no.such"), nullptr);
}

TEST(Capacity, LabelsGoBeforeConfigurationBeforeTableBeforeLink) {
  Capacities capacities(InstanceTable::Shipped());
  EXPECT_FALSE(capacities.Of("n1", {}).known());
  EXPECT_EQ(capacities.Of("n1", {0, "", 25e9}).source, "link speed");
  EXPECT_EQ(capacities.Of("n1", {0, "g5.xlarge", 25e9}).baseline_bits, 2.5e9);
  ASSERT_TRUE(capacities.Configure("*=100/200").ok());
  ASSERT_TRUE(capacities.Configure("n2=300").ok());
  EXPECT_EQ(capacities.Of("n1", {0, "g5.xlarge", 25e9}).peak_bits, 200e6);
  EXPECT_EQ(capacities.Of("n2", {}).baseline_bits, 300e6);
  const Capacity labelled = capacities.Of("n1", {2'500, "g5.xlarge", 25e9});
  EXPECT_EQ(labelled.source, "node label");
  EXPECT_EQ(labelled.baseline_bits, 2.5e9);
  EXPECT_EQ(labelled.peak_bits, 10e9);  // labels name no peak, the table does
  for (const char* wrong : {"", "n1", "=5", "n1=", "n1=x", "n1=1/x", "n1=0", "n1=-5"}) {
    EXPECT_FALSE(capacities.Configure(wrong).ok()) << wrong;
  }
}

TEST(Capacity, DamagedTablesAreRefused) {
  EXPECT_TRUE(InstanceTable::Parse("type,b,p\nx.large,1,2\n").ok());
  EXPECT_TRUE(InstanceTable::Parse("# date: today\r\ntype,b,p\r\nx.large,,2\r\n").ok());
  for (const char* wrong : {"h\nx", "h\n,1,2", "h\nx,1", "h\nx,1,y", "h\nx,-1,2", "h\nx,1e99,2"}) {
    EXPECT_FALSE(InstanceTable::Parse(wrong).ok()) << wrong;
  }
}

model::Entity PodEntity(model::EntityId id, const std::string& pod) {
  model::Entity entity;
  entity.id = id;
  entity.kind = "pod";
  entity.namespace_ = "app";
  entity.pod = pod;
  entity.node = "n1";
  entity.process = "python";
  return entity;
}

TEST(Names, ContainersOfAPodAreOneParty) {
  Names names{Capacities(InstanceTable::Shipped())};
  names.Learn(PodEntity(1, "web-1"));
  names.Learn(PodEntity(2, "web-1"));
  names.Learn(PodEntity(3, "web-2"));
  EXPECT_EQ(names.Of(1), names.Of(2));
  EXPECT_NE(names.Of(1), names.Of(3));
  EXPECT_EQ(names.PartyOfPod("app", "web-1"), names.Of(2));
}

TEST(Names, ALateNameKeepsTheNumber) {
  Names names{Capacities(InstanceTable::Shipped())};
  const PartyNumber before = names.Of(1);
  EXPECT_FALSE(names.Knows(1));
  names.Learn(PodEntity(1, "web-1"));
  EXPECT_EQ(names.Of(1), before);
  EXPECT_TRUE(names.Knows(1));
  const uint64_t key = names[before].subject.key;
  names.Learn(PodEntity(1, "web-renamed"));
  EXPECT_EQ(names.Of(1), before);
  EXPECT_EQ(names[before].subject.key, key);
  EXPECT_EQ(Title(names[before].subject), "pod app/web-renamed");
}

TEST(Names, PartiesThatTurnOutToBeOneAreFollowed) {
  Names names{Capacities(InstanceTable::Shipped())};
  const PartyNumber first = names.Of(1);
  const PartyNumber second = names.Of(2);
  names.Learn(PodEntity(1, "web-1"));
  names.Learn(PodEntity(2, "web-1"));
  EXPECT_EQ(names.Resolve(second), first);
  EXPECT_EQ(names.Brief(second).node, names.Node("n1"));
}

TEST(Names, WhatNobodyUsesIsForgottenAndItsNumberUsedAgain) {
  Names names{Capacities(InstanceTable::Shipped())};
  names.Learn(PodEntity(1, "web-1"));
  names.Learn(PodEntity(2, "web-2"));
  names.Forget(1'000, 100);  // seen for the first time here
  EXPECT_TRUE(names.Knows(1));
  names.Used(names.Of(2), 2'000);
  const size_t parties = names.parties();
  names.Forget(2'000, 100);
  EXPECT_FALSE(names.Knows(1));
  EXPECT_TRUE(names.Knows(2));
  names.Learn(PodEntity(9, "web-9"));
  EXPECT_EQ(names.parties(), parties);
}

TEST(Names, APodThatIsMadeAnewHasNotEnded) {
  Names names{Capacities(InstanceTable::Shipped())};
  names.Learn(PodEntity(1, "db-0"));
  model::Pod pod;
  pod.uid = "a";
  pod.name = "db-0";
  pod.name_space = "app";
  names.Learn(pod);
  EXPECT_EQ(names.EndOf(names.Of(1)), 0);
  names.Gone(model::ClusterListener::Kind::kPod, "a", kNow);
  EXPECT_EQ(names.EndOf(names.Of(1)), kNow);
  pod.uid = "b";
  names.Learn(pod);
  EXPECT_EQ(names.EndOf(names.Of(1)), 0);
}

TEST(Subject, FiltersParseAndQuoteHostileNames) {
  Subject pod;
  pod.kind = SubjectKind::kPod;
  pod.name_space = "a\"b";
  pod.pod = "x\n\\' or client_port = 1";
  EXPECT_EQ(FilterQuote("a\"b\\\n"), "\"a\\\"b\\\\\\x0a\"");
  EXPECT_EQ(FlowFilter(pod, "client_"),
            "client_namespace = \"a\\\"b\" and client_pod = \"x\\x0a\\\\' or client_port = 1\"");
  Subject process;
  process.kind = SubjectKind::kProcess;
  process.process = "x\"\x01";
  process.node = "n1";
  EXPECT_TRUE(model::Filter::Parse(FlowFilter(process, "client_")).ok());
  EXPECT_TRUE(model::Filter::Parse(FlowFilter(process)).ok());
}

TEST(FlowTable, SamplesCountOnceWhoeverReportsThem) {
  FlowState state;
  FlowSample sample;
  sample.start = kNow;
  sample.reported_by = kByClient;
  EXPECT_TRUE(FlowTable::Accept(state, sample));
  EXPECT_FALSE(FlowTable::Accept(state, sample));
  sample.reported_by = kByServer;  // the other end's report came late
  EXPECT_TRUE(FlowTable::Accept(state, sample));
  sample.reported_by = kByClient | kByServer;
  EXPECT_FALSE(FlowTable::Accept(state, sample));
  sample.start = kNow + 3'000;
  EXPECT_TRUE(FlowTable::Accept(state, sample));
  sample.start = kNow + 1'000;  // out of order
  EXPECT_TRUE(FlowTable::Accept(state, sample));
  EXPECT_FALSE(FlowTable::Accept(state, sample));
  sample.start = kNow - 100'000;
  EXPECT_FALSE(FlowTable::Accept(state, sample));
}

TEST(FlowTable, GrowsAndForgetsWithoutLosingAFlow) {
  Names names{Capacities(InstanceTable::Shipped())};
  FlowTable table;
  FlowSample sample;
  constexpr uint64_t kFlows = 20'000;
  // Numbers that all begin at the same place, and numbers that do not.
  const auto number = [](uint64_t flow) { return flow % 2 == 0 ? (flow << 32) + 7 : flow * 0x9E3779B97F4A7C15; };
  for (uint64_t flow = 1; flow <= kFlows; ++flow) {
    sample.flow = number(flow);
    sample.client = flow;
    FlowState* state = table.Find(sample, names);
    ASSERT_NE(state, nullptr);
    state->used_s = static_cast<int64_t>(flow);
  }
  EXPECT_EQ(table.size(), kFlows);
  table.Forget(kFlows - 99);
  EXPECT_EQ(table.size(), 100U);
  for (uint64_t flow = kFlows - 99; flow <= kFlows; ++flow) {
    sample.flow = number(flow);
    EXPECT_EQ(table.Find(sample, names)->used_s, static_cast<int64_t>(flow));
  }
  EXPECT_EQ(table.size(), 100U);
  sample.flow = 0;  // stands for a free place inside, and is a flow all the same
  ASSERT_NE(table.Find(sample, names), nullptr);
  EXPECT_EQ(table.size(), 101U);
}

Finding Draft(double points = 60) {
  Finding finding;
  finding.detector = Detector::loss;
  finding.kind = "path";
  finding.subject.kind = SubjectKind::kPod;
  finding.subject.key = 5;
  finding.start = kNow;
  Add(finding, {"lost", "Segments are lost.", 1, "", points, {}});
  return finding;
}

const auto kSeeing = [](const std::string&) { return false; };
const auto kBlind = [](const std::string&) { return true; };

TEST(FindingBook, OneTroubleIsOneFinding) {
  const Thresholds thresholds;
  FindingBook book(thresholds);
  const uint64_t id = book.Report(Draft(), kNow);
  EXPECT_NE(id, 0U);
  EXPECT_EQ(book.Report(Draft(), kNow + 1'000), id);
  EXPECT_THAT(book.TakeChanges(), SizeIs(1));
  EXPECT_THAT(book.TakeChanges(), SizeIs(0));
  book.Report(Draft(), kNow + 2'000);
  EXPECT_THAT(book.TakeChanges(), SizeIs(0)) << "numbers alone can wait";
  book.Report(Draft(90), kNow + 3'000);
  const std::vector<Finding> surer = book.TakeChanges();
  ASSERT_THAT(surer, SizeIs(1));
  EXPECT_EQ(surer[0].level, Level::kHigh);
  EXPECT_EQ(surer[0].revision, 2U);
}

TEST(FindingBook, EndsAfterTenCleanSecondsAndOpensAgain) {
  const Thresholds thresholds;
  FindingBook book(thresholds);
  const uint64_t id = book.Report(Draft(), kNow);
  book.Tick(kNow + 9'000, kSeeing);
  EXPECT_THAT(book.Open(), SizeIs(1));
  book.Tick(kNow + 10'000, kSeeing);
  EXPECT_THAT(book.Open(), SizeIs(0));
  std::vector<Finding> closed = book.TakeChanges();
  ASSERT_THAT(closed, SizeIs(1));
  EXPECT_EQ(closed[0].closed_because, "clean");
  EXPECT_EQ(closed[0].state, FindingState::kClosed);
  EXPECT_EQ(book.Report(Draft(), kNow + 20'000), id) << "the same trouble again";
  book.Tick(kNow + 30'000, kSeeing);
  book.TakeChanges();
  book.Tick(kNow + 61'000, kSeeing);
  Finding later = Draft();
  later.start = kNow + 62'000;
  EXPECT_NE(book.Report(later, kNow + 62'000), id);
}

TEST(FindingBook, ABlindNodeEndsNothingAsClean) {
  const Thresholds thresholds;
  FindingBook book(thresholds);
  Finding draft = Draft();
  draft.node = "n1";
  book.Report(draft, kNow);
  book.Tick(kNow + 30'000, kBlind);
  EXPECT_THAT(book.Open(), SizeIs(1));
  book.Tick(kNow + 60'000, kBlind);
  const std::vector<Finding> closed = book.TakeChanges();
  ASSERT_THAT(closed, SizeIs(1));
  EXPECT_EQ(closed[0].closed_because, "no_data");
}

TEST(FindingBook, EvidenceOfTheSurestMomentStays) {
  const Thresholds thresholds;
  FindingBook book(thresholds);
  book.Report(Draft(90), kNow);
  book.Report(Draft(40), kNow + 1'000);
  ASSERT_THAT(book.Open(), SizeIs(1));
  EXPECT_EQ(book.Open()[0].points, 90);
}

TEST(FindingBook, SaysNothingBelowTheLowestLevel) {
  const Thresholds thresholds;
  FindingBook book(thresholds);
  EXPECT_EQ(book.Report(Draft(29), kNow), 0U);
  EXPECT_THAT(book.TakeChanges(), SizeIs(0));
}

TEST(FindingBook, IsBoundedAndCountsWhatItRefuses) {
  const Thresholds thresholds;
  FindingBook book(thresholds);
  for (uint64_t key = 0; key <= kMaxOpen; ++key) {
    Finding draft = Draft();
    draft.subject.key = key + 1;
    book.Report(draft, kNow);
  }
  EXPECT_EQ(book.Open().size(), kMaxOpen);
  EXPECT_EQ(book.refused(), 1U);
}

TEST(FindingBook, FindsWhateverTheVariantOpenOnesFirst) {
  const Thresholds thresholds;
  FindingBook book(thresholds);
  Finding over = Draft();
  over.variant = 1;
  book.Report(over, kNow);
  book.Close(over, "done", kNow);
  EXPECT_EQ(book.Find(over.detector, over.subject.key), nullptr);
  ASSERT_NE(book.FindAny(over.detector, over.subject.key), nullptr);
  Finding open = Draft();
  open.variant = 7;
  book.Report(open, kNow);
  EXPECT_EQ(book.FindAny(open.detector, open.subject.key)->variant, 7U);
  EXPECT_EQ(book.FindAny(open.detector, open.subject.key + 1), nullptr);
}

TEST(FindingBook, TakesOverWhatWasOpen) {
  const Thresholds thresholds;
  FindingBook before(thresholds);
  const uint64_t id = before.Report(Draft(), kNow);
  FindingBook after(thresholds);
  after.Restore(before.Open(), kNow + 5'000, kNow + 5'000);
  EXPECT_EQ(after.Report(Draft(), kNow + 6'000), id);
  EXPECT_EQ(after.Open()[0].start, kNow);
}

TEST(Finding, IdsAreStableAndFitIntoADouble) {
  const uint64_t id = FindingId(Detector::loss, 1, 2, 3, kNow);
  EXPECT_EQ(id, FindingId(Detector::loss, 1, 2, 3, kNow));
  EXPECT_NE(id, FindingId(Detector::dns, 1, 2, 3, kNow));
  EXPECT_LT(id, uint64_t{1} << 53);
  EXPECT_EQ(static_cast<uint64_t>(static_cast<double>(id)), id);
}

TEST(Finding, NumbersReadLikeAPersonWritesThem) {
  EXPECT_EQ(BitsText(4.1e9), "4.1 Gbit/s");
  EXPECT_EQ(BitsText(39e6), "39.0 Mbit/s");
  EXPECT_EQ(BytesText(13.9e9), "13.9 GB");
  EXPECT_EQ(BytesText(812), "812 B");
  EXPECT_EQ(SecondsText(27.13), "27.1 s");
  EXPECT_EQ(SecondsText(150), "2 min 30 s");
  EXPECT_EQ(MicrosText(18'000), "18 ms");
  EXPECT_EQ(PercentText(0.41), "41 %");
  EXPECT_EQ(PercentText(0.0052), "0.5 %");
  EXPECT_EQ(PercentText(0), "0 %");
}

// Some kubelets write every condition anew with each status.
TEST(Startup, AWaitForANodeThatEndsAfterTheContainersStartedIsUnknown) {
  model::Pod pod;
  pod.created = 1'000'000;
  pod.scheduled = pod.created + 70'000;
  pod.ready_since = pod.created + 71'000;
  model::PodContainer container;
  container.started = pod.created + 2'000;
  pod.containers.push_back(container);
  const auto names = [&] {
    std::vector<std::string> found;
    for (const StartupStep& step : StartupSteps(pod, {}, 0)) found.push_back(step.name);
    return found;
  };
  EXPECT_EQ(names(), (std::vector<std::string>{"pull_and_start", "initialising"}));
  pod.scheduled = pod.created + 1'000;
  EXPECT_EQ(names(), (std::vector<std::string>{"scheduling", "pull_and_start", "initialising"}));
}

// On a machine without processor time to spare a second was skipped, and the next looked twice as fast as the limit.
TEST(Activity, AReadingOfTwoSecondsIsNoRateOfOne) {
  Names names(Capacities(InstanceTable::Shipped()));
  Activity activity(names);
  const auto read = [&](int64_t end_ms, uint64_t bytes) {
    using model::NodeSignal;
    const std::vector<model::NodeSample> samples{{NodeSignal::interface_hardware, "eth0", 0, 1, end_ms, 1'000},
                                                 {NodeSignal::interface_rx_bytes, "eth0", 0, bytes, end_ms, 1'000}};
    activity.Add(NodeReadings{"n1", samples, {}}, end_ms);
  };
  constexpr int64_t kSecond = 1'700'000'000;
  for (int64_t at = 0; at < 3; ++at) read((kSecond + at + 1) * 1'000, 25'000'000);
  read((kSecond + 5) * 1'000, 50'000'000);
  read((kSecond + 6) * 1'000, 24'000'000);
  const NodeActivity* node = activity.FindNode(names.Node("n1"));
  ASSERT_NE(node, nullptr);
  for (int64_t at = 0; at < 5; ++at) EXPECT_DOUBLE_EQ(node->RxBits(kSecond + at), 200e6) << at;
  EXPECT_DOUBLE_EQ(node->RxBits(kSecond + 5), 192e6);
  read((kSecond + 30) * 1'000, 25'000'000);
  EXPECT_DOUBLE_EQ(node->RxBits(kSecond + 29), 200e6) << "readings before it were lost, not late";
}

}  // namespace
}  // namespace weir::diagnose

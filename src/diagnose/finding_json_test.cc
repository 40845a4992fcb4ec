#include "diagnose/finding_json.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "diagnose/scenario.h"

namespace weir::diagnose {
namespace {

Finding Everything() {
  Finding finding;
  finding.id = 0x1fedcba9876543;
  finding.detector = Detector::bandwidth_breach;
  finding.kind = "sustained";
  finding.subject = NodeSubject("c", "n<1>\"\n", "a");
  finding.peer = ZonePairSubject("a", "b");
  finding.variant = UINT64_MAX;
  finding.severity = Severity::kCritical;
  finding.start = 1'700'000'000'123;
  finding.end = finding.start + 7'000;
  finding.updated = finding.end + 1;
  finding.revision = 9;
  finding.points = 100.5;
  finding.level = Level::kHigh;
  finding.verdict = "node n1 exceeds its bandwidth";
  Reference reference{Reference::Kind::kNodeSeries, "interface.rx_bytes", "client_pod = \"x\"", "n1", "eth0", 1, 2};
  finding.evidence = {{"rate", "The rate was 4.1 Gbit/s.", 4.1e9, "bit/s", 25, reference}, {"x", "y", -1, "", 0, {}}};
  finding.not_excluded = {"a limit elsewhere"};
  finding.culprits = {{finding.peer, 0.7, "9 GB of 13 GB"}};
  finding.victims = {{finding.subject, 3.5, "grew"}, {finding.peer, 2, "grew too"}};
  finding.advice = "Cap it.";
  finding.related = {1, 0x1fffffffffffff};
  finding.node = "n1";
  LoadFacts load;
  load.kind = "weights";
  load.shared = true;
  load.source = finding.subject;
  load.bytes = 13'900'000'000;
  load.wall_s = 27.1;
  load.phase_s[static_cast<size_t>(LoadPhase::node_limited)] = 20;
  load.earlier_loads = 3;
  finding.load = load;
  finding.steps = {{"scheduling", 5, 6, true}, {"load", 6, 9, false}};
  return finding;
}

TEST(FindingJson, WhatIsStoredIsReadBack) {
  const Finding finding = Everything();
  const Result<Finding> read = FindingFrom(StoredText(finding));
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(StoredText(*read), StoredText(finding));
  EXPECT_EQ(read->variant, UINT64_MAX);
  EXPECT_EQ(read->subject.key, finding.subject.key);
  EXPECT_EQ(read->load->phase_s, finding.load->phase_s);
  EXPECT_EQ(FindingId(read->detector, read->subject.key, 0, 0, read->start),
            FindingId(finding.detector, finding.subject.key, 0, 0, finding.start));
}

TEST(FindingJson, EveryFindingOfARunIsReadBack) {
  std::ifstream file(std::string(WEIR_FIXTURES) + "/D07_victim.txt");
  const Scenario scenario(std::string{std::istreambuf_iterator<char>(file), {}});
  const Scenario::Outcome outcome = scenario.Run();
  ASSERT_FALSE(outcome.findings.empty());
  for (const auto& [id, finding] : outcome.findings) {
    const Result<Finding> read = FindingFrom(StoredText(finding));
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(StoredText(*read), StoredText(finding));
  }
}

TEST(FindingJson, IndicatorsAreReadBackUnknownOnesToo) {
  HealthIndicator indicator{ZonePairSubject("a", "b"), 5, 35'000, 1, 60, 40, 2, 3, 70, "most are lost"};
  for (const std::optional<int>& value : {std::optional<int>(1), std::optional<int>(0), std::optional<int>()}) {
    indicator.value = value;
    const auto read = IndicatorFrom(StoredText(indicator));
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(read->value, value);
    EXPECT_EQ(StoredText(*read), StoredText(indicator));
  }
}

TEST(FindingJson, NonsenseIsCorruptAndNothingElse) {
  for (const char* text : {"", "{", "[]", "null", "{\"id\":5}", "{\"id\":\"00000000000001\",\"detector\":\"x\"}",
                           "{\"id\":\"1\",\"detector\":\"loss\"}"}) {
    EXPECT_EQ(FindingFrom(text).status().code(), Code::kCorrupt) << text;
    EXPECT_EQ(IndicatorFrom(text).status().code(), Code::kCorrupt) << text;
  }
  // Of another version: a field of another type is as if it were missing.
  const auto odd = FindingFrom(
      R"({"id":"00000000000001","detector":"loss","points":"many","evidence":{},"culprits":[5],"load":[],"new":1})");
  ASSERT_TRUE(odd.ok());
  EXPECT_EQ(odd->points, 0);
  EXPECT_FALSE(odd->load);
  EXPECT_EQ(odd->culprits.size(), 1U);
}

TEST(FindingJson, BytesThatAreNoTextDoNotBreakIt) {
  Finding finding = Everything();
  finding.subject.pod = "\xff\xfe";
  EXPECT_TRUE(FindingFrom(StoredText(finding)).ok());
}

TEST(FindingJson, ForPeopleThereAreTitlesFiltersAndTimesAsTheyAreWanted) {
  const JsonForm form{[](UnixMillis time) { return Json("t" + std::to_string(time)); }, true};
  const Json json = ToJson(Everything(), form);
  EXPECT_EQ(json["id"], "1fedcba9876543");
  EXPECT_EQ(json["start"], "t1700000000123");
  EXPECT_EQ(json["title"], "Bandwidth breach");
  EXPECT_EQ(json["subject"]["filter"], "(client_node = \"n<1>\\\"\\x0a\" or server_node = \"n<1>\\\"\\x0a\")");
  EXPECT_FALSE(json["subject"].contains("key"));
  EXPECT_EQ(json["load"]["phases"][1]["text"], "the node exceeded its bandwidth");
}

TEST(FindingJson, IdsAreFourteenDigits) {
  EXPECT_EQ(ParseId(IdText(1)), 1U);
  EXPECT_EQ(ParseId("1"), 0U);
  EXPECT_EQ(ParseId("0000000000000g"), 0U);
  EXPECT_EQ(ParseId("000000000000001"), 0U);
}

}  // namespace
}  // namespace weir::diagnose

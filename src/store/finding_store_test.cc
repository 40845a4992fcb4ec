#include "store/finding_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/store_fixture.h"

namespace weir::store {
namespace {

using testing::ElementsAre;

constexpr int64_t kMinuteMs = 60'000;

struct FindingStoreTest : StoreTest {
  void SetUp() override {
    StoreTest::SetUp();
    if (!IsSkipped()) Reopen();
  }
  FindingStore& findings() { return *store().findings(); }
  // Of [from, to] in minutes.
  StoredFinding Of(uint64_t id, uint32_t revision, int64_t from, int64_t to, bool open = false) const {
    return {id,
            revision,
            now + from * kMinuteMs,
            now + to * kMinuteMs,
            open,
            "loss",
            "high",
            {"pod:shop/web"},
            "text " + std::to_string(revision)};
  }
  std::vector<uint64_t> Ids(FindingQuery query = {}) {
    if (query.range.to == 0) query.range = {now - 60 * kMinuteMs, now + 60 * kMinuteMs};
    auto found = findings().Find(query);
    EXPECT_TRUE(found.ok()) << found.status().message();
    std::vector<uint64_t> ids;
    for (const StoredFinding& finding : found->findings) ids.push_back(finding.id);
    return ids;
  }
  UnixMillis now = 1'700'000'000'000;
};

TEST_F(FindingStoreTest, AnswersHaveTheLatestRevisionAlone) {
  ASSERT_TRUE(findings().Insert({Of(7, 1, 0, 1, true)}).ok());
  ASSERT_TRUE(findings().Insert({Of(7, 2, 0, 2, true)}).ok());
  ASSERT_TRUE(findings().Insert({Of(7, 2, 0, 2, true)}).ok()) << "a repetition";
  EXPECT_THAT(Ids(), ElementsAre(7));
  EXPECT_THAT(Ids({.open_only = true}), ElementsAre(7));
  ASSERT_TRUE(findings().Insert({Of(7, 3, 0, 3)}).ok());
  EXPECT_THAT(Ids({.open_only = true}), ElementsAre()) << "an earlier revision was open";
  EXPECT_THAT(Ids({.closed_only = true}), ElementsAre(7));
  const auto found = findings().Find(FindingQuery{.id = 7});
  ASSERT_TRUE(found.ok());
  ASSERT_EQ(found->findings.size(), 1U);
  EXPECT_EQ(found->findings[0].revision, 3U);
  EXPECT_EQ(found->findings[0].text, "text 3");
  EXPECT_EQ(found->findings[0].end, now + 3 * kMinuteMs);
}

TEST_F(FindingStoreTest, RangesTakeWhatOverlapsAndWhatIsStillOpen) {
  ASSERT_TRUE(findings().Insert({Of(1, 1, 0, 1), Of(2, 1, 5, 6), Of(3, 1, 0, 1, true)}).ok());
  EXPECT_THAT(Ids({.range = {now + 5 * kMinuteMs, now + 9 * kMinuteMs}}), ElementsAre(2, 3));
  EXPECT_THAT(Ids({.range = {now - 9 * kMinuteMs, now}}), ElementsAre()) << "the end is exclusive";
  EXPECT_THAT(Ids({.range = {now + 1 * kMinuteMs, now + 2 * kMinuteMs}}), ElementsAre(1, 3));
}

TEST_F(FindingStoreTest, QuestionsChooseByDetectorConfidenceAndSubject) {
  StoredFinding other = Of(2, 1, 1, 2);
  other.detector = "dns";
  other.confidence = "low";
  other.about = {"node:n1", "pod:it's; DROP TABLE weir.findings"};
  ASSERT_TRUE(findings().Insert({Of(1, 1, 0, 1), other}).ok());
  EXPECT_THAT(Ids(), ElementsAre(2, 1)) << "the latest first";
  EXPECT_THAT(Ids({.detectors = {"dns"}}), ElementsAre(2));
  EXPECT_THAT(Ids({.detectors = {"dns", "loss"}, .confidences = {"high"}}), ElementsAre(1));
  EXPECT_THAT(Ids({.about = "pod:shop/web"}), ElementsAre(1));
  EXPECT_THAT(Ids({.about = "pod:it's; DROP TABLE weir.findings"}), ElementsAre(2));
  EXPECT_THAT(Ids({.about = "') OR 1=1 --"}), ElementsAre());
  auto limited = findings().Find(FindingQuery{.range = {0, now * 2}, .limit = 1});
  ASSERT_TRUE(limited.ok());
  EXPECT_EQ(limited->findings.size(), 1U);
  EXPECT_FALSE(limited->complete);
}

TEST_F(FindingStoreTest, AnyTextComesBackAsItWasAndSurvivesARestart) {
  std::vector<StoredFinding> all;
  for (const std::string& text : HostileTexts()) {
    StoredFinding finding = Of(100 + all.size(), 1, 0, 1);
    finding.text = text;
    finding.about = {text};
    all.push_back(finding);
  }
  ASSERT_TRUE(findings().Insert(all).ok());
  Close();
  Reopen();
  for (const StoredFinding& finding : all) {
    const auto found = findings().Find(FindingQuery{.id = finding.id});
    ASSERT_TRUE(found.ok());
    ASSERT_EQ(found->findings.size(), 1U);
    EXPECT_EQ(found->findings[0].text, finding.text);
    EXPECT_THAT(Ids({.about = finding.about[0]}), testing::Contains(finding.id));
  }
}

TEST_F(FindingStoreTest, WhatIsTooLongIsRefusedBeforeItIsStored) {
  StoredFinding finding = Of(1, 1, 0, 1);
  finding.text.assign(kMaxFindingBytes + 1, 'x');
  EXPECT_EQ(findings().Insert({finding}).code(), Code::kInvalid);
  EXPECT_THAT(Ids(), ElementsAre());
}

TEST_F(FindingStoreTest, IndicatorsAreStretchesThatGrow) {
  const auto of = [&](std::string scope, int64_t from, int64_t to, int value) {
    return StoredIndicator{std::move(scope), now + from * kMinuteMs, now + to * kMinuteMs, value, "text"};
  };
  ASSERT_TRUE(findings().Insert({of("node:a", 0, 1, 0), of("node:b", 0, 1, -1)}).ok());
  ASSERT_TRUE(findings().Insert({of("node:a", 0, 5, 0), of("node:a", 5, 6, 1)}).ok());
  const auto found = findings().Find(IndicatorQuery{.range = {now, now + 60 * kMinuteMs}});
  ASSERT_TRUE(found.ok());
  ASSERT_EQ(found->indicators.size(), 3U);
  EXPECT_EQ(found->indicators[0].end, now + 5 * kMinuteMs);
  EXPECT_EQ(found->indicators[1].value, 1);
  EXPECT_EQ(found->indicators[2].value, -1);
  const auto one =
      findings().Find(IndicatorQuery{.range = {now + 5 * kMinuteMs, now + 60 * kMinuteMs}, .scope = "node:a"});
  ASSERT_TRUE(one.ok());
  ASSERT_EQ(one->indicators.size(), 1U);
  EXPECT_EQ(one->indicators[0].value, 1);
}

TEST_F(FindingStoreTest, OldFindingsLeaveWithTheirPartitionAndTheCurrentOneStays) {
  Reopen({.findings_seconds = 1});
  ASSERT_TRUE(findings().Insert({Of(1, 1, 0, 1)}).ok());
  const UnixMillis today = SystemClock().WallMillis();
  ASSERT_TRUE(store().Maintain(today).ok());
  EXPECT_THAT(Ids(), ElementsAre(1));
  ASSERT_TRUE(store().Maintain(today + 30LL * 24 * 60 * kMinuteMs).ok());
  EXPECT_THAT(Ids(), ElementsAre());
}

}  // namespace
}  // namespace weir::store

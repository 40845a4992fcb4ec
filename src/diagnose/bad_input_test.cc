// Streams as life bends them: twice, late, from clocks that differ, with pieces missing. What is said may become less,
// and less sure; it never becomes wrong.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "diagnose/scenario.h"

namespace weir::diagnose {
namespace {

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> Fixtures() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(WEIR_FIXTURES))
    names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  std::erase_if(names,
                [](const std::string& name) { return name.starts_with("H"); });  // long; bent in one test of its own
  return names;
}

class Bent : public testing::TestWithParam<std::string> {
 protected:
  Scenario scenario_{ReadFile(std::filesystem::path(WEIR_FIXTURES) / (GetParam() + ".txt"))};

  // All expectations, or only those that forbid something.
  void Expect(const ScenarioOptions& options, bool all, const std::string& how) const {
    const Scenario::Outcome outcome = scenario_.Run(options);
    for (const ScenarioLine& expectation : scenario_.expectations()) {
      const bool forbids =
          expectation.words[0] == "never" || expectation.words[0] == "quiet" || expectation.Has("never");
      if (!all && !forbids) continue;
      EXPECT_EQ(Scenario::Check(expectation, outcome), "")
          << how << ", line " << expectation.number << "\nall findings:\n"
          << Scenario::Golden(outcome);
    }
  }
};

TEST_P(Bent, SamplesThatComeTwiceCountOnce) {
  ScenarioOptions once;
  once.lost_share = 0;
  ScenarioOptions twice;
  twice.duplicate_share = 1;
  const Scenario::Outcome outcome = scenario_.Run(twice);
  EXPECT_EQ(Scenario::Golden(outcome), Scenario::Golden(scenario_.Run(once)));
  if (outcome.counters.flows != 0) {
    EXPECT_EQ(outcome.counters.duplicates * 2, outcome.counters.flows);
  }
}

TEST_P(Bent, SamplesThatComeLateSayTheSame) {
  ScenarioOptions options;
  options.late_s = 4;
  Expect(options, true, "four seconds late");
}

// An agent that is short of processor time tells of its connections late, and of its node in time.
TEST_P(Bent, FlowsThatComeLaterThanReadingsSayTheSame) {
  ScenarioOptions options;
  options.flows_late_s = 6;
  // Without a counter it takes flows of the very second to tell a limit from a server that paces itself.
  Expect(options, GetParam() != "D03_breach_by_queueing", "flows six seconds later than readings");
}

TEST_P(Bent, ClocksThatDifferSayTheSame) {
  for (const int64_t skew : {1, 5}) {
    ScenarioOptions options;
    options.skew_s = skew;
    Expect(options, true, fmt::format("clocks {} s apart", skew));
  }
}

TEST_P(Bent, WhatIsMissingMakesNothingWrong) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    ScenarioOptions options;
    options.seed = seed;
    options.lost_share = 0.2;
    Expect(options, false, fmt::format("a fifth is missing, seed {}", seed));
  }
}

TEST_P(Bent, BlindNodesMakeNothingWrong) {
  ScenarioOptions options;
  options.blind = {{12, 17}, {30, 50}};
  Expect(options, false, "blind");
}

TEST_P(Bent, HistoryIsNotJudged) {
  ScenarioOptions options;
  options.late_s = 30;
  const Scenario::Outcome outcome = scenario_.Run(options);
  for (const auto& [id, finding] : outcome.findings) {
    EXPECT_EQ(finding.severity, Severity::kInfo) << finding.verdict;  // the cluster's own times are never late
  }
}

TEST_P(Bent, RatesByAThirdUpAndDownSayTheSame) {
  for (const double scale : {0.75, 1.3}) {
    ScenarioOptions options;
    options.scale = scale;
    for (const char* name : {"load_start_bytes", "load_least_bytes", "load_large_bytes"})
      options.thresholds[name] = 4e6;
    const Scenario::Outcome outcome = scenario_.Run(options);
    for (const ScenarioLine& expectation : scenario_.expectations()) {
      if (expectation.Has("bytes")) continue;
      EXPECT_EQ(Scenario::Check(expectation, outcome), "")
          << "scale " << scale << ", line " << expectation.number << "\nall findings:\n"
          << Scenario::Golden(outcome);
    }
  }
}

TEST_P(Bent, WithoutCapacityARateIsNeverCalledHigh) {
  ScenarioOptions options;
  options.no_capacity = true;
  const Scenario::Outcome outcome = scenario_.Run(options);
  for (const auto& [id, finding] : outcome.findings) {
    const bool counts_alone = finding.kind == "link_local" || finding.kind.starts_with("connection");
    if (finding.detector != Detector::bandwidth_breach || counts_alone) continue;
    EXPECT_NE(finding.level, Level::kHigh) << finding.verdict;
    EXPECT_FALSE(finding.not_excluded.empty()) << finding.verdict;
  }
}

INSTANTIATE_TEST_SUITE_P(Recipes, Bent, testing::ValuesIn(Fixtures()), [](const auto& recipe) { return recipe.param; });

TEST(BadInput, HealthyTrafficStaysHealthyHoweverItIsBent) {
  const Scenario scenario(ReadFile(std::filesystem::path(WEIR_FIXTURES) / "H1_healthy.txt"));
  ScenarioOptions options;
  options.duplicate_share = 0.1;
  options.lost_share = 0.05;
  options.skew_s = 5;
  options.late_s = 3;
  options.jitter = 0.2;
  options.blind = {{100, 130}, {900, 901}};
  for (const ScenarioLine& expectation : scenario.expectations()) {
    const Scenario::Outcome outcome = scenario.Run(options);
    EXPECT_EQ(Scenario::Check(expectation, outcome), "") << Scenario::Golden(outcome);
  }
}

constexpr std::string_view kLoad =
    "node n1 zone=a baseline=5000M\n"
    "end 9 external=weights.s3.example class=object_store source=dns\n"
    "pod app/engine-1 node=n1 created=-20 scheduled=-19 started=-5 gpus=1\n"
    "5..34 flow 1->9:443 rx=200M tx=2M conns=25\n"
    "5..34 node n1 rx=205M\n"
    "run 70\n";

// The name comes 10 s into the load, and another one 10 s later.
TEST(BadInput, APodRenamedWhileItLoadsIsOneLoad) {
  const Scenario scenario(
      std::string(kLoad) +
      "end 1 node=n1 process=python\n15 end 1 pod=app/engine-0 node=n1\n25 end 1 pod=app/engine-1 node=n1\n");
  const Scenario::Outcome outcome = scenario.Run();
  ASSERT_EQ(outcome.findings.size(), 1U) << Scenario::Golden(outcome);
  const Finding& load = outcome.findings.begin()->second;
  EXPECT_EQ(Title(load.subject), "pod app/engine-1");
  EXPECT_NEAR(static_cast<double>(load.load->bytes), 6e9, 6e7);
}

// Two processes of one pod, of which one is known as such only later.
TEST(BadInput, TwoProcessesThatTurnOutToBeOnePodAreOneLoad) {
  const Scenario scenario(
      std::string(kLoad) +
      "5..34 flow 2->9:443 rx=200M tx=2M conns=25\n"
      "end 1 pod=app/engine-1 node=n1\nend 2 node=n1 process=python\n15 end 2 pod=app/engine-1 node=n1\n");
  const Scenario::Outcome outcome = scenario.Run();
  const auto last =
      std::max_element(outcome.findings.begin(), outcome.findings.end(),
                       [](const auto& a, const auto& b) { return a.second.load->bytes < b.second.load->bytes; });
  EXPECT_EQ(Title(last->second.subject), "pod app/engine-1");
  EXPECT_GT(static_cast<double>(last->second.load->bytes), 9e9) << Scenario::Golden(outcome);
}

TEST(BadInput, NumbersThatCannotBeAreLeftOutAndCounted) {
  Judge judge(Thresholds{}, Capacities(InstanceTable::Shipped()));
  constexpr UnixMillis kNow = 1'700'000'000'000;
  FlowSample sound;
  sound.flow = 1;
  sound.client = 1;
  sound.server = 2;
  sound.start = kNow - 1'000;
  sound.end = kNow;
  std::vector<FlowSample> samples(6, sound);
  samples[1].end = samples[1].start;        // no time at all
  samples[2].end = kNow + 3'600'000;        // the future
  samples[3].start = kNow - 10'000'000;     // hours in one interval
  samples[4].to_client.bytes = UINT64_MAX;  // nonsense
  samples[5].start = samples[5].end = -5;
  judge.Add(std::span<const FlowSample>(samples), kNow);
  EXPECT_EQ(judge.counters().unusable, 5U);
  model::NodeSample nonsense{model::NodeSignal::allowance_bandwidth_in, "eth0", 0, UINT64_MAX, kNow, 1'000};
  judge.Add(NodeReadings{"n1", {&nonsense, 1}, {}}, kNow);
  for (int second = 1; second < 20; ++second) judge.Tick(kNow + second * 1'000);
  EXPECT_TRUE(judge.book().Open().empty());
}

// A node whose clock jumps days ahead and back is read again as soon as its clock is right.
TEST(BadInput, AClockThatJumpsBlindsNoNodeForGood) {
  Judge judge(Thresholds{}, Capacities(InstanceTable::Shipped()));
  constexpr UnixMillis kNow = 1'700'000'000'000;
  const auto read = [&](UnixMillis at, UnixMillis now, uint64_t exceeded) {
    const std::vector<model::NodeSample> samples{
        {model::NodeSignal::interface_hardware, "eth0", 0, 1, at, 1'000},
        {model::NodeSignal::interface_rx_packets, "eth0", 0, 1'000, at, 1'000},
        {model::NodeSignal::allowance_bandwidth_in, "eth0", 0, exceeded, at, 1'000},
    };
    judge.Add(NodeReadings{"n1", samples, {}}, now);
    judge.Tick(now);
  };
  read(kNow, kNow, 0);
  read(kNow + 5 * 86'400'000, kNow + 1'000, 50);
  for (int second = 2; second < 12; ++second) read(kNow + second * 1'000, kNow + second * 1'000, 50);
  ASSERT_EQ(judge.book().Open().size(), 1U);
  EXPECT_EQ(judge.book().Open()[0].detector, Detector::bandwidth_breach);
}

}  // namespace
}  // namespace weir::diagnose

#include "diagnose/edge_health.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::diagnose {
namespace {

using testing::HasSubstr;

struct HealthCase {
  EdgeFacts facts;
  EdgeHealth expected;
  const char* reason;
};

TEST(EdgeHealth, EveryThresholdFromBothSides) {
  const HealthCase cases[] = {
      {{.segments = 1'000, .retransmits = 9}, EdgeHealth::kOk, ""},
      {{.segments = 1'000, .retransmits = 10}, EdgeHealth::kWarn, "1.0 % of segments were sent again (10 of 1000)."},
      {{.segments = 1'000, .retransmits = 50}, EdgeHealth::kBad, "5.0 %"},
      {{.segments = 99, .retransmits = 50}, EdgeHealth::kOk, ""},  // too few segments
      {{.segments = 100, .retransmits = 2}, EdgeHealth::kOk, ""},  // too few retransmits
      {{.segments = 100, .retransmits = 3}, EdgeHealth::kWarn, "3.0 %"},
      {{.segments = 1'000, .late = 100}, EdgeHealth::kBad, "10.0 % of segments arrived after later ones"},
      {{.segments = 1'000, .retransmits = 20, .late = 10}, EdgeHealth::kWarn, "2.0 % of segments were sent again"},
      {{.segments = 1'000, .late = 9}, EdgeHealth::kOk, ""},
      {{.opened = 99, .failed_refused = 1},
       EdgeHealth::kWarn,
       "1 of 100 connection attempts failed (1.0 %): 1 refused."},
      {{.opened = 9, .failed_refused = 1}, EdgeHealth::kBad, "10.0 %"},
      {{.failed_refused = 2, .failed_timed_out = 1},
       EdgeHealth::kFailed,
       "No connection was opened; 3 failed: 2 refused, 1 timed out."},
      {{.bytes = 5, .failed_refused = 2}, EdgeHealth::kBad, "2 of 2"},  // an older connection works
      {{.rtt_min_us = 1'000, .rtt_p99_us = 51'000}, EdgeHealth::kWarn, "takes 51 ms, 51 times the shortest (1.0 ms)"},
      {{.rtt_min_us = 25, .rtt_p99_us = 110'000}, EdgeHealth::kWarn, "takes 110 ms, 4400 times the shortest (25 µs)"},
      {{.rtt_min_us = 1'000, .rtt_p99_us = 49'000}, EdgeHealth::kOk, ""},    // not felt
      {{.rtt_min_us = 30'000, .rtt_p99_us = 200'000}, EdgeHealth::kOk, ""},  // the path itself is long
      {{.rtt_min_us = 0, .rtt_p99_us = 200'000}, EdgeHealth::kOk, ""},       // unknown
      {{.segments = 1'000, .retransmits = 60, .opened = 99, .failed_other = 1}, EdgeHealth::kBad, "failed otherwise"},
  };
  for (const HealthCase& c : cases) {
    const EdgeVerdict verdict = JudgeEdge(c.facts);
    EXPECT_EQ(EdgeHealthName(verdict.health), EdgeHealthName(c.expected)) << c.reason;
    EXPECT_EQ(verdict.reasons.empty(), c.expected == EdgeHealth::kOk);
    if (!verdict.reasons.empty()) {
      EXPECT_THAT(verdict.reasons[0], HasSubstr(c.reason));
    }
  }
}

TEST(EdgeHealth, ACellOfRetransmissionsIsJudgedLikeItsEdge) {
  for (const uint64_t segments : {0U, 99U, 100U, 1'000U}) {
    for (const uint64_t retransmits : {0U, 2U, 3U, 9U, 10U, 49U, 50U, 500U}) {
      const EdgeFacts facts{.segments = segments, .retransmits = retransmits};
      EXPECT_EQ(RetransmitHealth(retransmits, segments), JudgeEdge(facts).health) << retransmits << " of " << segments;
    }
  }
}

TEST(EdgeHealth, ThresholdsDecide) {
  Thresholds strict;
  strict.edge_retransmit_bad_percent = 1;
  EXPECT_EQ(JudgeEdge({.segments = 1'000, .retransmits = 10}, strict).health, EdgeHealth::kBad);
}

}  // namespace
}  // namespace weir::diagnose

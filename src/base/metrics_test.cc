#include "base/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace weir {
namespace {

TEST(Metrics, EveryNameIsUniqueAndFollowsPrometheus) {
  std::set<std::string_view> names;
  for (const MetricDescription& metric : MetricCatalogue()) {
    SCOPED_TRACE(metric.name);
    EXPECT_TRUE(names.insert(metric.name).second);
    EXPECT_TRUE(metric.name.starts_with("weir_"));
    EXPECT_EQ(metric.kind == MetricKind::kCounter, metric.name.ends_with("_total"));
    EXPECT_FALSE(metric.help.empty());
  }
}

TEST(Metrics, ExpositionHasTheFamilyNameAndTheEnd) {
  const uint64_t before = Read(Metric::agent_ticks);
  Count(Metric::agent_ticks, 3);
  EXPECT_EQ(Read(Metric::agent_ticks), before + 3);
  const std::string text = RenderOpenMetrics();
  EXPECT_THAT(text, testing::HasSubstr("# TYPE weir_agent_ticks counter\n"));
  EXPECT_THAT(text, testing::HasSubstr("weir_agent_ticks_total " + std::to_string(before + 3) + "\n"));
  EXPECT_TRUE(text.ends_with("# EOF\n"));
}

}  // namespace
}  // namespace weir

#include "base/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/metric_text.h"

namespace weir {
namespace {

using testing::HasSubstr;
using testing::Not;

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

TEST(Metrics, AreVisitedInTheirUnits) {
  const uint64_t before = Read(Metric::agent_ticks);
  Count(Metric::agent_ticks, 3);
  EXPECT_EQ(Read(Metric::agent_ticks), before + 3);
  Count(Metric::agent_nat_microseconds, 1'500'000 - Read(Metric::agent_nat_microseconds) % 1'000'000);
  MetricText text(MetricFormat::kOpenMetrics, true);
  VisitMetrics("weir_agent_", 1'700'000'000'250, text);
  const std::string page = text.Finish();
  EXPECT_THAT(page, HasSubstr("# TYPE weir_agent_ticks counter\n"));
  EXPECT_THAT(page, HasSubstr("weir_agent_ticks_total " + std::to_string(before + 3) +
                              "\nweir_agent_ticks_created 1700000000.25\n"));
  EXPECT_THAT(page, HasSubstr("# TYPE weir_agent_nat_seconds counter\n# UNIT weir_agent_nat_seconds seconds\n"));
  EXPECT_THAT(page, HasSubstr(".5\nweir_agent_nat_seconds_created"));
  EXPECT_THAT(page, HasSubstr("# TYPE weir_agent_sockets gauge\n"));
  EXPECT_THAT(page, Not(HasSubstr("microseconds_total")));
  EXPECT_THAT(page, Not(HasSubstr("weir_server_")));
  EXPECT_EQ(ExpositionName(Metric::agent_nat_microseconds), "weir_agent_nat_seconds_total");
  EXPECT_EQ(ExpositionName(Metric::agent_sockets), "weir_agent_sockets");
}

}  // namespace
}  // namespace weir

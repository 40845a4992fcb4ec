#include "base/metric_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace weir {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr MetricFamily kBytes{"weir_pod_io_bytes", FamilyType::kCounter, "bytes", "pod direction", "", "Bytes."};
constexpr MetricFamily kPlain{"ingress_bytes", FamilyType::kPlainCounter, "bytes", "pod", "", "Bytes in."};
constexpr MetricFamily kRtt{"weir_rtt_seconds", FamilyType::kHistogram, "seconds", "pod", "", "Round trips."};

std::string Render(MetricFormat format, std::string_view pod, bool created = true) {
  MetricText text(format, created);
  text.Begin(kBytes);
  text.Add(std::array<std::string_view, 2>{pod, "receive"}, 12, 1'700'000'000'500);
  text.Begin(kPlain);
  text.Add(std::array<std::string_view, 1>{pod}, 12, 1'700'000'000'500);
  return text.Finish();
}

TEST(MetricText, OpenMetricsNamesCountersAndTheirBeginning) {
  EXPECT_EQ(Render(MetricFormat::kOpenMetrics, "sd-0"),
            "# TYPE weir_pod_io_bytes counter\n"
            "# UNIT weir_pod_io_bytes bytes\n"
            "# HELP weir_pod_io_bytes Bytes.\n"
            "weir_pod_io_bytes_total{pod=\"sd-0\",direction=\"receive\"} 12\n"
            "weir_pod_io_bytes_created{pod=\"sd-0\",direction=\"receive\"} 1700000000.5\n"
            "# TYPE ingress_bytes unknown\n"
            "# UNIT ingress_bytes bytes\n"
            "# HELP ingress_bytes Bytes in.\n"
            "ingress_bytes{pod=\"sd-0\"} 12\n"
            "# EOF\n");
  EXPECT_THAT(Render(MetricFormat::kOpenMetrics, "sd-0", false), Not(HasSubstr("_created")));
}

TEST(MetricText, PrometheusTextCallsBothCounters) {
  EXPECT_EQ(Render(MetricFormat::kPrometheus, "sd-0"),
            "# TYPE weir_pod_io_bytes_total counter\n"
            "# HELP weir_pod_io_bytes_total Bytes.\n"
            "weir_pod_io_bytes_total{pod=\"sd-0\",direction=\"receive\"} 12\n"
            "# TYPE ingress_bytes counter\n"
            "# HELP ingress_bytes Bytes in.\n"
            "ingress_bytes{pod=\"sd-0\"} 12\n");
}

TEST(MetricText, LabelsAreEscapedAndUnknownOnesLeftOut) {
  const std::string text = Render(MetricFormat::kOpenMetrics, "a\"b\\c\nd\xff\xc3\xa4\xed\xa0\x80");
  EXPECT_THAT(text,
              HasSubstr("{pod=\"a\\\"b\\\\c\\nd\xef\xbf\xbd\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"} 12\n"));
  EXPECT_THAT(Render(MetricFormat::kPrometheus, ""), HasSubstr("bytes_total{direction=\"receive\"} 12\n"));
  EXPECT_THAT(Render(MetricFormat::kPrometheus, ""), HasSubstr("\ningress_bytes 12\n"));
}

TEST(MetricText, HistogramsAddUp) {
  const std::array<double, 2> bounds{0.5, 1};
  const std::array<uint64_t, 3> buckets{3, 0, 2};
  MetricText text(MetricFormat::kOpenMetrics, true);
  text.Begin(kRtt);
  text.AddHistogram(std::array<std::string_view, 1>{"p"}, {bounds, buckets, 4.25}, 0);
  EXPECT_EQ(text.samples(), 5U);
  EXPECT_THAT(text.Finish(), HasSubstr("weir_rtt_seconds_bucket{pod=\"p\",le=\"0.5\"} 3\n"
                                       "weir_rtt_seconds_bucket{pod=\"p\",le=\"1.0\"} 3\n"
                                       "weir_rtt_seconds_bucket{pod=\"p\",le=\"+Inf\"} 5\n"
                                       "weir_rtt_seconds_count{pod=\"p\"} 5\n"
                                       "weir_rtt_seconds_sum{pod=\"p\"} 4.25\n"));
}

TEST(MetricText, NumbersKeepWhatTheyAre) {
  const auto number = [](double value) {
    std::string out;
    AppendNumber(out, value);
    return out;
  };
  EXPECT_EQ(number(0), "0");
  EXPECT_EQ(number(1'000'000), "1000000");
  EXPECT_EQ(number(9007199254740991.0), "9007199254740991");
  EXPECT_EQ(number(0.000001), "1e-06");
  EXPECT_EQ(number(-2.5), "-2.5");
  EXPECT_EQ(number(std::numeric_limits<double>::infinity()), "+Inf");
  EXPECT_EQ(number(std::numeric_limits<double>::quiet_NaN()), "NaN");
}

TEST(MetricText, TheClientChooses) {
  const auto open = [](std::string_view accept) { return FormatFor(accept) == MetricFormat::kOpenMetrics; };
  EXPECT_TRUE(
      open("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
           "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"))
      << "Prometheus 2.42";
  EXPECT_FALSE(open("text/plain;version=0.0.4;q=1,*/*;q=0.1")) << "VictoriaMetrics";
  EXPECT_FALSE(open(""));
  EXPECT_FALSE(open("*/*")) << "curl";
  EXPECT_FALSE(open("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")) << "a browser";
  EXPECT_FALSE(open("application/openmetrics-text;q=0.1, text/plain;q=0.9"));
  EXPECT_TRUE(open("application/openmetrics-text ; q=0.9 , text/plain; q=0.2"));
  EXPECT_FALSE(open("application/openmetrics-text;q=banana"));
  EXPECT_FALSE(open(",;,;q=,"));
}

}  // namespace
}  // namespace weir

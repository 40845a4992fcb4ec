#include "telemetry/remote_write.h"

#include <gtest/gtest.h>
#include <snappy.h>

#include <array>
#include <bit>
#include <cmath>
#include <map>

namespace weir::telemetry {
namespace {

constexpr MetricFamily kBytes{"weir_io_bytes", FamilyType::kCounter, "bytes", "pod node", "", "Bytes."};
constexpr MetricFamily kPlain{"ingress_bytes", FamilyType::kPlainCounter, "bytes", "pod", "", "Bytes."};
constexpr MetricFamily kTime{"weir_time_seconds", FamilyType::kHistogram, "seconds", "pod", "", "Time."};

std::vector<remote_write::Series> Decoded(const std::vector<Encoded>& requests) {
  std::vector<remote_write::Series> all;
  for (const Encoded& encoded : requests) {
    std::string plain;
    EXPECT_TRUE(snappy::Uncompress(encoded.body.data(), encoded.body.size(), &plain));
    remote_write::Request request;
    EXPECT_TRUE(request.ParseFromString(plain));
    EXPECT_EQ(static_cast<uint64_t>(request.series_size()), encoded.items);
    all.insert(all.end(), request.series().begin(), request.series().end());
  }
  return all;
}

// "name{label=value,...}" -> value; labels must be in order.
std::map<std::string, double> Shown(const std::vector<Encoded>& requests) {
  std::map<std::string, double> shown;
  for (const remote_write::Series& series : Decoded(requests)) {
    std::string name, labels, last;
    for (const remote_write::Label& label : series.labels()) {
      EXPECT_LT(last, label.name());
      last = label.name();
      if (label.name() == "__name__") {
        name = label.value();
      } else {
        labels += (labels.empty() ? "" : ",") + label.name() + "=" + label.value();
      }
    }
    EXPECT_EQ(series.samples_size(), 1);
    shown[name + "{" + labels + "}"] = series.samples(0).value();
  }
  return shown;
}

TEST(RemoteWrite, NamesSeriesAsAScrapeWould) {
  RemoteWriteRounds rounds({{"job", "weir"}, {"node", "server"}});
  const auto shown = Shown(rounds.Encode(5, [](MetricVisitor& visitor) {
    visitor.Begin(kBytes);
    visitor.Add(std::array<std::string_view, 2>{"web-1", "n1"}, 7);
    visitor.Add(std::array<std::string_view, 2>{"web-2", ""}, 8);
    visitor.Begin(kPlain);
    visitor.Add(std::array<std::string_view, 1>{"bad \xff\n"}, 9);
  }));
  const std::map<std::string, double> expected{{"weir_io_bytes_total{job=weir,node=n1,pod=web-1}", 7},
                                               {"weir_io_bytes_total{job=weir,node=server,pod=web-2}", 8},
                                               {"ingress_bytes{job=weir,node=server,pod=bad \xef\xbf\xbd\n}", 9}};
  EXPECT_EQ(shown, expected);
}

TEST(RemoteWrite, AddsUpTheBucketsOfAHistogram) {
  RemoteWriteRounds rounds({});
  const std::array<double, 2> bounds{0.5, 1};
  const std::array<uint64_t, 3> buckets{1, 2, 3};
  const auto shown = Shown(rounds.Encode(5, [&](MetricVisitor& visitor) {
    visitor.Begin(kTime);
    visitor.AddHistogram(std::array<std::string_view, 1>{"p"}, {bounds, buckets, 4.5}, 0);
  }));
  const std::map<std::string, double> expected{{"weir_time_seconds_bucket{le=0.5,pod=p}", 1},
                                               {"weir_time_seconds_bucket{le=1,pod=p}", 3},
                                               {"weir_time_seconds_bucket{le=+Inf,pod=p}", 6},
                                               {"weir_time_seconds_sum{pod=p}", 4.5},
                                               {"weir_time_seconds_count{pod=p}", 6}};
  EXPECT_EQ(shown, expected);
}

TEST(RemoteWrite, EndsASeriesOnceWhenItIsGone) {
  RemoteWriteRounds rounds({});
  const auto visit = [](std::string_view pod) {
    return [pod](MetricVisitor& visitor) {
      visitor.Begin(kPlain);
      visitor.Add(std::array<std::string_view, 1>{pod}, 1);
    };
  };
  rounds.Encode(1'000, visit("a"));
  const std::vector<remote_write::Series> second = Decoded(rounds.Encode(2'000, visit("b")));
  ASSERT_EQ(second.size(), 2U);
  EXPECT_EQ(second[1].labels(1).value(), "a");
  EXPECT_EQ(std::bit_cast<uint64_t>(second[1].samples(0).value()), 0x7ff0000000000002U);
  EXPECT_EQ(second[1].samples(0).timestamp_ms(), 2'000);
  EXPECT_EQ(Decoded(rounds.Encode(3'000, visit("b"))).size(), 1U);
}

TEST(RemoteWrite, RequestsAreBounded) {
  RemoteWriteRounds rounds({});
  const std::vector<Encoded> requests = rounds.Encode(1, [](MetricVisitor& visitor) {
    visitor.Begin(kPlain);
    for (int i = 0; i < 4'500; ++i) {
      const std::string pod = std::to_string(i);
      visitor.Add(std::array<std::string_view, 1>{pod}, i);
    }
  });
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_EQ(requests[0].items, 2'000U);
  EXPECT_EQ(requests[2].items, 500U);
  EXPECT_EQ(Decoded(requests).size(), 4'500U);
}

}  // namespace
}  // namespace weir::telemetry

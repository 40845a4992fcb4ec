#include "apps/exposition.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::apps {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const InferenceServers& Table() { return InferenceServers::Shipped(); }

SeriesNumber NumberOf(std::string_view name) {
  const auto& series = Table().series();
  for (size_t number = 0; number < series.size(); ++number) {
    if (series[number].name == name) return static_cast<SeriesNumber>(number);
  }
  ADD_FAILURE() << name;
  return 0;
}

const SeriesNumber kFirstToken = NumberOf("vllm:time_to_first_token_seconds");

std::string WhyRefused(std::string_view text) {
  const Exposition exposition = ReadExposition(text, Table());
  EXPECT_TRUE(exposition.readings.empty());
  return exposition.refused.empty() ? "" : exposition.refused[0].second;
}

TEST(InferenceServers, TheShippedTableIsReadAndDated) {
  EXPECT_EQ(Table().date().size(), 10U);
  EXPECT_GE(Table().servers().size(), 6U);
  ASSERT_NE(Table().OfImage("docker.io/vllm/vllm-openai:v0.6.3@sha256:ab"), nullptr);
  EXPECT_EQ(Table().OfImage("docker.io/vllm/vllm-openai:v0.6.3")->name, "vLLM");
  EXPECT_EQ(Table().OfImage("vllm.example:5000/shop/ui:1"), Table().OfImage("vllm.example:5000/x"));
  EXPECT_EQ(Table().OfImage("nginx:1-vllm"), nullptr);
}

TEST(InferenceServers, ALineThatIsWrongIsNamed) {
  const auto bad = InferenceServers::Parse("server | a | | 1 | /m | at once\nseries | a | x | nothing | gauge | 1\n");
  ASSERT_FALSE(bad.ok());
  EXPECT_THAT(bad.status().message(), HasSubstr("line 2"));
  EXPECT_FALSE(InferenceServers::Parse("series | b | x | app.requests | gauge | 1\n").ok());
}

TEST(Exposition, LabelSetsOfAHistogramAddUp) {
  const Exposition exposition = ReadExposition(
      "# HELP vllm:time_to_first_token_seconds Histogram of time to first token in seconds.\n"
      "# TYPE vllm:time_to_first_token_seconds histogram\n"
      "vllm:time_to_first_token_seconds_bucket{le=\"0.5\",model_name=\"a \\\"b\\\" } 1\"} 2.0\n"
      "vllm:time_to_first_token_seconds_bucket{le=\"+Inf\",model_name=\"a\"} 3.0\n"
      "vllm:time_to_first_token_seconds_bucket{model_name=\"b\", le=\"0.5\",} 1 1700000000000\n"
      "vllm:time_to_first_token_seconds_bucket{model_name=\"b\",le=\"+Inf\"} 1 # {trace_id=\"x\"} 0.3\n"
      "vllm:time_to_first_token_seconds_sum{model_name=\"a\"} 1.5\n"
      "vllm:time_to_first_token_seconds_sum{model_name=\"b\"} 0.25\r\n"
      "vllm:time_to_first_token_seconds_count{model_name=\"a\"} 3\n"
      "vllm:time_to_first_token_seconds_count{model_name=\"b\"} 1\n"
      "something_else{x=\"y\"} NaN\n"
      "# EOF\n",
      Table());
  EXPECT_EQ(exposition.unreadable, 0U);
  EXPECT_EQ(exposition.samples, 9U);
  ASSERT_EQ(exposition.readings.size(), 1U);
  const Reading& reading = exposition.readings.at(kFirstToken);
  EXPECT_THAT(reading.bounds, ElementsAre(0.5));
  EXPECT_THAT(reading.counts, ElementsAre(3, 1));
  EXPECT_EQ(reading.count, 4);
  EXPECT_DOUBLE_EQ(reading.sum, 1.75);
}

TEST(Exposition, UnitsBecomeSecondsAndTotalIsOptional) {
  const Exposition exposition = ReadExposition(
      "nv_inference_request_duration_us{model=\"m\",version=\"1\"} 2500000\n"
      "nv_inference_request_success{model=\"m\",version=\"1\"} 5\n"
      "vllm:request_success_total{finished_reason=\"stop\"} 7\nvllm:request_success_total{finished_reason=\"length\"} "
      "2\n",
      Table());
  EXPECT_DOUBLE_EQ(exposition.readings.at(NumberOf("nv_inference_request_duration_us")).value, 2.5);
  EXPECT_EQ(exposition.readings.at(NumberOf("vllm:request_success")).value, 9);
  EXPECT_EQ(exposition.readings.size(), 5U) << "one sample of Triton's divides two sums and counts requests";
}

TEST(Exposition, WhatCannotBeIsRefused) {
  const std::string name = "vllm:time_to_first_token_seconds";
  const auto histogram = [&](std::string_view half, std::string_view all, std::string_view count) {
    return fmt::format("{0}_bucket{{le=\"0.5\"}} {1}\n{0}_bucket{{le=\"+Inf\"}} {2}\n{0}_sum 1\n{0}_count {3}\n", name,
                       half, all, count);
  };
  EXPECT_EQ(WhyRefused(histogram("1", "2", "3")), "its count is 3 and its last bucket 2");
  EXPECT_THAT(WhyRefused(histogram("3", "2", "2")), HasSubstr("buckets fall"));
  EXPECT_THAT(WhyRefused(histogram("NaN", "2", "2")), HasSubstr("is not a number"));
  EXPECT_THAT(WhyRefused(histogram("-1", "2", "2")), HasSubstr("below zero"));
  EXPECT_THAT(WhyRefused(histogram("1", "+Inf", "+Inf")), HasSubstr("beyond all measure"));
  EXPECT_THAT(WhyRefused(name + "_bucket{le=\"0.5\"} 1\n"), HasSubstr("without a last bucket"));
  EXPECT_THAT(WhyRefused(name + "_bucket{le=\"-Inf\"} 1\n"), HasSubstr("without a bound"));
  EXPECT_THAT(WhyRefused(name + "_bucket 1\n"), HasSubstr("without a bound"));
  EXPECT_THAT(WhyRefused(name + "_bucket{le=\"+Inf\"} 1\n" + name + "_count 1\n"), HasSubstr("without sum"));
  EXPECT_THAT(WhyRefused(histogram("1", "2", "2") + name + "_bucket{le=\"+Inf\",m=\"b\"} 2\n"),
              HasSubstr("different buckets"));
  EXPECT_THAT(WhyRefused("vllm:num_requests_waiting -3\n"), HasSubstr("below zero"));
  std::string many;
  for (size_t bucket = 0; bucket <= kMaxBuckets; ++bucket)
    many += fmt::format("{}_bucket{{le=\"{}\"}} 1\n", name, bucket);
  EXPECT_THAT(WhyRefused(many), HasSubstr("more than 128 buckets"));
}

TEST(Exposition, BrokenLinesAreCountedAndTheRestIsRead) {
  const Exposition exposition = ReadExposition(
      "<html>\n{\"json\": 1}\nvllm:num_requests_waiting{a=\"b} 3\nvllm:num_requests_waiting{a=b} 3\n"
      "vllm:num_requests_waiting\nvllm:num_requests_waiting 3x\nvllm:num_requests_waiting{} 4" +
          std::string("\nlong{x=\"") + std::string(kMaxLineBytes, 'y') + "\"} 1\n",
      Table());
  EXPECT_EQ(exposition.unreadable, 7U);
  EXPECT_EQ(exposition.readings.at(NumberOf("vllm:num_requests_waiting")).value, 4);
}

}  // namespace
}  // namespace weir::apps

#include "apps/app_windows.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::apps {
namespace {

using ::testing::HasSubstr;

const InferenceServers& Table() { return InferenceServers::Shipped(); }

// Buckets up to 0.1, 0.5, 1 and infinity, not added up.
std::string FirstTokens(std::array<int, 4> counts, double sum) {
  std::string text;
  int all = 0;
  constexpr std::array kBounds{"0.1", "0.5", "1.0", "+Inf"};
  for (size_t bucket = 0; bucket < counts.size(); ++bucket) {
    all += counts[bucket];
    text += fmt::format("vllm:time_to_first_token_seconds_bucket{{le=\"{}\"}} {}\n", kBounds[bucket], all);
  }
  return text +
         fmt::format("vllm:time_to_first_token_seconds_sum {}\nvllm:time_to_first_token_seconds_count {}\n", sum, all);
}

class Windows : public ::testing::Test {
 protected:
  AppWindows::Judgement Read(const std::string& text) {
    at_ += 15'000;
    return windows_.Add(ReadExposition(text, Table()), at_);
  }
  AppFigures All() const { return windows_.Between(0, at_); }
  const AppFigure& First(const AppFigures& figures) const { return *figures.Of(Meaning::time_to_first_token); }

  UnixMillis at_ = 1'700'000'000'000;
  AppWindows windows_{Table()};
};

TEST_F(Windows, TheDifferenceOfTwoReadingsIsWhatCounts) {
  EXPECT_EQ(Read(FirstTokens({1'000, 0, 0, 0}, 50)).refused, 0U);
  EXPECT_FALSE(All().Of(Meaning::time_to_first_token)) << "one reading is no difference";
  Read(FirstTokens({1'000, 10, 0, 0}, 53));
  const AppFigures figures = All();
  const AppFigure& first = First(figures);
  EXPECT_EQ(first.value, 10);
  EXPECT_DOUBLE_EQ(*first.mean_us, 300'000);
  EXPECT_DOUBLE_EQ(*first.p50_us, 300'000) << "half way through the bucket from 0.1 to 0.5 s";
  EXPECT_DOUBLE_EQ(first.p50_low_us, 100'000);
  EXPECT_DOUBLE_EQ(first.p50_high_us, 500'000);
  EXPECT_EQ(figures.from, at_ - 15'000);
  EXPECT_EQ(figures.to, at_);
  EXPECT_EQ(windows_.server()->name, "vLLM");
}

TEST_F(Windows, BeyondTheLastBoundAQuantileIsNotKnown) {
  Read(FirstTokens({0, 0, 0, 0}, 0));
  Read(FirstTokens({0, 0, 60, 40}, 300));
  const AppFigures figures = All();
  EXPECT_TRUE(First(figures).p50_us);
  EXPECT_FALSE(First(figures).p99_us);
  EXPECT_DOUBLE_EQ(First(figures).p99_low_us, 1'000'000);
}

TEST_F(Windows, OnlyTheRangeIsAddedUp) {
  Read(FirstTokens({0, 0, 0, 0}, 0));
  Read(FirstTokens({10, 0, 0, 0}, 0.5));
  const UnixMillis between = at_;
  Read(FirstTokens({10, 5, 0, 0}, 2));
  EXPECT_EQ(First(windows_.Between(0, between)).value, 10);
  EXPECT_EQ(First(windows_.Between(between, at_)).value, 5);
  EXPECT_EQ(First(All()).value, 15);
}

TEST_F(Windows, ARestartedProcessCountsFromThenOn) {
  Read(FirstTokens({100, 0, 0, 0}, 5));
  Read(FirstTokens({110, 0, 0, 0}, 5.5));
  EXPECT_TRUE(Read(FirstTokens({3, 0, 0, 0}, 0.15)).restarted);
  Read(FirstTokens({7, 0, 0, 0}, 0.35));
  EXPECT_EQ(First(All()).value, 14);
}

TEST_F(Windows, CountsThatGoBackAreNotBelievedAndNothingIsComparedWithThem) {
  Read(FirstTokens({100, 0, 0, 0}, 5));
  const auto lie = Read(FirstTokens({90, 0, 0, 5}, 5'000));
  EXPECT_EQ(lie.refused, 1U);
  EXPECT_THAT(lie.why, HasSubstr("went back from 100 to 95 while its sum grew"));
  EXPECT_EQ(Read(FirstTokens({110, 0, 0, 0}, 5.5)).refused, 0U);
  EXPECT_FALSE(All().Of(Meaning::time_to_first_token));
  Read(FirstTokens({120, 0, 0, 0}, 6));
  EXPECT_EQ(First(All()).value, 10);
}

TEST_F(Windows, ABucketOrASumThatGoesBackAloneIsNotBelieved) {
  Read(FirstTokens({100, 50, 0, 0}, 20));
  EXPECT_THAT(Read(FirstTokens({150, 40, 0, 0}, 21)).why, HasSubstr("a bucket of"));
  Read(FirstTokens({100, 50, 0, 0}, 20));
  EXPECT_THAT(Read(FirstTokens({101, 50, 0, 0}, 10)).why, HasSubstr("the sum of"));
}

TEST_F(Windows, ASumMustFitItsBuckets) {
  Read(FirstTokens({0, 0, 0, 0}, 0));
  EXPECT_THAT(Read(FirstTokens({0, 2, 0, 0}, 40)).why, HasSubstr("2 samples of vllm:time_to_first_token_seconds"));
  Read(FirstTokens({0, 2, 0, 0}, 40));
  EXPECT_EQ(Read(FirstTokens({0, 2, 0, 1}, 80)).refused, 0U) << "the last bucket has no upper bound";
}

TEST_F(Windows, SeveralProcessesAtOneAddressAreNotBelieved) {
  AppWindows::Judgement judgement;
  for (int round = 0; round < 10; ++round) {
    judgement = Read(FirstTokens({round % 2 == 0 ? 1'000 : 10, 0, 0, 0}, round % 2 == 0 ? 50 : 0.5));
  }
  EXPECT_NE(judgement.refused, 0U);
  EXPECT_THAT(judgement.why, HasSubstr("several processes answer at this address"));
}

TEST_F(Windows, OtherBucketsThanBeforeBeginAnew) {
  Read(FirstTokens({0, 0, 0, 0}, 0));
  Read(FirstTokens({10, 0, 0, 0}, 0.5));
  const auto other = [](int count) {
    return fmt::format(
        "vllm:time_to_first_token_seconds_bucket{{le=\"2\"}} {0}\n"
        "vllm:time_to_first_token_seconds_bucket{{le=\"+Inf\"}} {0}\n"
        "vllm:time_to_first_token_seconds_sum {0}\nvllm:time_to_first_token_seconds_count {0}\n",
        count);
  };
  Read(other(20));
  Read(other(23));
  EXPECT_EQ(First(All()).value, 3);
}

TEST_F(Windows, SumsAndTheirCountsMakeMeansAndGaugesAreTheLatest) {
  const auto triton = [](int requests, int microseconds, int pending) {
    return fmt::format(
        "nv_inference_request_success {}\nnv_inference_request_duration_us {}\n"
        "nv_inference_queue_duration_us {}\nnv_inference_pending_request_count {}\n",
        requests, microseconds, microseconds / 2, pending);
  };
  Read(triton(100, 1'000'000, 5));
  Read(triton(110, 1'200'000, 2));
  const AppFigures figures = All();
  const AppFigure& duration = *figures.Of(Meaning::request_duration);
  EXPECT_EQ(duration.series, "nv_inference_request_duration_us");
  EXPECT_EQ(duration.value, 10);
  EXPECT_DOUBLE_EQ(*duration.mean_us, 20'000);
  EXPECT_FALSE(duration.p50_us);
  EXPECT_DOUBLE_EQ(*figures.Of(Meaning::queue_duration)->mean_us, 10'000);
  EXPECT_EQ(figures.Of(Meaning::requests_waiting)->value, 2);
  EXPECT_EQ(figures.Of(Meaning::requests)->value, 10);
}

TEST_F(Windows, TheNewerOfTwoNamesSpeaksAndTheOlderWhereItIsAlone) {
  const auto tokens = [](std::string_view name, int count, double sum) {
    return fmt::format("{0}_bucket{{le=\"1\"}} {1}\n{0}_bucket{{le=\"+Inf\"}} {1}\n{0}_sum {2}\n{0}_count {1}\n", name,
                       count, sum);
  };
  Read(tokens("vllm:time_per_output_token_seconds", 0, 0));
  Read(tokens("vllm:time_per_output_token_seconds", 10, 0.2));
  EXPECT_EQ(All().Of(Meaning::time_per_output_token)->series, "vllm:time_per_output_token_seconds");
  Read(tokens("vllm:inter_token_latency_seconds", 0, 0));
  Read(tokens("vllm:inter_token_latency_seconds", 10, 0.3));
  EXPECT_EQ(All().Of(Meaning::time_per_output_token)->series, "vllm:inter_token_latency_seconds");
}

TEST_F(Windows, AnHourIsKept) {
  for (int round = 0; round < 1'000; ++round) Read(FirstTokens({round, 0, 0, 0}, round * 0.05));
  EXPECT_NEAR(First(All()).value, 241, 1);
}

}  // namespace
}  // namespace weir::apps

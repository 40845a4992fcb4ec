#include "apps/scraper.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "base/metrics.h"

namespace weir::apps {
namespace {

using ::testing::HasSubstr;

constexpr Nanos kSecond = 1'000'000'000;

std::string Page(int count) {
  return fmt::format(
      "vllm:time_to_first_token_seconds_bucket{{le=\"1\"}} {0}\n"
      "vllm:time_to_first_token_seconds_bucket{{le=\"+Inf\"}} {0}\n"
      "vllm:time_to_first_token_seconds_sum {1}\nvllm:time_to_first_token_seconds_count {0}\n",
      count, count * 0.5);
}

// Answers what it was told to, the last for ever.
class FakeClient final : public net::HttpClient {
 public:
  Result<net::ClientResponse> Send(const net::ClientRequest& request) override {
    requests.push_back(request);
    Result<net::ClientResponse> answer = answers.front();
    if (answers.size() > 1) answers.pop_front();
    return answer;
  }
  Status Stream(const net::ClientRequest&, const std::function<bool(std::string_view)>&) override {
    return Status::Unsupported("no streams");
  }
  void Answers(int status, std::string body) {
    answers.push_back(net::ClientResponse{.status = status, .headers = {}, .body = std::move(body)});
  }
  std::deque<Result<net::ClientResponse>> answers;
  std::vector<net::ClientRequest> requests;
};

Target At(const std::string& url) { return (*ParseTargets(url))[0]; }

class ScraperTest : public ::testing::Test {
 protected:
  TargetView Only() { return scraper_.View(0, clock_.WallMillis()).at(0); }
  // What is due now, and how often it was asked.
  size_t AskAll() {
    size_t asked = 0;
    while (scraper_.ScrapeOne(client_)) ++asked;
    return asked;
  }
  size_t AskAfter(int seconds) {
    clock_.Advance(seconds * kSecond);
    return AskAll();
  }

  FakeClock clock_;
  FakeClient client_;
  Scraper scraper_{{}, InferenceServers::Shipped(), clock_};
};

TEST_F(ScraperTest, AsksEveryPeriodAndTellsTheDifference) {
  client_.Answers(200, Page(10));
  client_.Answers(200, Page(30));
  scraper_.Put(At("http://127.0.0.1:9"));
  EXPECT_EQ(Only().state, TargetState::kWaiting);
  EXPECT_EQ(AskAll(), 1U);
  EXPECT_EQ(Only().state, TargetState::kWaiting) << "one reading is no difference";
  EXPECT_EQ(AskAfter(14), 0U);
  EXPECT_EQ(AskAfter(1), 1U);
  const TargetView view = Only();
  EXPECT_EQ(view.state, TargetState::kBelieved);
  EXPECT_EQ(view.server, "vLLM");
  EXPECT_EQ(view.figures.Of(Meaning::time_to_first_token)->value, 20);
  EXPECT_EQ(view.last_believed, clock_.WallMillis());
  const net::ClientRequest& request = client_.requests[0];
  EXPECT_EQ(request.url, "http://127.0.0.1:9/metrics");
  EXPECT_EQ(request.timeout, std::chrono::milliseconds(3'000));
  EXPECT_EQ(request.max_response_bytes, size_t{4} << 20);
  EXPECT_TRUE(request.direct);
  EXPECT_FALSE(request.headers.contains("Authorization"));
}

TEST_F(ScraperTest, WhoHangsIsAskedLessOftenAndComesBack) {
  client_.answers.emplace_back(Status::Unavailable("http://127.0.0.1:9/metrics: Operation timed out after 3001 ms"));
  scraper_.Put(At("http://127.0.0.1:9"));
  AskAll();
  EXPECT_EQ(Only().state, TargetState::kUnreachable);
  EXPECT_THAT(Only().reason, HasSubstr("timed out"));
  size_t asked = 0;
  for (int round = 0; round < 240; ++round) asked += AskAfter(15);
  EXPECT_LT(asked, 40U) << "an hour";
  client_.answers.clear();
  client_.Answers(200, Page(1));
  AskAfter(120);
  EXPECT_EQ(Only().state, TargetState::kWaiting);
  AskAfter(15);
  EXPECT_EQ(Only().state, TargetState::kBelieved);
}

TEST_F(ScraperTest, ALieIsNotBelievedAndSaidToBeOne) {
  client_.Answers(200, Page(10));
  client_.Answers(200, Page(20));
  client_.Answers(200, "vllm:time_to_first_token_seconds_count NaN\n");
  client_.Answers(200, Page(40));
  client_.Answers(200, Page(50));
  const uint64_t refused = Read(Metric::server_app_series_refused);
  scraper_.Put(At("http://127.0.0.1:9"));
  AskAll();
  AskAfter(15);
  AskAfter(15);
  EXPECT_EQ(Only().state, TargetState::kNotBelieved);
  EXPECT_THAT(Only().reason, HasSubstr("is not a number"));
  EXPECT_EQ(Read(Metric::server_app_series_refused), refused + 1);
  AskAfter(15);
  EXPECT_EQ(Only().state, TargetState::kBelieved);
}

TEST_F(ScraperTest, APageWithoutAnyKnownSeriesAndAnotherStatusAreSaid) {
  client_.Answers(200, "go_goroutines 7\n");
  client_.Answers(200, "<html>hello</html>\n");
  client_.Answers(302, "");
  scraper_.Put(At("http://127.0.0.1:9"));
  AskAll();
  EXPECT_EQ(Only().state, TargetState::kTellsNothing);
  EXPECT_THAT(Only().reason, HasSubstr("none of its series"));
  AskAfter(15);
  EXPECT_THAT(Only().reason, HasSubstr("no page of metrics"));
  AskAfter(60);
  EXPECT_EQ(Only().reason, "it answers 302 in the place of 200");
}

TEST_F(ScraperTest, OneTooManyIsLeftOutUntilThereIsRoom) {
  ScraperOptions options;
  options.max_targets = 2;
  Scraper scraper(options, InferenceServers::Shipped(), clock_);
  for (int port = 1; port <= 3; ++port) scraper.Put(At(fmt::format("http://127.0.0.1:{}", port)));
  EXPECT_EQ(scraper.View(0, 1).size(), 2U);
  EXPECT_EQ(scraper.left_out(), 1U);
  EXPECT_EQ(weir::Read(Metric::server_app_targets_left_out), 1U);
  scraper.Remove("http://127.0.0.1:1/metrics");
  EXPECT_EQ(scraper.View(0, 1).size(), 2U);
  EXPECT_EQ(scraper.left_out(), 0U);
}

TEST_F(ScraperTest, PodsComeAndGoWhereThatIsAskedFor) {
  model::Pod pod;
  pod.uid = "u";
  pod.name = "llm-0";
  pod.name_space = "shop";
  pod.phase = "Running";
  pod.addresses = {*model::Address::Parse("10.0.0.5")};
  pod.containers.resize(1);
  pod.containers[0].image = "vllm/vllm-openai";
  scraper_.ListenerOf("prod").Changed(pod);
  EXPECT_TRUE(scraper_.View(0, 1).empty()) << "nothing is asked unless a flag says so";
  ScraperOptions options;
  options.pods = true;
  Scraper scraper(options, InferenceServers::Shipped(), clock_);
  model::ClusterListener& listener = scraper.ListenerOf("prod");
  listener.Changed(pod);
  ASSERT_EQ(scraper.View(0, 1).size(), 1U);
  EXPECT_EQ(scraper.View(0, 1)[0].target.url, "http://10.0.0.5:8000/metrics");
  scraper.ListenerOf("test").Changed(pod);
  ASSERT_EQ(scraper.View(0, 1).size(), 2U);
  for (const TargetView& view : scraper.View(0, 1)) {
    EXPECT_EQ(view.state, TargetState::kNotBelieved) << "the same address and uid in two clusters";
  }
  scraper.ListenerOf("test").Gone(model::ClusterListener::Kind::kPod, "u", 0);
  ASSERT_EQ(scraper.View(0, 1).size(), 1U);
  EXPECT_EQ(scraper.View(0, 1)[0].state, TargetState::kWaiting);
  pod.addresses = {*model::Address::Parse("10.0.0.6")};
  listener.Changed(pod);
  EXPECT_EQ(scraper.View(0, 1)[0].target.url, "http://10.0.0.6:8000/metrics");
  listener.Gone(model::ClusterListener::Kind::kPod, "u", 0);
  EXPECT_TRUE(scraper.View(0, 1).empty());
}

}  // namespace
}  // namespace weir::apps

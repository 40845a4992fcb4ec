#include "api/serving_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/fakes.h"

namespace weir::api {
namespace {

using apps::AppFigure;
using apps::Meaning;
using apps::TargetState;
using apps::TargetView;
using ::testing::HasSubstr;

constexpr UnixMillis kNow = 1'700'000'000'000;
constexpr store::TimeRange kRange{kNow - 900'000, kNow};

ResultBuilder Rows() {
  store::FlowQuery query;
  query.group_by = ServingGroup();
  query.columns = ServingMeasures();
  return ResultBuilder(query);
}

std::map<std::string_view, store::Cell> Server(const std::string& pod, int port, double first_us,
                                               uint64_t requests = 100) {
  return {{"server_namespace", Text("shop")},
          {"server_workload", Text("llm")},
          {"server_pod", Text(pod)},
          {"server_process", Text("python3")},
          {"server_port", Exact(static_cast<uint64_t>(port))},
          {"requests", Exact(requests)},
          {"first_chunk_count", Exact(requests)},
          {"first_chunk_sum_us", Exact(static_cast<uint64_t>(first_us) * requests)},
          {"receive_wait_count", Exact(requests)},
          {"receive_wait_sum_us", Exact(0)}};
}

TargetView Pod(const std::string& pod, double first_us) {
  TargetView view;
  view.target.pod = pod;
  view.target.name_space = "shop";
  view.target.port = 8000;
  view.target.url = "http://10.0.0.5:8000/metrics";
  view.state = TargetState::kBelieved;
  view.server = "vLLM";
  view.last_believed = kNow - 1'000;
  view.figures.from = kRange.from;
  view.figures.to = kNow - 1'000;
  AppFigure figure;
  figure.series = "vllm:time_to_first_token_seconds";
  figure.value = 100;
  figure.mean_us = first_us;
  figure.p50_us = first_us;
  figure.p50_low_us = 100'000;
  figure.p50_high_us = 1'000'000;
  figure.p99_low_us = 1'000'000;
  figure.p99_high_us = std::numeric_limits<double>::infinity();
  view.figures.figures[static_cast<size_t>(Meaning::time_to_first_token)] = figure;
  return view;
}

TargetView Named(const std::string& name, uint16_t port) {
  TargetView view = Pod("", 800'000);
  view.target.name_space.clear();
  view.target.name = name;
  view.target.port = port;
  return view;
}

ServingFacts FactsOf(ResultBuilder rows, std::vector<TargetView> apps) {
  ServingFacts facts;
  facts.range = kRange;
  facts.rows = std::move(rows.result);
  facts.apps = std::move(apps);
  facts.asked = true;
  return facts;
}

std::string WhyWithout(const ServingFacts& facts) {
  const Matches matches = MatchApps(facts);
  return matches.without_row.empty() ? "" : matches.without_row[0].second;
}

TEST(ServingPage, WireAndApplicationStandInOneRow) {
  const Json json = ServingJson(FactsOf(Rows().Row(Server("llm-0", 8000, 2'100'000)), {Pod("llm-0", 800'000)}));
  const Json& row = json["servers"].at(0);
  EXPECT_EQ(row["server_pod"], "llm-0");
  EXPECT_EQ(row["app"]["state"], "believed");
  EXPECT_EQ(row["app"]["reason"], "");
  const Json& figure = row["app"]["figures"].at(0);
  EXPECT_EQ(figure["name"], "gen_ai.server.time_to_first_token");
  EXPECT_EQ(figure["series"], "vllm:time_to_first_token_seconds");
  EXPECT_EQ(figure["p99_us"], Json());
  EXPECT_EQ(figure["p99_between_us"], (Json{1e6, nullptr}));
  const Json& first = row["app"]["beside"].at(0);
  EXPECT_EQ(first["measure"], "first_chunk");
  EXPECT_EQ(first["verdict"], "unexplained");
  EXPECT_EQ(first["difference_us"], 1'300'000);
  EXPECT_TRUE(json["apps_without_server"].empty());
}

TEST(ServingPage, WhatIsNotBelievedShowsNoFigure) {
  TargetView lying = Pod("llm-0", 800'000);
  lying.state = TargetState::kNotBelieved;
  lying.reason = "its buckets fall";
  ServingFacts facts = FactsOf(Rows().Row(Server("llm-0", 8000, 2'100'000)), {lying});
  Json app = ServingJson(facts)["servers"].at(0)["app"];
  EXPECT_TRUE(app["figures"].empty());
  EXPECT_THAT(app["reason"].get<std::string>(), HasSubstr("its buckets fall (last believed"));
  EXPECT_EQ(app["beside"].at(0)["verdict"], "unknown");
  EXPECT_EQ(app["beside"].at(0)["wire_mean_us"], 2'100'000) << "the wire's number stands all the same";
  facts.range.to = facts.apps[0].last_believed;
  app = ServingJson(facts)["servers"].at(0)["app"];
  EXPECT_EQ(app["reason"], "") << "of a range that ends before the lie the figures hold";
}

TEST(ServingPage, AnApplicationFollowedSinceLaterIsComparedWithTheWireSinceThen) {
  TargetView late = Pod("llm-0", 800'000);
  late.figures.from = kNow - 300'000;
  ServingFacts facts = FactsOf(Rows().Row(Server("llm-0", 8000, 5'000'000)), {late});
  const std::optional<UnixMillis> start = LaterStart(facts, late);
  ASSERT_TRUE(start);
  const auto first = [&] { return ServingJson(facts)["servers"].at(0)["app"]["beside"].at(0); };
  EXPECT_THAT(first()["sentence"].get<std::string>(), HasSubstr("it is followed since"));
  facts.since[*start] = Rows().Row(Server("llm-0", 8000, 820'000)).result;
  EXPECT_EQ(first()["verdict"], "agree");
  facts.since[*start] = Rows().Row(Server("other", 8000, 820'000)).result;
  EXPECT_EQ(first()["verdict"], "unknown");
}

TEST(ServingPage, APodsRowAtThePortThatIsAskedOrElseItsBusiest) {
  ServingFacts facts =
      FactsOf(Rows().Row(Server("llm-0", 9000, 1, 500)).Row(Server("llm-0", 8000, 1)).Row(Server("llm-1", 8000, 1)),
              {Pod("llm-0", 1)});
  EXPECT_EQ(MatchApps(facts).app_of_row, (std::map<size_t, size_t>{{1, 0}}));
  facts.apps[0].target.port = 8002;
  EXPECT_EQ(MatchApps(facts).app_of_row, (std::map<size_t, size_t>{{0, 0}}));
}

TEST(ServingPage, ANameOrAPortMustMeanOneServer) {
  const auto rows = [] { return Rows().Row(Server("llm-0", 8000, 1)).Row(Server("llm-1", 8000, 1)); };
  EXPECT_THAT(WhyWithout(FactsOf(rows(), {Named("", 8000)})),
              HasSubstr("2 servers are called so or answer at port 8000"));
  EXPECT_THAT(WhyWithout(FactsOf(rows(), {Named("shop/llm", 8000)})), HasSubstr("name the one that is meant"));
  EXPECT_EQ(WhyWithout(FactsOf(rows(), {Named("shop/llm-1", 8000)})), "");
  EXPECT_EQ(WhyWithout(FactsOf(rows(), {Named("llm-1", 1)})), "");
  EXPECT_THAT(WhyWithout(FactsOf(rows(), {Named("other", 8000)})), HasSubstr("no request to it was measured"));
  EXPECT_THAT(WhyWithout(FactsOf(rows(), {Named("llm-1", 8000), Named("shop/llm-1", 8000)})),
              HasSubstr("another address speaks for the same server"));
}

}  // namespace
}  // namespace weir::api

#include "agent/flow/listener_news.h"

#include <gtest/gtest.h>

#include <map>
#include <string_view>

#include "agent/flow/flow_table.h"
#include "base/metrics.h"

namespace weir::agent::flow {
namespace {

ListenerNews::News NewsOf(std::string_view address, uint64_t overflows, char program = 'a') {
  ListenerNews::News news;
  news.address = *model::Address::Parse(address);
  news.comm[0] = program;
  news.netns = 7;
  news.port = 80;
  news.overflows = overflows;
  news.queue_max = 2;
  return news;
}

FlowKey Flow(std::string_view server, char program = 'a', uint32_t netns = 7, uint16_t port = 80) {
  FlowKey key;
  key.server = *model::Address::Parse(server);
  key.comm[0] = program;
  key.netns = netns;
  key.server_port = port;
  key.side = model::Side::kServer;
  return key;
}

class ListenerNewsTest : public testing::Test {
 protected:
  // By flow.
  std::map<uint32_t, uint64_t> Settle() {
    std::map<uint32_t, uint64_t> given;
    news_.Settle([&](uint32_t flow, const ListenerNews::News& news) {
      given[flow] += news.overflows;
      queue_max_ = news.queue_max;
    });
    return given;
  }
  using Given = std::map<uint32_t, uint64_t>;

  ListenerNews news_;
  uint64_t queue_max_ = 0;
};

TEST_F(ListenerNewsTest, GoToTheFlowWithTheMostConnectionsThere) {
  news_.Put(NewsOf("0.0.0.0", 3));
  news_.Put(NewsOf("0.0.0.0", 4));
  news_.Offer(Flow("10.0.0.2"), {10, 1, 50});
  news_.Offer(Flow("10.0.0.3"), {11, 2, 5});
  news_.Offer(Flow("10.0.0.3"), {12, 1, 99});
  EXPECT_EQ(Settle(), (Given{{11, 7}}));
  EXPECT_EQ(queue_max_, 2U);
  EXPECT_TRUE(news_.empty());
}

TEST_F(ListenerNewsTest, OtherListenersFlowsHaveNoClaim) {
  news_.Put(NewsOf("10.0.0.2", 3));
  news_.Offer(Flow("10.0.0.3"), {10, 9, 9});
  news_.Offer(Flow("10.0.0.2", 'a', 8), {11, 9, 9});
  news_.Offer(Flow("10.0.0.2", 'a', 7, 81), {12, 9, 9});
  EXPECT_EQ(Settle(), Given{});
  EXPECT_FALSE(news_.empty());
}

TEST_F(ListenerNewsTest, TheListenersOwnProgramGoesBeforeOthers) {
  news_.Put(NewsOf("10.0.0.2", 3, 'a'));
  news_.Put(NewsOf("10.0.0.2", 5, 'b'));
  news_.Offer(Flow("10.0.0.2", 'c'), {10, 9, 9});
  news_.Offer(Flow("10.0.0.2", 'b'), {11, 1, 1});
  EXPECT_EQ(Settle(), (Given{{10, 3}, {11, 5}})) << "whose process nobody knows may be the listener's";
}

TEST_F(ListenerNewsTest, WhatHasNoFlowWaitsAndIsCountedInTheEnd) {
  const uint64_t before = Read(Metric::agent_listener_news_lost);
  news_.Put(NewsOf("10.0.0.2", 3));
  EXPECT_EQ(Settle(), Given{});
  news_.Offer(Flow("10.0.0.2"), {10, 0, 0});
  EXPECT_EQ(Settle(), (Given{{10, 3}}));
  EXPECT_EQ(queue_max_, 0U) << "that was another time's";
  news_.Put(NewsOf("10.0.0.2", 3));
  for (uint32_t i = 0; i < ListenerNews::kPatience; ++i) EXPECT_EQ(Settle(), Given{});
  EXPECT_TRUE(news_.empty());
  EXPECT_EQ(Read(Metric::agent_listener_news_lost), before + 3);
}

TEST_F(ListenerNewsTest, AQueueLengthAloneDoesNotWait) {
  news_.Put(NewsOf("10.0.0.2", 0));
  EXPECT_EQ(Settle(), Given{});
  EXPECT_TRUE(news_.empty());
}

}  // namespace
}  // namespace weir::agent::flow

#include "agent/node/counter_board.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "agent/node/sample_table.h"
#include "base/metrics.h"

namespace weir::agent::node {
namespace {

using model::NodeSignal;
using model::SignalScope;

constexpr Nanos kSecond = 1'000'000'000;
constexpr UnixMillis kNoon = 1'700'000'000'000;

struct CounterBoardTest : testing::Test {
  void At(int second) { board.At(kNoon + second * 1'000, (second + 100) * kSecond); }
  uint64_t ValueOf(uint32_t netns, SignalScope scope, uint64_t number, NodeSignal signal) const {
    const CounterBoard::Entry* entry = board.Find(netns, scope, number);
    if (entry == nullptr) return UINT64_MAX;
    for (const CounterBoard::Value& value : entry->values) {
      if (value.signal == signal) return value.value;
    }
    return UINT64_MAX;
  }
  size_t Others() const {
    size_t count = 0;
    board.ForEachOther([&](uint32_t, SignalScope, const CounterBoard::Entry&) { ++count; });
    return count;
  }
  CounterBoard board;
};

TEST_F(CounterBoardTest, HoldsTheKernelsOwnValuesAndWhenNewOnesBegan) {
  At(0);
  board.Put({7, 2, "pod/eth0", false}, NodeSignal::interface_rx_bytes, 1'000, Width::k64);
  board.Put({7, 3, "pod/net1", true}, NodeSignal::interface_rx_bytes, 5, Width::k64);
  board.Put({7, 2, "pod/eth0", false}, NodeSignal::interface_hardware, 1, Width::k64);
  At(5);
  board.Put({7, 2, "pod/eth0", false}, NodeSignal::interface_rx_bytes, 1'700, Width::k64);
  EXPECT_EQ(ValueOf(7, SignalScope::kInterface, 2, NodeSignal::interface_rx_bytes), 1'700U);
  EXPECT_EQ(board.Find(7, SignalScope::kInterface, 2)->values.size(), 1U) << "what is not shown is not kept";
  EXPECT_EQ(board.Find(7, SignalScope::kInterface, 2)->created, 0);
  EXPECT_EQ(board.Find(7, SignalScope::kInterface, 3)->created, kNoon);
  At(6);
  board.Put({7, 2, "pod/eth0", false}, NodeSignal::interface_rx_bytes, 10, Width::k64);
  EXPECT_EQ(ValueOf(7, SignalScope::kInterface, 2, NodeSignal::interface_rx_bytes), 10U) << "a reset is one";
}

TEST_F(CounterBoardTest, A32BitCounterGoesOnBeyondItsEnd) {
  const Object qdisc{0, 9, "eth0 tbf 1:", false};
  At(0);
  board.Put(qdisc, NodeSignal::qdisc_drops, 0xffff'fff0, Width::k32);
  board.Put(qdisc, NodeSignal::qdisc_drops, 0x10, Width::k32);
  EXPECT_EQ(ValueOf(0, SignalScope::kQdisc, 9, NodeSignal::qdisc_drops), 0x1'0000'0010U);
  board.Put(qdisc, NodeSignal::qdisc_drops, 0x20, Width::k32);
  EXPECT_EQ(ValueOf(0, SignalScope::kQdisc, 9, NodeSignal::qdisc_drops), 0x1'0000'0020U);
  board.Put(qdisc, NodeSignal::qdisc_drops, 3, Width::k32);
  EXPECT_EQ(ValueOf(0, SignalScope::kQdisc, 9, NodeSignal::qdisc_drops), 3U) << "replaced";
}

TEST_F(CounterBoardTest, DropsAddUpByReason) {
  At(0);
  board.AddToReason({7, 1, "pod a/NETFILTER_DROP in nft_do_chain (tcp)", true}, NodeSignal::drop_rule, 3);
  board.AddToReason({7, 2, "pod a/NETFILTER_DROP in ip_rcv (udp)", true}, NodeSignal::drop_rule, 4);
  board.AddToReason({7, 3, "pod a/NO_SOCKET in tcp_v4_rcv (tcp)", true}, NodeSignal::drop_unwanted, 1);
  board.AddToReason({0, 4, "unknown/NO_SOCKET in tcp_v4_rcv (tcp)", true}, NodeSignal::drop_unwanted, 1);
  std::map<std::string, uint64_t> found;
  board.ForEachOther([&](uint32_t netns, SignalScope, const CounterBoard::Entry& entry) {
    EXPECT_EQ(entry.created, kNoon);
    found[std::to_string(netns) + " " + entry.name] = entry.values.at(0).value;
  });
  EXPECT_EQ(found,
            (std::map<std::string, uint64_t>{{"7 NETFILTER_DROP", 7}, {"7 NO_SOCKET", 1}, {"0 unknown/NO_SOCKET", 1}}));
}

TEST_F(CounterBoardTest, WhatIsGoneLeaves) {
  At(0);
  board.Put({7, 1, "pod/eth0 fq 1:", false}, NodeSignal::qdisc_drops, 1, Width::k32);
  board.Put({0, 1, "eth0 fq 1:", false}, NodeSignal::qdisc_drops, 1, Width::k32);
  board.Put({0, 2, "eth1 fq 1:", false}, NodeSignal::qdisc_drops, 1, Width::k32);
  board.Put({0, 3, "container", false}, NodeSignal::cgroup_throttled, 1, Width::k64);
  board.AddToReason({0, 4, "NO_SOCKET in x (tcp)", false}, NodeSignal::drop_unwanted, 1);
  const auto all = [](uint32_t) { return true; };
  board.Forget(all);
  EXPECT_EQ(Others(), 5U);
  board.Forget([](uint32_t netns) { return netns == 0; });
  EXPECT_EQ(Others(), 4U) << "the namespace is gone";
  At(70);
  board.Forget(all);
  EXPECT_EQ(Others(), 4U) << "nothing at all was read meanwhile";
  board.Put({0, 1, "eth0 fq 1:", false}, NodeSignal::qdisc_drops, 1, Width::k32);
  board.Put({0, 9, "other", false}, NodeSignal::cgroup_throttled, 1, Width::k64);
  board.Forget(all);
  EXPECT_EQ(board.Find(0, SignalScope::kQdisc, 2), nullptr);
  EXPECT_EQ(board.Find(0, SignalScope::kCgroup, 3), nullptr);
  EXPECT_EQ(Others(), 3U) << "what is counted here alone stays";
}

TEST_F(CounterBoardTest, IsBounded) {
  At(0);
  const uint64_t full = Read(Metric::agent_metrics_objects_full);
  for (uint64_t i = 0; i < CounterBoard::kMaxObjects + 3; ++i) {
    board.Put({0, i, "x", false}, NodeSignal::qdisc_drops, 1, Width::k32);
  }
  EXPECT_EQ(board.objects(), CounterBoard::kMaxObjects);
  EXPECT_EQ(Read(Metric::agent_metrics_objects_full), full + 3);
}

TEST_F(CounterBoardTest, ALookMakesNoSamples) {
  SampleTable table(&board);
  const Object eth0{7, 2, "pod/eth0", false};
  table.BeginPass(kNoon, kSecond);
  table.Add(eth0, NodeSignal::interface_rx_bytes, 100);
  table.BeginLook(kNoon + 1'000, 2 * kSecond);
  EXPECT_EQ(table.Add(eth0, NodeSignal::interface_rx_bytes, 150), 0U);
  table.Say(eth0, NodeSignal::netns_inode, 7);
  EXPECT_TRUE(table.Take().empty());
  EXPECT_EQ(ValueOf(7, SignalScope::kInterface, 2, NodeSignal::interface_rx_bytes), 150U);
  table.BeginPass(kNoon + 5'000, 6 * kSecond);
  EXPECT_EQ(table.Add(eth0, NodeSignal::interface_rx_bytes, 170), 70U) << "since the pass before";
}

}  // namespace
}  // namespace weir::agent::node

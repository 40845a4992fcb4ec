#include "agent/node/qdisc_counts.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>

namespace weir::agent::node {
namespace {

using model::NodeSignal;

constexpr uint32_t kRoot = 0xffff'ffff;
constexpr uint32_t kIngress = 0xffff'fff1;

NamedQdisc Make(std::string kind, uint32_t handle, uint32_t parent, uint32_t ifindex = 2) {
  NamedQdisc named;
  named.qdisc.ifindex = ifindex;
  named.qdisc.handle = handle;
  named.qdisc.parent = parent;
  named.qdisc.kind = std::move(kind);
  named.subject = named.qdisc.kind + " " + std::to_string(handle) + " " + std::to_string(parent);
  return named;
}

class QdiscCountsTest : public testing::Test {
 protected:
  // What a pass adds, by subject.
  std::map<std::string, uint64_t> Pass(const std::vector<NamedQdisc>& qdiscs, NodeSignal signal) {
    table_.BeginPass(1'700'000'000'000, ++now_ * 1'000'000'000);
    risen_.clear();
    AddQdiscs(qdiscs, 0, false, table_,
              [this](const NamedQdisc& qdisc, NodeSignal grown) { risen_.emplace_back(qdisc.subject, grown); });
    std::map<std::string, uint64_t> added;
    for (const model::NodeSample& sample : table_.Take()) {
      if (sample.signal == signal) added[sample.subject] += sample.value;
    }
    return added;
  }

  SampleTable table_;
  std::vector<std::pair<std::string, NodeSignal>> risen_;
  int64_t now_ = 0;
};

TEST(QdiscTree, ChildrenHangBelowTheirHandlesHolder) {
  const std::vector<NamedQdisc> qdiscs{
      Make("mq", 0, kRoot),                   // as the kernel makes them for a device with several queues
      Make("fq_codel", 0, 1),                 //
      Make("fq_codel", 0, 2),                 //
      Make("htb", 0x1'0000, kRoot, 3),        // classes 1:10 and 1:20
      Make("fq", 0x10'0000, 0x1'0010, 3),     //
      Make("tbf", 0x20'0000, 0x1'0020, 3),    //
      Make("fq", 0x30'0000, 0x20'0001, 3),    //
      Make("clsact", 0xffff'0000, kIngress),  //
      Make("fq", 0x1'0000, kRoot, 4),         // another interface, the same handle
      Make("fq", 0x50'0000, 0x40'0001, 4),    // its parent is not in the list
  };
  EXPECT_EQ(ParentsOf(qdiscs), (std::vector<int>{-1, 0, 0, -1, 3, 3, 5, -1, -1, -1}));
}

TEST_F(QdiscCountsTest, DropsOfTheQueuesOfADeviceAreCountedOnce) {
  std::vector<NamedQdisc> qdiscs{Make("mq", 0x1'0000, kRoot), Make("tbf", 0x2'0000, 0x1'0001),
                                 Make("tbf", 0x3'0000, 0x1'0002)};
  (void)Pass(qdiscs, NodeSignal::qdisc_drops);
  qdiscs[0].qdisc.drops = 650;
  qdiscs[1].qdisc.drops = 250;
  qdiscs[2].qdisc.drops = 400;
  EXPECT_EQ(Pass(qdiscs, NodeSignal::qdisc_drops),
            (std::map<std::string, uint64_t>{{qdiscs[1].subject, 250}, {qdiscs[2].subject, 400}}));
  EXPECT_EQ(risen_, (std::vector<std::pair<std::string, NodeSignal>>{{qdiscs[1].subject, NodeSignal::qdisc_drops},
                                                                     {qdiscs[2].subject, NodeSignal::qdisc_drops}}));
  EXPECT_TRUE(Pass(qdiscs, NodeSignal::qdisc_drops).empty());
}

TEST_F(QdiscCountsTest, WhatAParentDropsItselfIsItsOwn) {
  std::vector<NamedQdisc> qdiscs{Make("htb", 0x1'0000, kRoot), Make("fq_codel", 0x2'0000, 0x1'0010)};
  (void)Pass(qdiscs, NodeSignal::qdisc_drops);
  qdiscs[0].qdisc.drops = 30;
  qdiscs[1].qdisc.drops = 10;
  EXPECT_EQ(Pass(qdiscs, NodeSignal::qdisc_drops),
            (std::map<std::string, uint64_t>{{qdiscs[0].subject, 20}, {qdiscs[1].subject, 10}}));
}

TEST_F(QdiscCountsTest, ThreeFloorsAddUpToTheTop) {
  std::vector<NamedQdisc> qdiscs{Make("mq", 0x1'0000, kRoot), Make("htb", 0x2'0000, 0x1'0001),
                                 Make("fq_codel", 0x3'0000, 0x2'0010)};
  (void)Pass(qdiscs, NodeSignal::qdisc_drops);
  for (NamedQdisc& qdisc : qdiscs) qdisc.qdisc.drops = 7;
  EXPECT_EQ(Pass(qdiscs, NodeSignal::qdisc_drops), (std::map<std::string, uint64_t>{{qdiscs[2].subject, 7}}));
}

// A class of htb that had to wait is no class of its child; mq repeats what its queues say.
TEST_F(QdiscCountsTest, OnlyWhoAddsUpRepeatsItsChildrensWaits) {
  std::vector<NamedQdisc> qdiscs{Make("mq", 0x1'0000, kRoot), Make("htb", 0x2'0000, 0x1'0001),
                                 Make("tbf", 0x3'0000, 0x2'0010)};
  (void)Pass(qdiscs, NodeSignal::qdisc_overlimits);
  qdiscs[0].qdisc.overlimits = 5;
  qdiscs[1].qdisc.overlimits = 5;
  qdiscs[2].qdisc.overlimits = 3;
  EXPECT_EQ(Pass(qdiscs, NodeSignal::qdisc_overlimits),
            (std::map<std::string, uint64_t>{{qdiscs[1].subject, 5}, {qdiscs[2].subject, 3}}));
}

TEST_F(QdiscCountsTest, BytesAndBacklogOfAShaperBelowAnotherAreItsOwn) {
  std::vector<NamedQdisc> qdiscs{Make("htb", 0x1'0000, kRoot), Make("tbf", 0x2'0000, 0x1'0010),
                                 Make("pfifo", 0x3'0000, 0x1'0020)};
  (void)Pass(qdiscs, NodeSignal::qdisc_bytes);
  qdiscs[0].qdisc.bytes = 3'000;
  qdiscs[1].qdisc.bytes = 1'000;
  qdiscs[2].qdisc.bytes = 2'000;
  EXPECT_EQ(Pass(qdiscs, NodeSignal::qdisc_bytes),
            (std::map<std::string, uint64_t>{{qdiscs[0].subject, 2'000}, {qdiscs[1].subject, 1'000}}))
      << "a queue that holds nothing back has no series: its bytes stay with who shapes them";
  qdiscs[0].qdisc.backlog_bytes = 500;
  qdiscs[1].qdisc.backlog_bytes = 200;
  EXPECT_EQ(Pass(qdiscs, NodeSignal::qdisc_backlog),
            (std::map<std::string, uint64_t>{{qdiscs[0].subject, 300}, {qdiscs[1].subject, 200}}));
}

TEST_F(QdiscCountsTest, AChildThatWasReplacedLeavesItsDropsWithItsParent) {
  std::vector<NamedQdisc> qdiscs{Make("htb", 0x1'0000, kRoot), Make("fq_codel", 0x2'0000, 0x1'0010)};
  (void)Pass(qdiscs, NodeSignal::qdisc_drops);
  qdiscs[0].qdisc.drops = 9;
  qdiscs[1] = Make("fq", 0x4'0000, 0x1'0010);
  EXPECT_EQ(Pass(qdiscs, NodeSignal::qdisc_drops), (std::map<std::string, uint64_t>{{qdiscs[0].subject, 9}}));
}

}  // namespace
}  // namespace weir::agent::node

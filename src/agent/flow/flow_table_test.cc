#include "agent/flow/flow_table.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "agent/identity/identity_index.h"
#include "base/metrics.h"

namespace weir::agent::flow {
namespace {

using model::Side;

constexpr Nanos kSecond = 1'000'000'000;

class FlowTableTest : public testing::Test {
 protected:
  static FlowKey Key(uint16_t port, Side side = Side::kClient) {
    FlowKey key;
    key.client = model::Address::FromV4(0x0100000a);
    key.server = model::Address::FromV4(0x0200000a);
    key.comm = {'c', 'u', 'r', 'l'};
    key.server_port = port;
    key.side = side;
    return key;
  }
  std::vector<model::SideReport> Emit(FlowTable& table, Nanos now) {
    std::vector<model::SideReport> reports;
    table.Emit(now, reports);
    return reports;
  }

  FakeClock clock_;
  identity::IdentityIndex identities_{{"/nonexistent", "/nonexistent", {}}, clock_};
};

TEST_F(FlowTableTest, HeldItMakesNoMoreFlowsAndCountsWhatItFolds) {
  FlowTable table(65'536, identities_);
  for (uint16_t port = 0; port < FlowTable::kHeldFlows; ++port) table.Touch(table.Acquire(Key(port))).opened = 1;
  table.Hold(true);
  const uint64_t folded = Read(Metric::agent_flow_table_full);
  table.Touch(table.Find(Key(1))).closed = 1;
  table.Touch(table.Find(Key(5'000))).closed = 7;
  EXPECT_EQ(Read(Metric::agent_flow_table_full) - folded, 1U);
  const auto reports = Emit(table, kSecond);
  EXPECT_EQ(reports.size(), FlowTable::kHeldFlows + 1);
  EXPECT_EQ(reports.back().identity.process, "(overflow)");
  EXPECT_EQ(reports.back().counters.closed, 7U) << "nothing is lost but the names";
  table.Hold(false);
  table.Touch(table.Find(Key(5'000))).closed = 1;
  EXPECT_EQ(Emit(table, 2 * kSecond).at(0).ends.server_port, 5'000);
}

TEST_F(FlowTableTest, AByteThatNeverWasIsTakenBackFromTheNext) {
  FlowTable table(100, identities_);
  const auto received = [&table](uint64_t bytes) { table.Touch(table.Find(Key(80))).bytes_received += bytes; };
  received(5);
  table.TakeBackReceived(table.Find(Key(80)));
  EXPECT_EQ(Emit(table, kSecond).at(0).counters.bytes_received, 4U);
  EXPECT_EQ(table.size(), 0U);
  // What was reported with the last interval is owed by the next one that has something, sockets or not.
  (void)table.Touch(table.Find(Key(80)));
  table.TakeBackReceived(table.Find(Key(80)));
  EXPECT_EQ(Emit(table, 2 * kSecond).at(0).counters.bytes_received, 0U);
  EXPECT_EQ(table.size(), 1U);
  received(3);
  EXPECT_EQ(Emit(table, 3 * kSecond).at(0).counters.bytes_received, 2U);
  EXPECT_EQ(table.size(), 0U);
  // Nothing more comes: it is not waited for longer than half a minute.
  (void)table.Touch(table.Find(Key(80)));
  table.TakeBackReceived(table.Find(Key(80)));
  EXPECT_EQ(Emit(table, 4 * kSecond).size(), 1U);
  EXPECT_EQ(table.size(), 1U);
  EXPECT_TRUE(Emit(table, 40 * kSecond).empty());
  EXPECT_EQ(table.size(), 0U);
}

TEST_F(FlowTableTest, ReportsWhatHappenedAndForgetsFlowsWithoutSockets) {
  FlowTable table(100, identities_);
  table.Touch(table.Find(Key(80))).bytes_sent += 5;
  table.Touch(table.Find(Key(80))).bytes_sent += 6;
  table.Touch(table.Find(Key(81))).closed += 1;
  EXPECT_EQ(table.size(), 2U);
  const auto reports = Emit(table, kSecond);
  ASSERT_EQ(reports.size(), 2U);
  EXPECT_EQ(reports[0].ends.server_port, 80);
  EXPECT_EQ(reports[0].ends.client_address.ToString(), "10.0.0.1");
  EXPECT_EQ(reports[0].identity.process, "curl");
  EXPECT_EQ(reports[0].counters.bytes_sent, 11U);
  EXPECT_EQ(reports[1].counters.closed, 1U);
  EXPECT_EQ(table.size(), 0U);
  EXPECT_TRUE(Emit(table, 2 * kSecond).empty());
}

TEST_F(FlowTableTest, OpenIsALevelAndIdleFlowsComeBackNowAndThen) {
  FlowTable table(100, identities_);
  const FlowTable::Index flow = table.Acquire(Key(80));
  table.Opened(flow);
  table.Touch(flow).opened += 1;
  auto reports = Emit(table, kSecond);
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].counters.open, 1U);
  EXPECT_TRUE(Emit(table, 2 * kSecond).empty()) << "nothing new";
  reports = Emit(table, 32 * kSecond);
  ASSERT_EQ(reports.size(), 1U) << "idle, but still open";
  EXPECT_EQ(reports[0].counters.open, 1U);
  EXPECT_EQ(reports[0].counters.opened, 0U);
  table.Closed(flow);
  table.Release(flow);
  reports = Emit(table, 33 * kSecond);
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].counters.open, 0U);
  EXPECT_EQ(table.size(), 0U);
}

TEST_F(FlowTableTest, SidesOwnersNamespacesAndProcessesAreDifferentFlows) {
  FlowTable table(100, identities_);
  FlowKey base = Key(80);
  FlowKey owner = base;
  owner.owner = 9;
  FlowKey netns = base;
  netns.netns = 9;
  FlowKey process = base;
  process.comm[0] = 'k';
  for (const FlowKey& key : {base, Key(80, Side::kServer), owner, netns, process}) (void)table.Find(key);
  EXPECT_EQ(table.size(), 5U);
}

// A flow as long as its connection would otherwise never learn a name given, or read, after its first record.
TEST_F(FlowTableTest, ANamespaceIsAskedForItsNameUntilItHasOne) {
  std::string top = (std::filesystem::temp_directory_path() / "weir-flow-XXXXXX").string();
  ASSERT_NE(::mkdtemp(top.data()), nullptr);
  identity::IdentityIndex identities{{"/nonexistent", "/nonexistent", {top}}, clock_};
  FlowTable table(100, identities);
  std::ofstream(top + "/lab") << "a file's inode stands for a namespace's";
  struct stat info {};
  ASSERT_EQ(::stat((top + "/lab").c_str(), &info), 0);
  if (info.st_ino > UINT32_MAX) GTEST_SKIP() << "files in " << top << " have inodes no namespace can have; set TMPDIR";
  FlowKey other = Key(80);
  other.netns = 1;
  (void)table.Find(other);  // reads the folder, which is not read again within the second
  FlowKey key = Key(80);
  key.netns = static_cast<uint32_t>(info.st_ino);
  std::ofstream(top + "/late") << "";
  ASSERT_EQ(::stat((top + "/late").c_str(), &info), 0);
  FlowKey late = Key(81);
  late.netns = static_cast<uint32_t>(info.st_ino);
  table.Touch(table.Acquire(key)).bytes_sent = 1;
  const FlowTable::Index flow = table.Acquire(late);
  table.Touch(flow).bytes_sent = 1;
  auto reports = Emit(table, kSecond);
  ASSERT_EQ(reports.size(), 3U);
  EXPECT_EQ(reports[0].identity.netns_name, "");
  EXPECT_EQ(reports[1].identity.netns_name, "lab");
  EXPECT_EQ(reports[2].identity.netns_name, "");
  clock_.Advance(kSecond);
  table.Touch(flow).bytes_sent = 1;
  reports = Emit(table, 2 * kSecond);
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].identity.netns_name, "late");
  std::filesystem::remove_all(top);
}

TEST_F(FlowTableTest, WhatDoesNotFitGoesToTheOverflowFlowOfItsSideAndIsCounted) {
  FlowTable table(1, identities_);
  const uint64_t before = Read(Metric::agent_flow_table_full);
  table.Touch(table.Find(Key(80))).bytes_sent = 1;
  table.Touch(table.Find(Key(81))).bytes_sent += 2;
  table.Touch(table.Find(Key(82))).bytes_sent += 3;
  table.Touch(table.Find(Key(83, Side::kServer))).bytes_sent += 4;
  EXPECT_EQ(Read(Metric::agent_flow_table_full) - before, 3U);
  const auto reports = Emit(table, kSecond);
  ASSERT_EQ(reports.size(), 3U);
  EXPECT_EQ(reports[1].identity.process, "(overflow)");
  EXPECT_EQ(reports[1].ends.side, Side::kClient);
  EXPECT_EQ(reports[1].counters.bytes_sent, 5U);
  EXPECT_EQ(reports[2].ends.side, Side::kServer);
  EXPECT_EQ(reports[2].counters.bytes_sent, 4U);
  EXPECT_EQ(table.size(), 0U);
  table.Touch(table.Find(Key(84))).bytes_sent = 7;  // there is room again
  EXPECT_EQ(Emit(table, 2 * kSecond).at(0).ends.server_port, 84);
}

TEST_F(FlowTableTest, SlotsAreReusedClean) {
  FlowTable table(10, identities_);
  table.Touch(table.Find(Key(80))).rtt_histogram.Add(5);
  (void)Emit(table, kSecond);
  table.Touch(table.Find(Key(81))).bytes_sent = 1;
  const auto reports = Emit(table, 2 * kSecond);
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].ends.server_port, 81);
  EXPECT_TRUE(reports[0].counters.rtt_histogram.empty());
}

}  // namespace
}  // namespace weir::agent::flow

// Overflows of accept queues: what the listener's and the namespace's counts say together.
#include "agent/kernel/accept_queues.h"

#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>

namespace weir::agent::kernel {
namespace {

class AcceptQueuesTest : public testing::Test {
 protected:
  uint32_t Overflows(uint64_t socket, uint32_t drops, uint16_t flags = 0, uint32_t netns = 1,
                     weir_record_kind kind = WEIR_RECORD_LISTEN) {
    weir_record record{};
    record.kind = kind;
    record.state = TCP_LISTEN;
    record.socket = socket;
    record.netns = netns;
    record.drops = drops;
    record.flags = flags;
    return queues_.Overflows(record);
  }

  std::map<uint32_t, uint64_t> counts_{{1, 0}, {2, 0}};  // by namespace
  int reads_ = 0;
  AcceptQueues queues_{[this](uint32_t netns, uint32_t) -> std::optional<uint64_t> {
    ++reads_;
    const auto found = counts_.find(netns);
    return found == counts_.end() ? std::nullopt : std::optional(found->second);
  }};
};

TEST_F(AcceptQueuesTest, WhatIsThrownAwayForAnotherReasonIsNone) {
  EXPECT_EQ(Overflows(7, 0), 0U);
  EXPECT_EQ(Overflows(7, 4), 0U) << "a SYN that came again";
  counts_[1] = 3;
  EXPECT_EQ(Overflows(7, 10), 3U) << "each of the three was thrown away twice";
  EXPECT_EQ(Overflows(7, 11), 3U);
  counts_[1] = 4;
  EXPECT_EQ(Overflows(7, 12), 4U);
}

TEST_F(AcceptQueuesTest, ListenersOfANamespaceShareItsCount) {
  EXPECT_EQ(Overflows(7, 0) + Overflows(8, 0) + Overflows(9, 0, 0, 2), 0U);
  counts_ = {{1, 5}, {2, 1}};
  EXPECT_EQ(Overflows(7, 2), 2U);
  EXPECT_EQ(Overflows(8, 9), 3U);
  EXPECT_EQ(Overflows(9, 9, 0, 2), 1U);
}

TEST_F(AcceptQueuesTest, WhatWasBeforeTheAgentIsNotNews) {
  counts_[1] = 100;
  EXPECT_EQ(Overflows(7, 80, WEIR_SOCKET_EXISTING), 0U);
  EXPECT_EQ(Overflows(7, 90, WEIR_SOCKET_EXISTING), 0U);
  counts_[1] = 101;
  EXPECT_EQ(Overflows(7, 91, WEIR_SOCKET_EXISTING), 1U);
}

TEST_F(AcceptQueuesTest, WhatANamespaceHadBeforeIsNotLaidToANewListener) {
  counts_[1] = 100;
  EXPECT_EQ(Overflows(7, 0), 0U);
  EXPECT_EQ(Overflows(7, 4), 0U);
  counts_[1] = 101;
  EXPECT_EQ(Overflows(7, 6), 1U);
}

TEST_F(AcceptQueuesTest, AFirstRecordMayTellOfOverflows) {
  counts_[1] = 2;
  EXPECT_EQ(Overflows(7, 3), 2U);
}

TEST_F(AcceptQueuesTest, MemoryThatIsGivenToAnotherListenerBeginsAnew) {
  counts_[1] = 2;
  EXPECT_EQ(Overflows(7, 2), 2U);
  counts_[1] = 3;
  EXPECT_EQ(Overflows(7, 1), 1U);
  counts_[1] = 5;
  EXPECT_EQ(Overflows(7, 3, 0, 1, WEIR_RECORD_FINAL), 3U) << "and a last record ends it";
  EXPECT_EQ(Overflows(7, 0), 0U);
}

TEST_F(AcceptQueuesTest, WhereTheNamespacesCountCannotBeToldTheListenersStands) {
  EXPECT_EQ(Overflows(7, 4, 0, 3), 4U);
  counts_[3] = 6;
  EXPECT_EQ(Overflows(7, 5, 0, 3), 5U) << "from then on";
}

TEST_F(AcceptQueuesTest, AsksOnlyForNews) {
  for (int i = 0; i < 100; ++i) Overflows(7, 0);
  EXPECT_EQ(reads_, 1);
}

TEST(ListenOverflows, AreReadOfOnesOwnNamespaceOnly) {
  struct stat is {};
  ASSERT_EQ(::stat("/proc/self/ns/net", &is), 0);
  const auto inode = static_cast<uint32_t>(is.st_ino);
  const auto self = static_cast<uint32_t>(::getpid());
  EXPECT_TRUE(ReadListenOverflows(inode, self));
  EXPECT_FALSE(ReadListenOverflows(inode + 1, self));
  EXPECT_FALSE(ReadListenOverflows(inode, 0));
}

}  // namespace
}  // namespace weir::agent::kernel

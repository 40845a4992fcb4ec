#include "agent/source/sock_diag/process_sockets.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

namespace weir::agent::source {
namespace {

namespace fs = std::filesystem;

constexpr Nanos kSecond = 1'000'000'000;

class ProcessSocketsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "weir-proc-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    proc_ = pattern;
  }
  void TearDown() override { fs::remove_all(proc_); }

  void AddProcess(const std::string& pid, const std::string& comm, const std::vector<std::string>& targets) {
    fs::create_directories(proc_ / pid / "fd");
    std::ofstream(proc_ / pid / "comm") << comm << "\n";
    int number = 0;
    for (const std::string& target : targets) fs::create_symlink(target, proc_ / pid / "fd" / std::to_string(number++));
  }
  std::string CommOf(const ProcessSockets& sockets, uint32_t inode) {
    const SocketHolder* holder = sockets.Find(inode);
    return holder != nullptr ? holder->comm.data() : "unknown";
  }

  fs::path proc_;
};

TEST_F(ProcessSocketsTest, FindsHoldersByInode) {
  AddProcess("10", "nginx", {"/dev/null", "socket:[100]", "pipe:[101]", "socket:[102]", "socket:[x]", "socket:[103"});
  AddProcess("11", "a comm of 15 by", {"socket:[104]"});
  AddProcess("self", "not a process", {"socket:[105]"});
  ProcessSockets sockets(proc_);
  sockets.Refresh(kSecond);
  EXPECT_EQ(sockets.size(), 3U);
  EXPECT_EQ(sockets.Find(100)->pid, 10U);
  EXPECT_EQ(CommOf(sockets, 102), "nginx");
  EXPECT_EQ(CommOf(sockets, 104), "a comm of 15 by");
  EXPECT_EQ(sockets.Find(101), nullptr);
}

TEST_F(ProcessSocketsTest, ProcessOneGivesWayAndTheOldestOfOthersWins) {
  AddProcess("1", "systemd", {"socket:[100]", "socket:[101]"});
  AddProcess("30", "worker", {"socket:[100]"});
  AddProcess("20", "master", {"socket:[100]"});
  ProcessSockets sockets(proc_);
  sockets.Refresh(kSecond);
  EXPECT_EQ(CommOf(sockets, 100), "master");
  EXPECT_EQ(CommOf(sockets, 101), "systemd");
}

TEST_F(ProcessSocketsTest, AThreadsNameGivesWayToThePrograms) {
  AddProcess("10", "MainThread", {"socket:[100]"});
  AddProcess("11", "MainThread", {"socket:[101]"});
  AddProcess("12", "MainThread", {"socket:[102]"});
  fs::create_symlink("/opt/shop", proc_ / "10" / "exe");
  fs::create_symlink("/opt/a-bill-of-a-long-name (deleted)", proc_ / "11" / "exe");
  ProcessSockets sockets(proc_);
  sockets.Refresh(kSecond);
  EXPECT_EQ(CommOf(sockets, 100), "shop");
  EXPECT_EQ(CommOf(sockets, 101), "a-bill-of-a-lon");
  EXPECT_EQ(CommOf(sockets, 102), "MainThread") << "of another user, or gone";
}

TEST_F(ProcessSocketsTest, IsReadAgainAtALimitedRate) {
  ProcessSockets sockets(proc_);
  sockets.Refresh(kSecond);
  AddProcess("10", "late", {"socket:[100]"});
  sockets.Refresh(5 * kSecond);
  EXPECT_EQ(sockets.Find(100), nullptr);
  sockets.Refresh(11 * kSecond);
  EXPECT_EQ(CommOf(sockets, 100), "late");
}

}  // namespace
}  // namespace weir::agent::source

#include "agent/identity/netns_names.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

namespace weir::agent::identity {
namespace {

namespace fs = std::filesystem;

constexpr Nanos kSecond = 1'000'000'000;

// Ordinary files stand for namespaces: a name is a file's name, a namespace its inode, and a second name a hard link.
class NetnsNamesTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "weir-netns-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    top_ = pattern;
    fs::create_directories(top_ / "netns");
    fs::create_directories(top_ / "namespaces");
    struct stat info {};
    ASSERT_EQ(::stat((top_ / "namespaces").c_str(), &info), 0);
    if (info.st_ino > UINT32_MAX)
      GTEST_SKIP() << "files in " << top_ << " have inodes no namespace can have; set TMPDIR";
  }
  void TearDown() override { fs::remove_all(top_); }

  // A namespace without a name, as of a container.
  uint32_t Make(const std::string& name) {
    std::ofstream(top_ / "namespaces" / name) << name;
    struct stat info {};
    EXPECT_EQ(::stat((top_ / "namespaces" / name).c_str(), &info), 0);
    return static_cast<uint32_t>(info.st_ino);
  }
  void Name(const std::string& namespace_file, const std::string& name) {
    fs::create_hard_link(top_ / "namespaces" / namespace_file, top_ / "netns" / name);
  }
  uint32_t MakeNamed(const std::string& name) {
    const uint32_t inode = Make(name);
    Name(name, name);
    return inode;
  }
  // The clock of file systems ticks every few milliseconds: two changes in a row may bear the same time.
  void TouchFolder() {
    fs::last_write_time(top_ / "netns", fs::file_time_type::clock::now() + std::chrono::seconds(++touches_));
  }

  NetnsNames Names() const {
    return NetnsNames({top_ / "absent", top_ / "netns"}, top_ / "namespaces" / "host", clock_);
  }

  FakeClock clock_;
  fs::path top_;
  int touches_ = 0;
};

TEST_F(NetnsNamesTest, FindsNamesByInode) {
  const uint32_t client = MakeNamed("lab-client");
  const uint32_t server = MakeNamed("lab-server");
  const uint32_t container = Make("container");
  NetnsNames names = Names();
  EXPECT_EQ(*names.NameOf(client), "lab-client");
  EXPECT_EQ(*names.NameOf(server), "lab-server");
  EXPECT_EQ(*names.NameOf(container), "");
  EXPECT_EQ(*names.NameOf(0), "");
  EXPECT_EQ(names.NameOf(client), names.NameOf(client)) << "one string for all flows of a namespace";
}

TEST_F(NetnsNamesTest, TheHostsOwnNamespaceHasNoName) {
  const uint32_t host = MakeNamed("host");
  const uint32_t lab = MakeNamed("lab");
  NetnsNames names = Names();
  EXPECT_EQ(*names.NameOf(lab), "lab");
  EXPECT_EQ(*names.NameOf(host), "");
}

TEST_F(NetnsNamesTest, OfTwoNamesTheLesser) {
  const uint32_t lab = MakeNamed("b");
  Name("b", "a");
  Name("b", "c");
  EXPECT_EQ(*Names().NameOf(lab), "a");
}

TEST_F(NetnsNamesTest, ReadsTheFolderForNewInodesAtALimitedRate) {
  NetnsNames names = Names();
  EXPECT_EQ(*names.NameOf(Make("container")), "");
  const uint32_t late = MakeNamed("late");
  EXPECT_EQ(*names.NameOf(late), "") << "a second reading at the same time";
  clock_.Advance(kSecond / 20);
  EXPECT_EQ(*names.NameOf(late), "late");
}

TEST_F(NetnsNamesTest, ANamespaceMayGetItsNameLater) {
  const uint32_t lab = Make("lab");
  NetnsNames names = Names();
  EXPECT_EQ(*names.NameOf(lab), "");
  clock_.Advance(2 * kSecond);
  EXPECT_EQ(*names.NameOf(lab), "");
  Name("lab", "attached");
  TouchFolder();
  clock_.Advance(kSecond);
  EXPECT_EQ(*names.NameOf(lab), "attached");
}

TEST_F(NetnsNamesTest, AReusedInodeGetsItsNewNameAtOnce) {
  const uint32_t lab = MakeNamed("old");
  NetnsNames names = Names();
  EXPECT_EQ(*names.NameOf(lab), "old");
  fs::remove(top_ / "netns" / "old");
  Name("old", "new");
  TouchFolder();
  clock_.Advance(kSecond);
  EXPECT_EQ(*names.NameOf(lab), "new");
}

TEST_F(NetnsNamesTest, AGoneNameIsKeptForTheLastRecordsOnly) {
  const uint32_t lab = MakeNamed("lab");
  NetnsNames names = Names();
  EXPECT_EQ(*names.NameOf(lab), "lab");
  fs::remove(top_ / "netns" / "lab");
  TouchFolder();
  clock_.Advance(kSecond);
  EXPECT_EQ(*names.NameOf(lab), "lab");
  clock_.Advance(kSecond);
  EXPECT_EQ(*names.NameOf(lab), "lab");
  clock_.Advance(kSecond);
  EXPECT_EQ(*names.NameOf(lab), "");
  EXPECT_EQ(names.size(), 0U);
}

TEST_F(NetnsNamesTest, AMountThatLeavesNoTraceIsFoundAfterAWhile) {
  const uint32_t lab = MakeNamed("lab");
  NetnsNames names = Names();
  EXPECT_EQ(*names.NameOf(lab), "lab");
  clock_.Advance(kSecond);
  EXPECT_EQ(*names.NameOf(lab), "lab");  // the reading that follows every change
  const fs::file_time_type before = fs::last_write_time(top_ / "netns");
  Name("lab", "another");
  fs::last_write_time(top_ / "netns", before);
  clock_.Advance(29 * kSecond);
  EXPECT_EQ(*names.NameOf(lab), "lab");
  clock_.Advance(kSecond);
  EXPECT_EQ(*names.NameOf(lab), "another");
}

TEST_F(NetnsNamesTest, NamesAreMadePrintable) {
  const uint32_t lab = Make("lab");
  Name("lab", "a\x1b[2Jb");
  EXPECT_EQ(*Names().NameOf(lab), "a?[2Jb");
}

TEST_F(NetnsNamesTest, WithoutAFolderNothingHasAName) {
  fs::remove(top_ / "netns");
  const uint32_t lab = Make("lab");
  NetnsNames names = Names();
  EXPECT_EQ(*names.NameOf(lab), "");
  fs::create_directories(top_ / "netns");
  Name("lab", "lab");
  clock_.Advance(kSecond);
  EXPECT_EQ(*names.NameOf(lab), "lab");
}

}  // namespace
}  // namespace weir::agent::identity

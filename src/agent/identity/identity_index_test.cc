#include "agent/identity/identity_index.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

namespace weir::agent::identity {
namespace {

namespace fs = std::filesystem;

constexpr Nanos kSecond = 1'000'000'000;
const std::string kId(64, 'c');

uint64_t Inode(const fs::path& path) {
  struct stat info {};
  EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
  return info.st_ino;
}

void Write(const fs::path& path, const std::string& text = "") {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

class IdentityIndexTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "weir-cgroup-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    top_ = pattern;
    paths_ = {top_ / "cgroup", top_ / "proc", {top_ / "netns"}};
  }
  void TearDown() override { fs::remove_all(top_); }

  void MakeV2(const fs::path& root) {
    Write(root / "cgroup.procs");
    Write(root / "cgroup.controllers");
  }

  FakeClock clock_;
  fs::path top_;
  IdentityIndex::Paths paths_;
};

TEST_F(IdentityIndexTest, FindsFoldersByInode) {
  MakeV2(paths_.cgroup);
  const fs::path container = paths_.cgroup / "system.slice" / ("docker-" + kId + ".scope");
  fs::create_directories(container);
  IdentityIndex index(paths_, clock_);
  EXPECT_EQ(index.groups(), Identities::Groups::kAll);
  EXPECT_EQ(index.NameOf(Inode(container))->container, kId);
  EXPECT_EQ(index.NameOf(Inode(paths_.cgroup / "system.slice"))->unit, "system.slice");
  EXPECT_EQ(*index.NameOf(Inode(paths_.cgroup)), CgroupName{});
  EXPECT_EQ(*index.NameOf(0), CgroupName{});
}

TEST_F(IdentityIndexTest, AsksTheRuntimeForTheContainersName) {
  MakeV2(paths_.cgroup);
  const fs::path container = paths_.cgroup / "system.slice" / ("docker-" + kId + ".scope");
  fs::create_directories(container);
  paths_.containers.docker = top_ / "docker";
  IdentityIndex index(paths_, clock_);
  EXPECT_EQ(index.NameOf(Inode(container))->container_name, "") << "not written yet";
  Write(top_ / "docker" / kId / "config.v2.json", R"({"Name": "/web", "Config": {"Image": "nginx:1"}})");
  EXPECT_EQ(index.NameOf(Inode(container))->container_name, "") << "asked just now";
  clock_.Advance(5 * kSecond);
  EXPECT_EQ(index.NameOf(Inode(container))->container_name, "web");
  EXPECT_EQ(index.NameOf(Inode(container))->image, "nginx:1");
  fs::create_directories(paths_.cgroup / "late.service");
  (void)index.NameOf(Inode(paths_.cgroup / "late.service"));  // walks again
  EXPECT_EQ(index.NameOf(Inode(container))->container_name, "web");
}

TEST_F(IdentityIndexTest, LearnsNewFoldersAtALimitedRate) {
  MakeV2(paths_.cgroup);
  IdentityIndex index(paths_, clock_);
  EXPECT_EQ(*index.NameOf(~uint64_t{0} >> 1), CgroupName{});  // walks, finds nothing, remembers that
  fs::create_directories(paths_.cgroup / "late.service");
  const uint64_t id = Inode(paths_.cgroup / "late.service");
  EXPECT_EQ(index.NameOf(id)->unit, "") << "a second walk within the same second";
  clock_.Advance(kSecond);
  EXPECT_EQ(index.NameOf(id)->unit, "late.service");
}

TEST_F(IdentityIndexTest, KeepsNamesOfGoneFoldersForAWhile) {
  MakeV2(paths_.cgroup);
  fs::create_directories(paths_.cgroup / "gone.service");
  const uint64_t id = Inode(paths_.cgroup / "gone.service");
  IdentityIndex index(paths_, clock_);
  EXPECT_EQ(index.NameOf(id)->unit, "gone.service");
  fs::remove(paths_.cgroup / "gone.service");
  clock_.Advance(2 * kSecond);
  (void)index.NameOf(12'345'678'901);  // walks
  EXPECT_EQ(index.NameOf(id)->unit, "gone.service");
  clock_.Advance(301 * kSecond);
  (void)index.NameOf(12'345'678'902);  // walks
  EXPECT_EQ(index.NameOf(id)->unit, "");
  EXPECT_EQ(index.size(), 0U);
}

TEST_F(IdentityIndexTest, WhoWatchedABirthNamesAGroupThatIsGone) {
  MakeV2(paths_.cgroup);
  int asked = 0;
  paths_.path_at_birth = [&asked](uint64_t id) {
    ++asked;
    return id == 4711 ? "/kubepods.slice/docker-" + kId + ".scope" : std::string();
  };
  IdentityIndex index(paths_, clock_);
  EXPECT_EQ(index.NameOf(4711)->container, kId);
  EXPECT_EQ(index.NameOf(4711)->container, kId);
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(*index.NameOf(4712), CgroupName{});
  EXPECT_EQ(*index.NameOf(4712), CgroupName{});
  EXPECT_EQ(asked, 2) << "what nobody knows costs no further question";
  EXPECT_EQ(index.misses_births(), "");
}

TEST_F(IdentityIndexTest, OnAVersionOneNodeTheProcessTells) {
  fs::create_directories(paths_.cgroup / "memory");
  MakeV2(paths_.cgroup / "unified");
  Write(paths_.proc / "42" / "cgroup", "3:memory:/docker/" + kId + "\n0::/\n");
  Write(paths_.proc / "43" / "cgroup", "3:memory:/docker/" + kId + "\n0::/\n");
  Write(paths_.proc / "44" / "cgroup", "1:name=systemd:/system.slice/cron.service\n0::/\n");
  IdentityIndex index(paths_, clock_);
  EXPECT_TRUE(index.asks_processes());
  const uint64_t root = Inode(paths_.cgroup / "unified");
  const uint64_t owner = index.OwnerOf(root, 42);
  EXPECT_EQ(index.NameOf(owner)->container, kId);
  EXPECT_EQ(index.OwnerOf(root, 43), owner) << "two processes of one container are one owner";
  EXPECT_EQ(index.NameOf(index.OwnerOf(root, 44))->unit, "cron.service");
  EXPECT_EQ(*index.NameOf(index.OwnerOf(root, 99)), CgroupName{}) << "gone process";
  EXPECT_EQ(index.OwnerOf(root + 5, 42), owner) << "docker leaves its containers in its own v2 folder";
  EXPECT_EQ(index.OwnerOf(root + 5, 44), root + 5) << "no container: the socket's own folder";
  EXPECT_EQ(index.OwnerOf(root, 0), root) << "unknown process";
}

TEST_F(IdentityIndexTest, PidsAreLookedUpAgainBecauseTheyAreReused) {
  fs::create_directories(paths_.cgroup / "memory");
  Write(paths_.proc / "42" / "cgroup", "1:name=systemd:/a.service\n");
  IdentityIndex index(paths_, clock_);
  EXPECT_EQ(index.groups(), Identities::Groups::kNone);
  EXPECT_EQ(index.NameOf(index.OwnerOf(1, 42))->unit, "a.service");
  Write(paths_.proc / "42" / "cgroup", "1:name=systemd:/b.service\n");
  EXPECT_EQ(index.NameOf(index.OwnerOf(1, 42))->unit, "a.service");
  index.Expire();
  EXPECT_EQ(index.NameOf(index.OwnerOf(1, 42))->unit, "a.service") << "too soon";
  clock_.Advance(11 * kSecond);
  index.Expire();
  EXPECT_EQ(index.NameOf(index.OwnerOf(1, 42))->unit, "b.service");
}

TEST_F(IdentityIndexTest, OnAVersionTwoNodeProcessesAreNotAsked) {
  MakeV2(paths_.cgroup);
  IdentityIndex index(paths_, clock_);
  EXPECT_FALSE(index.asks_processes());
  EXPECT_EQ(index.OwnerOf(7, 42), 7U);
}

TEST_F(IdentityIndexTest, WhereProcMeansOthersNobodyIsAsked) {
  fs::create_directories(paths_.cgroup / "memory");
  MakeV2(paths_.cgroup / "unified");
  Write(paths_.proc / "42" / "cgroup", "1:name=systemd:/somebody-else.service\n");
  paths_.machines_processes = false;
  IdentityIndex index(paths_, clock_);
  EXPECT_TRUE(index.misses_processes());
  EXPECT_FALSE(index.asks_processes());
  EXPECT_EQ(index.OwnerOf(7, 42), 7U) << "42 is another process there";
}

TEST_F(IdentityIndexTest, ATreeThatWasOpenedGoesBeforeTheMount) {
  MakeV2(paths_.cgroup);
  const fs::path machine = paths_.cgroup / "opened";
  MakeV2(machine);
  fs::create_directories(machine / "nginx.service");
  paths_.tree = machine;
  IdentityIndex index(paths_, clock_);
  EXPECT_EQ(index.groups(), Identities::Groups::kAll);
  EXPECT_EQ(index.NameOf(Inode(machine / "nginx.service"))->unit, "nginx.service");
  paths_.whole_tree = false;
  EXPECT_EQ(IdentityIndex(paths_, clock_).groups(), Identities::Groups::kOwn);
}

}  // namespace
}  // namespace weir::agent::identity

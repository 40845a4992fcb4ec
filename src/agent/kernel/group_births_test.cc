// Control groups that live shorter than anybody takes to look at them.
#include "agent/kernel/group_births.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "agent/kernel/group_tree.h"

namespace weir::agent::kernel {
namespace {

// Makes a folder, removes it, and returns the id it had; 0 where that is not allowed.
uint64_t MakeAndRemove(const std::filesystem::path& folder) {
  if (::mkdir(folder.c_str(), 0755) != 0) return 0;
  struct stat info {};
  const uint64_t id = ::stat(folder.c_str(), &info) == 0 ? info.st_ino : 0;
  return ::rmdir(folder.c_str()) == 0 ? id : 0;
}

class GroupBirthsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "SKIPPED: needs root";
    auto tree = OpenGroupTree();
    if (!tree.ok()) GTEST_SKIP() << "SKIPPED: no version 2 control groups";
    tree_ = *std::move(tree);
    auto births = GroupBirths::Open();
    ASSERT_TRUE(births.ok()) << births.status().message();
    births_ = *std::move(births);
  }

  GroupTree tree_;
  std::unique_ptr<GroupBirths> births_;
  const std::string name_ = "weir-births-" + std::to_string(::getpid());
};

TEST_F(GroupBirthsTest, KnowTheirPathsWhenTheyAreGone) {
  const uint64_t id = MakeAndRemove(tree_.path / name_);
  ASSERT_NE(id, 0U);
  EXPECT_EQ(births_->PathOf(id), "/" + name_);
  EXPECT_EQ(births_->PathOf(id + 1'000'000), "");
}

TEST_F(GroupBirthsTest, TellPathsInFullOrNotAtAll) {
  const std::filesystem::path outer = tree_.path / name_;
  ASSERT_EQ(::mkdir(outer.c_str(), 0755), 0);
  const std::string pod(200, 'p');
  const uint64_t deep = MakeAndRemove(outer / pod);
  ASSERT_EQ(::mkdir((outer / pod).c_str(), 0755), 0);
  const uint64_t too_deep = MakeAndRemove(outer / pod / std::string(250, 'c'));
  ::rmdir((outer / pod).c_str());
  ::rmdir(outer.c_str());
  EXPECT_EQ(births_->PathOf(deep), "/" + name_ + "/" + pod);
  EXPECT_NE(too_deep, 0U);
  EXPECT_EQ(births_->PathOf(too_deep), "");
}

}  // namespace
}  // namespace weir::agent::kernel

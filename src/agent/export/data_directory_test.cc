#include "agent/export/data_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "agent/export/temporary_directory.h"

namespace weir::agent {
namespace {

mode_t ModeOf(const std::filesystem::path& path) {
  struct stat info {};
  EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
  return info.st_mode & 0777;
}

TEST(DataDirectory, MakesAnIdOnceAndKeepsItPrivate) {
  const TemporaryDirectory temporary;
  const auto path = temporary.path() / "a" / "b";
  std::string id;
  {
    const auto first = DataDirectory::Open(path);
    ASSERT_TRUE(first.ok()) << first.status().message();
    id = first->agent_id();
    EXPECT_THAT(id, testing::MatchesRegex("[0-9a-f]{32}"));
    EXPECT_EQ(ModeOf(path), 0700U);
    EXPECT_EQ(ModeOf(path / "agent_id"), 0600U);
  }
  const auto second = DataDirectory::Open(path);
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second->agent_id(), id);
  const auto other = DataDirectory::Open(temporary.path() / "c");
  ASSERT_TRUE(other.ok());
  EXPECT_NE(other->agent_id(), id);
}

TEST(DataDirectory, ACopyOnAnotherMachineGetsAnIdOfItsOwn) {
  const TemporaryDirectory temporary;
  const auto id_on = [&](const std::string& machine) {
    return DataDirectory::Open(temporary.path(), machine)->agent_id();
  };
  std::ofstream(temporary.path() / "agent_id") << "0123456789abcdef0123456789abcdef\n";
  EXPECT_EQ(id_on("aaaa"), "0123456789abcdef0123456789abcdef") << "of a version that told no machine";
  EXPECT_EQ(id_on("aaaa"), "0123456789abcdef0123456789abcdef");
  EXPECT_EQ(id_on(""), "0123456789abcdef0123456789abcdef") << "a machine that cannot be told from others";
  const std::string copy = id_on("bbbb");
  EXPECT_NE(copy, "0123456789abcdef0123456789abcdef");
  EXPECT_EQ(id_on("bbbb"), copy);
  EXPECT_EQ(MachineMark(), MachineMark());
}

TEST(DataDirectory, LetsOneAgentIn) {
  const TemporaryDirectory temporary;
  const auto first = DataDirectory::Open(temporary.path());
  ASSERT_TRUE(first.ok());
  const auto second = DataDirectory::Open(temporary.path());
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), Code::kConflict);
  EXPECT_THAT(second.status().message(), testing::HasSubstr("--data-dir"));
}

TEST(DataDirectory, ReplacesADamagedId) {
  const TemporaryDirectory temporary;
  for (const std::string damaged : {"", "ABCDEF", "0123456789abcdef0123456789abcdef0"}) {
    std::ofstream(temporary.path() / "agent_id") << damaged;
    const auto opened = DataDirectory::Open(temporary.path());
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    EXPECT_THAT(opened->agent_id(), testing::MatchesRegex("[0-9a-f]{32}"));
    std::string stored;
    std::ifstream(temporary.path() / "agent_id") >> stored;
    EXPECT_EQ(stored, opened->agent_id());
  }
}

TEST(DataDirectory, SaysWhatToDoWhenItCannotBeUsed) {
  const TemporaryDirectory temporary;
  std::ofstream(temporary.path() / "file") << "x";
  EXPECT_EQ(DataDirectory::Open("").status().code(), Code::kInvalid);
  for (const auto& path : {temporary.path() / "file", temporary.path() / "file" / "below"}) {
    const auto opened = DataDirectory::Open(path);
    ASSERT_FALSE(opened.ok());
    EXPECT_THAT(opened.status().message(), testing::HasSubstr("--data-dir"));
  }
}

}  // namespace
}  // namespace weir::agent

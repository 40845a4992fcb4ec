#include "kube/line_splitter.h"

#include <gtest/gtest.h>

#include <vector>

namespace weir::kube {
namespace {

TEST(LineSplitter, JoinsPiecesAndKeepsWhatHasNotEnded) {
  LineSplitter lines(100);
  std::vector<std::string> seen;
  const auto take = [&seen](std::string& line) {
    seen.push_back(line);
    return true;
  };
  EXPECT_TRUE(lines.Feed("one\ntw", take));
  EXPECT_TRUE(lines.Feed("", take));
  EXPECT_TRUE(lines.Feed("o\n\n\nthree", take));
  EXPECT_EQ(seen, (std::vector<std::string>{"one", "two"}));
  EXPECT_TRUE(lines.Feed("\n", take));
  EXPECT_EQ(seen.back(), "three");
}

TEST(LineSplitter, LeavesOutLinesThatAreTooLongAndGoesOn) {
  LineSplitter lines(4);
  std::vector<std::string> seen;
  const auto take = [&seen](std::string& line) {
    seen.push_back(line);
    return true;
  };
  EXPECT_TRUE(lines.Feed("1234\n12345", take));
  EXPECT_TRUE(lines.Feed("6789", take));
  EXPECT_TRUE(lines.Feed("\nok\n", take));
  EXPECT_EQ(seen, (std::vector<std::string>{"1234", "ok"}));
  EXPECT_EQ(lines.too_long(), 1U);
}

TEST(LineSplitter, StopsWhenTheTakerHasEnough) {
  LineSplitter lines(100);
  int taken = 0;
  EXPECT_FALSE(lines.Feed("a\nb\nc\n", [&taken](std::string&) { return ++taken < 2; }));
  EXPECT_EQ(taken, 2);
}

}  // namespace
}  // namespace weir::kube

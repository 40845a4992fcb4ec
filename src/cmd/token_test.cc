#include "cmd/token.h"

#include <gtest/gtest.h>

namespace weir::cmd {
namespace {

TEST(Token, IsTheFirstLineWithSomethingInIt) {
  for (const char* file : {"two words", "two words\n", "  two words \t\r\n", "\n\r\n two words\nanother\n"}) {
    const Result<std::string> token = ParseToken(file);
    ASSERT_TRUE(token.ok()) << file;
    EXPECT_EQ(*token, "two words") << file;
  }
}

TEST(Token, MustBeSomethingAHeaderCarries) {
  for (const std::string_view file : {"", "\n", " \t\r\n\r\n", "a\x01z", "a\x7f", "a\tb"}) {
    EXPECT_EQ(ParseToken(file).status().code(), Code::kInvalid) << file;
  }
}

}  // namespace
}  // namespace weir::cmd

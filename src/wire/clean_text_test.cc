#include "wire/clean_text.h"

#include <gtest/gtest.h>

namespace weir::wire {
namespace {

using std::string_literals::operator""s;

TEST(CleanText, AcceptsWhatPeopleWrite) {
  for (const char* text : {"", "nginx", "a b", "/usr/bin/~x", "grüße", "日本語", "🚀", "\xF4\x8F\xBF\xBF"}) {
    SCOPED_TRACE(text);
    EXPECT_TRUE(IsCleanText(text));
    EXPECT_EQ(CleanText(text, 256), text);
  }
}

TEST(CleanText, ReplacesControlCharactersAndBadUtf8) {
  const std::string r = "\xEF\xBF\xBD";
  const std::pair<std::string, std::string> cases[] = {
      {"a\0b"s, "a" + r + "b"},              // NUL
      {"\x1B[31m", r + "[31m"},              // escape
      {"a\nb\tc", "a" + r + "b" + r + "c"},  //
      {"\x7F", r},                           // DEL
      {"\xC2\x85", r + r},                   // C1: next line
      {"\xE2\x80\xAE"
       "exe",
       r + r + r + "exe"},                  // right-to-left override
      {"\xE2\x81\xA6x", r + r + r + "x"},   // bidi isolate
      {"\xC0\xAF", r + r},                  // overlong '/'
      {"\xE0\x80\x80", r + r + r},          // overlong NUL
      {"\xED\xA0\x80", r + r + r},          // surrogate
      {"\xF4\x90\x80\x80", r + r + r + r},  // beyond U+10FFFF
      {"\x80", r},                          // stray continuation
      {"x\xE2\x82", "x" + r + r},           // cut short
      {"\xE2\x28\xA1", r + "(" + r},        // continuation missing
      {"\xFF", r},
  };
  for (const auto& [text, clean] : cases) {
    SCOPED_TRACE(testing::PrintToString(text));
    EXPECT_FALSE(IsCleanText(text));
    EXPECT_EQ(CleanText(text, 256), clean);
    EXPECT_TRUE(IsCleanText(CleanText(text, 256)));
  }
}

TEST(CleanText, CutsAtACharacterBorder) {
  EXPECT_EQ(CleanText("ab\xC3\xBC", 4), "ab\xC3\xBC");
  EXPECT_EQ(CleanText("ab\xC3\xBC", 3), "ab");
  EXPECT_EQ(CleanText("ab\x01", 4), "ab");  // the replacement has 3 bytes
  EXPECT_EQ(CleanText("ab", 0), "");
}

}  // namespace
}  // namespace weir::wire

#include "base/text.h"

#include <gtest/gtest.h>

#include "base/duration.h"
#include "base/utf8.h"

namespace weir {
namespace {

TEST(Text, LowerIsAsciiOnly) {
  EXPECT_EQ(Lower("Content-TYPE Ä"), "content-type Ä");
  EXPECT_EQ(Lower(std::string_view("A\0Z", 3)), std::string("a\0z", 3));
}

TEST(Text, AgentIds) {
  EXPECT_TRUE(IsAgentId("0123456789abcdef0123456789abcdef"));
  for (const std::string& text : {std::string(), std::string(31, 'a'), std::string(33, 'a'), std::string(32, 'A'),
                                  std::string(32, 'g'), std::string(32, '\0')}) {
    EXPECT_FALSE(IsAgentId(text)) << text;
  }
}

TEST(Text, SlipsAreNearAndOtherWordsAreNot) {
  EXPECT_EQ(EditDistance("", "abc"), 3U);
  EXPECT_EQ(EditDistance("sever", "server"), 1U);
  EXPECT_EQ(EditDistance("serevr", "server"), 1U) << "a swap is one slip";
  const std::string_view names[] = {"server_port", "client_port", "bytes"};
  EXPECT_EQ(Nearest("sevrer_port", names), "server_port");
  EXPECT_EQ(Nearest("byts", names), "bytes");
  EXPECT_EQ(Nearest("packets", names), "");
  EXPECT_EQ(Nearest("", names), "");
  EXPECT_EQ(Nearest(std::string(65, 'x'), names), "");
}

TEST(Duration, IsReadAsPeopleWriteIt) {
  EXPECT_EQ(*ParseDuration("250ms"), 250);
  EXPECT_EQ(*ParseDuration("90"), 90'000);
  EXPECT_EQ(*ParseDuration("1.5h"), 5'400'000);
  EXPECT_EQ(*ParseDuration("1h30m"), 5'400'000);
  EXPECT_EQ(*ParseDuration("2d"), 172'800'000);
  EXPECT_EQ(*ParseDuration("1w"), 604'800'000);
  EXPECT_EQ(*ParseDuration("0s"), 0);
  for (const char* text : {"", "x", "s", "-1s", "+1s", "1y", "1e9s", "1e99s", "nan", "inf", "1h30", "1 h", "1h 30m",
                           "1H", "40000d", "99999999999999999999s", ".5s", "infs"}) {
    EXPECT_EQ(ParseDuration(text).status().code(), Code::kInvalid) << text;
  }
}

TEST(Duration, IsWrittenAsItIsRead) {
  for (const int64_t ms : {1LL, 999LL, 1'000LL, 90'061'001LL, 604'800'000LL, 36'525LL * 86'400'000}) {
    EXPECT_EQ(*ParseDuration(FormatDuration(ms)), ms);
  }
  EXPECT_EQ(FormatDuration(5'400'000), "1h30m");
  EXPECT_EQ(FormatDuration(0), "0s");
  EXPECT_EQ(FormatDuration(-5), "0s");
}

TEST(Utf8, CodePointsAreReadAndWhatIsNoneStandsForItself) {
  const auto value = [](std::string_view text) { return FirstCodePoint(text).value; };
  EXPECT_EQ(value("a"), 'a');
  EXPECT_EQ(value("\xc3\xa4"), 0xe4U);
  EXPECT_EQ(value("\xe2\x82\xac"), 0x20acU);
  EXPECT_EQ(value("\xf0\x9f\x90\xb3"), 0x1f433U);
  EXPECT_EQ(FirstCodePoint("\xf4\x8f\xbf\xbf").value, 0x10ffffU);
  for (const std::string_view wrong :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80", "\xff", "\xe2\x82", "\xc3", "\xc3x"}) {
    const CodePoint point = FirstCodePoint(wrong);
    EXPECT_FALSE(point.valid) << wrong;
    EXPECT_EQ(point.bytes, 1U);
    EXPECT_EQ(point.value, static_cast<uint8_t>(wrong[0]));
  }
}

TEST(Utf8, NamesMayJoinEmojiButNotTurnLines) {
  for (const uint32_t c : {0x1bU, 0x85U, 0x2028U, 0x202eU, 0x2066U}) EXPECT_TRUE(BreaksText(c)) << c;
  for (const uint32_t c : {0x200dU, 0xfeffU, 0x61cU, 0x20U}) EXPECT_FALSE(BreaksText(c)) << c;
}

TEST(Utf8, WhatMovesCursorsOrHidesIsDangerous) {
  for (const uint32_t c :
       {0x00U, 0x1bU, 0x7fU, 0x9bU, 0x200bU, 0x200fU, 0x2028U, 0x202eU, 0x2066U, 0x2069U, 0xfeffU, 0x61cU}) {
    EXPECT_TRUE(IsDangerous(c)) << c;
  }
  for (const uint32_t c : {0x20U, 0x7eU, 0xa0U, 0xe4U, 0x20acU, 0x2027U, 0x202fU, 0x2070U, 0x1f433U}) {
    EXPECT_FALSE(IsDangerous(c)) << c;
  }
}

}  // namespace
}  // namespace weir

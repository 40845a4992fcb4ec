#include "bpf/http2_walk.h"

#include <gtest/gtest.h>

#include <string>

#include "agent/requests/http2_builder.h"

namespace weir::agent::requests {
namespace {

const std::string kBytes =
    std::string(kPreface) + MakeFrame(WEIR_FRAME_SETTINGS, 0, 0, "settin") +
    MakeFrame(WEIR_FRAME_HEADERS, 4, 1, "block") + MakeFrame(WEIR_FRAME_DATA, 0, 1, std::string(70'000, 'd')) +
    MakeFrame(WEIR_FRAME_DATA, WEIR_FRAME_END_STREAM, 1) + MakeFrame(WEIR_FRAME_HEADERS, 5, 0x7fffffff, "more") +
    MakeFrame(WEIR_FRAME_RST_STREAM, 0, 0x7fffffff, "code");
const std::vector<WalkedFrame> kFrames = {
    {0, 6, WEIR_FRAME_SETTINGS, 0},         {1, 5, WEIR_FRAME_HEADERS, 4},
    {1, 70'000, WEIR_FRAME_DATA, 0},        {1, 0, WEIR_FRAME_DATA, WEIR_FRAME_END_STREAM},
    {0x7fffffff, 4, WEIR_FRAME_HEADERS, 5}, {0x7fffffff, 4, WEIR_FRAME_RST_STREAM, 0}};

TEST(Http2WalkTest, FindsTheSameFramesWhateverThePieces) {
  for (const size_t piece : {size_t{1}, size_t{2}, size_t{7}, size_t{9}, size_t{10}, size_t{1'448}, kBytes.size()}) {
    Walker walker;
    for (size_t at = 0; at < kBytes.size(); at += piece) {
      ASSERT_TRUE(walker.Feed(std::string_view(kBytes).substr(at, piece)));
    }
    EXPECT_EQ(walker.frames(), kFrames) << piece;
    EXPECT_EQ(walker.walk().left, 0U);
    EXPECT_EQ(walker.walk().have, 0U);
  }
}

TEST(Http2WalkTest, WhatIsNoFrameHeaderEndsTheWalk) {
  for (const std::string& bad :
       {std::string("GET / HTT"), std::string("HTTP/1.1 "), std::string(9, '\xff'), MakeFrame(WEIR_FRAME_DATA, 0, 0),
        MakeFrame(WEIR_FRAME_HEADERS, 0, 0), MakeFrame(WEIR_FRAME_CONTINUATION, 0, 0),
        MakeFrame(WEIR_FRAME_RST_STREAM, 0, 0), MakeFrame(WEIR_FRAME_SETTINGS, 0, 1), MakeFrame(WEIR_FRAME_PING, 0, 3),
        MakeFrame(WEIR_FRAME_GOAWAY, 0, 5), MakeFrame(WEIR_FRAME_DATA, 0, 0x80000001), MakeFrame(WEIR_FRAME_DATA, 0, 1),
        MakeFrame(WEIR_FRAME_HEADERS, 4, 2)}) {
    Walker walker;
    ASSERT_TRUE(walker.Feed(kPreface));
    EXPECT_FALSE(walker.Feed(bad));
    EXPECT_FALSE(walker.Feed(MakeFrame(WEIR_FRAME_HEADERS, 4, 1, "block"))) << "for good";
    EXPECT_TRUE(walker.frames().empty());
  }
}

TEST(Http2WalkTest, ALengthThatLiesLeadsToBytesThatAreNoFrame) {
  std::string lying = MakeFrame(WEIR_FRAME_HEADERS, 4, 1, "block");
  lying[2] = 3;  // two bytes less than there are
  Walker walker;
  EXPECT_FALSE(walker.Feed(std::string(kPreface) + lying + MakeFrame(WEIR_FRAME_HEADERS, 4, 3, "block")));
}

TEST(Http2WalkTest, TheServerOpensNoStream) {
  weir_frame_walk walk{};
  const std::string header = MakeFrame(WEIR_FRAME_HEADERS, 4, 5);
  std::memcpy(walk.header, header.data(), header.size());
  EXPECT_FALSE(weir_walk_begin(&walk, 3, /*from_client=*/0));
  EXPECT_TRUE(weir_walk_begin(&walk, 5, /*from_client=*/0));
}

TEST(Http2WalkTest, ExtensionsAreWalkedOver) {
  std::string extension = MakeFrame(WEIR_FRAME_DATA, 0, 0, "origin");
  extension[3] = 0x0c;
  Walker walker;
  EXPECT_TRUE(walker.Feed(std::string(kPreface) + extension + MakeFrame(WEIR_FRAME_HEADERS, 4, 1)));
  EXPECT_EQ(walker.frames().size(), 2U);
  EXPECT_FALSE(weir_frame_is_told(0x0c));
}

}  // namespace
}  // namespace weir::agent::requests

#include "bpf/tls_walk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace weir::agent::requests {
namespace {

std::string Record(uint8_t type, size_t length) {
  return std::string{static_cast<char>(type), 3, 3, static_cast<char>(length >> 8), static_cast<char>(length & 0xff)} +
         std::string(std::min<size_t>(length, WEIR_RECORD_MAX_BYTES), 'r');
}

using Found = std::vector<std::pair<int, uint32_t>>;

// Moves as the kernel side does. False: it is out of step.
bool Feed(weir_record_walk& walk, std::string_view text, Found& found) {
  while (!text.empty()) {
    const uint32_t bytes = weir_record_move(&walk, static_cast<uint32_t>(text.size()));
    if (bytes == 0) return false;
    if (walk.left != 0) {
      walk.left -= bytes;
    } else {
      std::memcpy(walk.header + walk.have, text.data(), bytes);
      walk.have = static_cast<weir_u8>(walk.have + bytes);
      if (walk.have == WEIR_RECORD_HEADER_BYTES) {
        if (weir_record_begin(&walk) == 0) return false;
        found.emplace_back(walk.type, walk.length);
      }
    }
    text.remove_prefix(bytes);
  }
  return true;
}

TEST(TlsWalkTest, FindsTheSameRecordsWhateverThePieces) {
  const std::string bytes = Record(22, 512) + Record(20, 1) + Record(23, 0) + Record(23, 16'401) + Record(23, 53);
  const Found records = {{22, 512}, {20, 1}, {23, 0}, {23, 16'401}, {23, 53}};
  for (const size_t piece : {size_t{1}, size_t{4}, size_t{5}, size_t{6}, size_t{1'448}, bytes.size()}) {
    weir_record_walk walk{};
    Found found;
    for (size_t at = 0; at < bytes.size(); at += piece) {
      ASSERT_TRUE(Feed(walk, std::string_view(bytes).substr(at, piece), found));
    }
    EXPECT_EQ(found, records) << piece;
    EXPECT_EQ(walk.left, 0U);
    EXPECT_EQ(walk.have, 0U);
  }
}

TEST(TlsWalkTest, WhatIsNoRecordHeaderEndsTheWalk) {
  for (const std::string& bad : {std::string("GET / HTTP/1.1"), std::string("\x17\x03\x03\xff\xff", 5), Record(19, 10),
                                 Record(25, 10), Record(23, WEIR_RECORD_MAX_BYTES + 1),
                                 std::string("\x17\x04\x00\x00\x05", 5), std::string("\x17\x03\x05\x00\x05", 5)}) {
    weir_record_walk walk{};
    Found found;
    EXPECT_FALSE(Feed(walk, bad, found));
    EXPECT_TRUE(found.empty());
  }
}

TEST(TlsWalkTest, ALengthThatLiesLeadsToBytesThatAreNoRecord) {
  std::string lying = Record(23, 100);
  lying[4] = 90;
  weir_record_walk walk{};
  Found found;
  EXPECT_FALSE(Feed(walk, lying + Record(23, 100), found));
}

}  // namespace
}  // namespace weir::agent::requests

#include "agent/flow/namesakes.h"

#include <gtest/gtest.h>

#include <string_view>

#include "model/side_report.h"

namespace weir::agent::flow {
namespace {

constexpr Nanos kSecond = 1'000'000'000;

model::Address Ip(std::string_view text) { return *model::Address::Parse(text); }

const model::Address kOne = Ip("10.244.0.1");
const model::Address kTwo = Ip("10.244.0.2");

class NamesakesTest : public testing::Test {
 protected:
  void Meet(uint32_t netns, const model::Address& address, Nanos now = 0) { namesakes_.Meet(address, netns, now); }
  uint32_t PeerOf(uint32_t netns, const model::Address& local, const model::Address& remote) const {
    return namesakes_.PeerOf(netns, local, remote);
  }

  Namesakes namesakes_;
};

TEST_F(NamesakesTest, AnAddressOfOneNamespaceIsNoMatter) {
  Meet(7, kOne);
  Meet(8, kTwo);
  Meet(7, kOne);
  EXPECT_FALSE(namesakes_.any());
  namesakes_.Pair(7, kTwo, 8);
  EXPECT_EQ(PeerOf(7, kOne, kTwo), 0U);
}

TEST_F(NamesakesTest, LoopbackIsOfEveryNamespace) {
  for (const char* everywhere : {"127.0.0.1", "::1", "0.0.0.0", "::", "224.0.0.1"}) {
    Meet(7, Ip(everywhere));
    Meet(8, Ip(everywhere));
  }
  EXPECT_FALSE(namesakes_.any());
}

TEST_F(NamesakesTest, TheFirstHolderGoesOnUntilItsPeerIsKnown) {
  Meet(7, kOne);
  Meet(8, kTwo);
  Meet(17, kOne);
  EXPECT_TRUE(namesakes_.any());
  EXPECT_EQ(PeerOf(7, kOne, kTwo), 0U);
  EXPECT_EQ(PeerOf(8, kTwo, kOne), 0U);
  EXPECT_EQ(PeerOf(17, kOne, kTwo), model::kUnknownNetns);
  EXPECT_EQ(PeerOf(8, kTwo, Ip("192.0.2.1")), 0U) << "nobody else has either";
  namesakes_.Pair(7, kTwo, 8);
  namesakes_.Pair(8, kOne, 7);
  EXPECT_EQ(PeerOf(7, kOne, kTwo), 8U);
  EXPECT_EQ(PeerOf(8, kTwo, kOne), 7U);
}

TEST_F(NamesakesTest, WhoeverLeavesLeavesTheAddressToTheOther) {
  Meet(7, kOne, 0);
  Meet(17, kOne, 60 * kSecond);
  namesakes_.Expire(91 * kSecond);
  EXPECT_FALSE(namesakes_.any());
  Meet(7, kOne, 92 * kSecond);
  EXPECT_EQ(PeerOf(17, kOne, kTwo), 0U);
  EXPECT_EQ(PeerOf(7, kOne, kTwo), model::kUnknownNetns) << "it came second this time";
}

TEST_F(NamesakesTest, AThirdIsToldFromTheFirstToo) {
  for (const uint32_t netns : {7U, 17U, 27U}) Meet(netns, kOne);
  EXPECT_EQ(PeerOf(7, kOne, kTwo), 0U);
  EXPECT_EQ(PeerOf(17, kOne, kTwo), model::kUnknownNetns);
  EXPECT_EQ(PeerOf(27, kOne, kTwo), model::kUnknownNetns);
}

}  // namespace
}  // namespace weir::agent::flow

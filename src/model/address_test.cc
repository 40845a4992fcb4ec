#include "model/address.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace weir::model {
namespace {

TEST(Address, MappedAndPlainV4AreOneEndpoint) {
  EXPECT_EQ(Address::Parse("::ffff:10.1.2.3"), Address::Parse("10.1.2.3"));
  EXPECT_EQ(Address::Parse("::ffff:10.1.2.3")->ToString(), "10.1.2.3");
}

TEST(Address, PrintsWhatItParsed) {
  for (const char* text : {"127.0.0.1", "0.0.0.0", "255.255.255.255", "::", "::1", "fe80::1", "2001:db8::42"}) {
    const auto address = Address::Parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->ToString(), text);
  }
}

TEST(Address, RejectsEverythingElse) {
  for (const char* text : {"", "10.0.0", "10.0.0.256", "::g", "fe80::1%eth0", "localhost", "1.2.3.4:80"}) {
    EXPECT_FALSE(Address::Parse(text)) << text;
  }
}

TEST(Address, KnowsItsKind) {
  EXPECT_TRUE(Address::Parse("127.9.9.9")->is_loopback());
  EXPECT_TRUE(Address::Parse("::1")->is_loopback());
  EXPECT_TRUE(Address::Parse("172.31.255.1")->is_private());
  EXPECT_FALSE(Address::Parse("172.32.0.1")->is_private());
  EXPECT_TRUE(Address::Parse("100.64.0.1")->is_private());
  EXPECT_TRUE(Address::Parse("fd00::1")->is_private());
  EXPECT_TRUE(Address::Parse("169.254.169.254")->is_link_local());
  EXPECT_TRUE(Address::Parse("::")->is_unspecified());
}

TEST(Address, RangesSayWhatTheFunctionsSay) {
  const auto within = [](const std::vector<AddressRange>& ranges, const Address& address) {
    return std::any_of(ranges.begin(), ranges.end(),
                       [&](const AddressRange& range) { return range.Contains(address); });
  };
  const auto check = [&](const Address& address) {
    SCOPED_TRACE(address.ToString());
    EXPECT_EQ(within(UnspecifiedRanges(), address), address.is_unspecified());
    EXPECT_EQ(within(LoopbackRanges(), address), address.is_loopback());
    EXPECT_EQ(within(NotPublicRanges(), address), !address.is_public());
  };
  for (const AddressRange& range : NotPublicRanges()) {
    for (Address edge : {range.first, range.last}) {
      check(edge);
      // The neighbours, one up and one down; what carries or borrows is tried at other edges.
      ++edge.bytes[15];
      check(edge);
      edge.bytes[15] = static_cast<uint8_t>(edge.bytes[15] - 2);
      check(edge);
    }
  }
  // Every first two bytes of both families.
  for (uint32_t word = 0; word < 0x10000; ++word) {
    Address v6;
    v6.bytes[0] = static_cast<uint8_t>(word >> 8);
    v6.bytes[1] = static_cast<uint8_t>(word);
    v6.bytes[15] = 7;
    check(v6);
    Address v4 = *Address::Parse("0.0.3.7");
    v4.bytes[12] = v6.bytes[0];
    v4.bytes[13] = v6.bytes[1];
    check(v4);
  }
}

TEST(AddressRange, CoversExactlyThePrefix) {
  const auto range = AddressRange::Parse("10.1.2.3/15");
  ASSERT_TRUE(range);
  EXPECT_EQ(range->first.ToString(), "10.0.0.0");
  EXPECT_EQ(range->last.ToString(), "10.1.255.255");
  EXPECT_TRUE(AddressRange::Parse("fd00::/8")->Contains(*Address::Parse("fdff::1")));
  EXPECT_FALSE(AddressRange::Parse("0.0.0.0/0")->Contains(*Address::Parse("::1")));
  for (const char* text : {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/x", "::/129", "/8"}) {
    EXPECT_FALSE(AddressRange::Parse(text)) << text;
  }
}

}  // namespace
}  // namespace weir::model

#include "model/address.h"

#include <gtest/gtest.h>

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

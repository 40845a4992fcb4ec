#include "agent/recording/layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "bpf/udp_abi.h"

namespace weir::agent::recording {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

weir_udp_key Key() {
  weir_udp_key key{};
  key.cookie = 0x1122334455667788;
  key.local_port = 4'000;
  key.remote_port = 53;
  key.family = 2;
  return key;
}

TEST(Layout, EveryStructIsToldToItsLastByte) {
  for (size_t i = 0; i < kStructs; ++i) {
    const Layout& layout = LayoutOf(static_cast<Struct>(i));
    SCOPED_TRACE(layout.name);
    const Field& last = layout.fields.back();
    EXPECT_EQ(last.offset + last.size, layout.size);
    const auto same = Conversion::FromText(static_cast<Struct>(i), LayoutText(layout));
    ASSERT_TRUE(same.ok()) << same.status().message();
    EXPECT_EQ(same->recorded_bytes(), layout.size);
    EXPECT_TRUE(same->missing().empty());
  }
}

TEST(Layout, FieldsAreFoundByNameWhereverTheyLay) {
  const auto conversion = Conversion::FromText(
      Struct::kUdpKey, "24 family:0:1 new:1:1 remote_port:2:2 local_port:4:2 cookie:8:8 newer:16:8");
  ASSERT_TRUE(conversion.ok()) << conversion.status().message();
  EXPECT_EQ(conversion->recorded_bytes(), 24U);
  EXPECT_THAT(conversion->missing(), ElementsAre("local_address", "remote_address", "zero"));
  const weir_udp_key key = Key();
  std::string recorded(24, '\xff');
  recorded[0] = static_cast<char>(key.family);
  std::memcpy(recorded.data() + 2, &key.remote_port, 2);
  std::memcpy(recorded.data() + 4, &key.local_port, 2);
  std::memcpy(recorded.data() + 8, &key.cookie, 8);
  weir_udp_key converted{};
  converted.local_address[0] = 1;
  conversion->Convert(recorded.data(), reinterpret_cast<char*>(&converted));
  EXPECT_EQ(std::memcmp(&converted, &key, sizeof(key)), 0) << "what is missing reads 0";
}

TEST(Layout, AFieldOfAnotherSizeCannotBeRead) {
  const Status status = Conversion::FromText(Struct::kUdpKey, "16 cookie:0:4").status();
  EXPECT_EQ(status.code(), Code::kUnsupported);
  EXPECT_THAT(status.message(), HasSubstr("weir_udp_key.cookie has 4 bytes there and 8 here"));
}

TEST(Layout, NonsenseIsNoLayout) {
  for (const char* text : {"", "x", "0 cookie:0:8", "65537 cookie:0:8", "16 cookie:9:8", "16 cookie", "16 cookie:0",
                           "16 cookie:0:17", "16 cookie:-1:8", "16 cookie:18446744073709551615:8", "16  "}) {
    EXPECT_EQ(Conversion::FromText(Struct::kUdpKey, text).status().code(), Code::kCorrupt) << text;
  }
  std::string many = "16";
  for (int i = 0; i < 300; ++i) many += " a:0:1";
  EXPECT_EQ(Conversion::FromText(Struct::kUdpKey, many).status().code(), Code::kCorrupt);
}

}  // namespace
}  // namespace weir::agent::recording

#include "agent/requests/header_decoder.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::agent::requests {
namespace {

// A field whose name has a number of the static table, taken into the dynamic one (RFC 7541, 6.2.1).
std::string Indexed(uint8_t name, const std::string& value) {
  return std::string(1, static_cast<char>(0x40 | name)) + static_cast<char>(value.size()) + value;
}

TEST(HeaderDecoderTest, ReadsWhatNamesARequest) {
  const auto decoder = HeaderDecoder::Create();
  const auto fields = decoder->Decode("\x83" + Indexed(4, "/v1/chat/completions") + Indexed(1, "shop.example"));
  ASSERT_TRUE(fields);
  EXPECT_EQ(fields->method, "POST");
  EXPECT_EQ(fields->path, "/v1/chat/completions");
  EXPECT_EQ(fields->status, 0);
}

TEST(HeaderDecoderTest, ABlockMaySpeakOfFieldsOfTheOneBefore) {
  const auto decoder = HeaderDecoder::Create();
  ASSERT_TRUE(decoder->Decode("\x82" + Indexed(4, "/first")));
  const auto fields = decoder->Decode("\x82\xbe");  // 62: the newest of the dynamic table
  ASSERT_TRUE(fields);
  EXPECT_EQ(fields->path, "/first");
}

TEST(HeaderDecoderTest, ReadsStatusAndLength) {
  const auto decoder = HeaderDecoder::Create();
  auto fields = decoder->Decode("\x88" + Indexed(28, "120"));
  ASSERT_TRUE(fields);
  EXPECT_EQ(fields->status, 200);
  EXPECT_TRUE(fields->has_length);
  fields = decoder->Decode(Indexed(8, "503"));
  EXPECT_EQ(fields->status, 503);
  EXPECT_FALSE(fields->has_length);
}

TEST(HeaderDecoderTest, ValuesThatAreNoneAreLeftOut) {
  const auto decoder = HeaderDecoder::Create();
  for (const char* status : {"", "99", "1000", "2x0", "-200", "99999999999999"}) {
    EXPECT_EQ(decoder->Decode(Indexed(8, status))->status, 0) << status;
  }
  for (const char* method : {"", "GET /", "\x1b[31m", "ABCDEFGHIJKLMNOPQ"}) {
    EXPECT_EQ(decoder->Decode(Indexed(2, method))->method, "") << method;
  }
}

TEST(HeaderDecoderTest, AfterNonsenseNothingIsDecodedAnyMore) {
  for (const std::string& bad : {std::string("\xbe"),                  // of an empty dynamic table
                                 std::string("\x44\x7f"),              // a value longer than the block
                                 std::string("\x80"),                  // number 0
                                 std::string("\x3f\xe1\xff\xff\x7f"),  // a table larger than we keep
                                 std::string("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x0f")}) {
    const auto decoder = HeaderDecoder::Create();
    EXPECT_FALSE(decoder->Decode(bad));
    EXPECT_FALSE(decoder->Decode("\x82")) << "for good";
  }
}

}  // namespace
}  // namespace weir::agent::requests

#include "agent/requests/client_hello.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::agent::requests {
namespace {

std::string Sized(size_t length_bytes, const std::string& body) {
  std::string out;
  for (size_t i = length_bytes; i-- > 0;) out += static_cast<char>(body.size() >> (8 * i) & 0xff);
  return out + body;
}

std::string Extension(uint8_t type, const std::string& body) {
  return std::string(1, '\0') + static_cast<char>(type) + Sized(2, body);
}

std::string ServerName(const std::string& name) {
  return Extension(0, Sized(2, std::string(1, '\0') + Sized(2, name)));
}

std::string Hello(const std::string& extensions) {
  const std::string body = "\x03\x03" + std::string(32, 'r') + Sized(1, std::string(32, 's')) +
                           Sized(2, std::string("\x13\x01", 2)) + Sized(1, std::string(1, '\0')) + Sized(2, extensions);
  return "\x16\x03\x01" + Sized(2, "\x01" + Sized(3, body));
}

TEST(ClientHelloTest, TellsServerNameAndProtocol) {
  const auto said = ParseClientHello(Hello(Extension(43, "abc") + ServerName("Shop.Example") +
                                           Extension(16, Sized(2, Sized(1, "h2") + Sized(1, "http/1.1")))));
  ASSERT_TRUE(said);
  EXPECT_EQ(said->server_name, "shop.example");
  EXPECT_EQ(said->protocol, "h2");
}

TEST(ClientHelloTest, AMessageThatIsCutTellsWhatCameBefore) {
  const std::string whole = Hello(ServerName("shop.example") + Extension(51, std::string(1'200, 'k')));
  EXPECT_EQ(ParseClientHello(whole.substr(0, whole.size() - 900))->server_name, "shop.example");
  for (size_t size = 0; size < whole.size(); ++size) {
    const auto said = ParseClientHello(std::string_view(whole).substr(0, size));
    EXPECT_TRUE(!said || said->server_name.empty() || said->server_name == "shop.example") << size;
  }
}

TEST(ClientHelloTest, HostileNamesAreRefused) {
  for (const std::string& name : {std::string(), std::string("a\0b", 3), std::string("a\x1b[31mb"), std::string("a b"),
                                  std::string("ü.example"), std::string(254, 'a'), std::string(60'000, 'a')}) {
    const auto said = ParseClientHello(Hello(ServerName(name)));
    ASSERT_TRUE(said);
    EXPECT_EQ(said->server_name, "");
  }
  EXPECT_EQ(ParseClientHello(Hello(ServerName(std::string(253, 'a'))))->server_name.size(), 253U);
}

TEST(ClientHelloTest, LengthsThatLieGiveNoName) {
  const std::string lying = std::string(1, '\0') + std::string("\xff\xff", 2) + "short";
  EXPECT_EQ(ParseClientHello(Hello(Extension(0, Sized(2, lying))))->server_name, "");
  EXPECT_EQ(ParseClientHello(Hello(Extension(0, "\xff\xff" + lying)))->server_name, "");
  EXPECT_EQ(ParseClientHello(Hello(std::string("\0\0\xff\xff"
                                               "abc",
                                               7)))
                ->server_name,
            "");
}

TEST(ClientHelloTest, WhatIsNoClientHelloIsRefused) {
  std::string server_hello = Hello("");
  server_hello[5] = 2;
  std::string data = Hello("");
  data[0] = 23;
  for (const std::string& text :
       {std::string(), std::string("GET / HTTP/1.1\r\n\r\n"), server_hello, data, Hello("").substr(0, 40)}) {
    EXPECT_FALSE(ParseClientHello(text));
  }
}

}  // namespace
}  // namespace weir::agent::requests

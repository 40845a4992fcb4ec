#include "agent/requests/client_hello.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

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

TEST(ClientHelloTest, TellsServerNameAndProtocols) {
  const auto said = ParseClientHello(Hello(Extension(43, "abc") + ServerName("Shop.Example") +
                                           Extension(16, Sized(2, Sized(1, "h2") + Sized(1, "http/1.1")))));
  ASSERT_TRUE(said);
  EXPECT_EQ(said->server_name, "shop.example");
  EXPECT_EQ(said->alpn, "h2,http/1.1");
}

std::string Protocols(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += Sized(1, name);
  return Extension(16, Sized(2, list));
}

std::string AlpnOf(const std::string& extensions) {
  const auto said = ParseClientHello(Hello(extensions));
  EXPECT_TRUE(said);
  return said ? said->alpn : "?";
}

TEST(ClientHelloTest, ReservedProtocolsAreLeftOut) {
  EXPECT_EQ(AlpnOf(Protocols({"\x0a\x0a", "h2", "\xfa\xfa", "http/1.1"})), "h2,http/1.1");
  EXPECT_EQ(AlpnOf(Protocols({"\x1a\x1a"})), "");
  EXPECT_EQ(AlpnOf(Protocols({"\x0a\x1a", "\x0a\x0a\x0a"})), R"(\010\026,\010\010\010)") << "these are not";
}

TEST(ClientHelloTest, ProtocolsAreShownPrintable) {
  EXPECT_EQ(AlpnOf(Protocols({"a,b", "c\\d", "e f", "\x1b[31m", "\xc3\xbc", std::string("\0", 1)})),
            R"(a\044b,c\092d,e\032f,\027[31m,\195\188,\000)");
}

TEST(ClientHelloTest, ListsOfProtocolsAreBounded) {
  EXPECT_EQ(AlpnOf(Protocols({std::string(255, 'x')})), "...");
  EXPECT_EQ(AlpnOf(Protocols({std::string(80, 'x'), std::string(80, 'y'), "h2"})), std::string(80, 'x') + ",...");
  EXPECT_EQ(AlpnOf(Protocols(std::vector<std::string>(1'000, "\xff\xff"))).size(), 120U);
  EXPECT_EQ(AlpnOf(Protocols({"...", "h2"})), "...,h2");
}

TEST(ClientHelloTest, ListsOfProtocolsWhoseLengthsLieAreEmpty) {
  EXPECT_EQ(AlpnOf(Extension(16, "")), "");
  EXPECT_EQ(AlpnOf(Extension(16, Sized(2, ""))), "");
  EXPECT_EQ(AlpnOf(Protocols({"h2", ""})), "") << "a name has at least one byte";
  EXPECT_EQ(AlpnOf(Extension(16, Sized(2, Sized(1, "h2") + "\x09http"))), "");
  EXPECT_EQ(AlpnOf(Extension(16, std::string("\0\x09", 2) + Sized(1, "h2"))), "") << "longer than its extension";
  EXPECT_EQ(AlpnOf(Extension(16, std::string("\0\x03", 2) + Sized(1, "h2") + "rest")), "") << "shorter";
  EXPECT_EQ(AlpnOf(Protocols({"h2"}) + Protocols({"http/1.1"})), "h2") << "the first of two";
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

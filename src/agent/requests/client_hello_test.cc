#include "agent/requests/client_hello.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "agent/requests/hello_builder.h"

namespace weir::agent::requests {
namespace {

TEST(ClientHelloTest, TellsServerNameAndProtocols) {
  const auto said =
      ParseClientHello(MakeHello(MakeExtension(43, "abc") + MakeServerName("Shop.Example") +
                                 MakeExtension(16, MakeSized(2, MakeSized(1, "h2") + MakeSized(1, "http/1.1")))));
  ASSERT_TRUE(said);
  EXPECT_EQ(said->server_name, "shop.example");
  EXPECT_EQ(said->alpn, "h2,http/1.1");
}

std::string Protocols(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += MakeSized(1, name);
  return MakeExtension(16, MakeSized(2, list));
}

std::string AlpnOf(const std::string& extensions) {
  const auto said = ParseClientHello(MakeHello(extensions));
  EXPECT_TRUE(said);
  return said ? said->alpn : "?";
}

TEST(ClientHelloTest, SaysWhetherItIsWholeAndOffersHttp2) {
  const std::string text = MakeHello(MakeServerName("a.example") + Protocols({"spdy/3", "h2"}));
  EXPECT_TRUE(ParseClientHello(text)->is_whole);
  EXPECT_TRUE(ParseClientHello(text)->offers_http2);
  EXPECT_FALSE(ParseClientHello(text.substr(0, text.size() - 1))->is_whole);
  EXPECT_FALSE(ParseClientHello(MakeHello(Protocols({"http/1.1"})))->offers_http2);
  std::vector<std::string> many(40, "an-odd-protocol");
  many.push_back("h2");
  EXPECT_TRUE(ParseClientHello(MakeHello(Protocols(many)))->offers_http2) << "beyond what is shown";
}

TEST(ClientHelloTest, SaysWhenItsLengthsLie) {
  const std::string text = MakeHello(Protocols({"http/1.1"}));
  EXPECT_FALSE(ParseClientHello(text)->lies);
  for (const size_t from_end : {9UL, 10UL, 11UL, 13UL}) {  // of the protocol, the list and its extension
    std::string lying = text;
    lying[lying.size() - from_end] = '\xff';
    EXPECT_TRUE(ParseClientHello(lying)->lies) << from_end;
  }
  EXPECT_FALSE(ParseClientHello(text.substr(0, text.size() - 1))->is_whole);
}

TEST(ClientHelloTest, AMessageMayBeSpreadOverRecords) {
  const std::string message = MakeHelloMessage(MakeServerName("spread.example") + Protocols({"h2"}));
  for (const size_t size : {1UL, 3UL, 40UL, message.size() - 1}) {
    SCOPED_TRACE(size);
    std::string text;
    for (size_t at = 0; at < message.size(); at += size) {
      text += "\x16\x03\x01" + MakeSized(2, message.substr(at, size));
    }
    const auto said = ParseClientHello(text);
    ASSERT_TRUE(said);
    EXPECT_EQ(said->server_name, "spread.example");
    EXPECT_TRUE(said->is_whole);
    const auto cut = ParseClientHello(text.substr(0, text.size() - 1));
    EXPECT_TRUE(!cut || !cut->is_whole);
  }
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
  EXPECT_EQ(AlpnOf(MakeExtension(16, "")), "");
  EXPECT_EQ(AlpnOf(MakeExtension(16, MakeSized(2, ""))), "");
  EXPECT_EQ(AlpnOf(Protocols({"h2", ""})), "") << "a name has at least one byte";
  EXPECT_EQ(AlpnOf(MakeExtension(16, MakeSized(2, MakeSized(1, "h2") + "\x09http"))), "");
  EXPECT_EQ(AlpnOf(MakeExtension(16, std::string("\0\x09", 2) + MakeSized(1, "h2"))), "")
      << "longer than its extension";
  EXPECT_EQ(AlpnOf(MakeExtension(16, std::string("\0\x03", 2) + MakeSized(1, "h2") + "rest")), "") << "shorter";
  EXPECT_EQ(AlpnOf(Protocols({"h2"}) + Protocols({"http/1.1"})), "h2") << "the first of two";
}

TEST(ClientHelloTest, AMessageThatIsCutTellsWhatCameBefore) {
  const std::string whole = MakeHello(MakeServerName("shop.example") + MakeExtension(51, std::string(1'200, 'k')));
  EXPECT_EQ(ParseClientHello(whole.substr(0, whole.size() - 900))->server_name, "shop.example");
  for (size_t size = 0; size < whole.size(); ++size) {
    const auto said = ParseClientHello(std::string_view(whole).substr(0, size));
    EXPECT_TRUE(!said || said->server_name.empty() || said->server_name == "shop.example") << size;
  }
}

TEST(ClientHelloTest, HostileNamesAreRefused) {
  for (const std::string& name : {std::string(), std::string("a\0b", 3), std::string("a\x1b[31mb"), std::string("a b"),
                                  std::string("ü.example"), std::string(254, 'a'), std::string(60'000, 'a')}) {
    const auto said = ParseClientHello(MakeHello(MakeServerName(name)));
    ASSERT_TRUE(said);
    EXPECT_EQ(said->server_name, "");
  }
  EXPECT_EQ(ParseClientHello(MakeHello(MakeServerName(std::string(253, 'a'))))->server_name.size(), 253U);
}

TEST(ClientHelloTest, LengthsThatLieGiveNoName) {
  const std::string lying = std::string(1, '\0') + std::string("\xff\xff", 2) + "short";
  EXPECT_EQ(ParseClientHello(MakeHello(MakeExtension(0, MakeSized(2, lying))))->server_name, "");
  EXPECT_EQ(ParseClientHello(MakeHello(MakeExtension(0, "\xff\xff" + lying)))->server_name, "");
  EXPECT_EQ(ParseClientHello(MakeHello(std::string("\0\0\xff\xff"
                                                   "abc",
                                                   7)))
                ->server_name,
            "");
}

TEST(ClientHelloTest, WhatIsNoClientHelloIsRefused) {
  std::string server_hello = MakeHello("");
  server_hello[5] = 2;
  std::string data = MakeHello("");
  data[0] = 23;
  for (const std::string& text :
       {std::string(), std::string("GET / HTTP/1.1\r\n\r\n"), server_hello, data, MakeHello("").substr(0, 40)}) {
    EXPECT_FALSE(ParseClientHello(text));
  }
}

}  // namespace
}  // namespace weir::agent::requests

#include "agent/udp/dns_answers.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::agent::udp {
namespace {

using Bytes = std::vector<uint8_t>;

void Put16(Bytes& bytes, size_t value) {
  bytes.push_back(static_cast<uint8_t>(value >> 8));
  bytes.push_back(static_cast<uint8_t>(value));
}

void PutName(Bytes& bytes, const std::string& name) {
  for (size_t at = 0; at < name.size();) {
    const size_t end = std::min(name.find('.', at), name.size());
    bytes.push_back(static_cast<uint8_t>(end - at));
    bytes.insert(bytes.end(), name.begin() + static_cast<std::ptrdiff_t>(at),
                 name.begin() + static_cast<std::ptrdiff_t>(end));
    at = end + 1;
  }
  bytes.push_back(0);
}

constexpr size_t kQuestion = 12;  // where its name stands

Bytes Pointer(size_t to) { return {static_cast<uint8_t>(0xC0 | to >> 8), static_cast<uint8_t>(to)}; }

// An answer to a question for `name`, in the making.
class Answer {
 public:
  explicit Answer(const std::string& name, uint16_t type = 1) : bytes{0, 1, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0} {
    PutName(bytes, name);
    Put16(bytes, type);
    Put16(bytes, 1);
  }
  // Returns where the record's data stands.
  size_t Add(const Bytes& owner, uint16_t type, uint32_t ttl_s, const Bytes& data, uint16_t record_class = 1) {
    bytes.insert(bytes.end(), owner.begin(), owner.end());
    Put16(bytes, type);
    Put16(bytes, record_class);
    Put16(bytes, ttl_s >> 16);
    Put16(bytes, ttl_s & 0xFFFF);
    Put16(bytes, data.size());
    const size_t at = bytes.size();
    bytes.insert(bytes.end(), data.begin(), data.end());
    ++bytes[7];
    return at;
  }
  size_t AddAlias(const Bytes& owner, const std::string& to, uint32_t ttl_s = 60) {
    Bytes data;
    PutName(data, to);
    return Add(owner, 5, ttl_s, data);
  }
  Bytes bytes;
};

Bytes NameOf(const std::string& name) {
  Bytes bytes;
  PutName(bytes, name);
  return bytes;
}

std::string Text(const DnsAnswers& answers) {
  std::string text = answers.canonical;
  for (const DnsAddress& each : answers.addresses)
    text += " " + each.address.ToString() + "/" + std::to_string(each.ttl_s);
  return text + (answers.cut ? " cut" : "");
}

TEST(DnsAnswers, AddressesOfTheNameItself) {
  Answer answer("models.example.org");
  answer.Add(Pointer(kQuestion), 1, 300, {192, 0, 2, 1});
  answer.Add(NameOf("Models.Example.ORG"), 1, 60, {192, 0, 2, 2});
  answer.Add(NameOf("other.example.org"), 1, 60, {192, 0, 2, 3});
  EXPECT_EQ(Text(ParseDnsAnswers(answer.bytes)), " 192.0.2.1/300 192.0.2.2/60");
}

TEST(DnsAnswers, AliasesAreFollowedInAnyOrderWithTheSmallestTtl) {
  Answer answer("cdn.example.org", 28);
  const Bytes v6{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9};
  answer.Add(NameOf("edge.example.net"), 28, 300, v6);
  answer.AddAlias(NameOf("mid.example.com"), "edge.example.net", 20);
  answer.AddAlias(Pointer(kQuestion), "mid.example.com", 3'600);
  EXPECT_EQ(Text(ParseDnsAnswers(answer.bytes)), "edge.example.net 2001:db8::9/20");
}

TEST(DnsAnswers, NamesMayPointIntoNames) {
  Answer answer("www.example.org");
  const size_t alias = answer.AddAlias(Pointer(kQuestion), "a.cdn.example.net");
  Bytes owner = Pointer(alias);
  answer.Add(owner, 1, 30, {192, 0, 2, 1});
  Bytes partial{1, 'a'};
  const Bytes tail = Pointer(alias + 2);
  partial.insert(partial.end(), tail.begin(), tail.end());
  answer.Add(partial, 1, 40, {192, 0, 2, 2});
  EXPECT_EQ(Text(ParseDnsAnswers(answer.bytes)), "a.cdn.example.net 192.0.2.1/30 192.0.2.2/40");
}

TEST(DnsAnswers, WhatIsCutOffGivesWhatIsThere) {
  Answer answer("models.example.org");
  answer.Add(Pointer(kQuestion), 1, 300, {192, 0, 2, 1});
  const size_t complete = answer.bytes.size();
  answer.Add(Pointer(kQuestion), 1, 300, {192, 0, 2, 2});
  for (size_t length = complete; length < answer.bytes.size(); ++length) {
    const Bytes cut(answer.bytes.begin(), answer.bytes.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_EQ(Text(ParseDnsAnswers(cut)), " 192.0.2.1/300 cut") << length;
  }
  for (size_t length = 0; length < complete; ++length) {
    const Bytes cut(answer.bytes.begin(), answer.bytes.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_TRUE(ParseDnsAnswers(cut).addresses.empty()) << length;
  }
}

TEST(DnsAnswers, OtherRecordsAreSteppedOver) {
  Answer answer("models.example.org");
  answer.Add(Pointer(kQuestion), 46, 300, Bytes(40, 7));           // RRSIG
  answer.Add(Pointer(kQuestion), 1, 300, {192, 0, 2, 1, 0});       // no IPv4 address
  answer.Add(Pointer(kQuestion), 1, 300, {192, 0, 2, 7}, 3);       // of another class
  answer.Add(Pointer(kQuestion), 1, 0xFFFF'FFFF, {192, 0, 2, 2});  // a TTL beyond RFC 2181
  EXPECT_EQ(Text(ParseDnsAnswers(answer.bytes)), " 192.0.2.2/2147483647");
}

TEST(DnsAnswers, HostileMessagesEnd) {
  Answer loop("a.example");
  loop.AddAlias(NameOf("a.example"), "b.example");
  loop.AddAlias(NameOf("b.example"), "a.example");
  loop.Add(NameOf("a.example"), 1, 60, {192, 0, 2, 1});
  EXPECT_LE(ParseDnsAnswers(loop.bytes).addresses.size(), 1U);

  Answer self("a.example");
  const size_t at = self.bytes.size();
  self.Add(Pointer(at), 1, 60, {192, 0, 2, 1});
  EXPECT_EQ(Text(ParseDnsAnswers(self.bytes)), " cut");

  Answer forward("a.example");
  forward.Add(Pointer(at + 14), 1, 60, {192, 0, 2, 1});
  EXPECT_EQ(Text(ParseDnsAnswers(forward.bytes)), " cut");

  Answer many("a.example");
  for (int i = 0; i < 200; ++i) many.Add(Pointer(kQuestion), 1, 60, {192, 0, 2, static_cast<uint8_t>(i)});
  EXPECT_EQ(ParseDnsAnswers(many.bytes).addresses.size(), kMaxDnsRecords);
}

}  // namespace
}  // namespace weir::agent::udp

#include "agent/udp/dns_message.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "model/columns.h"

namespace weir::agent::udp {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes Header(uint16_t id, uint8_t flags_high, uint8_t flags_low, uint16_t questions = 1) {
  return {static_cast<uint8_t>(id >> 8),
          static_cast<uint8_t>(id),
          flags_high,
          flags_low,
          0,
          static_cast<uint8_t>(questions),
          0,
          0,
          0,
          0,
          0,
          0};
}

void AddLabel(Bytes& bytes, const std::string& label) {
  bytes.push_back(static_cast<uint8_t>(label.size()));
  bytes.insert(bytes.end(), label.begin(), label.end());
}

Bytes Message(Bytes bytes, const std::vector<std::string>& labels, uint16_t type = 1) {
  for (const std::string& label : labels) AddLabel(bytes, label);
  bytes.insert(bytes.end(), {0, static_cast<uint8_t>(type >> 8), static_cast<uint8_t>(type), 0, 1});
  return bytes;
}

TEST(DnsMessage, AnAnswerSaysThatItWasCutOff) {
  const auto cut = ParseDns(Message(Header(1, 0x83, 0x80), {"big"}));
  ASSERT_TRUE(cut.ok());
  EXPECT_TRUE(cut->is_answer);
  EXPECT_TRUE(cut->is_cut);
  EXPECT_FALSE(ParseDns(Message(Header(1, 0x81, 0x80), {"big"}))->is_cut);
  EXPECT_FALSE(ParseDns(Message(Header(1, 0x03, 0x00), {"big"}))->is_cut) << "in a question it means nothing";
}

TEST(DnsMessage, AQueryIsItsIdTypeAndNameInLowerCase) {
  const auto message = ParseDns(Message(Header(0xBEEF, 0x01, 0), {"WWW", "Example", "org"}, 28));
  ASSERT_TRUE(message.ok()) << message.status().message();
  EXPECT_EQ(message->id, 0xBEEF);
  EXPECT_FALSE(message->is_answer);
  EXPECT_TRUE(message->has_question);
  EXPECT_EQ(message->type, 28);
  EXPECT_EQ(message->name, "www.example.org");
}

TEST(DnsMessage, AnAnswerTellsItsCodeWhateverFollows) {
  Bytes bytes = Message(Header(7, 0x81, 0x83), {"nowhere"});
  bytes.insert(bytes.end(), 200, 0xFF);
  const auto message = ParseDns(bytes);
  ASSERT_TRUE(message.ok());
  EXPECT_TRUE(message->is_answer);
  EXPECT_EQ(message->response_code, 3);
  EXPECT_EQ(message->name, "nowhere");
}

TEST(DnsMessage, TheRootHasAName) { EXPECT_EQ(ParseDns(Message(Header(1, 1, 0), {}, 2))->name, "."); }

TEST(DnsMessage, AnAnswerMayLackItsQuestionButAQueryMayNot) {
  const auto answer = ParseDns(Header(9, 0x80, 1, 0));
  ASSERT_TRUE(answer.ok());
  EXPECT_FALSE(answer->has_question);
  EXPECT_EQ(answer->response_code, 1);
  EXPECT_FALSE(ParseDns(Header(9, 0, 0, 0)).ok());
}

TEST(DnsMessage, ControlCharactersDotsAndForeignBytesAreEscaped) {
  const auto message = ParseDns(Message(Header(1, 1, 0), {std::string("a\x1b[2J\n", 6), "b.c", "d\\e", "\xC3\xA9 "}));
  ASSERT_TRUE(message.ok());
  EXPECT_EQ(message->name, "a\\027[2j\\010.b\\046c.d\\092e.\\195\\169\\032");
}

TEST(DnsMessage, CompressionInTheFirstNameIsRefusedSoItCannotLoop) {
  Bytes loop = Header(1, 1, 0);
  loop.insert(loop.end(), {0xC0, 0x0C, 0, 1, 0, 1});  // points at itself
  EXPECT_FALSE(ParseDns(loop).ok());
  Bytes after_label = Header(1, 1, 0);
  AddLabel(after_label, "a");
  after_label.insert(after_label.end(), {0xC0, 0x0C, 0, 1, 0, 1});
  EXPECT_FALSE(ParseDns(after_label).ok());
  for (const uint8_t reserved : {uint8_t{0x40}, uint8_t{0x80}}) {
    Bytes bytes = Header(1, 1, 0);
    bytes.insert(bytes.end(), {reserved, 0, 0, 1, 0, 1});
    EXPECT_FALSE(ParseDns(bytes).ok());
  }
}

TEST(DnsMessage, EveryTruncationIsRefused) {
  const Bytes whole = Message(Header(1, 1, 0), {"some", "name"});
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(ParseDns(std::span(whole).first(size)).ok()) << size;
  }
  EXPECT_TRUE(ParseDns(whole).ok());
}

TEST(DnsMessage, ANameMayHave255BytesAndNotOneMore) {
  const std::vector<std::string> most = {std::string(63, 'a'), std::string(63, 'b'), std::string(63, 'c'),
                                         std::string(61, 'd')};
  const auto longest = ParseDns(Message(Header(1, 1, 0), most));
  ASSERT_TRUE(longest.ok());
  EXPECT_EQ(longest->name.size(), 253U);
  auto more = most;
  more.back() += 'd';
  EXPECT_FALSE(ParseDns(Message(Header(1, 1, 0), more)).ok());
}

TEST(DnsMessage, ANameThatGrowsByEscapingIsCut) {
  const auto message = ParseDns(Message(Header(1, 1, 0), {std::string(63, '\0'), std::string(63, '\0')}));
  ASSERT_TRUE(message.ok());
  EXPECT_EQ(message->name.size(), model::kMaxStringBytes);
  EXPECT_TRUE(message->name.ends_with("..."));
}

TEST(DnsMessage, NotifyAndUpdateAreNoRequests) {
  EXPECT_FALSE(ParseDns(Message(Header(1, 4 << 3, 0), {"zone"})).ok());
  EXPECT_FALSE(ParseDns(Message(Header(1, 5 << 3, 0), {"zone"})).ok());
}

TEST(DnsMessage, TypesAndCodesHaveTheirNames) {
  EXPECT_EQ(DnsTypeName(1), "A");
  EXPECT_EQ(DnsTypeName(28), "AAAA");
  EXPECT_EQ(DnsTypeName(65), "HTTPS");
  EXPECT_EQ(DnsTypeName(1234), "TYPE1234");
  EXPECT_EQ(DnsResponseName(0), "NOERROR");
  EXPECT_EQ(DnsResponseName(2), "SERVFAIL");
  EXPECT_EQ(DnsResponseName(3), "NXDOMAIN");
  EXPECT_EQ(DnsResponseName(5), "REFUSED");
  EXPECT_EQ(DnsResponseName(15), "RCODE15");
}

}  // namespace
}  // namespace weir::agent::udp

#include "agent/nat/conntrack_message.h"

#include <gtest/gtest.h>

#include <array>
#include <string_view>

namespace weir::agent::nat {
namespace {

using model::Address;
using model::Protocol;

std::vector<uint8_t> FromHex(std::string_view text) {
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes.push_back(static_cast<uint8_t>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

Address Ip(std::string_view text) { return *Address::Parse(text); }

// Linux 6.18's answer about a connection to 10.96.0.10:80 that nft's dnat led to 10.88.3.2:8090.
constexpr std::string_view kAnswer =
    "020000003400018014000180080001000a580102080002000a60000a1c00028005000100060000000600020085ca0000060003000050000034"
    "00"
    "028014000180080001000a580302080002000a5801021c0002800500010006000000060002001f9a00000600030085ca00000800030000000"
    "1ae080008000000000008000c00201c8bed08000b0000000002080007000006977e300004802c000180050001000300000005000200"
    "0a000000050003000a00000006000400230000000600050023000000";
const Tuple kAsked{Protocol::kTcp, Ip("10.88.1.2"), Ip("10.96.0.10"), 34'250, 80};
const Tuple kBack{Protocol::kTcp, Ip("10.88.3.2"), Ip("10.88.1.2"), 8'090, 34'250};

TEST(ConntrackMessage, AsksAsTheKernelUnderstands) {
  EXPECT_EQ(QuestionAbout(kAsked),
            FromHex("020000003400018014000180080001000a580102080002000a60000a1c00028005000100060000000600020085ca0000"
                    "0600030000500000"));
}

TEST(ConntrackMessage, AsksForSixteenByteAddresses) {
  const auto question = QuestionAbout({Protocol::kUdp, Ip("fd00::1"), Ip("fd00::2"), 1, 53});
  EXPECT_EQ(question[0], 10) << "AF_INET6";
  EXPECT_EQ(question.size(), 4U + 4 + 4 + 2 * 20 + 4 + 3 * 8);
}

TEST(ConntrackMessage, ReadsTheOtherDirectionOfEither) {
  EXPECT_EQ(OtherDirection(FromHex(kAnswer), kAsked), kBack);
  EXPECT_EQ(OtherDirection(FromHex(kAnswer), kBack), kAsked) << "tracked from the server's packets on";
}

TEST(ConntrackMessage, ReadsItsOwnQuestionsTuples) {
  const Tuple v6{Protocol::kUdp, Ip("fd00::1"), Ip("fd00::2"), 4'711, 53};
  std::vector<uint8_t> message = QuestionAbout(v6);
  std::vector<uint8_t> reply = QuestionAbout({Protocol::kUdp, Ip("fd00::9"), Ip("fd00::1"), 5'353, 4'711});
  reply[6] = 2;  // CTA_TUPLE_REPLY
  message.insert(message.end(), reply.begin() + 4, reply.end());
  const auto back = OtherDirection(message, v6);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->source, Ip("fd00::9"));
  EXPECT_EQ(back->source_port, 5'353);
}

TEST(ConntrackMessage, AnswersAboutAnotherConnectionAndTornOnesAreNone) {
  Tuple other = kAsked;
  ++other.source_port;
  const std::vector<uint8_t> answer = FromHex(kAnswer);
  EXPECT_FALSE(OtherDirection(answer, other));
  EXPECT_FALSE(OtherDirection({}, kAsked));
  EXPECT_FALSE(OtherDirection(Bytes(answer).first(4 + 52), kAsked)) << "one direction only";
}

TEST(ConntrackMessage, TellsWhetherTheConnectionGoesOn) {
  constexpr size_t kState = 160;
  std::vector<uint8_t> answer = FromHex(kAnswer);
  ASSERT_EQ(answer[kState], 3) << "TCP_CONNTRACK_ESTABLISHED";
  EXPECT_TRUE(IsOpen(answer));
  for (const uint8_t ending : std::array<uint8_t, 5>{4, 5, 6, 7, 8}) {
    answer[kState] = ending;
    EXPECT_FALSE(IsOpen(answer)) << int{ending};
  }
  for (const uint8_t beginning : std::array<uint8_t, 3>{1, 2, 9}) {
    answer[kState] = beginning;
    EXPECT_TRUE(IsOpen(answer)) << int{beginning};
  }
  EXPECT_FALSE(IsOpen(QuestionAbout(kAsked)));
  EXPECT_FALSE(IsOpen({}));
}

TEST(ConntrackMessage, ReadsHowManyEntriesThereAre) {
  EXPECT_EQ(EntriesOf(FromHex("0000000008000100000000010800020000040000")), 1U);
  EXPECT_FALSE(EntriesOf(FromHex("00000000")));
  EXPECT_FALSE(EntriesOf({}));
}

}  // namespace
}  // namespace weir::agent::nat

#include "agent/udp/dns_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "agent/identity/identity_index.h"
#include "base/metrics.h"

namespace weir::agent::udp {
namespace {

constexpr Nanos kMillisecond = 1'000'000;
constexpr Nanos kSecond = 1'000'000'000;
constexpr Nanos kBegin = 100 * kSecond;

class DnsTableTest : public testing::Test {
 protected:
  // A message of socket `socket` at `at` with one question.
  static weir_dns_message Message(Nanos at, uint16_t id, const std::string& label, uint64_t socket) {
    weir_dns_message message{};
    message.time_ns = static_cast<uint64_t>(at);
    message.ends.cookie = socket;
    message.ends.family = 2;
    message.ends.local_address[0] = 0x0100000a;
    message.ends.remote_address[0] = 0x0200000a;
    message.ends.local_port = 40'000;
    message.ends.remote_port = 53;
    message.netns = 77;
    std::vector<uint8_t> bytes = {
        static_cast<uint8_t>(id >> 8), static_cast<uint8_t>(id), 1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
    bytes.push_back(static_cast<uint8_t>(label.size()));
    bytes.insert(bytes.end(), label.begin(), label.end());
    bytes.insert(bytes.end(), {0, 0, 1, 0, 1});
    std::copy(bytes.begin(), bytes.end(), message.data);
    message.length = static_cast<uint32_t>(bytes.size());
    return message;
  }
  void Ask(Nanos at, uint16_t id, const std::string& label, uint64_t socket = 1) {
    weir_dns_message message = Message(at, id, label, socket);
    message.sent = 1;
    message.pid = 5;
    std::strcpy(message.comm, "curl");
    table_.OnMessage(message);
  }
  void Answer(Nanos at, uint16_t id, const std::string& label, uint8_t code, uint64_t socket = 1, bool cut = false) {
    weir_dns_message message = Message(at, id, label, socket);
    message.data[2] = cut ? 0x83 : 0x81;
    message.data[3] = code;
    table_.OnMessage(message);
  }
  std::vector<model::SideReport> Emit(Nanos now) {
    std::vector<model::SideReport> reports;
    table_.Emit(now, reports);
    return reports;
  }

  FakeClock clock_;
  identity::IdentityIndex identities_{{"/nonexistent", "/nonexistent", {}}, clock_};
  DnsTable table_{identities_};
};

TEST_F(DnsTableTest, WhatStillWaitsWhenFollowingEndsIsCounted) {
  Ask(kBegin, 7, "a");
  Ask(kBegin, 8, "b", 2);
  Ask(kBegin, 8, "b", 2);
  const uint64_t before = Read(Metric::agent_dns_not_followed);
  table_.Abandon();
  EXPECT_EQ(Read(Metric::agent_dns_not_followed) - before, 3U);
  EXPECT_EQ(table_.pending(), 0U);
  EXPECT_TRUE(Emit(kBegin + 20 * kSecond).empty()) << "no timeouts that nobody saw";
}

TEST_F(DnsTableTest, AnAnswerThatWasCutOffIsNoGoodAnswer) {
  Ask(kBegin, 1, "big");
  Answer(kBegin + kMillisecond, 1, "big", 0, 1, true);
  Ask(kBegin, 2, "broken");
  Answer(kBegin + kMillisecond, 2, "broken", 2, 1, true);
  std::vector<model::SideReport> reports = Emit(kBegin + kSecond);
  ASSERT_EQ(reports.size(), 2U);
  EXPECT_EQ(reports[0].request.result, "truncated");
  EXPECT_EQ(reports[0].counters.requests, 1U);
  EXPECT_EQ(reports[0].counters.requests_failed, 0U) << "it is asked for again";
  EXPECT_EQ(reports[0].counters.request_latency_sum_us, 1'000U);
  EXPECT_EQ(reports[1].request.result, "SERVFAIL") << "that has no more to say";
  EXPECT_EQ(reports[1].counters.requests_failed, 1U);
}

TEST_F(DnsTableTest, AQuestionAndItsAnswerAreOneRequest) {
  Ask(kBegin, 7, "Name");
  EXPECT_TRUE(Emit(kBegin + kMillisecond).empty()) << "it may still be answered";
  Answer(kBegin + 30 * kMillisecond, 7, "name", 0);
  const auto reports = Emit(kBegin + kSecond);
  ASSERT_EQ(reports.size(), 1U);
  const model::SideReport& report = reports[0];
  EXPECT_EQ(report.ends.protocol, model::Protocol::kUdp);
  EXPECT_EQ(report.ends.side, model::Side::kClient);
  EXPECT_EQ(report.ends.client_address.ToString(), "10.0.0.1");
  EXPECT_EQ(report.ends.server_address.ToString(), "10.0.0.2");
  EXPECT_EQ(report.ends.server_port, 53);
  EXPECT_EQ(report.ends.netns, 77U);
  EXPECT_EQ(report.identity.process, "curl");
  EXPECT_EQ(report.request, (model::RequestKind{"dns", "A", "name", "NOERROR"}));
  EXPECT_EQ(report.counters.requests, 1U);
  EXPECT_EQ(report.counters.requests_failed, 0U);
  EXPECT_EQ(report.counters.request_latency_count, 1U);
  EXPECT_EQ(report.counters.request_latency_sum_us, 30'000U);
  EXPECT_EQ(report.counters.request_latency_max_us, 30'000U);
  EXPECT_EQ(report.counters.request_latency_histogram.total(), 1U);
  EXPECT_EQ(report.counters.bytes_sent, 0U) << "bytes belong to the transport's report";
  EXPECT_EQ(table_.pending(), 0U);
}

TEST_F(DnsTableTest, TellsUnderWhichNamesAddressesWereAskedFor) {
  const auto answer = [&](uint16_t id, uint8_t last, uint64_t socket = 1) {
    weir_dns_message message = Message(kBegin + kMillisecond, id, "models", socket);
    message.data[2] = 0x81;
    message.data[7] = 1;
    const uint8_t record[] = {0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, last};
    std::memcpy(message.data + message.length, record, sizeof(record));
    message.length += sizeof(record);
    table_.OnMessage(message);
  };
  answer(7, 1);
  EXPECT_TRUE(table_.TakeNames().empty()) << "nobody here asked";
  Ask(kBegin, 7, "Models");
  answer(7, 1);
  Ask(kBegin, 8, "models");
  answer(8, 2);
  Ask(kBegin, 9, "models");
  answer(9, 2);
  const auto names = table_.TakeNames();
  ASSERT_EQ(names.size(), 2U) << "each once";
  EXPECT_EQ(names[0], (model::ResolvedName{*model::Address::Parse("192.0.2.1"), "models", "", 60, 77, ""}));
  EXPECT_EQ(names[1].address.ToString(), "192.0.2.2");
  EXPECT_TRUE(table_.TakeNames().empty());
}

TEST_F(DnsTableTest, ServfailFailedAndNxdomainDidNot) {
  Ask(kBegin, 1, "a");
  Answer(kBegin + 1, 1, "a", 2);
  Ask(kBegin, 2, "b");
  Answer(kBegin + 1, 2, "b", 3);
  const auto reports = Emit(kBegin + kSecond);
  ASSERT_EQ(reports.size(), 2U);
  EXPECT_EQ(reports[0].request.result, "SERVFAIL");
  EXPECT_EQ(reports[0].counters.requests_failed, 1U);
  EXPECT_EQ(reports[1].request.result, "NXDOMAIN");
  EXPECT_EQ(reports[1].counters.requests_failed, 0U);
}

TEST_F(DnsTableTest, UnansweredAfterFiveSecondsAndOnlyOnce) {
  Ask(kBegin, 1, "gone");
  EXPECT_TRUE(Emit(kBegin + kDnsTimeout - 1).empty());
  const auto reports = Emit(kBegin + kDnsTimeout);
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].request.result, "timeout");
  EXPECT_EQ(reports[0].counters.requests, 1U);
  EXPECT_EQ(reports[0].counters.requests_unanswered, 1U);
  EXPECT_EQ(reports[0].counters.request_latency_count, 0U);
  EXPECT_TRUE(Emit(kBegin + kDnsTimeout + kSecond).empty());
  const uint64_t unmatched = Read(Metric::agent_dns_unmatched);
  Answer(kBegin + 6 * kSecond, 1, "gone", 0);
  EXPECT_EQ(Read(Metric::agent_dns_unmatched), unmatched + 1) << "counted already as unanswered";
  EXPECT_TRUE(Emit(kBegin + 2 * kDnsTimeout).empty());
  EXPECT_EQ(table_.pending(), 0U);
}

TEST_F(DnsTableTest, SentAgainIsRepeatedNotAnotherRequest) {
  Ask(kBegin, 1, "slow");
  Ask(kBegin + kSecond, 1, "slow");
  Ask(kBegin + 2 * kSecond, 1, "slow");
  Answer(kBegin + 2 * kSecond + 10 * kMillisecond, 1, "slow", 0);
  const auto reports = Emit(kBegin + 3 * kSecond);
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].counters.requests, 1U);
  EXPECT_EQ(reports[0].counters.requests_repeated, 2U);
  EXPECT_EQ(reports[0].counters.request_latency_sum_us, 2'010'000U) << "as long as the client waited";
}

TEST_F(DnsTableTest, SentAgainAfterItsTimeoutIsARequestThatRepeats) {
  Ask(kBegin, 1, "slow");
  ASSERT_EQ(Emit(kBegin + kDnsTimeout).size(), 1U);
  Ask(kBegin + kDnsTimeout + 1, 1, "slow");
  Answer(kBegin + kDnsTimeout + 2, 1, "slow", 0);
  const auto reports = Emit(kBegin + 6 * kSecond);
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].request.result, "NOERROR");
  EXPECT_EQ(reports[0].counters.requests, 1U);
  EXPECT_EQ(reports[0].counters.requests_repeated, 1U);
}

TEST_F(DnsTableTest, AnAnswerBelongsToItsSocketIdAndName) {
  Ask(kBegin, 1, "a", 1);
  const uint64_t unmatched = Read(Metric::agent_dns_unmatched);
  Answer(kBegin + 1, 1, "a", 0, 2);
  Answer(kBegin + 1, 2, "a", 0, 1);
  Answer(kBegin + 1, 1, "b", 0, 1);
  EXPECT_EQ(Read(Metric::agent_dns_unmatched), unmatched + 3);
  EXPECT_EQ(table_.pending(), 1U);
  EXPECT_TRUE(Emit(kBegin + 2).empty());
}

TEST_F(DnsTableTest, AnIdUsedForAnotherQuestionMakesTheFirstUnusable) {
  Ask(kBegin, 0, "first");
  Ask(kBegin + 1, 0, "second");
  Answer(kBegin + 2, 0, "second", 0);
  const auto reports = Emit(kBegin + kSecond);
  ASSERT_EQ(reports.size(), 2U);
  EXPECT_EQ(reports[0].request.resource, "first");
  EXPECT_EQ(reports[0].counters.requests, 0U);
  EXPECT_EQ(reports[0].counters.requests_unusable, 1U);
  EXPECT_EQ(reports[1].request.resource, "second");
  EXPECT_EQ(reports[1].counters.requests, 1U);
}

TEST_F(DnsTableTest, WhatIsNoDnsIsCounted) {
  const uint64_t before = Read(Metric::agent_dns_malformed);
  weir_dns_message message = Message(kBegin, 1, "x", 1);
  message.sent = 1;
  message.length = 11;
  table_.OnMessage(message);
  Answer(kBegin, 1, "x", 0);  // fine, only unmatched
  message = Message(kBegin, 1, "x", 1);
  table_.OnMessage(message);  // a query that was received from port 53
  EXPECT_EQ(Read(Metric::agent_dns_malformed), before + 2);
}

TEST_F(DnsTableTest, TheMostAskedNamesKeepTheirNamesAndNothingIsLost) {
  const size_t names = kMaxDnsNames + 100;
  uint16_t id = 0;
  for (size_t name = 0; name < names; ++name) {
    for (int times = 0; times < (name < kMaxDnsNames ? 2 : 1); ++times) {
      Ask(kBegin, ++id, "n" + std::to_string(name));
      Answer(kBegin + kMillisecond, id, "n" + std::to_string(name), 0);
    }
  }
  const auto reports = Emit(kBegin + kSecond);
  EXPECT_EQ(reports.size(), kMaxDnsNames + 1);
  uint64_t requests = 0;
  for (const auto& report : reports) {
    requests += report.counters.requests;
    if (report.request.resource == "(other)") {
      EXPECT_EQ(report.counters.requests, 100U);
      EXPECT_EQ(report.counters.request_latency_sum_us, 100'000U);
      EXPECT_EQ(report.counters.request_latency_histogram.total(), 100U);
    } else {
      EXPECT_EQ(report.counters.requests, 2U) << report.request.resource;
    }
  }
  EXPECT_EQ(requests, 2 * kMaxDnsNames + 100);
}

TEST_F(DnsTableTest, QuestionsBeyondTheBoundAreCountedAsLost) {
  const uint64_t before = Read(Metric::agent_dns_not_followed);
  for (uint32_t i = 0; i < 65'536 + 3; ++i) Ask(kBegin, static_cast<uint16_t>(i), "x", 1 + (i >> 16));
  EXPECT_EQ(table_.pending(), 65'536U);
  EXPECT_EQ(Read(Metric::agent_dns_not_followed), before + 3);
}

}  // namespace
}  // namespace weir::agent::udp

// UDP that is translated in the network namespace it is sent in, as a container's resolver and a node's services are.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "agent/kernel/group_tree.h"
#include "agent/kernel/net_lab.h"
#include "agent/nat/nat_source.h"
#include "agent/udp/datagrams.h"
#include "agent/udp/udp_source.h"
#include "base/metrics.h"

namespace weir::agent {
namespace {

using model::Side;
using model::SideReport;
using udp::Bytes;
using udp::Datagrams;

constexpr uint16_t kAsked = 53;
constexpr uint16_t kServes = 5'353;
constexpr Nanos kBeyondTimeout = 6'000'000'000;

Bytes Question(uint16_t id) {
  return {static_cast<uint8_t>(id >> 8),
          static_cast<uint8_t>(id),
          1,
          0,
          0,
          1,
          0,
          0,
          0,
          0,
          0,
          0,
          4,
          'n',
          'a',
          'm',
          'e',
          4,
          't',
          'e',
          's',
          't',
          0,
          0,
          1,
          0,
          1};
}

class UdpNat : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    if (const std::string why = kernel::WhyNoKernelTests(); !why.empty()) GTEST_SKIP() << "SKIPPED: " << why;
    if (!kernel::OpenGroupTree().ok()) GTEST_SKIP() << "SKIPPED: no version 2 control groups";
    lab_.Run(
        "nft -f - <<'E'\ntable inet weir {\n chain out {\n  type nat hook output priority -100;\n  udp dport 53 "
        "redirect to :" +
        std::to_string(kServes) + "\n }\n}\nE");
    nat_ = nat::MakeNatSource(clock_);
    nat_->Start();
    UdpOptions options;
    options.translations = &nat_->translations();
    source_ = MakeUdpSource(std::move(options), clock_);
    source_->Start();
    server_.Bind(kServes);
    unmatched_ = Read(Metric::agent_dns_unmatched);
  }

  // Answers one question.
  void Serve(Datagrams& client) {
    Bytes bytes = server_.Receive();
    ASSERT_GT(bytes.size(), 12U) << "the rule does not redirect";
    bytes[2] |= 0x80;
    server_.Reply(bytes);
    EXPECT_EQ(client.Receive().size(), bytes.size());
  }
  void Ask(uint16_t id, bool connected) {
    Datagrams client(GetParam());
    if (connected) {
      client.Connect(kAsked);
      client.Send(Question(id));
    } else {
      client.SendTo(kAsked, Question(id));
    }
    Serve(client);
  }
  std::vector<SideReport> Collect(Nanos later = 0) {
    Collection all;
    source_->Collect(clock_.MonotonicNanos() + later, all);
    std::erase_if(all.reports, [this](const SideReport& report) { return report.ends.netns != lab_.inode(); });
    return all.reports;
  }

  kernel::Lab lab_;
  SystemClock clock_;
  Datagrams server_{GetParam()};
  std::unique_ptr<nat::NatSource> nat_;
  std::unique_ptr<OptionalSource> source_;
  uint64_t unmatched_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Families, UdpNat, testing::Values(AF_INET, AF_INET6));

TEST_P(UdpNat, QuestionsFindTheirAnswers) {
  for (uint16_t id = 0; id < 20; ++id) Ask(id, id % 2 == 0);
  uint64_t answered = 0;
  for (const SideReport& report : Collect(kBeyondTimeout)) {
    if (report.request.empty()) continue;
    EXPECT_EQ(report.request.result, "NOERROR");
    EXPECT_EQ(report.counters.requests_unanswered, 0U);
    EXPECT_EQ(report.ends.server_port, kAsked);
    answered += report.counters.requests;
  }
  EXPECT_EQ(answered, 20U);
  EXPECT_EQ(Read(Metric::agent_dns_unmatched), unmatched_);
}

TEST_P(UdpNat, TheResolverIsTheServerUnderTheAddressThatWasAsked) {
  for (uint16_t id = 0; id < 20; ++id) Ask(id, id % 2 == 0);
  const uint64_t bytes = 20 * Question(0).size();
  uint64_t sent = 0;
  uint64_t served = 0;
  for (const SideReport& report : Collect()) {
    if (!report.request.empty()) continue;
    EXPECT_EQ(report.ends.server_port, kServes) << "of both ends";
    EXPECT_EQ(report.counters.bytes_sent, report.counters.bytes_received);
    if (report.ends.side == Side::kClient) {
      EXPECT_EQ(report.ends.service_port, kAsked);
      sent += report.counters.bytes_sent;
    } else {
      served += report.counters.bytes_received;
    }
  }
  EXPECT_EQ(sent, bytes);
  EXPECT_EQ(served, bytes);
}

}  // namespace
}  // namespace weir::agent

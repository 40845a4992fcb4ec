// The whole way from datagrams to reports, on the running kernel, against what the test's own sockets count.
#include "agent/udp/udp_source.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>
#include <thread>

#include "agent/kernel/group_tree.h"
#include "agent/kernel/net_lab.h"
#include "agent/udp/datagrams.h"
#include "base/metrics.h"

namespace weir::agent {
namespace {

using kernel::Lab;
using kernel::UniqueFd;
using model::Side;
using model::SideReport;
using udp::Bytes;
using udp::Datagrams;

// Answers by the first label: ok, nx, fail, slow (30 ms later), drop (not at all); "stop" ends it.
class DnsServer {
 public:
  DnsServer() {
    socket_.Bind(53);
    thread_ = std::thread([this] { Serve(); });  // in the namespace of its maker
  }
  ~DnsServer() { thread_.join(); }

 private:
  void Serve() {
    for (;;) {
      Bytes bytes = socket_.Receive();
      if (bytes.size() < 17) return;
      const std::string label(reinterpret_cast<char*>(bytes.data()) + 13, bytes[12]);
      if (label == "stop") return;
      if (label == "drop") continue;
      if (label == "slow") std::this_thread::sleep_for(std::chrono::milliseconds(30));
      bytes[2] |= 0x80;
      bytes[3] = label == "nx" ? 3 : label == "fail" ? 2 : 0;
      socket_.Reply(bytes);
    }
  }

  Datagrams socket_;
  std::thread thread_;
};

Bytes Question(uint16_t id, const std::string& label) {
  Bytes bytes = {static_cast<uint8_t>(id >> 8), static_cast<uint8_t>(id), 1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
  for (const std::string& part : {label, std::string("Test")}) {
    bytes.push_back(static_cast<uint8_t>(part.size()));
    bytes.insert(bytes.end(), part.begin(), part.end());
  }
  bytes.insert(bytes.end(), {0, 0, 28, 0, 1});
  return bytes;
}

class UdpSourceKernelTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = kernel::WhyNoKernelTests(); !why.empty()) GTEST_SKIP() << "SKIPPED: " << why;
    if (!kernel::OpenGroupTree().ok()) GTEST_SKIP() << "SKIPPED: no version 2 control groups";
  }
  void Start(UdpOptions options = {}) {
    source_ = MakeUdpSource(std::move(options), clock_);
    source_->Start();
    for (const auto& probe : source_->Probes()) ASSERT_EQ(probe.state, "on") << probe.name << ": " << probe.reason;
  }
  // The lab's reports since the last call, as of `later`.
  std::vector<SideReport> Collect(Nanos later = 0) {
    Collection all;
    source_->Collect(clock_.MonotonicNanos() + later, all);
    std::erase_if(all.reports, [this](const SideReport& report) { return report.ends.netns != lab_.inode(); });
    return all.reports;
  }
  static std::vector<SideReport> Transport(std::vector<SideReport> reports, uint16_t port, Side side) {
    std::erase_if(reports, [&](const SideReport& report) {
      return !report.request.empty() || report.ends.server_port != port || report.ends.side != side;
    });
    return reports;
  }
  // Requests by result, of one name.
  static std::map<std::string, model::SideCounters> Results(const std::vector<SideReport>& reports,
                                                            const std::string& name) {
    std::map<std::string, model::SideCounters> results;
    for (const SideReport& report : reports) {
      if (report.request.resource == name) results[report.request.result] = report.counters;
    }
    return results;
  }

  Lab lab_;
  SystemClock clock_;
  std::unique_ptr<OptionalSource> source_;
};

class UdpFamilies : public UdpSourceKernelTest, public testing::WithParamInterface<int> {};
INSTANTIATE_TEST_SUITE_P(Families, UdpFamilies, testing::Values(AF_INET, AF_INET6));

TEST_P(UdpFamilies, BytesAndDatagramsAreExactAtBothEnds) {
  Start();
  Datagrams server(GetParam());
  server.Bind(5'000);
  uint64_t sent = 0, received = 0;
  for (int client = 0; client < 3; ++client) {  // ports that fold
    Datagrams one(GetParam());
    one.Connect(5'000);
    for (size_t i = 0; i < 100; ++i) {
      const Bytes request(i * 13 % 1'400);
      one.Send(request);
      sent += request.size();
      EXPECT_EQ(server.Receive().size(), request.size());
      const Bytes answer(i * 7);
      server.Reply(answer);
      received += answer.size();
      EXPECT_EQ(one.Receive().size(), answer.size());
    }
    one.Send(Bytes(60'000));  // in fragments
    sent += 60'000;
    EXPECT_EQ(server.Receive().size(), 60'000U);
  }
  const auto reports = Collect();
  const auto clients = Transport(reports, 5'000, Side::kClient);
  const auto servers = Transport(reports, 5'000, Side::kServer);
  ASSERT_EQ(clients.size(), 1U);
  ASSERT_EQ(servers.size(), 1U);
  EXPECT_EQ(clients[0].counters.bytes_sent, sent);
  EXPECT_EQ(clients[0].counters.bytes_received, received);
  EXPECT_EQ(clients[0].counters.segments_sent, 303U);
  EXPECT_EQ(clients[0].counters.segments_received, 300U);
  EXPECT_EQ(servers[0].counters.bytes_received, sent);
  EXPECT_EQ(servers[0].counters.bytes_sent, received);
  EXPECT_EQ(servers[0].counters.segments_received, 303U);
  EXPECT_EQ(clients[0].ends.client_address.ToString(), GetParam() == AF_INET ? "127.0.0.1" : "::1");
  EXPECT_EQ(clients[0].identity.process, "agent_udp_kerne");
  EXPECT_EQ(servers[0].identity.process, "agent_udp_kerne");
  EXPECT_EQ(clients[0].identity.application, "");
  EXPECT_TRUE(Transport(Collect(), 5'000, Side::kClient).empty()) << "deltas, not totals";
}

TEST_F(UdpSourceKernelTest, SegmentationOffloadCountsTheDatagramsOnTheWire) {
  Start();
  Datagrams server, client;
  server.Bind(5'001);
  client.Connect(5'001);
  const int segment = 1'000;
  if (::setsockopt(client.fd(), SOL_UDP, UDP_SEGMENT, &segment, sizeof(segment)) != 0) GTEST_SKIP() << "no UDP_SEGMENT";
  client.Send(Bytes(8'500));
  for (int i = 0; i < 9; ++i) (void)server.Receive();
  const auto reports = Collect();
  const auto clients = Transport(reports, 5'001, Side::kClient);
  const auto servers = Transport(reports, 5'001, Side::kServer);
  ASSERT_EQ(clients.size(), 1U);
  ASSERT_EQ(servers.size(), 1U);
  EXPECT_EQ(clients[0].counters.bytes_sent, 8'500U);
  EXPECT_EQ(clients[0].counters.segments_sent, 9U);
  EXPECT_EQ(servers[0].counters.bytes_received, 8'500U);
  EXPECT_EQ(servers[0].counters.segments_received, 9U);
}

TEST_F(UdpSourceKernelTest, AQuicInitialIsRecognisedAndRandomBytesAreNot) {
  Start();
  Datagrams server, quic, noise, other_version;
  server.Bind(443);
  Bytes initial(1'200);
  const Bytes head = {0xC3, 0, 0, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0};  // version 1, eight bytes of destination id
  std::copy(head.begin(), head.end(), initial.begin());
  quic.Connect(443);
  quic.Send(initial);
  noise.Connect(443);
  uint32_t state = 1;
  for (int i = 0; i < 10; ++i) {
    Bytes random(1'200);
    for (uint8_t& byte : random) byte = static_cast<uint8_t>((state = state * 1'664'525 + 1'013'904'223) >> 24);
    random[0] |= 0xC0;  // even with the bits of a long header
    noise.Send(random);
  }
  Bytes unknown = initial;
  unknown[4] = 9;
  other_version.Connect(443);
  other_version.Send(unknown);
  Bytes lying = initial;
  lying[5] = 21;  // a connection id longer than the RFC allows
  other_version.Send(lying);
  std::map<std::string, uint64_t> datagrams;
  for (const SideReport& report : Transport(Collect(), 443, Side::kClient)) {
    datagrams[report.identity.application] += report.counters.segments_sent;
  }
  EXPECT_EQ(datagrams, (std::map<std::string, uint64_t>{{"quic", 1}, {"", 12}}));
}

TEST_F(UdpSourceKernelTest, AnswersOfEveryKindAreRequestsWithTheirResult) {
  Start();
  {
    const DnsServer server;
    Datagrams client;
    client.Connect(53);
    uint16_t id = 0;
    for (const char* label : {"OK", "nx", "fail", "nx"}) {
      client.Send(Question(++id, label));
      EXPECT_GT(client.Receive().size(), 0U);
    }
    client.Send(Question(++id, "drop"));
    client.Send(Question(id, "drop"));  // the same again
    client.Send(Question(++id, "drop"));
    client.Send(Question(++id, "stop"));
  }
  auto reports = Collect();
  EXPECT_EQ(Results(reports, "ok.test").at("NOERROR").requests, 1U);
  EXPECT_EQ(Results(reports, "nx.test").at("NXDOMAIN").requests, 2U);
  EXPECT_EQ(Results(reports, "nx.test").at("NXDOMAIN").requests_failed, 0U);
  EXPECT_EQ(Results(reports, "fail.test").at("SERVFAIL").requests_failed, 1U);
  EXPECT_TRUE(Results(reports, "drop.test").empty());
  for (const SideReport& report : reports) {
    if (report.request.empty()) continue;
    EXPECT_EQ(report.request.operation, "AAAA");
    EXPECT_EQ(report.ends.server_port, 53);
    EXPECT_EQ(report.identity.process, "agent_udp_kerne");
  }
  reports = Collect(6'000'000'000);
  const auto dropped = Results(reports, "drop.test");
  EXPECT_EQ(dropped.size(), 1U);
  EXPECT_EQ(dropped.at("timeout").requests_unanswered, 2U);
  EXPECT_EQ(dropped.at("timeout").requests_repeated, 1U);
}

TEST_F(UdpSourceKernelTest, LatencyIsWhatTheClientsOwnClockSays) {
  Start();
  std::vector<uint64_t> differences;
  const DnsServer server;
  Datagrams client;
  client.Connect(53);
  for (uint16_t id = 1; id <= 40; ++id) {
    const Nanos begin = clock_.MonotonicNanos();
    client.Send(Question(id, "slow"));
    EXPECT_GT(client.Receive().size(), 0U);
    const auto own = static_cast<uint64_t>(clock_.MonotonicNanos() - begin) / 1'000;
    const auto seen = Results(Collect(), "slow.test")["NOERROR"];
    EXPECT_EQ(seen.request_latency_count, 1U);
    EXPECT_EQ(seen.request_latency_max_us, seen.request_latency_sum_us);
    EXPECT_GE(seen.request_latency_sum_us, 30'000U) << "never less than the server slept";
    EXPECT_LE(seen.request_latency_sum_us, own) << "never more than the client waited";
    differences.push_back(own - std::min(own, seen.request_latency_sum_us));
  }
  client.Send(Question(99, "stop"));
  std::sort(differences.begin(), differences.end());
  std::printf("own clock minus seen: median %lu us, 95th percentile %lu us\n",  // not judged: a machine may be busy
              static_cast<unsigned long>(differences[20]), static_cast<unsigned long>(differences[38]));
}

TEST_F(UdpSourceKernelTest, NoneOfAThousandQuestionsIsMissing) {
  Start();
  {
    const DnsServer server;
    for (uint16_t id = 0; id < 1'000; ++id) {
      Datagrams client;  // one socket per question, as resolvers do
      client.Connect(53);
      client.Send(Question(id, "n" + std::to_string(id % 100)));
      ASSERT_GT(client.Receive().size(), 0U);
      if (id % 100 == 0) source_->Poll();
    }
    Datagrams client;
    client.Connect(53);
    client.Send(Question(1, "stop"));
  }
  uint64_t requests = 0;
  const auto reports = Collect();
  for (const SideReport& report : reports) requests += report.counters.requests;
  EXPECT_EQ(requests, 1'000U);
  for (int name = 0; name < 100; ++name) {
    EXPECT_EQ(Results(reports, "n" + std::to_string(name) + ".test").at("NOERROR").requests, 10U);
  }
  const auto clients = Transport(reports, 53, Side::kClient);
  ASSERT_EQ(clients.size(), 1U);
  EXPECT_EQ(clients[0].counters.segments_sent, 1'001U);
}

TEST_F(UdpSourceKernelTest, AFullMapLosesNothingUncounted) {
  UdpOptions options;
  options.tracker.max_pairs = 4;
  options.tracker.dns = false;
  const uint64_t before = Read(Metric::agent_udp_map_full);
  Start(options);
  Datagrams server;
  server.Bind(5'002);
  for (int i = 0; i < 40; ++i) {
    Datagrams client;
    client.Connect(5'002);
    client.Send(Bytes(10));
    EXPECT_EQ(server.Receive().size(), 10U);
  }
  uint64_t seen = 0;
  for (const SideReport& report : Collect()) seen += report.counters.segments_sent + report.counters.segments_received;
  EXPECT_GT(seen, 0U);
  // Other sockets of the machine may have taken places too, so that more may be missing, never less.
  EXPECT_GE(seen + Read(Metric::agent_udp_map_full) - before, 80U);
}

TEST_F(UdpSourceKernelTest, AFullRingIsCounted) {
  UdpOptions options;
  options.tracker.ring_bytes = 4'096;
  options.tracker.flows = false;
  const uint64_t before = Read(Metric::agent_dns_ring_full);
  Start(options);
  Datagrams client;
  client.Connect(53);
  for (uint16_t id = 0; id < 100; ++id) {
    const Bytes question = Question(id, "x");
    (void)::send(client.fd(), question.data(), question.size(), 0);  // nobody listens: every second one is refused
  }
  (void)Collect();
  EXPECT_GT(Read(Metric::agent_dns_ring_full), before);
}

TEST_F(UdpSourceKernelTest, OnlyTheNamedGroupIsWatched) {
  UdpOptions options;
  const auto folder = kernel::OpenGroupTree()->path / ("weir-test-" + std::to_string(::getpid()));
  ASSERT_TRUE(std::filesystem::create_directory(folder));
  options.tracker.group = folder.filename();
  Start(options);
  Datagrams server, client;  // in the group of the test itself
  server.Bind(5'003);
  client.Connect(5'003);
  client.Send(Bytes(10));
  EXPECT_EQ(server.Receive().size(), 10U);
  EXPECT_TRUE(Collect().empty());
  source_.reset();
  EXPECT_TRUE(std::filesystem::remove(folder));
}

TEST_F(UdpSourceKernelTest, WhereItCannotRunAProbeSaysSoAndTheRestGoesOn) {
  UdpOptions options;
  options.tracker.root = "/nonexistent";
  const auto no_groups = MakeUdpSource(options, clock_);
  no_groups->Start();
  ASSERT_EQ(no_groups->Probes().size(), 2U);
  EXPECT_EQ(no_groups->Probes()[0].name, "udp");
  EXPECT_EQ(no_groups->Probes()[1].name, "dns");
  EXPECT_EQ(no_groups->Probes()[1].state, "failed");
  EXPECT_NE(no_groups->Probes()[1].reason.find("no version 2 control groups"), std::string::npos);
  Collection out;
  no_groups->Poll();
  no_groups->Collect(clock_.MonotonicNanos(), out);
  EXPECT_TRUE(out.reports.empty());

  options = {};
  options.tracker.group = "no such group";
  const auto no_group = MakeUdpSource(options, clock_);
  no_group->Start();
  EXPECT_NE(no_group->Probes()[0].hint.find("--udp-group"), std::string::npos) << no_group->Probes()[0].reason;
}

}  // namespace
}  // namespace weir::agent

// Real traffic of the running kernel, recorded while it is observed: replayed, it gives the same reports to the unit.
#include "agent/recording/recorder.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <optional>
#include <string>
#include <string_view>

#include "agent/collector.h"
#include "agent/export/temporary_directory.h"
#include "agent/kernel/net_lab.h"
#include "agent/recording/replay.h"
#include "wire/batch_codec.h"

namespace weir::agent::recording {
namespace {

using kernel::Lab;
using kernel::Pair;
using kernel::Socket;
using kernel::UniqueFd;

void Write(const Socket& socket, std::string_view text) {
  ASSERT_EQ(::send(socket.fd(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
}

void SendDatagram(uint16_t port, std::string_view text) {
  const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::sendto(fd.get(), text.data(), text.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof(to)),
            static_cast<ssize_t>(text.size()));
}

std::string Encoded(model::AgentBatch batch) {
  batch.sequence = 1;
  batch.counters.clear();
  const auto encoded = wire::EncodeBatch(batch);
  EXPECT_TRUE(encoded.ok()) << encoded.status().message();
  return encoded.ok() ? *encoded : "";
}

class RecorderKernelTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = kernel::WhyNoKernelTests(); !why.empty()) GTEST_SKIP() << "SKIPPED: " << why;
  }
  void Start(const ObserveOptions& observe) {
    auto source = MakeRecorder({.file = file_, .limit_bytes = uint64_t{1} << 30, .on_thread = {}},
                               HeaderOfThisMachine(clock_), observe, ThisMachine(clock_));
    ASSERT_TRUE(source.ok()) << source.status().message();
    source_ = *std::move(source);
    const Status started = source_->Start();
    ASSERT_TRUE(started.ok()) << started.message();
    CollectorOptions options;
    options.agent_id = std::string(32, 'a');
    options.node = "node";
    options.interval = std::chrono::milliseconds(100);
    collector_.emplace(
        std::move(options), *source_, [this](model::AgentBatch batch) { batches_.push_back(std::move(batch)); },
        clock_);
  }
  // Collects until the interval is over.
  void Interval() {
    for (const size_t before = batches_.size(); batches_.size() == before;) collector_->RunDue();
  }
  void Stop() {
    collector_->Finish();
    source_.reset();
  }
  // Of what was reported live, in the lab.
  uint64_t Sum(uint64_t model::SideCounters::*counter) const {
    uint64_t sum = 0;
    for (const model::AgentBatch& batch : batches_) {
      for (const model::SideReport& report : batch.reports) {
        if (report.ends.netns == lab_.inode()) sum += report.counters.*counter;
      }
    }
    return sum;
  }
  void ExpectTheSameAgain() {
    auto replay = Replay::Open(file_);
    ASSERT_TRUE(replay.ok()) << replay.status().message();
    for (const model::AgentBatch& batch : batches_) {
      const auto again = (*replay)->Next();
      ASSERT_TRUE(again.has_value());
      ASSERT_EQ(again->reports.size(), batch.reports.size());
      ASSERT_EQ(again->local_addresses, batch.local_addresses);
      ASSERT_EQ(Encoded(*again), Encoded(batch));
    }
    EXPECT_FALSE((*replay)->Next().has_value());
    EXPECT_TRUE((*replay)->status().ok()) << (*replay)->status().message();
    EXPECT_EQ((*replay)->Remarks(), "");
  }

  Lab lab_;
  SystemClock clock_;
  TemporaryDirectory directory_;
  const std::filesystem::path file_ = directory_.path() / "a.weirrec";
  std::unique_ptr<Source> source_;
  std::optional<Collector> collector_;
  std::vector<model::AgentBatch> batches_;
};

TEST_F(RecorderKernelTest, TcpOfEveryKind) {
  constexpr uint64_t kShort = 500;
  Pair older = kernel::MakePair("127.0.0.1", "127.0.0.1");
  older.client.Send(10'000);
  older.server.Receive(10'000);
  Start({});
  Pair open = kernel::MakePair("127.0.0.1", "127.0.0.1");
  Interval();
  for (uint64_t i = 0; i < kShort; ++i) {
    Pair pair = kernel::MakePair("127.0.0.1", "127.0.0.1");
    pair.client.Send(100);
    pair.server.Receive(100);
    kernel::CloseInOrder(pair);
    if (i % 100 == 0) Interval();
  }
  older.client.Send(77);
  older.server.Receive(77);
  open.client.Send(50'000);
  open.server.Receive(50'000);
  const uint16_t port = open.listener.port();
  open.listener.Close();
  EXPECT_EQ(Socket::Make("127.0.0.1").TryConnect("127.0.0.1", port), ECONNREFUSED);
  Interval();
  kernel::CloseInOrder(older);
  open.server.Abort();
  EXPECT_TRUE(kernel::Eventually([this] { Interval(); },
                                 [this] { return Sum(&model::SideCounters::closed) == 2 * (kShort + 2); }));
  Stop();
  // What was recorded is what happened.
  EXPECT_EQ(Sum(&model::SideCounters::opened), 2 * (kShort + 1));
  EXPECT_EQ(Sum(&model::SideCounters::bytes_sent), kShort * 100 + 77 + 50'000);
  EXPECT_EQ(Sum(&model::SideCounters::failed_refused), 1U);
  ExpectTheSameAgain();
}

TEST_F(RecorderKernelTest, DatagramsQuestionsAndRequests) {
  ObserveOptions observe;
  observe.udp = observe.dns = observe.requests = true;
  Start(observe);
  for (const model::ProbeReport& probe : source_->Probes()) {
    if (probe.state == "failed") GTEST_SKIP() << "SKIPPED: probe " << probe.name << ": " << probe.reason;
  }
  Pair pair = kernel::MakePair("127.0.0.1", "127.0.0.1");
  constexpr std::string_view kRequest = "GET /items/5?key=secret HTTP/1.1\r\nHost: a\r\n\r\n";
  constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  for (int i = 0; i < 30; ++i) {
    Write(pair.client, kRequest);
    pair.server.Receive(kRequest.size());
    Write(pair.server, kAnswer);
    pair.client.Receive(kAnswer.size());
    SendDatagram(9'999, "datagram");
    SendDatagram(53, std::string_view("\0\1\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1", 19));
    if (i % 10 == 0) Interval();
  }
  kernel::CloseInOrder(pair);
  EXPECT_TRUE(kernel::Eventually([this] { Interval(); }, [this] { return Sum(&model::SideCounters::closed) == 2; }));
  Stop();
  EXPECT_EQ(Sum(&model::SideCounters::requests), 30U) << "of HTTP; those of DNS still wait";
  ExpectTheSameAgain();
}

// Of connections older than the agent, short ones, and one that lives on.
TEST_F(RecorderKernelTest, WhatConnectionTrackingMadeOfConnections) {
  constexpr const char* kService = "10.96.0.10";
  constexpr uint64_t kShort = 50;
  Socket listener = Socket::Listen("127.0.0.1");
  lab_.Run(
      "ip addr add 10.96.0.10/32 dev lo; nft -f - <<'E'\ntable ip services {\n chain c {\n"
      "  type nat hook output priority -100;\n  ip daddr 10.96.0.10 tcp dport 80 dnat to 127.0.0.1:" +
      std::to_string(listener.port()) + "\n }\n}\nE");
  const auto connect = [&listener, kService] {
    Pair pair;
    pair.client = Socket::Connect(kService, 80);
    pair.server = listener.Accept();
    return pair;
  };
  Pair older = connect();
  ObserveOptions observe;
  observe.nat = true;
  Start(observe);
  Interval();
  Pair open = connect();
  for (uint64_t i = 0; i < kShort; ++i) {
    Pair pair = connect();
    pair.client.Send(100);
    pair.server.Receive(100);
    kernel::CloseInOrder(pair);
    if (i % 10 == 0) Interval();
  }
  for (Pair* pair : {&older, &open}) {
    pair->client.Send(1'000);
    pair->server.Receive(1'000);
  }
  Interval();
  kernel::CloseInOrder(older);
  kernel::CloseInOrder(open);
  EXPECT_TRUE(kernel::Eventually([this] { Interval(); },
                                 [this] { return Sum(&model::SideCounters::closed) == 2 * (kShort + 2); }));
  Stop();
  uint64_t sent = 0;
  for (const model::AgentBatch& batch : batches_) {
    for (const model::SideReport& report : batch.reports) {
      if (report.ends.netns != lab_.inode() || report.ends.side != model::Side::kClient) continue;
      EXPECT_EQ(report.ends.service_address.ToString(), kService);
      EXPECT_EQ(report.ends.service_port, 80);
      EXPECT_EQ(report.ends.server_address.ToString(), "127.0.0.1");
      EXPECT_EQ(report.ends.server_port, listener.port());
      sent += report.counters.bytes_sent;
    }
  }
  EXPECT_EQ(sent, kShort * 100 + 2'000);
  ExpectTheSameAgain();
}

TEST_F(RecorderKernelTest, WhatWasGivenUpIsGivenUpAgain) {
  ObserveOptions observe;
  observe.udp = observe.dns = true;
  observe.receive_loss = ReceiveLoss::kAlways;
  Start(observe);
  const auto sent = [this] {
    uint64_t sum = 0;
    for (const model::AgentBatch& batch : batches_) {
      for (const model::SideReport& report : batch.reports) {
        const bool ours = report.ends.netns == lab_.inode() && report.ends.protocol == model::Protocol::kUdp;
        if (ours && report.request.empty() && report.ends.side == model::Side::kClient) {
          sum += report.counters.segments_sent;
        }
      }
    }
    return sum;
  };
  Restraint everything;
  for (size_t i = 0; i < kGivenUps; ++i) everything.Set(static_cast<GivenUp>(i), "too much");
  uint64_t connections = 0;
  for (const bool restrained : {false, true, false}) {
    source_->Restrain(restrained ? everything : Restraint{});
    for (int i = 0; i < 20; ++i, ++connections) {
      SendDatagram(9'999, "datagram");
      Pair pair = kernel::MakePair("127.0.0.1", "127.0.0.1");
      pair.client.Send(1'000);
      pair.server.Receive(1'000);
      kernel::CloseInOrder(pair);
    }
    Interval();
  }
  EXPECT_TRUE(
      kernel::Eventually([this] { Interval(); }, [&] { return Sum(&model::SideCounters::closed) == 2 * connections; }));
  Stop();
  EXPECT_EQ(Sum(&model::SideCounters::opened), 2 * connections) << "connections are never given up";
  EXPECT_EQ(sent(), 40U) << "datagrams are, for as long as it takes";
  ExpectTheSameAgain();
}

}  // namespace
}  // namespace weir::agent::recording

// A machine that is made up, recorded and replayed: what comes out the second time is what came out the first.
#include "agent/recording/replay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <map>
#include <random>
#include <sstream>

#include "agent/collector.h"
#include "agent/export/temporary_directory.h"
#include "agent/flow/record_builder.h"
#include "agent/recording/recorder.h"
#include "agent/recording/replay_sender.h"
#include "agent/requests/http2_builder.h"
#include "agent/requests/turn_builder.h"
#include "wire/batch_codec.h"

namespace weir::agent::recording {
namespace {

using flow::RecordBuilder;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr Nanos kSecond = 1'000'000'000;

// What happens at random, from a seed: sockets, datagrams, questions, requests, and names that come and go.
class Nature {
 public:
  Nature(uint32_t seed, const FakeClock& clock) : random_(seed), clock_(clock) {}

  uint32_t Below(uint32_t bound) { return static_cast<uint32_t>(random_() % bound); }
  bool Sometimes() { return Below(3) == 0; }
  uint64_t Now() const { return static_cast<uint64_t>(clock_.MonotonicNanos()); }

  weir_record Record(weir_record_kind kind) {
    const uint64_t socket = 0x1000 + Below(40) * 64;
    RecordBuilder record;
    record.Socket(socket).Time(Now()).Cgroup(100 + Below(5)).Netns(7 + Below(3));
    record.Ends("10.0.0.1", static_cast<uint16_t>(40'000 + Below(20)), "10.0.0.2",
                static_cast<uint16_t>(80 + Below(4)));
    if (kind == WEIR_RECORD_LISTEN) return record.Listen("0.0.0.0", static_cast<uint16_t>(80 + Below(4)), "nginx", 5);
    record.Kind(kind).Process(Sometimes() ? "curl" : "python3", 40 + Below(4));
    if (Sometimes())
      record.Incoming(1'000 + Below(3)).Ends("10.0.0.2", 80, "10.0.0.1", 40'001).Process("", 0);
    else
      record.Outgoing(1'000 + Below(3), 2'000);
    if (kind == WEIR_RECORD_FINAL) record.Final();
    if (Sometimes()) record.Flags(WEIR_SOCKET_REPORTED);
    if (Below(9) == 0) record.Flags(WEIR_SOCKET_EXISTING);
    record.Bytes(Below(100'000), Below(100'000)).Segments(Below(900), Below(900)).Rtt(Below(500), Below(90), Below(90));
    record.Retransmits(Below(9), Below(2)).Limits(Below(99), Below(99), Below(99));
    return record;
  }
  weir_dns_message Dns() {
    weir_dns_message message{};
    message.time_ns = Now();
    message.ends.cookie = Below(4);
    message.ends.family = 2;
    message.ends.local_address[0] = 0x0100000a;
    message.ends.remote_address[0] = 0x0200000a;
    message.ends.local_port = 40'000;
    message.ends.remote_port = 53;
    message.netns = 7;
    message.cgroup_id = 100 + Below(5);
    message.sent = Below(2);
    const weir_u8 bytes[] = {0,
                             static_cast<weir_u8>(Below(3)),
                             static_cast<weir_u8>(message.sent != 0 ? 1 : 0x81),
                             0,
                             0,
                             1,
                             0,
                             0,
                             0,
                             0,
                             0,
                             0,
                             1,
                             static_cast<weir_u8>('a' + Below(3)),
                             0,
                             0,
                             1,
                             0,
                             1};
    message.length = sizeof(bytes);
    std::memcpy(message.data, bytes, sizeof(bytes));
    return message;
  }

 private:
  std::mt19937 random_;
  const FakeClock& clock_;
};

class MadeUpIdentities final : public identity::Identities {
 public:
  explicit MadeUpIdentities(Nature& nature) : nature_(nature) { AskProcesses(true); }
  std::shared_ptr<const identity::CgroupName> NameOf(uint64_t owner) override {
    const bool unknown = nature_.Sometimes();
    return std::make_shared<identity::CgroupName>(
        unknown ? identity::CgroupName{}
                : identity::CgroupName{std::to_string(owner), "unit" + std::to_string(nature_.Below(2))});
  }
  std::shared_ptr<const std::string> NetnsNameOf(uint32_t inode) override {
    return std::make_shared<std::string>(inode == 0 || nature_.Sometimes() ? "" : "lab" + std::to_string(inode));
  }
  void ExpireAnswers() override {}
  Groups groups() const override { return Groups::kAll; }

 private:
  uint64_t OwnerByProcess(uint64_t cgroup_id, uint32_t pid) override {
    return nature_.Sometimes() ? cgroup_id : pid + nature_.Below(2);
  }
  Nature& nature_;
};

class MadeUpSockets final : public kernel::SocketTracker {
 public:
  explicit MadeUpSockets(Nature& nature) : nature_(nature) {}
  void DrainRing(kernel::RecordSink& sink) override {
    for (uint32_t i = nature_.Below(20); i > 0; --i) sink.OnRecord(nature_.Record(WEIR_RECORD_FINAL));
  }
  Status Snapshot(bool, kernel::RecordSink& sink) override {
    for (uint32_t i = nature_.Below(30); i > 0; --i) {
      sink.OnRecord(nature_.Record(nature_.Sometimes() ? WEIR_RECORD_LISTEN : WEIR_RECORD_LIVE));
    }
    DrainRing(sink);
    return nature_.Below(9) == 0 ? Status::Unavailable("broke off") : Status::Ok();
  }
  Status ReadExisting() override { return nature_.Sometimes() ? Status::Unsupported("cannot") : Status::Ok(); }
  kernel::KernelLosses Losses() override {
    if (nature_.Below(5) == 0) ++losses_.ring_full;
    return losses_;
  }
  void OnReceiveLoss(std::span<const uint64_t>, Nanos) override {}

 private:
  Nature& nature_;
  kernel::KernelLosses losses_;
};

class MadeUpUdp final : public udp::UdpTracker {
 public:
  explicit MadeUpUdp(Nature& nature) : nature_(nature) {}
  Status ReadPairs(const OnPair& on_pair) override {
    for (uint32_t i = nature_.Below(10); i > 0; --i) {
      weir_udp_key key{};
      key.cookie = nature_.Below(5);
      key.family = 2;
      key.local_port = static_cast<weir_u16>(nature_.Below(3));
      key.remote_port = WEIR_DNS_PORT;  // soon idle
      weir_udp_flow& flow = flows_[key.cookie * 8 + key.local_port];
      if (nature_.Sometimes()) ++flow.datagrams_sent, flow.bytes_sent += nature_.Below(1'000);
      flow.first_ns = flow.first_ns == 0 ? nature_.Now() : flow.first_ns;
      flow.netns = 8;
      on_pair(key, flow);
    }
    return Status::Ok();
  }
  bool Forget(const weir_udp_key& key, weir_udp_flow& last) override {
    last = flows_[key.cookie * 8 + key.local_port];
    return !nature_.Sometimes();
  }
  void DrainDns(const std::function<void(const weir_dns_message&)>& on_message) override {
    for (uint32_t i = nature_.Below(10); i > 0; --i) on_message(nature_.Dns());
  }
  udp::UdpLosses Losses() override { return {}; }
  uint32_t max_pairs() const override { return 8; }

 private:
  Nature& nature_;
  std::map<uint64_t, weir_udp_flow> flows_;
};

class MadeUpRequests final : public requests::RequestProbe {
 public:
  explicit MadeUpRequests(Nature& nature) : nature_(nature) {}
  void Drain(requests::StepSink& sink) override {
    for (uint32_t i = nature_.Below(4); i > 0; --i) Step(sink);
  }
  requests::RequestLosses Losses() override { return {}; }
  void ForgetPorts(bool) override {}

 private:
  void Step(requests::StepSink& sink) {
    const double at_ms = static_cast<double>(nature_.Now()) / 1e6;
    weir_step_head head{};
    switch (nature_.Below(9)) {
      case 7:
        head = requests::MakeHead(WEIR_STEP_SECURED, at_ms, "");
        head.step.bytes = 0xc02f;
        head.step.stream = nature_.Sometimes() ? WEIR_TLS_NOT_MULTIPLEXED : WEIR_TLS_MULTIPLEXED;
        break;
      case 8: {
        weir_step step = requests::MakeStep(WEIR_STEP_RECORD, at_ms, 50 + nature_.Below(4'000));
        step.socket = 0x1000 + nature_.Below(4) * 64;
        step.flags = nature_.Sometimes() ? WEIR_STEP_FROM_SERVER : WEIR_STEP_OPENS;
        sink.OnStep(step);
        return;
      }
      case 5: head = requests::MakeHead(WEIR_STEP_REQUEST, at_ms, requests::kPreface); break;
      case 6: {
        weir_step_block block{};
        block.step = requests::MakeStep(WEIR_STEP_BLOCK, at_ms, 2);
        block.step.socket = 0x1000 + nature_.Below(4) * 64;
        block.step.stream = 2 * nature_.Below(3) + 1;
        block.step.frame_type = WEIR_FRAME_HEADERS;
        block.step.frame_flags = WEIR_FRAME_END_HEADERS;
        block.step.flags = static_cast<weir_u8>(WEIR_STEP_BEGINS | WEIR_STEP_UNREAD |
                                                (nature_.Sometimes() ? WEIR_STEP_FROM_SERVER : WEIR_STEP_OPENS));
        block.step.text_bytes = 2;
        sink.OnBlock(block);
        return;
      }
      case 0:
        head = requests::MakeHead(WEIR_STEP_REQUEST, at_ms, "GET /a/1234?key=secret HTTP/1.1\r\nCookie: me\r\n\r\n");
        break;
      case 1:
        head = requests::MakeHead(WEIR_STEP_ANSWER, at_ms, "HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\nbody");
        break;
      case 2: head = requests::MakeHead(WEIR_STEP_REQUEST, at_ms, "nothing of this kind"); break;
      case 3: {
        weir_step_hello hello{};
        hello.step = requests::MakeStep(WEIR_STEP_HELLO, at_ms);
        hello.step.socket = 0x1000 + nature_.Below(40) * 64;
        sink.OnHello(hello);
        return;
      }
      default: {
        weir_step step =
            requests::MakeStep(nature_.Sometimes() ? WEIR_STEP_CLOSED : WEIR_STEP_CHUNK, at_ms, 100, "more");
        step.socket = 0x1000 + nature_.Below(4) * 64;
        sink.OnStep(step);
        return;
      }
    }
    head.step.socket = 0x1000 + nature_.Below(4) * 64;
    sink.OnHead(head);
  }
  Nature& nature_;
};

// Translates to a few backends, forgets, and is idle now and then.
class MadeUpTracking final : public nat::ConnectionTracking {
 public:
  MadeUpTracking(Nature& nature, uint64_t& asked) : nature_(nature), asked_(asked) {}
  bool Active() override { return nature_.Below(20) != 0; }
  nat::Followed Follow(const flow::ClientEnds& ends, bool) override {
    ++asked_;
    nat::Followed followed{.found = nature_.Below(5) != 0,
                           .client = ends.client,
                           .server = ends.server,
                           .server_port = ends.server_port,
                           .questions = 1 + nature_.Below(9)};
    if (!followed.found) return followed;
    if (ends.server_port % 2 == 0) {
      followed.server = model::Address::FromV4(0x0800'000A + nature_.Below(3));
      followed.server_port = 8'080;
    }
    if (nature_.Sometimes()) followed.client = model::Address::FromV4(0x0900'000A + nature_.Below(2));
    return followed;
  }
  void RoundEnds() override {}
  model::ProbeReport Probe() const override { return {"nat", "on", "", ""}; }

 private:
  Nature& nature_;
  uint64_t& asked_;
};

class MadeUp final : public Origin {
 public:
  MadeUp(Nature& nature, const Clock& clock, Status opens, uint64_t& asked)
      : nature_(nature), clock_(clock), opens_(std::move(opens)), asked_(asked) {}
  const Clock& clock() const override { return clock_; }
  source::Surroundings SurroundingsOf(Observer) override {
    return {
        .identities = std::make_unique<MadeUpIdentities>(nature_),
        .interface_addresses =
            [this] { return std::vector<model::Address>(nature_.Below(3), model::Address::FromV4(nature_.Below(9))); },
        .jiffy_us = HeaderOfThisMachine(clock_).jiffy_us};
  }
  Result<std::unique_ptr<kernel::SocketTracker>> OpenSockets(const kernel::KernelOptions&,
                                                             std::vector<model::ProbeReport>&) override {
    if (!opens_.ok()) return opens_;
    return std::unique_ptr<kernel::SocketTracker>(std::make_unique<MadeUpSockets>(nature_));
  }
  Result<std::unique_ptr<udp::UdpTracker>> OpenUdp(const udp::UdpTrackerOptions&) override {
    return std::unique_ptr<udp::UdpTracker>(std::make_unique<MadeUpUdp>(nature_));
  }
  Result<std::unique_ptr<requests::RequestProbe>> OpenRequests(const requests::RequestProbeOptions&) override {
    return std::unique_ptr<requests::RequestProbe>(std::make_unique<MadeUpRequests>(nature_));
  }
  std::unique_ptr<nat::ConnectionTracking> OpenTracking() override {
    return std::make_unique<MadeUpTracking>(nature_, asked_);
  }

 private:
  Nature& nature_;
  const Clock& clock_;
  const Status opens_;
  uint64_t& asked_;
};

class ReplayTest : public testing::Test {
 protected:
  // What an agent reports in `intervals` of a second of a made-up machine.
  std::vector<model::AgentBatch> Record(uint32_t seed, int intervals, ObserveOptions observe) {
    FakeClock clock;
    Nature nature(seed, clock);
    auto source =
        MakeRecorder({.file = path_, .limit_bytes = uint64_t{1} << 30, .on_thread = {}}, HeaderOfThisMachine(clock),
                     observe, std::make_unique<MadeUp>(nature, clock, opens_, asked_));
    EXPECT_TRUE(source.ok()) << source.status().message();
    EXPECT_EQ((*source)->Start().code(), opens_.code());
    std::vector<model::AgentBatch> batches;
    CollectorOptions options;
    options.agent_id = std::string(32, 'a');
    options.node = "node";
    options.contribute = [&](model::AgentBatch& batch) {
      Restraint restraint;  // as a budget would, at random
      for (size_t i = 0; i < kGivenUps; ++i) {
        if (nature.Below(8) == 0) restraint.Set(static_cast<GivenUp>(i), "too much");
      }
      if (nature.Sometimes()) (*source)->Restrain(restraint);
      batch.node_samples.push_back({.subject = "eth0", .value = 3, .time = batch.end, .period_ms = 1'000});
    };
    Collector collector(
        std::move(options), **source, [&](model::AgentBatch batch) { batches.push_back(std::move(batch)); }, clock);
    while (static_cast<int>(batches.size()) < intervals) clock.Advance(collector.RunDue());
    return batches;
  }
  static std::string Encoded(model::AgentBatch batch) {
    batch.sequence = 1;
    batch.counters.clear();
    const auto encoded = wire::EncodeBatch(batch);
    EXPECT_TRUE(encoded.ok()) << encoded.status().message();
    return encoded.ok() ? *encoded : "";
  }
  static void ExpectSame(const std::vector<model::AgentBatch>& recorded, Replay& replay) {
    size_t reports = 0;
    for (const model::AgentBatch& batch : recorded) {
      const auto again = replay.Next();
      ASSERT_TRUE(again.has_value());
      ASSERT_EQ(again->reports.size(), batch.reports.size());
      ASSERT_EQ(Encoded(*again), Encoded(batch));
      reports += batch.reports.size();
    }
    EXPECT_GT(reports, 0U);
    EXPECT_FALSE(replay.Next().has_value());
    EXPECT_TRUE(replay.status().ok()) << replay.status().message();
    EXPECT_EQ(replay.Remarks(), "");
  }
  std::unique_ptr<Replay> Open() {
    auto replay = Replay::Open(path_);
    EXPECT_TRUE(replay.ok()) << replay.status().message();
    return replay.ok() ? *std::move(replay) : nullptr;
  }

  TemporaryDirectory directory_;
  const std::filesystem::path path_ = directory_.path() / "a.weirrec";
  Status opens_;
  uint64_t asked_ = 0;  // of connection tracking
};

ObserveOptions Everything() {
  ObserveOptions observe;
  observe.udp = observe.dns = observe.requests = observe.nat = true;
  return observe;
}

TEST_F(ReplayTest, WhatWasReportedIsReportedAgain) {
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    const auto recorded = Record(seed, 40, Everything());
    ExpectSame(recorded, *Open());
    std::filesystem::remove(path_);
  }
}

TEST_F(ReplayTest, EachFeatureAlone) {
  for (int feature = 0; feature < 5; ++feature) {
    SCOPED_TRACE(feature);
    ObserveOptions observe;
    observe.udp = feature == 1;
    observe.dns = feature == 2;
    observe.requests = feature == 3;
    observe.nat = feature == 4;
    const auto recorded = Record(5, 20, observe);
    ExpectSame(recorded, *Open());
    std::filesystem::remove(path_);
  }
}

TEST_F(ReplayTest, WhomClientsReachedBehindNatIsReportedAgain) {
  ObserveOptions observe;
  observe.nat = true;
  const auto recorded = Record(2, 40, observe);
  EXPECT_GT(asked_, 100U);
  size_t translated = 0;
  size_t masqueraded = 0;
  for (const model::AgentBatch& batch : recorded) {
    for (const model::SideReport& report : batch.reports) {
      translated += report.ends.service_port != 0 ? 1 : 0;
      masqueraded += report.ends.snat_address.is_unspecified() ? 0 : 1;
    }
  }
  EXPECT_GT(translated, 50U);
  EXPECT_GT(masqueraded, 20U);
  const auto replay = Open();
  EXPECT_TRUE(replay->header().observed.nat);
  const uint64_t asked = asked_;
  ExpectSame(recorded, *replay);
  EXPECT_EQ(asked_, asked) << "a replay asks nobody";
}

TEST_F(ReplayTest, ConnectionTrackingThatIsNotObservedIsNotAsked) {
  const auto recorded = Record(2, 10, {});
  EXPECT_EQ(asked_, 0U);
  const auto replay = Open();
  EXPECT_FALSE(replay->header().observed.nat);
  ExpectSame(recorded, *replay);
}

TEST_F(ReplayTest, BeyondItsLastWholeIntervalADamagedRecordingGivesNothing) {
  const auto recorded = Record(3, 60, Everything());
  std::ifstream file(path_, std::ios::binary);
  const std::string good((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  for (const size_t size : {good.size() / 3, good.size() / 2, good.size() - 40, good.size() - 1}) {
    auto replay = Replay::Open(std::make_unique<std::istringstream>(good.substr(0, size)));
    ASSERT_TRUE(replay.ok());
    size_t intervals = 0;
    for (; const auto again = (*replay)->Next(); ++intervals) {
      ASSERT_LT(intervals, recorded.size());
      EXPECT_EQ(Encoded(*again), Encoded(recorded[intervals]));
    }
    EXPECT_EQ((*replay)->status().code(), Code::kCorrupt);
    EXPECT_THAT((*replay)->status().message(), HasSubstr("damaged after " + std::to_string(intervals) + " intervals"));
    EXPECT_THAT((*replay)->status().message(), HasSubstr("the file ends within it"));
  }
}

TEST_F(ReplayTest, AMachineThatCouldNotBeObservedHasNothingToReplay) {
  opens_ = Status::Denied("not root");
  FakeClock clock;
  Nature nature(1, clock);
  auto source = MakeRecorder({.file = path_, .limit_bytes = uint64_t{1} << 30, .on_thread = {}},
                             HeaderOfThisMachine(clock), {}, std::make_unique<MadeUp>(nature, clock, opens_, asked_));
  ASSERT_TRUE(source.ok());
  EXPECT_EQ((*source)->Start().code(), Code::kDenied);
  (*source).reset();
  const auto replay = Open();
  EXPECT_FALSE(replay->Next().has_value());
  EXPECT_TRUE(replay->status().ok());
}

TEST_F(ReplayTest, TheFileSaysWhatIsMissing) {
  EXPECT_EQ(Replay::Open(path_).status().code(), Code::kNotFound);
  EXPECT_THAT(Replay::Open(path_).status().message(), HasSubstr(path_.string()));
}

// Takes batches as a server does.
class Server final : public wire::BatchSink {
 public:
  Result<wire::Ack> Send(const std::string& encoded, UnixMillis) override {
    const model::AgentBatch batch = *wire::DecodeBatch(encoded);
    const bool duplicate = batch.sequence <= watermark;
    if (!duplicate) batches.push_back(batch);
    watermark = std::max(watermark, batch.sequence);
    return wire::Ack{.duplicate = duplicate, .watermark = watermark};
  }
  std::vector<model::AgentBatch> batches;
  uint64_t watermark = 0;
};

TEST_F(ReplayTest, AServerCountsItOnce) {
  const auto recorded = Record(9, 10, Everything());
  Server server;
  const SystemClock clock;
  for (const uint64_t known : {0U, 10U}) {
    ReplaySender sender("", server, clock);
    const auto replay = Open();
    while (auto batch = replay->Next()) ASSERT_TRUE(sender.Send(*std::move(batch)).ok());
    EXPECT_EQ(sender.sent(), 10U);
    EXPECT_EQ(sender.known(), known);
  }
  ASSERT_EQ(server.batches.size(), 10U);
  for (size_t i = 0; i < recorded.size(); ++i) {
    EXPECT_EQ(server.batches[i].node, "node-replay");
    EXPECT_NE(server.batches[i].agent_id, recorded[i].agent_id);
    EXPECT_EQ(server.batches[i].start, recorded[i].start);
    EXPECT_EQ(server.batches[i].reports.size(), recorded[i].reports.size());
    EXPECT_EQ(server.batches[i].node_samples, recorded[i].node_samples);
  }
}

}  // namespace
}  // namespace weir::agent::recording

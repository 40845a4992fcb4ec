#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zstd.h>

#include <functional>

#include "base/metrics.h"
#include "weir/v1/batch.pb.h"
#include "wire/batch_codec.h"

namespace weir::wire {
namespace {

using model::NodeSignal;
using testing::HasSubstr;

constexpr UnixMillis kNoon = 1'700'000'000'000;

model::AgentBatch SomeBatch() {
  model::AgentBatch batch;
  batch.agent_id = std::string(32, 'a');
  batch.node = "n1";
  batch.sequence = 5;
  batch.start = kNoon;
  batch.end = kNoon + 1'000;
  batch.mode = "ebpf";
  batch.node_samples = {{NodeSignal::qdisc_drops, "pod/eth0 tbf 1:", 4026, 17, kNoon + 700, 5'000},
                        {NodeSignal::node_pass_us, "", 0, 250, kNoon + 1'200, 1'000}};
  model::RateWindow& window = batch.rate_windows.emplace_back();
  window.subject = "eth0";
  window.cause = NodeSignal::allowance_bandwidth_in;
  window.cause_subject = "eth0";
  window.event = kNoon;
  window.start = kNoon - 8'000;
  window.step_us = {10'000, 35'000};
  window.rx_bytes = {1, uint64_t{1} << 40};
  window.tx_bytes = {0, 2};
  window.rx_packets = {3, 4};
  window.tx_packets = {5, 0};
  return batch;
}

Result<model::AgentBatch> RoundTrip(const model::AgentBatch& batch) {
  WEIR_ASSIGN_OR_RETURN(const std::string bytes, EncodeBatch(batch));
  return DecodeBatch(bytes);
}

// The batch with its message changed behind the encoder's back.
Result<model::AgentBatch> Forged(const std::function<void(v1::Batch&)>& change) {
  const std::string honest = *EncodeBatch(SomeBatch());
  std::string plain(ZSTD_getFrameContentSize(honest.data(), honest.size()), 0);
  ZSTD_decompress(plain.data(), plain.size(), honest.data(), honest.size());
  v1::Batch message;
  EXPECT_TRUE(message.ParseFromString(plain));
  change(message);
  plain = message.SerializeAsString();
  std::string frame(ZSTD_compressBound(plain.size()), 0);
  frame.resize(ZSTD_compress(frame.data(), frame.size(), plain.data(), plain.size(), 1));
  return DecodeBatch(frame);
}

TEST(NodeCodec, WhatGoesInComesOut) {
  const auto batch = RoundTrip(SomeBatch());
  ASSERT_TRUE(batch.ok()) << batch.status().message();
  EXPECT_EQ(batch->node_samples, SomeBatch().node_samples);
  EXPECT_EQ(batch->rate_windows, SomeBatch().rate_windows);
  EXPECT_FALSE(batch->empty());
}

TEST(NodeCodec, HostileNamesAreCleanedByTheEncoderAndRefusedByTheDecoder) {
  model::AgentBatch batch = SomeBatch();
  batch.node_samples[0].subject = "eth0\x1b[31m\nred";
  const auto decoded = RoundTrip(batch);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->node_samples[0].subject.find_first_of("\x1b\n"), std::string::npos);
  EXPECT_FALSE(Forged([](v1::Batch& message) { *message.add_strings() = "a\x1b"; }).ok());
}

TEST(NodeCodec, AClockThatWasSetCostsNoFlows) {
  model::AgentBatch batch = SomeBatch();
  batch.node_samples[0].time += 2 * kMaxIntervalMs;
  batch.rate_windows[0].start -= 2 * kMaxIntervalMs;
  const auto decoded = RoundTrip(batch);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->node_samples.size(), 1U);
  EXPECT_TRUE(decoded->rate_windows.empty());
}

TEST(NodeCodec, ASignalOfANewerAgentIsLeftOutAndCounted) {
  const uint64_t before = Read(Metric::server_node_unknown);
  const auto batch = Forged([](v1::Batch& message) {
    *message.add_strings() = "future.signal";
    message.mutable_node_samples(0)->set_signal(static_cast<uint32_t>(message.strings_size() - 1));
  });
  ASSERT_TRUE(batch.ok());
  ASSERT_EQ(batch->node_samples.size(), 1U);
  EXPECT_EQ(batch->node_samples[0].signal, NodeSignal::node_pass_us);
  EXPECT_EQ(Read(Metric::server_node_unknown), before + 1);
}

TEST(NodeCodec, LiesAreRefused) {
  const std::vector<std::pair<std::string, std::function<void(v1::Batch&)>>> lies = {
      {"subject is string 999", [](v1::Batch& m) { m.mutable_node_samples(0)->set_subject(999); }},
      {"signal is string 999", [](v1::Batch& m) { m.mutable_node_samples(1)->set_signal(999); }},
      {"beyond 2^53", [](v1::Batch& m) { m.mutable_node_samples(0)->set_value(~uint64_t{0}); }},
      {"from its batch", [](v1::Batch& m) { m.mutable_node_samples(0)->set_time_ms(INT32_MIN); }},
      {"a period of", [](v1::Batch& m) { m.mutable_node_samples(0)->set_period_ms(~0U); }},
      {"1 values for 2 steps", [](v1::Batch& m) { m.mutable_rate_windows(0)->mutable_tx_bytes()->RemoveLast(); }},
      {"a window of 0 steps", [](v1::Batch& m) { m.mutable_rate_windows(0)->clear_step_us(); }},
      {"more than a minute", [](v1::Batch& m) { m.mutable_rate_windows(0)->set_step_us(0, 60'000'001); }},
      {"from its batch", [](v1::Batch& m) { m.mutable_rate_windows(0)->set_event_ms(INT32_MAX); }},
      {"step beyond 2^53", [](v1::Batch& m) { m.mutable_rate_windows(0)->set_rx_packets(0, ~uint64_t{0}); }},
  };
  for (const auto& [complaint, lie] : lies) {
    const auto batch = Forged(lie);
    ASSERT_FALSE(batch.ok()) << complaint;
    EXPECT_EQ(batch.status().code(), Code::kInvalid);
    EXPECT_THAT(batch.status().message(), HasSubstr(complaint));
  }
}

TEST(NodeCodec, FloodsAreRefusedBeforeTheyAreParsed) {
  const auto samples = Forged([](v1::Batch& message) {
    for (size_t i = 0; i <= model::kMaxNodeSamples; ++i) message.add_node_samples();
  });
  EXPECT_THAT(samples.status().message(), HasSubstr("node samples, more than"));
  const auto windows = Forged([](v1::Batch& message) {
    for (size_t i = 0; i <= model::kMaxRateWindows; ++i) message.add_rate_windows();
  });
  EXPECT_THAT(windows.status().message(), HasSubstr("rate windows, more than"));
  const auto large = Forged([](v1::Batch& message) {
    for (size_t i = 0; i < 200'000; ++i) message.mutable_rate_windows(0)->add_rx_bytes(1);
  });
  EXPECT_THAT(large.status().message(), HasSubstr("rate window 0 has"));
  model::AgentBatch own = SomeBatch();
  own.node_samples.resize(model::kMaxNodeSamples + 1, own.node_samples[0]);
  EXPECT_EQ(EncodeBatch(own).status().code(), Code::kInvalid);
}

}  // namespace
}  // namespace weir::wire

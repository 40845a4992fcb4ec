#include "agent/node/drop_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <optional>
#include <string>

#include "agent/node/source_catalogue.h"
#include "base/metrics.h"

namespace weir::agent::node {
namespace {

using model::NodeSignal;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

constexpr Nanos kSecond = 1'000'000'000;
constexpr uint32_t kOwn = 1;

struct LessKey {
  bool operator()(const weir_drop_key& a, const weir_drop_key& b) const { return std::memcmp(&a, &b, sizeof(a)) < 0; }
};

class FakeCounters final : public DropCounters {
 public:
  Status Read(const std::function<void(const weir_drop_key&, uint64_t)>& visit) override {
    for (const auto& [key, packets] : counts) visit(key, packets);
    return status;
  }
  std::optional<uint64_t> Forget(const weir_drop_key& key) override {
    const auto at = counts.find(key);
    if (at == counts.end()) return std::nullopt;
    const uint64_t last = at->second;
    counts.erase(at);
    return last;
  }
  uint64_t Lost() override { return lost; }
  size_t max_kinds() const override { return 4; }
  std::string ReasonName(uint32_t reason) const override {
    static const std::map<uint32_t, std::string> kNames{
        {2, "NOT_SPECIFIED"}, {6, "SOCKET_RCVBUFF"}, {12, "NETFILTER_DROP"}, {33, "TCP_OLD_DATA"}, {99, "BRAND_NEW"}};
    const auto known = kNames.find(reason);
    return known == kNames.end() ? "REASON_" + std::to_string(reason) : known->second;
  }

  std::map<weir_drop_key, uint64_t, LessKey> counts;
  uint64_t lost = 0;
  Status status;
};

weir_drop_key Key(uint32_t reason, uint32_t netns = kOwn, uint64_t location = 0x110) {
  weir_drop_key key{};
  key.location = location;
  key.reason = reason;
  key.netns = netns;
  key.protocol = 0x0800;
  key.transport = 6;
  return key;
}

class DropReaderTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "weir-drops-XXXXXX";
    ASSERT_GE(::mkstemp(path_.data()), 0);
    std::ofstream(path_) << "0000000000000100 t nft_do_chain\n0000000000000200 t udp_queue_rcv_one_skb\n";
    auto counters = std::make_unique<FakeCounters>();
    counters_ = counters.get();
    Result<KernelSymbols> symbols = KernelSymbols::Open(path_);
    ASSERT_TRUE(symbols.ok());
    reader_.Use(std::move(counters), *std::move(symbols));
  }
  void TearDown() override { std::remove(path_.c_str()); }

  // subject -> packets of this pass, with the signal in front.
  std::map<std::string, uint64_t> Read(Nanos after = 5 * kSecond) {
    now_ += after;
    table_.BeginPass(now_ / 1'000'000, now_);
    reader_.Read(now_, [](uint32_t inode) { return inode == kOwn ? "" : "pod-" + std::to_string(inode); });
    std::map<std::string, uint64_t> values;
    for (const model::NodeSample& sample : table_.Take()) {
      values[std::string(model::Describe(sample.signal).name) + " " + sample.subject] += sample.value;
    }
    return values;
  }

  std::string path_;
  Nanos now_ = 0;
  SampleTable table_;
  ProbeList probes_;
  DropReader reader_{table_, probes_};
  FakeCounters* counters_ = nullptr;
};

TEST_F(DropReaderTest, NamesWhatWasDroppedAndCountsFromTheFirst) {
  counters_->counts[Key(12)] = 3;
  counters_->counts[Key(6, 7, 0x210)] = 5;
  EXPECT_THAT(Read(),
              UnorderedElementsAre(Pair("drop.rule NETFILTER_DROP in nft_do_chain (tcp)", 3),
                                   Pair("drop.no_room pod-7/SOCKET_RCVBUFF in udp_queue_rcv_one_skb (tcp)", 5)));
  EXPECT_THAT(Read(), IsEmpty());
  counters_->counts[Key(12)] = 10;
  EXPECT_THAT(Read(), ElementsAre(Pair("drop.rule NETFILTER_DROP in nft_do_chain (tcp)", 7)));
}

TEST_F(DropReaderTest, TellsApartWhatIsNoLossAndWhatNobodyKnows) {
  counters_->counts[Key(33)] = 1;
  counters_->counts[Key(2)] = 2;
  counters_->counts[Key(99)] = 3;
  counters_->counts[Key(7, 0, 0x1)] = 4;
  EXPECT_THAT(Read(), UnorderedElementsAre(Pair("drop.duplicate TCP_OLD_DATA in nft_do_chain (tcp)", 1),
                                           Pair("drop.other NOT_SPECIFIED in nft_do_chain (tcp)", 2),
                                           Pair("drop.other BRAND_NEW in nft_do_chain (tcp)", 3),
                                           Pair("drop.other unknown/REASON_7 in ? (tcp)", 4)));
}

TEST_F(DropReaderTest, AKindThatIsBeingMadeWaits) {
  counters_->counts[Key(12)] = 0;
  EXPECT_THAT(Read(), IsEmpty());
}

TEST_F(DropReaderTest, IdleKindsMakeRoomAndNothingIsCountedTwice) {
  for (uint32_t netns = 2; netns <= 4; ++netns) counters_->counts[Key(12, netns)] = netns;
  EXPECT_EQ(Read().size(), 3U);
  // Long enough for the table to forget values it is not given; it is given all of them with each pass.
  for (Nanos waited = 0; waited < 700 * kSecond; waited += 30 * kSecond) {
    counters_->counts[Key(12, 4)] += 1;
    for (const auto& [subject, packets] : Read(30 * kSecond)) EXPECT_EQ(packets, 1U) << subject;
  }
  EXPECT_EQ(counters_->counts.size(), 1U) << "the one that goes on";
  counters_->counts[Key(12, 2)] = 2;
  EXPECT_THAT(Read(), ElementsAre(Pair("drop.rule pod-2/NETFILTER_DROP in nft_do_chain (tcp)", 2)));
}

TEST_F(DropReaderTest, WhatFoundNoPlaceIsCountedAndFailuresAreSaid) {
  const uint64_t before = weir::Read(Metric::agent_drops_not_counted);
  counters_->lost = 5;
  Read();
  counters_->lost = 7;
  Read();
  EXPECT_EQ(weir::Read(Metric::agent_drops_not_counted), before + 7);
  EXPECT_EQ(probes_.reports()[0].state, "on");
  counters_->status = Status::Denied("no");
  Read();
  EXPECT_EQ(probes_.reports()[0].name, "node_drops");
  EXPECT_EQ(probes_.reports()[0].state, "failed");
}

TEST(PacketKind, NamesProtocols) {
  EXPECT_EQ(PacketKind(0x0800, 17), "udp");
  EXPECT_EQ(PacketKind(0x86dd, 6), "tcp6");
  EXPECT_EQ(PacketKind(0x86dd, 58), "icmp6");
  EXPECT_EQ(PacketKind(0x0800, 47), "ip protocol 47");
  EXPECT_EQ(PacketKind(0x0806, 0), "arp");
  EXPECT_EQ(PacketKind(0x88cc, 0), "ethertype 0x88cc");
}

TEST(DropSignals, EachReasonIsOfOneSignal) {
  size_t named = 0;
  for (const auto& description : model::kNodeSignals) {
    for (size_t at = description.sources.find("kfree_skb:"); at != std::string_view::npos;
         at = description.sources.find("kfree_skb:", at + 1)) {
      ++named;
    }
  }
  EXPECT_EQ(NamesOf("kfree_skb").size(), named);
}

}  // namespace
}  // namespace weir::agent::node

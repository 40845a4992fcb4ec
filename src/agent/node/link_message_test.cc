#include "agent/node/link_message.h"

#include <gtest/gtest.h>
#include <linux/gen_stats.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <array>
#include <cstring>
#include <vector>

#include "agent/node/queue_stats.h"

namespace weir::agent::node {
namespace {

// A message in the making: a fixed head, then attributes.
class Message {
 public:
  template <typename Head>
  explicit Message(const Head& head) {
    Append(&head, sizeof(head));
  }
  Message() = default;
  Message& Add(uint16_t type, const void* value, size_t size) {
    const nlattr header{static_cast<uint16_t>(sizeof(nlattr) + size), type};
    Append(&header, sizeof(header));
    Append(value, size);
    bytes.resize((bytes.size() + 3) / 4 * 4);
    return *this;
  }
  template <typename Value>
  Message& Add(uint16_t type, const Value& value) {
    return Add(type, &value, sizeof(value));
  }
  Message& Text(uint16_t type, const char* text) { return Add(type, text, std::strlen(text) + 1); }
  Message& Nest(uint16_t type, const Message& inner) {
    return Add(type | NLA_F_NESTED, inner.bytes.data(), inner.bytes.size());
  }
  std::vector<uint8_t> bytes;

 private:
  void Append(const void* data, size_t size) {
    const auto* begin = static_cast<const uint8_t*>(data);
    bytes.insert(bytes.end(), begin, begin + size);
  }
};

Message LinkMessage() {
  ifinfomsg head{};
  head.ifi_index = 7;
  head.ifi_flags = IFF_UP;
  rtnl_link_stats64 stats{};
  stats.rx_bytes = uint64_t{1} << 40;
  stats.tx_packets = 5;
  stats.rx_missed_errors = 3;
  return Message(head).Text(IFLA_IFNAME, "eth0").Add(IFLA_STATS64, stats).Text(56, "virtio0");
}

TEST(LinkMessage, ReadsNameFlagsAndCounters) {
  const auto link = ParseLink(LinkMessage().bytes);
  ASSERT_TRUE(link.has_value());
  EXPECT_EQ(link->ifindex, 7U);
  EXPECT_EQ(link->name, "eth0");
  EXPECT_TRUE(link->up);
  EXPECT_FALSE(link->loopback);
  EXPECT_TRUE(link->has_parent);
  EXPECT_EQ(link->counters.rx_bytes, uint64_t{1} << 40);
  EXPECT_EQ(link->counters.tx_packets, 5U);
  EXPECT_EQ(link->counters.rx_missed, 3U);
}

TEST(LinkMessage, AnyPrefixIsHarmless) {
  const auto bytes = LinkMessage().bytes;
  for (size_t size = 0; size < bytes.size(); ++size) {
    const auto link = ParseLink(Bytes(bytes).first(size));
    if (link) {
      EXPECT_EQ(link->name, "eth0");
    }
  }
  EXPECT_FALSE(ParseLink(Message(ifinfomsg{}).Text(IFLA_IFNAME, "x").bytes).has_value()) << "index 0";
}

TEST(LinkMessage, AnOlderKernelsShorterStatisticsAreEnough) {
  ifinfomsg head{};
  head.ifi_index = 1;
  const uint64_t first_two[] = {11, 12};  // rx_packets, tx_packets
  const auto link = ParseLink(Message(head).Text(IFLA_IFNAME, "a").Add(IFLA_STATS64, first_two).bytes);
  ASSERT_TRUE(link.has_value());
  EXPECT_EQ(link->counters.rx_packets, 11U);
  EXPECT_EQ(link->counters.tx_packets, 12U);
  EXPECT_EQ(link->counters.rx_bytes, 0U);
}

TEST(QdiscMessage, ReadsCountersAndNamesIt) {
  tcmsg head{};
  head.tcm_ifindex = 3;
  head.tcm_handle = 0x8001U << 16;
  head.tcm_parent = TC_H_ROOT;
  gnet_stats_basic basic{};
  basic.bytes = 1'000;
  basic.packets = 10;
  const uint64_t packets = uint64_t{1} << 33;
  const gnet_stats_queue queue{.qlen = 1, .backlog = 1'500, .drops = 42, .requeues = 2, .overlimits = 43};
  const auto qdisc = ParseQdisc(
      Message(head)
          .Text(TCA_KIND, "tbf")
          .Nest(TCA_STATS2,
                Message().Add(TCA_STATS_PKT64, packets).Add(TCA_STATS_BASIC, basic).Add(TCA_STATS_QUEUE, queue))
          .bytes);
  ASSERT_TRUE(qdisc.has_value());
  EXPECT_EQ(QdiscName(*qdisc), "tbf 8001:");
  EXPECT_TRUE(Shapes(*qdisc));
  EXPECT_EQ(qdisc->bytes, 1'000U);
  EXPECT_EQ(qdisc->packets, packets) << "the wide one wins, in any order";
  EXPECT_EQ(qdisc->drops, 42U);
  EXPECT_EQ(qdisc->overlimits, 43U);
  EXPECT_EQ(qdisc->requeues, 2U);
  EXPECT_EQ(qdisc->backlog_bytes, 1'500U);
}

TEST(QdiscMessage, ThoseOfAMultiQueueDeviceAreToldApartByTheirParent) {
  Qdisc qdisc{.ifindex = 1, .handle = 0, .parent = 0x8001'0002, .kind = "pfifo_fast"};
  EXPECT_EQ(QdiscName(qdisc), "pfifo_fast 0: parent 8001:2");
  EXPECT_FALSE(Shapes(qdisc));
}

TEST(QueueStatsMessage, ReadsNumbersOfEitherWidth) {
  const uint32_t head = 0;  // genlmsghdr
  const auto stats = ParseQueueStats(Message(head)
                                         .Add(1, uint32_t{7})         // ifindex
                                         .Add(2, uint32_t{1})         // transmit
                                         .Add(3, uint32_t{4})         // queue
                                         .Add(24, uint32_t{5})        // tx-hw-drops
                                         .Add(32, uint64_t{1} << 40)  // tx-hw-drop-ratelimits
                                         .Add(11, uint64_t{99})       // tx-bytes: nobody asked
                                         .bytes);
  ASSERT_TRUE(stats.has_value());
  EXPECT_EQ(stats->ifindex, 7U);
  EXPECT_TRUE(stats->transmit);
  EXPECT_EQ(stats->queue, 4U);
  using Value = std::pair<model::NodeSignal, uint64_t>;
  EXPECT_EQ(stats->values, (std::vector<Value>{{model::NodeSignal::queue_tx_drops, 5},
                                               {model::NodeSignal::queue_tx_rate_limited, uint64_t{1} << 40}}));
  EXPECT_FALSE(ParseQueueStats(Message(head).Add(1, uint32_t{7}).bytes).has_value()) << "of a device, not a queue";
}

std::vector<uint8_t> Datagram(uint16_t type, uint32_t sequence, const std::vector<uint8_t>& payload) {
  nlmsghdr header{};
  header.nlmsg_len = static_cast<uint32_t>(sizeof(header) + payload.size());
  header.nlmsg_type = type;
  header.nlmsg_seq = sequence;
  std::vector<uint8_t> bytes(sizeof(header));
  std::memcpy(bytes.data(), &header, sizeof(header));
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  return bytes;
}

TEST(Netlink, ADatagramIsReadToItsEnd) {
  int visited = 0;
  const auto visit = [&](uint16_t, Bytes) { ++visited; };
  auto bytes = Datagram(RTM_NEWLINK, 5, {1, 2, 3, 4});
  const auto stale = Datagram(RTM_NEWLINK, 4, {});
  const auto done = Datagram(NLMSG_DONE, 5, {0, 0, 0, 0});
  bytes.insert(bytes.end(), stale.begin(), stale.end());
  auto more = ReadDatagram(bytes, 5, true, visit);
  ASSERT_TRUE(more.ok());
  EXPECT_EQ(*more, AnswerState::kMore);
  EXPECT_EQ(visited, 1) << "an answer to another question is passed over";
  bytes.insert(bytes.end(), done.begin(), done.end());
  EXPECT_EQ(*ReadDatagram(bytes, 5, true, visit), AnswerState::kDone);
  const int32_t gone = -ENODEV;
  std::vector<uint8_t> error(sizeof(gone));
  std::memcpy(error.data(), &gone, sizeof(gone));
  EXPECT_FALSE(ReadDatagram(Datagram(NLMSG_ERROR, 5, error), 5, false, visit).ok());
  bytes.resize(bytes.size() - 1);
  EXPECT_EQ(ReadDatagram(bytes, 5, true, visit).status().code(), Code::kCorrupt);
}

TEST(LinkMessage, AnAddressIsTheInterfacesOwn) {
  const auto v4 = [](uint8_t last) { return std::array<uint8_t, 4>{10, 0, 0, last}; };
  ifaddrmsg head{};
  head.ifa_family = AF_INET;
  head.ifa_index = 3;
  Message message(head);
  EXPECT_FALSE(ParseAddress(message.bytes)) << "no address in it";
  message.Add(IFA_ADDRESS, v4(1));
  EXPECT_EQ(ParseAddress(message.bytes)->address.ToString(), "10.0.0.1");
  message.Add(IFA_LOCAL, v4(2));
  const auto both = ParseAddress(message.bytes);
  ASSERT_TRUE(both);
  EXPECT_EQ(both->address.ToString(), "10.0.0.2");
  EXPECT_EQ(both->ifindex, 3U);
  head.ifa_family = AF_INET6;
  Message six(head);
  six.Add(IFA_LOCAL, v4(1));
  EXPECT_FALSE(ParseAddress(six.bytes)) << "of another length";
  six.Add(IFA_ADDRESS, std::array<uint8_t, 16>{0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
  EXPECT_EQ(ParseAddress(six.bytes)->address.ToString(), "fd00::1");
  six.bytes[0] = AF_BRIDGE;
  EXPECT_FALSE(ParseAddress(six.bytes));
  EXPECT_FALSE(ParseAddress(std::vector<uint8_t>(3)));
}

}  // namespace
}  // namespace weir::agent::node

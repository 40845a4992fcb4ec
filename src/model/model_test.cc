#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <set>

#include "model/container_name.h"
#include "model/counter_sum.h"
#include "model/flow_row.h"
#include "model/locality.h"
#include "model/node_subject.h"
#include "model/row_edit.h"

namespace weir::model {
namespace {

TEST(Columns, NamesAreUniqueAndEveryColumnIsExplained) {
  std::set<std::string_view> names;
  for (const Column& column : kColumns) {
    SCOPED_TRACE(column.name);
    EXPECT_TRUE(names.insert(column.name).second);
    EXPECT_TRUE(column.help.ends_with(".")) << "help is a sentence";
    EXPECT_EQ(FindColumn(column.name), &column);
  }
  EXPECT_EQ(FindColumn("nonsense"), nullptr);
}

TEST(ContainerName, IdsAreCutAndNamesAreNot) {
  EXPECT_EQ(ShortContainer(std::string(64, 'a')), "aaaaaaaaaaaa");
  EXPECT_EQ(ShortContainer("accounting-database"), "accounting-database");
  EXPECT_EQ(ShortContainer("101"), "101");
  EXPECT_EQ(ShortContainer(""), "");
}

TEST(Histogram, BucketBordersAreHalfOctaves) {
  EXPECT_EQ(BucketOf(0), 0U);
  EXPECT_EQ(BucketOf(1), 0U);
  EXPECT_EQ(BucketOf(2), 2U);
  EXPECT_EQ(BucketOf(3), 3U);
  EXPECT_EQ(BucketOf(~0ULL), kHistogramBuckets - 1);
  for (uint64_t value = 2; value < 1'000'000; value = value * 5 / 4 + 1) {
    const uint32_t bucket = BucketOf(value);
    EXPECT_LE(BucketLowerBound(bucket), static_cast<double>(value) * (1 + 1e-9)) << value;
    EXPECT_GT(BucketLowerBound(bucket + 1), static_cast<double>(value)) << value;
  }
}

TEST(Histogram, QuantilesStayWithinTheStatedError) {
  std::mt19937 random(42);
  std::lognormal_distribution<double> latency(7, 1);
  std::vector<uint64_t> samples;
  Histogram histogram;
  for (int i = 0; i < 20'000; ++i) {
    samples.push_back(static_cast<uint64_t>(latency(random)) + 2);
    histogram.Add(samples.back());
  }
  std::sort(samples.begin(), samples.end());
  for (const double q : {0.5, 0.9, 0.99}) {
    const auto exact = static_cast<double>(samples[static_cast<size_t>(q * 20'000) - 1]);
    EXPECT_NEAR(histogram.Quantile(q), exact, 0.2 * exact) << q;
  }
  EXPECT_EQ(Histogram{}.Quantile(0.5), 0);
}

TEST(FlowRow, AccumulateFollowsTheKindOfEachColumn) {
  FlowRow into;
  into.start = 2'000;
  into.end = 3'000;
  into.bytes_to_server = 10;
  into.client_rtt_min_us = 70;
  into.connections_open = 2;
  SetAttribute(into, "client_process", "curl");
  FlowRow from;
  from.start = 1'000;
  from.end = 2'000;
  from.bytes_to_server = 5;
  from.client_rtt_min_us = 50;
  from.connections_open = 7;
  SetAttribute(from, "client_process", "wget");
  from.client_rtt_histogram.Add(60);
  Accumulate(into, from);
  EXPECT_EQ(into.start, 1'000);
  EXPECT_EQ(into.end, 3'000);
  EXPECT_EQ(into.bytes_to_server, 15U);
  EXPECT_EQ(into.client_rtt_min_us, 50U);
  EXPECT_EQ(into.connections_open, 7U);
  EXPECT_EQ(Of(into.client).process, "curl");
  EXPECT_EQ(into.client_rtt_histogram.total(), 1U);
  Accumulate(into, FlowRow{});
  EXPECT_EQ(into.client_rtt_min_us, 50U) << "0 means no sample";
}

TEST(FlowRow, DerivedValuesPreferTheClientsSamples) {
  FlowRow row;
  EXPECT_EQ(ReportedBy(row), "");
  row.server_reports = 1;
  row.server_rtt_count = 2;
  row.server_rtt_sum_us = 300;
  EXPECT_EQ(ReportedBy(row), "server");
  EXPECT_DOUBLE_EQ(RttAverage(row), 150);
  row.client_reports = 1;
  row.client_rtt_count = 1;
  row.client_rtt_sum_us = 40;
  EXPECT_EQ(ReportedBy(row), "both");
  EXPECT_DOUBLE_EQ(RttAverage(row), 40);
  row.segments_to_server = 150;
  row.segments_to_client = 50;
  row.retransmits_to_client = 4;
  EXPECT_DOUBLE_EQ(RetransmitPercent(row), 2);
  EXPECT_DOUBLE_EQ(NumberOf(row, *FindColumn("retransmit_percent")), 2);
  EXPECT_DOUBLE_EQ(NumberOf(row, *FindColumn("segments_to_server")), 150);
  EXPECT_EQ(TextOf(row, *FindColumn("reported_by")), "both");
}

// Attributes that tell where an end is, and its address.
struct End {
  std::string node = {}, zone = {}, region = {}, pod = {}, cluster = {}, cloud_service = {};
  std::string address = "10.0.0.1";

  Entity entity() const {
    Entity made;
    made.node = node;
    made.zone = zone;
    made.region = region;
    made.pod = pod;
    made.cluster = cluster;
    made.cloud_service = cloud_service;
    return made;
  }
};

std::string_view Between(const End& client, const End& server) {
  const auto one =
      LocalityOf(client.entity(), server.entity(), *Address::Parse(client.address), *Address::Parse(server.address));
  EXPECT_EQ(
      LocalityOf(server.entity(), client.entity(), *Address::Parse(server.address), *Address::Parse(client.address)),
      one)
      << "a way is as long in either direction";
  return one;
}

TEST(Locality, IsTheNearestThatIsKnown) {
  EXPECT_EQ(Between({.address = "127.0.0.1"}, {.address = "127.0.0.2"}), "loopback");
  EXPECT_EQ(Between({.node = "n1", .pod = "p"}, {.node = "n1", .pod = "p"}), "same_pod");
  EXPECT_EQ(Between({.node = "n1", .pod = "p"}, {.node = "n1", .pod = "q"}), "same_node");
  EXPECT_EQ(Between({.node = "n1", .zone = "a"}, {.node = "n2", .zone = "a"}), "same_zone");
  EXPECT_EQ(Between({.node = "n1", .zone = "a", .region = "r"}, {.node = "n2", .zone = "b", .region = "r"}),
            "inter_zone");
  EXPECT_EQ(Between({.zone = "a", .region = "r"}, {.zone = "a", .region = "q"}), "inter_region");
  EXPECT_EQ(Between({.node = "n1"}, {.cloud_service = "object_store", .address = "52.216.1.2"}), "cloud_service");
  EXPECT_EQ(
      Between({.node = "n1", .region = "r"}, {.region = "q", .cloud_service = "object_store", .address = "52.216.1.2"}),
      "inter_region");
  EXPECT_EQ(Between({.node = "n1"}, {.address = "203.0.113.9"}), "internet");
  EXPECT_EQ(Between({.node = "n1"}, {.address = "10.9.9.9"}), "private");
  EXPECT_EQ(Between({.node = "n1"}, {.node = "n2"}), "private") << "two nodes of unknown zones";
  EXPECT_EQ(Between({.node = "n1", .address = "203.0.113.1"}, {.node = "n2", .address = "203.0.113.2"}), "unknown");
  EXPECT_EQ(Between({.node = "n1"}, {.address = "0.0.0.0"}), "unknown") << "nobody's connection: a full accept queue";
}

TEST(Locality, ClustersMayCallTheirNodesAlike) {
  EXPECT_EQ(Between({.node = "n1", .cluster = "a"}, {.node = "n1", .cluster = "b"}), "private");
  EXPECT_EQ(Between({.node = "n1", .pod = "p", .cluster = "a"}, {.node = "n1", .pod = "p", .cluster = "b"}), "private");
  EXPECT_EQ(Between({.node = "n1", .cluster = "a"}, {.node = "n1"}), "same_node") << "a host process beside a pod";
}

TEST(Entity, KeysAreNotConfusedAndVersionsOfNamesBeatThoseWithout) {
  EXPECT_NE(HashOfKey({"a", "bc"}), HashOfKey({"ab", "c"}));
  EXPECT_NE(HashOfKey({"a", ""}), HashOfKey({"a"}));
  EXPECT_NE(HashOfKey({"1:a"}), HashOfKey({"", "a"}));
  EXPECT_NE(AddressId(*Address::Parse("172.17.0.2"), "n1"), AddressId(*Address::Parse("172.17.0.2"), "n2"));
  EXPECT_LT(VersionAt(1'900'000'000'000, false), VersionAt(1'700'000'000'000, true));
  EXPECT_LT(VersionAt(1, true), VersionAt(2, true));
}

TEST(FlowRow, AttributesAreThoseOfItsEntities) {
  FlowRow row;
  EXPECT_EQ(TextOf(row, *FindColumn("client_namespace")), "");
  EXPECT_EQ(UintOf(row, *FindColumn("server_netns")), 0U);
  SetAttribute(row, "client_namespace", "shop");
  SetAttribute(row, "server_netns", 7U);
  SetAttribute(row, "server_service", "db");
  SetAttribute(row, "server_service_namespace", "data");
  EXPECT_EQ(TextOf(row, *FindColumn("client_namespace")), "shop");
  EXPECT_EQ(TextOf(row, *FindColumn("server_namespace")), "");
  EXPECT_EQ(UintOf(row, *FindColumn("server_netns")), 7U);
  EXPECT_EQ(NumberOf(row, *FindColumn("server_netns")), 7);
  EXPECT_EQ(TextOf(row, *FindColumn("server_service")), "db");
  EXPECT_EQ(TextOf(row, *FindColumn("server_service_namespace")), "data");
  EXPECT_EQ(TextOf(row, *FindColumn("locality")), "unknown");
}

TEST(SideCounters, TwoIntervalsAddUpToOne) {
  SideCounters sum;
  uint64_t next = 1;
  SideCounters one;
#define WEIR_SET(name) one.name = next++;
  WEIR_SIDE_COUNTERS(WEIR_SET)
#undef WEIR_SET
  one.rtt_histogram.Add(100);
  Add(sum, one);
#define WEIR_SAME(name) EXPECT_EQ(sum.name, one.name) << #name;
  WEIR_SIDE_COUNTERS(WEIR_SAME)
  WEIR_SIDE_HISTOGRAMS(WEIR_SAME)
#undef WEIR_SAME
  SideCounters two = one;
  two.rtt_min_us = 0;
  two.open = 3;
  --two.unread_max;
  Add(sum, two);
  EXPECT_EQ(sum.bytes_sent, 2 * one.bytes_sent);
  EXPECT_EQ(sum.late_bytes, 2 * one.late_bytes);
  EXPECT_EQ(sum.unread_max, one.unread_max);
  EXPECT_EQ(sum.rtt_min_us, one.rtt_min_us) << "0 is no sample";
  EXPECT_EQ(sum.rtt_histogram.total(), 2U);
  EXPECT_EQ(sum.open, 3U) << "the later level";
}

TEST(NodeSubject, IsReadBackAsItWasMade) {
  struct Case {
    SignalScope scope;
    const char* text;
    NodeSubject parts;
  };
  const Case cases[] = {
      {SignalScope::kInterface, "eth0", {"", "eth0", ""}},
      {SignalScope::kInterface, "pod-a/eth0", {"pod-a", "eth0", ""}},
      {SignalScope::kInterface, "my pod/eth0.7", {"my pod", "eth0.7", ""}},
      {SignalScope::kQueue, "eth0 rx 3", {"", "eth0", "rx 3"}},
      {SignalScope::kQdisc, "pod-a/eth0 tbf 8001:", {"pod-a", "eth0", "tbf 8001:"}},
      {SignalScope::kDrop, "NETFILTER_DROP in nft_do_chain (tcp)", {"", "", "NETFILTER_DROP in nft_do_chain (tcp)"}},
      {SignalScope::kDrop, "pod-a/NO_SOCKET in tcp_v4_rcv (tcp)", {"pod-a", "", "NO_SOCKET in tcp_v4_rcv (tcp)"}},
      {SignalScope::kRdmaPort, "efa_0/1", {"", "", "efa_0/1"}},
      {SignalScope::kCgroup, "/system.slice/a b.service", {"", "", "/system.slice/a b.service"}},
      {SignalScope::kNetns, "host", {"", "", "host"}},
      {SignalScope::kNode, "", {"", "", ""}},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(ParseNodeSubject(c.scope, c.text), c.parts) << c.text;
    EXPECT_EQ(NodeSubjectText(c.parts), c.text);
  }
}

}  // namespace
}  // namespace weir::model

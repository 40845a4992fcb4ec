// The node's limits against independent witnesses: tc, ip and the kernel's own files, in namespaces of the test's own.
#include "agent/node/node_watch.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <string>
#include <thread>

#include "agent/kernel/net_lab.h"
#include "agent/node/node_reader.h"
#include "agent/node/proc_text.h"
#include "base/metrics.h"

namespace weir::agent::node {
namespace {

using kernel::Lab;
using kernel::Output;
using model::NodeSignal;
using std::chrono::milliseconds;
using Json = nlohmann::json;

constexpr const char* kTbf = "tc qdisc add dev weir0 root handle 1: tbf rate 50mbit burst 32kb latency 20ms";

uint64_t Sum(const std::vector<uint64_t>& values) { return std::accumulate(values.begin(), values.end(), uint64_t{0}); }

// Two namespaces joined by weir0; the calling thread is in the one with the limit.
struct NodeKernelTest : testing::Test {
  void SetUp() override {
    if (const std::string why = kernel::WhyNoKernelTests(); !why.empty()) GTEST_SKIP() << why;
    here = std::make_unique<Lab>();
    there = std::make_unique<Lab>();
    here->Enter();
    here->LinkTo(*there);
    here->Enter();
  }
  void TearDown() override {
    there.reset();
    here.reset();
  }
  // Sends for a second; the shaper must drop. Returns when the kernel has nothing left to send again and the queue is
  // empty: iperf3 ends before that, and taking a packet out of the queue counts too.
  void Load() const {
    there->Run("timeout 20 iperf3 -s -1 >/dev/null 2>&1 &");
    // The server is up when a client gets through.
    here->Run(
        "n=0; until iperf3 -c 10.9.0.2 -t 1 -P 4 >/dev/null 2>&1; do n=$((n + 1)); [ $n -lt 50 ] || exit 1; sleep 0.1; "
        "done; n=0; while [ -n \"$(ss -Htn state connected exclude time-wait)\" ]; do n=$((n + 1)); [ $n -lt 100 ] || "
        "exit 1; sleep 0.1; done");
    for (int i = 0; i < 100 && Qdisc().value("backlog", 0) != 0; ++i) std::this_thread::sleep_for(milliseconds(10));
  }
  // To a port nobody listens on.
  void SendPackets(int count) const {
    here->Enter();
    const kernel::UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(9);
    ::inet_pton(AF_INET, "10.9.0.2", &to.sin_addr);
    for (int i = 0; i < count; ++i) {
      EXPECT_EQ(::sendto(fd.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 1);
    }
  }
  static Json Qdisc() {
    for (const Json& item : Json::parse(Output("tc -s -j qdisc show dev weir0"))) {
      if (item["kind"] == "tbf") return item;
    }
    return {};
  }
  // Of the namespace with the limit, for a thread that is in the other.
  Json QdiscHere() const {
    here->Enter();
    Json qdisc = Qdisc();
    there->Enter();
    return qdisc;
  }
  static uint64_t Retransmits() {
    return std::stoull(Output("nstat -asz TcpRetransSegs | awk '/^TcpRetransSegs/ {print $2}'"));
  }
  static Json Link(const std::string& name = "weir0") {
    return Json::parse(Output("ip -s -j link show dev " + name))[0]["stats64"];
  }

  std::unique_ptr<Lab> here;
  std::unique_ptr<Lab> there;
  SystemClock clock;
};

// Adds up counters, keeps the last of levels.
struct Sums {
  void Take(NodeReader& reader) {
    for (const model::NodeSample& sample : reader.TakeSamples()) {
      uint64_t& value = values[{sample.subject, sample.signal}];
      const bool counter = model::Describe(sample.signal).kind == model::SignalKind::kCounter;
      value = counter ? value + sample.value : sample.value;
    }
  }
  // A pass at a moment when ip says the same before and after it: the kernel sends neighbour discovery at any time.
  Json PassWhileQuiet(NodeReader& reader, const std::string& name = "weir0") {
    for (int attempt = 0; attempt < 100; ++attempt) {
      const Json before = NodeKernelTest::Link(name);
      reader.Pass();
      Take(reader);
      if (Json after = NodeKernelTest::Link(name); after == before) return after;
    }
    ADD_FAILURE() << "never quiet";
    return {};
  }
  uint64_t Of(const std::string& subject, NodeSignal signal) { return values[{subject, signal}]; }
  std::map<std::pair<std::string, NodeSignal>, uint64_t> values;
};

uint64_t Difference(const Json& after, const Json& before, const char* direction, const char* what) {
  return after[direction][what].get<uint64_t>() - before[direction][what].get<uint64_t>();
}

TEST_F(NodeKernelTest, CountersEqualThoseOfTcAndIp) {
  NodeReader reader(milliseconds(1'000), clock);
  ASSERT_TRUE(reader.Open(false).ok());
  Sums sums;
  const Json before = sums.PassWhileQuiet(reader);
  sums.values.clear();
  reader.TakeRises();
  here->Run(kTbf);
  // What the shaper refuses whole, TCP has not sent yet and so does not send again: some must be lost further on.
  there->Run(
      "nft -f - <<'E'\ntable inet loss {\n chain c {\n  type filter hook input priority 0;\n  tcp dport 5201 meta "
      "length > 1000 numgen random mod 50 < 1 drop\n }\n}\nE");
  Load();
  // What the queue held, and what was lost last, may still be on its way.
  Json qdisc;
  Json after;
  uint64_t retransmits = 0;
  for (int i = 0; i < 100; ++i) {
    qdisc = Qdisc();
    retransmits = Retransmits();
    after = sums.PassWhileQuiet(reader);
    if (Qdisc() == qdisc && Retransmits() == retransmits) break;
  }
  ASSERT_GT(qdisc["drops"], 0) << "the load was to be too much";
  EXPECT_EQ(sums.Of("weir0 tbf 1:", NodeSignal::qdisc_drops), qdisc["drops"]);
  EXPECT_EQ(sums.Of("weir0 tbf 1:", NodeSignal::qdisc_overlimits), qdisc["overlimits"]);
  EXPECT_EQ(sums.Of("weir0 tbf 1:", NodeSignal::qdisc_bytes), qdisc["bytes"]);
  EXPECT_EQ(sums.Of("weir0 tbf 1:", NodeSignal::qdisc_packets), qdisc["packets"]);
  EXPECT_EQ(sums.Of("weir0", NodeSignal::interface_tx_bytes), Difference(after, before, "tx", "bytes"));
  EXPECT_EQ(sums.Of("weir0", NodeSignal::interface_rx_bytes), Difference(after, before, "rx", "bytes"));
  EXPECT_EQ(sums.Of("weir0", NodeSignal::interface_rx_packets), Difference(after, before, "rx", "packets"));
  EXPECT_THAT(reader.TakeRises(), testing::Contains(testing::Field(&Rise::signal, NodeSignal::qdisc_drops)));
  EXPECT_EQ(sums.Of("host", NodeSignal::tcp_retransmits), retransmits) << "the namespace is new";
  EXPECT_GT(sums.Of("host", NodeSignal::tcp_retransmits), 0U) << "what was lost was sent again";
}

TEST_F(NodeKernelTest, OtherNamespacesAreSeenAndAVanishingOneIsNoError) {
  there->Enter();  // the agent lives there, the limit is elsewhere
  FakeClock fake;
  NodeReader reader(milliseconds(1'000), fake);
  ASSERT_TRUE(reader.Open(false).ok());
  reader.Pass();
  reader.TakeSamples();
  here->Run(kTbf);
  Load();
  there->Enter();
  std::map<NodeSignal, uint64_t> values;
  Json before;
  Json qdisc = QdiscHere();
  for (int i = 0; i < 100 && before != qdisc; ++i) {  // a pass at a moment when tc says the same before and after it
    before = QdiscHere();
    fake.Advance(5'000'000'000);  // the slow sources are due
    reader.Pass();
    for (const model::NodeSample& sample : reader.TakeSamples()) {
      if (sample.netns != here->inode()) continue;
      EXPECT_EQ(sample.period_ms, 5'000U);
      if (sample.subject.ends_with("/weir0 tbf 1:")) values[sample.signal] += sample.value;
    }
    qdisc = QdiscHere();
  }
  ASSERT_GT(qdisc["drops"], 0);
  EXPECT_EQ(values[NodeSignal::qdisc_drops], qdisc["drops"]) << "a discipline made since the last pass counts whole";
  EXPECT_EQ(values[NodeSignal::qdisc_overlimits], qdisc["overlimits"]);
  EXPECT_TRUE(reader.TakeRises().empty()) << "the rate ring is for the own namespace";

  there->Enter();
  here.reset();
  there->Enter();
  fake.Advance(5'000'000'000);
  reader.Pass();
  for (const model::ProbeReport& probe : reader.probes().reports()) {
    EXPECT_NE(probe.state, "failed") << probe.name << ": " << probe.reason;
  }
}

TEST_F(NodeKernelTest, NamespacesAreToldWithTheirAddresses) {
  there->Enter();
  FakeClock fake;
  NodeReader reader(milliseconds(1'000), fake);
  ASSERT_TRUE(reader.Open(false).ok());
  reader.Pass();
  const auto addresses_of = [&](uint32_t inode) {
    std::vector<std::string> texts;
    for (const model::NetNamespace& space : reader.TakeNamespaces()) {
      EXPECT_FALSE(space.inode == here->inode() && space.is_host);
      if (space.inode != inode) continue;
      for (const model::Address& address : space.addresses) texts.push_back(address.ToString());
    }
    return texts;
  };
  EXPECT_EQ(addresses_of(here->inode()), (std::vector<std::string>{"10.9.0.1", "fd09::1"}));
  EXPECT_TRUE(addresses_of(here->inode()).empty()) << "taken already";
  here->Run("ip address add 10.9.7.7/32 dev lo && ip -6 address add fd00:9::1/128 dev weir0");
  here->Run("ip link add kube-ipvs0 type veth && ip address add 10.96.0.1/32 dev kube-ipvs0");
  there->Enter();
  fake.Advance(5'000'000'000);
  reader.Pass();
  EXPECT_EQ(addresses_of(here->inode()), (std::vector<std::string>{"10.9.0.1", "10.9.7.7", "fd00:9::1", "fd09::1"}));
  fake.Advance(5'000'000'000);
  reader.Pass();
  EXPECT_EQ(addresses_of(there->inode()), (std::vector<std::string>{"10.9.0.2", "fd09::2"})) << "its own";
}

TEST_F(NodeKernelTest, TheRingFreezesAroundTheEventAndAddsUp) {
  SendPackets(1);  // neighbours know each other
  NodeWatch watch({.interval = milliseconds(200), .rate_ring = true}, clock);
  watch.Start();
  const Json before = Link();
  here->Run(kTbf);
  Load();
  const Json after = Link();
  // On a busy machine the last reading may be older than the last packet.
  const uint64_t readings = Read(Metric::agent_node_rate_readings);
  for (int i = 0; i < 500 && Read(Metric::agent_node_rate_readings) < readings + 2; ++i) {
    std::this_thread::sleep_for(milliseconds(10));
  }
  watch.Stop();  // cuts what is pending
  model::AgentBatch batch;
  watch.TakeInto(batch);
  ASSERT_EQ(batch.rate_windows.size(), 1U) << "one window for a limit that is hit all the time";
  const model::RateWindow& window = batch.rate_windows[0];
  EXPECT_EQ(window.subject, "weir0");
  EXPECT_EQ(window.cause_subject, "weir0 tbf 1:");
  EXPECT_THAT(window.cause, testing::AnyOf(NodeSignal::qdisc_drops, NodeSignal::qdisc_overlimits));
  EXPECT_GE(window.event, window.start);
  // All of the traffic was within the window, and at its edges at most some neighbour discovery.
  const uint64_t sent = Difference(after, before, "tx", "bytes");
  EXPECT_GE(Sum(window.tx_bytes), sent);
  EXPECT_LE(Sum(window.tx_bytes), sent + 1'000);
  EXPECT_GT(sent, 4'000'000U) << "50 Mbit/s for a second";
  EXPECT_GT(window.step_us.size(), 50U);
  EXPECT_GT(Read(Metric::agent_node_rate_readings), window.step_us.size());
}

TEST_F(NodeKernelTest, ARenamedInterfaceKeepsItsCount) {
  NodeReader reader(milliseconds(1'000), clock);
  ASSERT_TRUE(reader.Open(false).ok());
  Sums sums;
  const Json before = sums.PassWhileQuiet(reader);
  sums.values.clear();
  SendPackets(20);
  reader.Pass();
  sums.Take(reader);
  EXPECT_GT(sums.Of("weir0", NodeSignal::interface_tx_bytes), 0U);
  here->Run("ip link set weir0 down; ip link set weir0 name lan0; ip link set lan0 up");
  SendPackets(30);
  const Json after = sums.PassWhileQuiet(reader, "lan0");
  EXPECT_GT(sums.Of("lan0", NodeSignal::interface_tx_bytes), 0U);
  EXPECT_EQ(sums.Of("weir0", NodeSignal::interface_tx_bytes) + sums.Of("lan0", NodeSignal::interface_tx_bytes),
            Difference(after, before, "tx", "bytes"));
}

TEST_F(NodeKernelTest, SoftnetIsTheFile) {
  const auto processed_by_file = [] {
    uint64_t processed = 0;
    const auto text = ReadText("/proc/net/softnet_stat");
    for (const SoftnetCpu& cpu : ParseSoftnet(*text)) processed += cpu.processed;
    return processed;
  };
  SampleTable table;
  ProbeList probes;
  HostReader reader(table, probes);
  const uint64_t outer_before = processed_by_file();
  table.BeginPass(1, 1);
  reader.ReadSoftnet();
  const uint64_t inner_before = processed_by_file();
  SendPackets(200);
  // On a busy machine the kernel leaves them to its own thread, which waits for its turn.
  EXPECT_TRUE(kernel::Eventually([] {}, [&] { return processed_by_file() >= inner_before + 100; }));
  const uint64_t inner_after = processed_by_file();
  table.BeginPass(2, 2);
  reader.ReadSoftnet();
  const uint64_t outer_after = processed_by_file();
  uint64_t processed = 0;
  for (const model::NodeSample& sample : table.Take()) {
    if (sample.signal == NodeSignal::softnet_processed) processed += sample.value;
  }
  EXPECT_GE(processed, inner_after - inner_before) << "the node is not quiet: between two readings of the file";
  EXPECT_LE(processed, outer_after - outer_before);
  EXPECT_GE(processed, 100U);
}

// What a scraper of the node is given: read inside other namespaces, anew, and gone with them.
TEST_F(NodeKernelTest, ALookReadsAnewAndForgetsWhatIsGone) {
  there->Enter();
  struct stat info {};
  ASSERT_EQ(::stat("/proc/thread-self/ns/net", &info), 0);
  here->Enter();
  FakeClock time;
  NodeReader reader(milliseconds(1'000), time);
  ASSERT_TRUE(reader.Open(false).ok());
  reader.Pass();
  const auto find = [&](const NodeSnapshot& snapshot) -> const NodeSnapshot::Space* {
    for (const NodeSnapshot::Space& space : snapshot.spaces) {
      if (space.netns == static_cast<uint32_t>(info.st_ino)) return &space;
    }
    return nullptr;
  };
  const auto received = [&](const NodeSnapshot& snapshot) {
    const NodeSnapshot::Space* space = find(snapshot);
    if (space == nullptr || space->interfaces.size() != 1) return UINT64_MAX;
    EXPECT_EQ(space->interfaces[0].name, "weir0");
    EXPECT_EQ(space->interfaces[0].host_name, "weir0");
    for (const auto& [signal, value] : space->interfaces[0].values) {
      if (signal == NodeSignal::interface_rx_packets) return value;
    }
    return UINT64_MAX;
  };
  reader.Look();
  const uint64_t before = received(reader.Show());
  reader.TakeSamples();
  SendPackets(40);
  reader.Look();
  const uint64_t after = received(reader.Show());
  EXPECT_GE(after, before + 40);
  EXPECT_LT(after, before + 80) << "neighbour discovery may come between";
  EXPECT_TRUE(reader.TakeSamples().empty()) << "a look makes no samples";
  there.reset();
  const auto slow_pass = [&] {
    time.Advance(5'000'000'000);
    reader.Pass();
  };
  EXPECT_TRUE(kernel::Eventually(slow_pass, [&] { return find(reader.Show()) == nullptr; }));
}

// Many who ask share a reading, and it is not the pass that they wait for.
TEST_F(NodeKernelTest, ThoseWhoAskTogetherShareALook) {
  NodeWatch watch({.interval = milliseconds(60'000), .rate_ring = false, .drops = false}, clock);
  watch.Start();
  std::vector<std::shared_ptr<const NodeSnapshot>> seen(8);
  std::vector<std::thread> scrapers;
  for (auto& mine : seen) {
    scrapers.emplace_back([&] {
      const NodeWatch::Looked looked = watch.Look(milliseconds(30'000));
      EXPECT_FALSE(looked.stale);
      mine = looked.snapshot;
    });
  }
  for (std::thread& scraper : scrapers) scraper.join();
  const std::set<std::shared_ptr<const NodeSnapshot>> different(seen.begin(), seen.end());
  EXPECT_FALSE(different.contains(nullptr));
  EXPECT_LE(different.size(), 3U);
  watch.Stop();
}

TEST_F(NodeKernelTest, APassReportsItsOwnCost) {
  NodeReader reader(milliseconds(1'000), clock);
  ASSERT_TRUE(reader.Open(false).ok());
  const uint64_t before = Read(Metric::agent_node_passes);
  reader.Pass();
  Sums sums;
  sums.Take(reader);
  EXPECT_EQ(Read(Metric::agent_node_passes), before + 1);
  EXPECT_GT(sums.Of("", NodeSignal::node_pass_us), 0U);
}

}  // namespace
}  // namespace weir::agent::node

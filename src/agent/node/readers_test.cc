// The readers of files, over files made here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "agent/node/host_reader.h"

namespace weir::agent::node {
namespace {

namespace fs = std::filesystem;
using model::NodeSignal;
using testing::IsEmpty;

const std::string kContainer(64, 'a');
const std::string kPod = "kubepods-burstable-pod11111111_2222_3333_4444_555555555555.slice";

struct ReadersTest : testing::Test {
  ReadersTest() {
    std::string name = testing::TempDir() + "weir-node-XXXXXX";
    root = ::mkdtemp(name.data());
    cgroups = root / "sys/fs/cgroup";
    Write(cgroups / "cgroup.controllers", "cpu memory\n");
  }
  ~ReadersTest() override { fs::remove_all(root); }
  static void Write(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  void WriteGroup(const fs::path& folder, int throttled, int throttled_us, int cpu_pressure) {
    Write(cgroups / folder / "cpu.stat", "usage_usec 5\nnr_periods 10\nnr_throttled " + std::to_string(throttled) +
                                             "\nthrottled_usec " + std::to_string(throttled_us) + "\n");
    Write(cgroups / folder / "cpu.pressure",
          "some avg10=0.00 avg60=0.00 avg300=0.00 total=" + std::to_string(cpu_pressure) + "\nfull total=1\n");
  }
  // "subject signal" -> value of the pass.
  template <typename Pass>
  std::map<std::string, uint64_t> Read(HostReader& reader, Pass pass) {
    table.BeginPass(1'700'000'000'000, ++passes * 1'000'000'000);
    (reader.*pass)();
    std::map<std::string, uint64_t> values;
    for (const model::NodeSample& sample : table.Take()) {
      values[sample.subject + " " + std::string(model::Describe(sample.signal).name)] += sample.value;
    }
    return values;
  }
  std::string StateOf(const std::string& name) {
    for (const model::ProbeReport& probe : probes.reports()) {
      if (probe.name == name) return probe.state;
    }
    return "";
  }
  fs::path root;
  fs::path cgroups;
  SampleTable table;
  ProbeList probes;
  Nanos passes = 0;
};

using Values = std::map<std::string, uint64_t>;

TEST_F(ReadersTest, ThrottlingOfContainersPodsAndUnits) {
  const fs::path container = fs::path("kubepods.slice") / kPod / ("cri-containerd-" + kContainer + ".scope");
  WriteGroup(container, 3, 3'000, 100);
  WriteGroup(container / "inside", 99, 99'000, 9);
  WriteGroup("system.slice/db.service", 7, 7'000, 50);
  HostReader reader(table, probes, root / "proc", root / "sys");
  EXPECT_THAT(Read(reader, &HostReader::ReadCgroups), IsEmpty()) << "base lines";
  WriteGroup(container, 5, 4'500, 160);
  WriteGroup(container / "inside", 199, 199'000, 19);
  WriteGroup("system.slice/db.service", 8, 7'100, 99);
  EXPECT_EQ(Read(reader, &HostReader::ReadCgroups), (Values{{kContainer + " cgroup.throttled_periods", 2},
                                                            {kContainer + " cgroup.throttled_us", 1'500},
                                                            {kContainer + " cgroup.pressure_cpu_us", 60},
                                                            {"system.slice/db.service cgroup.throttled_periods", 1},
                                                            {"system.slice/db.service cgroup.throttled_us", 100}}))
      << "the insides of a container are in its own numbers, pressure is read of workloads";
  EXPECT_EQ(StateOf("node_cgroups"), "on");
}

TEST_F(ReadersTest, AGroupBornSinceTheLastPassCountsWholeAndOneThatDiesIsNoError) {
  WriteGroup("a", 1, 10, 0);
  HostReader reader(table, probes, root / "proc", root / "sys");
  Read(reader, &HostReader::ReadCgroups);
  WriteGroup("b", 4, 40, 0);
  fs::remove_all(cgroups / "a");  // afterwards: file systems give numbers of files out again, cgroupfs does not
  EXPECT_EQ(Read(reader, &HostReader::ReadCgroups),
            (Values{{"b cgroup.throttled_periods", 4}, {"b cgroup.throttled_us", 40}}));
  CgroupFolder gone{cgroups / "a", "a", 1, true};
  ReadCgroup(gone, [](NodeSignal, uint64_t) { FAIL() << "nothing is there to be read"; });
}

TEST_F(ReadersTest, VersionOneCountsNanoseconds) {
  fs::remove(cgroups / "cgroup.controllers");
  const fs::path stat = cgroups / "cpu" / "docker" / kContainer / "cpu.stat";
  Write(stat, "nr_periods 1\nnr_throttled 1\nthrottled_time 1000000\n");
  HostReader reader(table, probes, root / "proc", root / "sys");
  Read(reader, &HostReader::ReadCgroups);
  Write(stat, "nr_periods 1\nnr_throttled 2\nthrottled_time 3500000\n");
  EXPECT_EQ(Read(reader, &HostReader::ReadCgroups),
            (Values{{kContainer + " cgroup.throttled_periods", 1}, {kContainer + " cgroup.throttled_us", 2'500}}));
}

TEST_F(ReadersTest, MoreGroupsThanAPassMayReadAreCounted) {
  for (size_t i = 0; i < kMaxCgroups + 7; ++i) fs::create_directories(cgroups / "many" / std::to_string(i));
  fs::create_directories(cgroups / "zz" / kContainer);
  const CgroupList list = ListCgroups(cgroups);
  EXPECT_EQ(list.folders.size(), kMaxCgroups);
  EXPECT_EQ(list.skipped, 7U + 3U) << "many, zz and the container too";
  EXPECT_EQ(list.folders.front().subject, kContainer) << "workloads first";
}

TEST_F(ReadersTest, RdmaPorts) {
  const fs::path port = root / "sys/class/infiniband/efa_0/ports/1";
  Write(port / "hw_counters/rx_bytes", "100\n");
  Write(port / "hw_counters/retrans_pkts", "1\n");
  Write(port / "counters/port_rcv_data", "N/A (no PMA)\n");
  HostReader reader(table, probes, root / "proc", root / "sys");
  Read(reader, &HostReader::ReadRdma);
  Write(port / "hw_counters/rx_bytes", "350\n");
  Write(port / "hw_counters/retrans_pkts", "2\n");
  EXPECT_EQ(Read(reader, &HostReader::ReadRdma),
            (Values{{"efa_0/1 rdma.rx_bytes", 250}, {"efa_0/1 rdma.retransmits", 1}}));
  EXPECT_EQ(StateOf("node_rdma"), "on");
}

TEST_F(ReadersTest, WhatANodeDoesNotHaveIsSaid) {
  fs::remove_all(root / "sys");
  HostReader reader(table, probes, root / "proc", root / "sys");
  for (auto pass : {&HostReader::ReadCgroups, &HostReader::ReadConntrack, &HostReader::ReadPressure,
                    &HostReader::ReadRdma, &HostReader::ReadSoftnet}) {
    EXPECT_THAT(Read(reader, pass), IsEmpty());
  }
  for (const model::ProbeReport& probe : probes.reports()) {
    EXPECT_EQ(probe.state, "off") << probe.name;
    EXPECT_NE(probe.reason, "") << probe.name;
  }
  EXPECT_EQ(probes.reports().size(), 5U);
}

TEST_F(ReadersTest, ConntrackLevelsAndLosses) {
  Write(root / "proc/sys/net/netfilter/nf_conntrack_count", "12\n");
  Write(root / "proc/sys/net/netfilter/nf_conntrack_max", "65536\n");
  const fs::path stat = root / "proc/net/stat/nf_conntrack";
  Write(stat, "entries insert_failed drop early_drop\n0 0 0 0\n");
  HostReader reader(table, probes, root / "proc", root / "sys");
  EXPECT_EQ(Read(reader, &HostReader::ReadConntrack), (Values{{" conntrack.entries", 12}, {" conntrack.max", 65536}}));
  Write(stat, "entries insert_failed drop early_drop\n0 1 f 2\n");
  EXPECT_EQ(Read(reader, &HostReader::ReadConntrack),
            (Values{{" conntrack.insert_failed", 1}, {" conntrack.dropped", 15}, {" conntrack.early_drop", 2}}));
}

}  // namespace
}  // namespace weir::agent::node

// weir-bench-detectors [cost|matrix]: what judging costs, and how often it is right over all recipes.
//
// cost: 1,000 nodes with 500 flows each, a sample of every flow each second, one flow in a hundred in some trouble.
// Prints a JSON line: CPU time for each second of the stream, and for each sample; medians. matrix: every recipe of
// src/diagnose/fixture with ten seeds at three rates: a table of what should be found and what is.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "diagnose/scenario.h"

namespace weir::diagnose {
namespace {

constexpr int kNodes = 1'000;
constexpr int kFlowsPerNode = 500;
constexpr int kPodsPerNode = 30;
constexpr int kZones = 3;
constexpr int kSeconds = 45;
constexpr int kWarmUp = 5;
constexpr UnixMillis kStart = 1'700'000'000'000;

double CpuSeconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

model::EntityId PodId(int node, int pod) { return static_cast<model::EntityId>(node * kPodsPerNode + pod + 1); }

void Declare(Judge& judge) {
  for (int node = 0; node < kNodes; ++node) {
    model::Node declared;
    declared.uid = declared.name = fmt::format("node-{}", node);
    declared.zone = fmt::format("zone-{}", node % kZones);
    declared.baseline_mbits = 10'000;
    judge.names().Learn(declared);
    for (int pod = 0; pod < kPodsPerNode; ++pod) {
      model::Entity entity;
      entity.id = PodId(node, pod);
      entity.kind = "pod";
      entity.namespace_ = "shop";
      entity.workload = fmt::format("app-{}", pod);
      entity.pod = fmt::format("app-{}-{}", pod, node);
      entity.node = declared.name;
      entity.zone = declared.zone;
      entity.process = "app";
      judge.names().Learn(entity);
    }
  }
}

std::vector<FlowSample> Flows(std::mt19937_64& random) {
  std::vector<FlowSample> samples;
  samples.reserve(static_cast<size_t>(kNodes) * kFlowsPerNode);
  for (int node = 0; node < kNodes; ++node) {
    for (int flow = 0; flow < kFlowsPerNode; ++flow) {
      FlowSample sample;
      sample.flow = random();
      sample.client = PodId(node, static_cast<int>(random() % kPodsPerNode));
      sample.server = PodId(static_cast<int>(random() % kNodes), static_cast<int>(random() % kPodsPerNode));
      sample.server_port = 8080;
      sample.reported_by = kByClient | kByServer;
      sample.to_client.bytes = 20'000 + random() % 100'000;
      sample.to_server.bytes = 5'000;
      sample.to_client.segments = 80;
      sample.to_server.segments = 40;
      sample.connections_open = 4;
      sample.connections_opened = 1;
      sample.client_rtt = {5, 200, 600, 1'500};
      sample.server_rtt = {5, 200, 600, 1'500};
      samples.push_back(sample);
    }
  }
  std::shuffle(samples.begin(), samples.end(), random);
  return samples;
}

// One in a hundred is in some trouble, always the same ones.
void Trouble(std::vector<FlowSample>& samples, int second, std::mt19937_64& random) {
  for (size_t index = 0; index < samples.size(); ++index) {
    FlowSample& sample = samples[index];
    sample.start = kStart + second * 1'000;
    sample.end = sample.start + 1'000;
    sample.to_client.bytes = 20'000 + random() % 100'000;
    if (index % 100 != 0) continue;
    switch (index / 100 % 4) {
      case 0: sample.to_client.late_segments = 2; break;
      case 1: sample.to_client.busy_us = sample.to_client.window_limited_us = 950'000; break;
      case 2: sample.failed_refused = 1; break;
      default: sample.to_server.retransmits = 1; break;
    }
  }
}

void ReadNodes(Judge& judge, int second) {
  const UnixMillis at = kStart + second * 1'000 + 900;
  using model::NodeSignal;
  std::vector<model::NodeSample> samples{{NodeSignal::node_pass_us, "", 0, 300, at, 1'000},
                                         {NodeSignal::interface_hardware, "eth0", 0, 1, at, 1'000},
                                         {NodeSignal::interface_rx_bytes, "eth0", 0, 40'000'000, at, 1'000},
                                         {NodeSignal::interface_tx_bytes, "eth0", 0, 40'000'000, at, 1'000},
                                         {NodeSignal::interface_rx_packets, "eth0", 0, 40'000, at, 1'000},
                                         {NodeSignal::interface_tx_packets, "eth0", 0, 40'000, at, 1'000},
                                         {NodeSignal::allowance_bandwidth_in, "eth0", 0, 90, at, 1'000}};
  for (int node = 0; node < kNodes; ++node) {
    const std::string name = fmt::format("node-{}", node);
    const bool breached = node % 100 == 0;
    judge.Add(NodeReadings{name, std::span(samples.data(), samples.size() - (breached ? 0 : 1)), {}}, at);
  }
}

int Cost() {
  std::mt19937_64 random(1);
  Judge judge(Thresholds{}, Capacities(InstanceTable::Shipped()));
  Declare(judge);
  std::vector<FlowSample> samples = Flows(random);
  std::vector<double> spent;
  size_t changes = 0;
  for (int second = 0; second < kSeconds; ++second) {
    Trouble(samples, second, random);
    const double before = CpuSeconds();
    ReadNodes(judge, second);
    judge.Add(std::span<const FlowSample>(samples), kStart + (second + 1) * 1'000);
    judge.Tick(kStart + (second + 1) * 1'000);
    changes += judge.TakeChanges().size();
    judge.TakeEpochs();
    if (second >= kWarmUp) spent.push_back(CpuSeconds() - before);
  }
  std::sort(spent.begin(), spent.end());
  const double median = spent[spent.size() / 2];
  std::printf(
      "{\"bench\":\"detectors\",\"nodes\":%d,\"flows\":%zu,\"core_percent_median\":%.1f,\"core_percent_max\":%.1f,"
      "\"ns_per_sample\":%.0f,\"open_findings\":%zu,\"changes\":%zu}\n",
      kNodes, samples.size(), 100 * median, 100 * spent.back(), 1e9 * median / static_cast<double>(samples.size()),
      judge.book().Open().size(), changes);
  return 0;
}

struct Row {
  int should = 0, found = 0, found_high = 0, wrong_high = 0, wrong = 0, wrong_culprit_high = 0;
};

// What an expectation names is what should be found; other findings of a detector that no expectation names are wrong,
// where the recipe forbids them or is quiet.
void Judge1(const Scenario& scenario, const ScenarioOptions& options, std::map<std::string, Row>& rows) {
  const Scenario::Outcome outcome = scenario.Run(options);
  for (ScenarioLine expectation : scenario.expectations()) {
    if (expectation.words[0] == "indicator") continue;
    expectation.values.erase("bytes");  // what the rates' variation adds up to is not the detectors' doing
    const bool wrong = !Scenario::Check(expectation, outcome).empty();
    if (expectation.words[0] == "expect") {
      Row& row = rows[expectation.words[1]];
      ++row.should;
      row.found += wrong ? 0 : 1;
      continue;
    }
    if (!wrong) continue;
    for (const auto& [id, finding] : outcome.findings) {
      const std::string name(Describe(finding.detector).name);
      const bool meant =
          expectation.words[0] == "quiet" ? finding.severity != Severity::kInfo : name == expectation.words[1];
      if (!meant) continue;
      ++rows[name].wrong;
      rows[name].wrong_high += finding.level == Level::kHigh ? 1 : 0;
    }
  }
  std::set<std::string> culprits;
  for (const ScenarioLine& expectation : scenario.expectations()) culprits.insert(expectation.Text("culprit"));
  for (const auto& [id, finding] : outcome.findings) {
    const std::string name(Describe(finding.detector).name);
    if (finding.level != Level::kHigh) continue;
    ++rows[name].found_high;
    const bool named =
        finding.culprits.empty() || culprits.size() <= 1 || culprits.contains(Title(finding.culprits[0].subject));
    rows[name].wrong_culprit_high += finding.detector == Detector::bandwidth_breach && !named ? 1 : 0;
  }
}

int Matrix() {
  std::map<std::string, Row> rows;
  int recipes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(WEIR_FIXTURES)) {
    std::ifstream file(entry.path());
    std::ostringstream text;
    text << file.rdbuf();
    const Scenario scenario(text.str());
    ++recipes;
    for (uint64_t seed = 1; seed <= 10; ++seed) {
      ScenarioOptions options;
      options.seed = seed;
      options.jitter = 0.02 + 0.02 * static_cast<double>(seed % 5);
      Judge1(scenario, options, rows);
    }
  }
  std::printf("%d recipes, 10 seeds each, rates vary by 2 to 10 %% from second to second.\n\n", recipes);
  std::printf(
      "| detector | should be found | found | recall | findings at High | forbidden at High | forbidden | wrong "
      "culprit at High |\n|---|---|---|---|---|---|---|---|\n");
  for (const auto& [name, row] : rows) {
    std::printf("| %s | %d | %d | %.3f | %d | %d | %d | %d |\n", name.c_str(), row.should, row.found,
                row.should == 0 ? 1.0 : static_cast<double>(row.found) / row.should, row.found_high, row.wrong_high,
                row.wrong, row.wrong_culprit_high);
  }
  return 0;
}

}  // namespace
}  // namespace weir::diagnose

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "matrix") == 0) return weir::diagnose::Matrix();
  return weir::diagnose::Cost();
}

// weir-bench-detectors [cost|matrix]: what judging costs, and how often it is right over all recipes.
//
// cost: 1,000 nodes with 500 flows each, a sample of every flow each second, one flow in a hundred in some trouble.
// Prints a JSON line: CPU time for each second of the stream, and for each sample; medians. matrix: every recipe of
// src/diagnose/fixture and src/diagnose/recorded with ten seeds, each with rates, sizes, delays and numbers of
// connections of its own: a table of what should be found, what is, and how much of that is right.
#include <fmt/format.h>

#include <algorithm>
#include <array>
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
  int should = 0, found = 0, high = 0, right_high = 0, all = 0, right = 0, wrong_culprit_high = 0;
};

// One text of expectations, and what people who read its findings agreed to: the golden lines.
struct Recipe {
  std::string name;
  Scenario scenario;
  std::set<std::string> agreed;  // "detector kind"

  explicit Recipe(const std::filesystem::path& path) : name(path.stem().string()), scenario(Read(path)) {
    const std::string text = Read(path);
    const size_t mark = text.find("--- golden\n");
    std::istringstream golden(mark == std::string::npos ? "" : text.substr(mark + 11));
    for (std::string line; std::getline(golden, line);) {
      std::istringstream words(line);
      std::string detector;
      std::string kind;
      if (words >> detector >> kind) agreed.insert(detector + " " + kind);
    }
  }
  static std::string Read(const std::filesystem::path& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }
};

// What an expectation names, its level aside, should be found. A finding that says something is wrong is right when it
// is expected or agreed to, and nothing forbids it; all others are wrong, whether or not an expectation thought of
// them.
bool Right(const Recipe& recipe, const Finding& finding) {
  Scenario::Outcome alone;
  alone.findings[finding.id] = finding;
  for (const ScenarioLine& expectation : recipe.scenario.expectations()) {
    const std::string& what = expectation.words[0];
    if ((what == "never" || what == "quiet") && !Scenario::Check(expectation, alone).empty()) return false;
  }
  const std::string name(Describe(finding.detector).name);
  return recipe.agreed.contains(name + " " + finding.kind);
}

bool WrongCulprit(const Recipe& recipe, const Finding& finding) {
  if (finding.detector != Detector::bandwidth_breach || finding.culprits.empty()) return false;
  std::set<std::string> culprits;
  for (const ScenarioLine& expectation : recipe.scenario.expectations()) {
    if (expectation.words[0] == "expect" && expectation.Has("culprit")) culprits.insert(expectation.Text("culprit"));
  }
  return !culprits.empty() && !culprits.contains(Title(finding.culprits[0].subject));
}

void Count(const Recipe& recipe, const ScenarioOptions& options, std::map<std::string, Row>& rows) {
  const Scenario::Outcome outcome = recipe.scenario.Run(options);
  for (ScenarioLine expectation : recipe.scenario.expectations()) {
    if (expectation.words[0] != "expect") continue;
    for (const char* varied : {"bytes", "level", "says"}) expectation.values.erase(varied);
    Row& row = rows[expectation.words[1]];
    ++row.should;
    row.found += Scenario::Check(expectation, outcome).empty() ? 1 : 0;
  }
  for (const auto& [id, finding] : outcome.findings) {
    Row& row = rows[std::string(Describe(finding.detector).name)];
    const bool right = Right(recipe, finding);
    ++row.all;
    row.right += right ? 1 : 0;
    if (!right)
      std::fprintf(stderr, "wrong: %s, seed %d: %s\n", recipe.name.c_str(), static_cast<int>(options.seed),
                   finding.verdict.c_str());
    if (finding.level != Level::kHigh) continue;
    ++row.high;
    row.right_high += right ? 1 : 0;
    row.wrong_culprit_high += WrongCulprit(recipe, finding) ? 1 : 0;
  }
}

// Ten lives of the same: other rates and sizes (capacities with them), delays and numbers of connections.
ScenarioOptions Life(uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto between = [&](double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random);
  };
  ScenarioOptions options;
  options.seed = seed;
  options.jitter = between(0.02, 0.1);
  options.scale = between(0.75, 1.5);
  options.delay = between(0.7, 1.5);
  options.parallel = between(0.75, 2);
  return options;
}

double Share(int part, int whole) { return whole == 0 ? 1 : static_cast<double>(part) / whole; }

int Matrix() {
  std::map<std::string, Row> rows;
  std::array<int, 2> counts{};
  for (const auto& [place, folder] : {std::pair{0, WEIR_FIXTURES}, std::pair{1, WEIR_RECORDED}}) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      const Recipe recipe(entry.path());
      ++counts[static_cast<size_t>(place)];
      for (uint64_t seed = 1; seed <= 10; ++seed) Count(recipe, Life(seed), rows);
    }
  }
  std::printf("%d synthetic recipes and %d recordings of real packets, 10 seeds each.\n\n", counts[0], counts[1]);
  std::printf(
      "| detector | should be found | found | recall | findings at High | precision at High | all findings | precision "
      "| wrong culprit at High |\n|---|---|---|---|---|---|---|---|---|\n");
  for (const auto& [name, row] : rows) {
    std::printf("| %s | %d | %d | %.3f | %d | %.3f | %d | %.3f | %d |\n", name.c_str(), row.should, row.found,
                Share(row.found, row.should), row.high, Share(row.right_high, row.high), row.all,
                Share(row.right, row.all), row.wrong_culprit_high);
  }
  return 0;
}

}  // namespace
}  // namespace weir::diagnose

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "matrix") == 0) return weir::diagnose::Matrix();
  return weir::diagnose::Cost();
}

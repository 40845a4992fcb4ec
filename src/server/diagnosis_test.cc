#include "server/diagnosis.h"

#include <gtest/gtest.h>

#include "base/metrics.h"
#include "diagnose/finding_json.h"
#include "server/test_support.h"

namespace weir::server {
namespace {

using model::NodeSignal;

class MemoryFindings final : public store::FindingStore {
 public:
  Status Insert(const std::vector<store::StoredFinding>& some) override {
    if (failing) return Status::Exhausted("disk full");
    for (const store::StoredFinding& finding : some) {
      store::StoredFinding& known = findings[finding.id];
      if (finding.revision >= known.revision) known = finding;
      ++states;
    }
    return Status::Ok();
  }
  Status Insert(const std::vector<store::StoredIndicator>& some) override {
    if (failing) return Status::Exhausted("disk full");
    for (const store::StoredIndicator& one : some) indicators[{one.scope, one.start}] = one;
    return Status::Ok();
  }
  Result<store::Findings> Find(const store::FindingQuery& query) override {
    store::Findings found;
    for (const auto& [id, finding] : findings) {
      if (!query.open_only || finding.open) found.findings.push_back(finding);
    }
    return found;
  }
  Result<store::Indicators> Find(const store::IndicatorQuery&) override { return store::Indicators{}; }

  bool failing = false;
  int states = 0;
  std::map<uint64_t, store::StoredFinding> findings;
  std::map<std::pair<std::string, UnixMillis>, store::StoredIndicator> indicators;
};

model::EntityRef EntityOf(model::EntityId id, const std::string& pod, const std::string& node,
                          const std::string& service = "") {
  auto entity = std::make_shared<model::Entity>();
  entity->id = id;
  entity->version = 1;
  entity->kind = service.empty() ? "pod" : "cloud_service";
  entity->namespace_ = service.empty() ? "ml" : "";
  entity->pod = pod;
  entity->process = service.empty() ? "python3" : "";
  entity->workload = pod;
  entity->node = node;
  entity->cloud_service = service;
  entity->external_name = service.empty() ? "" : "s3.test";
  entity->name_source = "dns";
  return entity;
}

struct DiagnosisTest : ::testing::Test {
  void SetUp() override { Begin(); }
  void Begin() { diagnosis = std::make_unique<Diagnosis>(DiagnosisOptions{}, findings, clock); }
  // A pod loads at 40 Mbit/s, which is more than its node may receive.
  void Second(bool breach = true) {
    model::FlowRow row;
    row.start = clock.WallMillis();
    row.end = row.start + 1'000;
    row.client = loader;
    row.server = storage;
    row.server_port = 443;
    row.client_reports = 1;
    row.connections_open = 16;
    row.bytes_to_client = 8'000'000;
    row.segments_to_client = 6'000;
    row.bytes_to_server = 10'000;
    row.segments_to_server = 3'000;
    row.late_segments_to_client = breach ? 40 : 0;
    row.late_bytes_to_client = breach ? 60'000 : 0;
    clock.Advance(1'000'000'000);
    Publish({row}, {});
    const UnixMillis now = clock.WallMillis();
    std::vector<model::NodeSample> samples{{NodeSignal::interface_hardware, "eth0", 0, 1, now - 100, 1'000},
                                           {NodeSignal::interface_rx_bytes, "eth0", 0, 8'100'000, now - 100, 1'000},
                                           {NodeSignal::interface_rx_packets, "eth0", 0, 6'000, now - 100, 1'000}};
    if (breach) samples.push_back({NodeSignal::allowance_bandwidth_in, "eth0", 0, 50, now - 100, 1'000});
    Publish({}, {store::NodeBatch{AgentId(1), ++sequence, "n1", samples, {}}});
    diagnosis->Step();
  }
  void Publish(std::vector<model::FlowRow> rows, std::vector<store::NodeBatch> nodes) {
    auto block = std::make_shared<LiveBlock>();
    block->rows = std::move(rows);
    block->nodes = std::move(nodes);
    diagnosis->Take(block);
  }
  const store::StoredFinding* Stored(const std::string& detector) const {
    for (const auto& [id, finding] : findings.findings) {
      if (finding.detector == detector) return &finding;
    }
    return nullptr;
  }

  FakeClock clock;
  MemoryFindings findings;
  std::unique_ptr<Diagnosis> diagnosis;
  model::EntityRef loader = EntityOf(11, "llm-0", "n1");
  model::EntityRef storage = EntityOf(12, "", "", "object_store");
  uint64_t sequence = 0;
};

TEST_F(DiagnosisTest, RowsAndReadingsBecomeAFindingWithCulpritStoredOnce) {
  for (int second = 0; second < 40; ++second) Second();
  const store::StoredFinding* breach = Stored("bandwidth_breach");
  ASSERT_NE(breach, nullptr);
  EXPECT_TRUE(breach->open);
  const auto read = diagnose::FindingFrom(breach->text);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->subject.node, "n1");
  ASSERT_EQ(read->culprits.size(), 1U);
  EXPECT_EQ(read->culprits[0].subject.pod, "llm-0");
  EXPECT_EQ(breach->about, (std::vector<std::string>{"node:n1", "pod:ml/llm-0", "workload:ml/llm-0"}));
  EXPECT_EQ(diagnosis->view()->open.size(), 3U) << "a load, a breach, a loss";
  // Then it is over.
  for (int second = 0; second < 20; ++second) Second(false);
  EXPECT_FALSE(Stored("bandwidth_breach")->open);
  EXPECT_EQ(Stored("bandwidth_breach")->id, breach->id);
}

TEST_F(DiagnosisTest, WhatTheStoreRefusesIsKeptAndStoredLater) {
  findings.failing = true;
  for (int second = 0; second < 20; ++second) Second();
  EXPECT_TRUE(findings.findings.empty());
  findings.failing = false;
  for (int second = 0; second < 6; ++second) Second();
  ASSERT_NE(Stored("bandwidth_breach"), nullptr);
  EXPECT_LE(findings.states, 10) << "the latest state of each, not all there were";
}

TEST_F(DiagnosisTest, ARestartGoesOnWithWhatWasOpenOrSaysThatNobodyWatched) {
  for (int second = 0; second < 20; ++second) Second();
  const uint64_t id = Stored("bandwidth_breach")->id;
  const uint32_t revision = Stored("bandwidth_breach")->revision;
  diagnosis->Stop();
  Begin();
  ASSERT_TRUE(diagnosis->Start().ok());
  diagnosis->Stop();  // its own thread would disturb the steps below
  EXPECT_TRUE(Stored("bandwidth_breach")->open) << "it may go on";

  Begin();
  clock.Advance(3'600'000'000'000);
  ASSERT_TRUE(diagnosis->Start().ok());
  diagnosis->Stop();
  EXPECT_FALSE(Stored("bandwidth_breach")->open);
  EXPECT_EQ(Stored("bandwidth_breach")->id, id);
  EXPECT_GT(Stored("bandwidth_breach")->revision, revision);
  EXPECT_EQ(diagnose::FindingFrom(Stored("bandwidth_breach")->text)->closed_because, "not_watched");
}

TEST_F(DiagnosisTest, WhatDoesNotFitIsCountedAndNobodyWaits) {
  DiagnosisOptions options;
  options.max_queued = 10;
  diagnosis = std::make_unique<Diagnosis>(options, findings, clock);
  const auto dropped = [] { return Read(Metric::server_diagnose_dropped); };
  const uint64_t before = dropped();
  model::FlowRow row;
  row.start = clock.WallMillis();
  row.end = row.start + 1'000;
  row.client = loader;
  for (int block = 0; block < 5; ++block) Publish(std::vector<model::FlowRow>(4, row), {});
  EXPECT_EQ(dropped() - before, 3 * 4U + 2) << "entities of dropped blocks are told again";
  diagnosis->Step();
  EXPECT_EQ(diagnosis->view()->judged, clock.WallMillis());
}

TEST_F(DiagnosisTest, RowsOfRequestsAreNoFlows) {
  model::FlowRow row;
  row.client = loader;
  row.server = storage;
  row.application = "http1";
  row.requests = 3;
  row.chunk_gap_count = 5;
  row.chunk_gap_sum_us = 500;
  row.server_reports = 1;
  model::FlowRow huge;
  huge.connections_open = ~uint64_t{0};
  SampleMaker maker;
  const DiagnoseSamples samples = maker.Make({row, row, huge}, 1);
  ASSERT_EQ(samples.requests.size(), 2U);
  ASSERT_EQ(samples.flows.size(), 1U);
  EXPECT_EQ(samples.entities.size(), 2U);
  EXPECT_EQ(samples.requests[0].chunk_gap.count, 5U);
  EXPECT_EQ(samples.requests[0].reported_by, diagnose::kByServer);
  EXPECT_EQ(samples.flows[0].connections_open, UINT32_MAX) << "what does not fit stays the most";
  EXPECT_TRUE(maker.Make({row}, 2).entities.empty());
  EXPECT_EQ(maker.Make({row}, 2'000'000).entities.size(), 2U) << "told again: detectors forget";
}

}  // namespace
}  // namespace weir::server

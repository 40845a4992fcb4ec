// Test support: a socket table with its flows, fed by literal records.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "agent/flow/record_builder.h"
#include "agent/flow/socket_table.h"
#include "agent/identity/identity_index.h"

namespace weir::agent::flow {

inline constexpr Nanos kSecond = 1'000'000'000;
inline constexpr uint64_t kJiffyUs = 4'000;
inline constexpr auto kChanged = SocketTable::Snapshot::kChanged;
inline constexpr auto kComplete = SocketTable::Snapshot::kComplete;

class SocketTableTest : public testing::Test {
 protected:
  void Apply(const weir_record& record) { table_.OnRecord(record); }
  void Snapshot(const std::vector<weir_record>& records, SocketTable::Snapshot result = kChanged) {
    now_ += kSecond;
    table_.SnapshotBegins(now_);
    for (const weir_record& record : records) table_.OnRecord(record);
    table_.SnapshotEnds(now_ + 1'000'000, result);
  }
  std::vector<model::SideReport> Emit() {
    Table().RoundEnds();
    std::vector<model::SideReport> reports;
    flows_.Emit(now_, reports);
    return reports;
  }
  // The counters of the only flow that reports; an empty report when none does.
  model::SideReport Only() {
    const std::vector<model::SideReport> reports = Emit();
    EXPECT_LE(reports.size(), 1U);
    return reports.empty() ? model::SideReport{} : reports[0];
  }

  virtual SocketTable& Table() { return table_; }

  Nanos now_ = 100 * kSecond;
  FakeClock clock_;
  identity::IdentityIndex identities_{{"/nonexistent", "/nonexistent", {}}, clock_};
  FlowTable flows_{1'000, identities_};
  SocketTable table_{SocketTable::Finals::kMarked, kJiffyUs, flows_, identities_};
};

inline RecordBuilder Connection() { return RecordBuilder().Outgoing(1'000'000, 1'250'000).Process("curl", 42); }

}  // namespace weir::agent::flow

// What goes for room within a partition, and what stays: exactly the newer rows, with their names.
#include "store/trim.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "model/row_edit.h"
#include "store/engine/library.h"
#include "store/schema.h"
#include "store/store_fixture.h"

namespace weir::store {
namespace {

constexpr UnixMillis kBegin = 1'764'000'000'000;
constexpr int kBatches = 4;
constexpr uint64_t kRows = 10;

class TrimTest : public StoreTest {
 protected:
  // Some flows are in every batch, the others in one; then the store closes, and its tables are at hand.
  void SetUp() override {
    StoreTest::SetUp();
    if (IsSkipped()) return;
    for (uint64_t batch = 1; batch <= kBatches; ++batch) {
      std::vector<StoredRow> rows(kRows);
      for (size_t i = 0; i < rows.size(); ++i) {
        model::FlowRow& row = rows[i].row;
        row.start = kBegin + static_cast<UnixMillis>(batch) * 100;
        row.end = row.start + 100;
        row.server_port = static_cast<uint16_t>(i < kRows / 2 ? i : 100 * batch + i);
        model::SetAttribute(row, "client_process", fmt::format("p{}", row.server_port));
        row.client_reports = 1;
        rows[i].client_agent = fmt::format("agent {}", batch);
        rows[i].client_sequence = batch;
      }
      ASSERT_TRUE(store().Insert(rows).ok());
    }
    Close();
    connection_ = *Connection::Open(**LoadLibrary(*FindLibrary("")), directory() / "clickhouse");
    for (const char* table : {"flows_raw", "flows", "entities"}) {
      Ask(fmt::format("SYSTEM START MERGES weir.{}", table));
      Ask(fmt::format("OPTIMIZE TABLE weir.{} FINAL", table));
    }
    ReadTables();
  }

  void ReadTables() {
    for (size_t level = 0; level < kLevels; ++level) tables_.Publish(level, *ReadTableState(*connection_, level));
  }
  std::string Ask(const std::string& sql) {
    const Result<std::string> answer = connection_->Execute(sql);
    EXPECT_TRUE(answer.ok()) << sql << ": " << answer.status().message();
    return answer.ok() ? *answer : "";
  }
  uint64_t newest() const { return tables_.Snapshot()[0].watermark.received + 1; }
  void Free(uint64_t bytes, uint64_t free_bytes, Trimmed* trimmed) {
    const Status status = Trim(*connection_, tables_, free_bytes).Free(bytes, newest(), trimmed);
    EXPECT_TRUE(status.ok()) << status.message();
  }

  std::unique_ptr<Connection> connection_;
  Tables tables_;
};

TEST(TrimmedShare, IsOfTheRowsHoweverLongNothingCame) {
  const std::vector<TablePart> parts{{"a", 0, 1'000, 1, 100, 199}, {"b", 9, 1'000, 1, 1'000'000'000, 1'000'000'099}};
  EXPECT_EQ(CutOfShare(parts, 4, 16), 150U);
  EXPECT_EQ(CutOfShare(parts, 8, 16), 200U);
  EXPECT_EQ(CutOfShare(parts, 12, 16), 1'000'000'050U);
  EXPECT_EQ(CutOfShare({{"one receipt", 0, 5, 1, 7, 7}}, 1, 16), 8U);
}

constexpr uint64_t kPlenty = uint64_t{1} << 30;

TEST_F(TrimTest, TheOldestOfOnePartGoesAndWhatStaysHasItsNames) {
  ASSERT_EQ(Ask("SELECT count() FROM system.parts WHERE active AND table = 'flows_raw'"), "1\n");
  Trimmed trimmed;
  Free(1, kPlenty, &trimmed);
  EXPECT_EQ(trimmed.rows, kRows);
  EXPECT_EQ(trimmed.not_rolled_up, kRows);
  EXPECT_EQ(Ask("SELECT client_agent, count() FROM weir.flows_raw GROUP BY client_agent ORDER BY client_agent"),
            "agent 2\t10\nagent 3\t10\nagent 4\t10\n");
  EXPECT_EQ(Ask("SELECT count() FROM system.parts WHERE NOT active AND table = 'flows_raw'"), "0\n")
      << "what was replaced does not come back after a crash";
  EXPECT_EQ(Ask("SELECT agent FROM weir.agent_sequences"), "agent 1\n") << "its batch is not taken once more";
  EXPECT_EQ(Ask("SELECT count() FROM weir.flows_raw WHERE flow NOT IN (SELECT flow FROM weir.flows)"), "0\n");
  EXPECT_EQ(tables_.Snapshot()[0].rows, 3 * kRows);
}

TEST_F(TrimTest, NamesThatNoRowHasGo) {
  Trimmed trimmed;
  // A call ends after some seconds; the next goes on.
  for (uint64_t had = 1; had != trimmed.bytes;) {
    had = trimmed.bytes;
    Free(kPlenty, kPlenty, &trimmed);
  }
  EXPECT_EQ(Ask("SELECT client_agent, count() FROM weir.flows_raw GROUP BY client_agent"), "agent 4\t10\n")
      << "the newest stay whatever is asked for";
  EXPECT_TRUE(trimmed.names);
  // Of 25; a part is written again when a quarter of it goes.
  EXPECT_LE(std::stoi(Ask("SELECT uniqExact(flow) FROM weir.flows")), 15);
  EXPECT_LE(std::stoi(Ask("SELECT uniqExact(id) FROM weir.entities")), 15);
  EXPECT_EQ(Ask("SELECT count() FROM weir.flows WHERE client_entity NOT IN (SELECT id FROM weir.entities)"), "0\n");
}

TEST_F(TrimTest, WithoutRoomForACopyNothingIsLost) {
  Trimmed trimmed;
  Free(kPlenty, 1, &trimmed);
  EXPECT_EQ(trimmed.rows, 0U);
  EXPECT_EQ(Ask("SELECT count() FROM weir.flows_raw"), "40\n");
}

TEST_F(TrimTest, WhatACrashInterruptedIsEnded) {
  // Incomplete copies go; a complete one is the truth, with the old rows beside it or not.
  Ask("CREATE TABLE weir.trim_copying AS weir.flows_raw");
  Ask("INSERT INTO weir.trim_copying SELECT * FROM weir.flows_raw LIMIT 1");
  Ask("CREATE TABLE weir.trim_copied_0 AS weir.flows_raw");
  Ask("INSERT INTO weir.trim_copied_0 SELECT * FROM weir.flows_raw WHERE client_agent IN ('agent 3', 'agent 4')");
  Ask("INSERT INTO weir.flows_raw SELECT * FROM weir.trim_copied_0");
  connection_.reset();
  Reopen();
  Close();
  connection_ = *Connection::Open(**LoadLibrary(*FindLibrary("")), directory() / "clickhouse");
  EXPECT_EQ(Ask("SELECT client_agent, count() FROM weir.flows_raw GROUP BY client_agent ORDER BY client_agent"),
            "agent 3\t10\nagent 4\t10\n");
  EXPECT_EQ(Ask("SELECT count() FROM system.tables WHERE database = 'weir' AND name LIKE 'trim%'"), "0\n");
}

}  // namespace
}  // namespace weir::store

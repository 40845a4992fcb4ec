// When a step is rolled up, and that rows are neither lost nor doubled whichever way they come.
#include "store/rollup.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "model/row_edit.h"
#include "store/engine/engine.h"
#include "store/store_fixture.h"

namespace weir::store {
namespace {

using model::FindColumn;

constexpr UnixMillis kBegin = 1'764'000'000'000;
constexpr int64_t kHour = 3600 * kSecond;

class RollupTest : public StoreTest {
 protected:
  // One report of one flow over a second, `at` ms after kBegin.
  void Report(int64_t at) {
    std::vector<StoredRow> rows(1);
    rows[0].row.start = kBegin + at;
    rows[0].row.end = rows[0].row.start + kSecond;
    model::SetAttribute(rows[0].row, "client_process", "shop");
    rows[0].row.client_reports = 1;
    ASSERT_TRUE(store().Insert(rows).ok());
    ++reports_;
  }
  void Maintain(int64_t at) { ASSERT_TRUE(store().Maintain(kBegin + at).ok()); }

  // What answers from all levels, and from each, must say.
  void ExpectReports() {
    for (const int64_t before : {int64_t{0}, kHour, 8 * kHour, 8 * 24 * kHour}) {
      FlowQuery query;
      query.range = {kBegin - before, kBegin + kHour};
      query.columns = {FindColumn("client_reports")};
      const Result<FlowResult> result = store().Query(query);
      ASSERT_TRUE(result.ok()) << result.status().message();
      EXPECT_EQ(result->totals.back().exact, reports_) << result->resolution;
    }
  }
  std::string Ask(const std::string& sql) {
    auto connection = Connection::Open(**LoadLibrary(*FindLibrary("")), directory() / "clickhouse");
    EXPECT_TRUE(connection.ok()) << connection.status().message();
    const Result<std::string> answer = (*connection)->Execute(sql);
    EXPECT_TRUE(answer.ok()) << answer.status().message();
    return answer.ok() ? *answer : "";
  }
  std::string Rolled(size_t level) {
    return Ask(fmt::format("SELECT count(), sum(client_reports) FROM {}", kLevelTable[level].table));
  }

 private:
  uint64_t reports_ = 0;
};

// Reports come in every second, a good second after they began, and the store is maintained all the while.
TEST_F(RollupTest, AStepOfRegularReportsIsOneRow) {
  for (int64_t at = 0; at < 150 * kSecond; at += kSecond) {
    Report(at);
    Maintain(at + 1'500);
  }
  ExpectReports();
  EXPECT_EQ(Rolled(1), "14\t140\n") << "the last ten seconds are not settled yet";
  EXPECT_EQ(Rolled(2), "2\t120\n");
  EXPECT_EQ(Rolled(3), "0\t0\n");
  Maintain(kHour + kSettleMs);
  EXPECT_EQ(Rolled(1), "15\t150\n") << "the last step, though nothing came any more";
  EXPECT_EQ(Rolled(2), "3\t150\n");
  EXPECT_EQ(Rolled(3), "1\t150\n");
  EXPECT_EQ(Rolled(4), "1\t150\n");
  ExpectReports();
}

TEST_F(RollupTest, LateReportsAddARowAndCountOnce) {
  Report(1 * kSecond);
  Report(11 * kSecond);
  Maintain(20 * kSecond);
  EXPECT_EQ(Rolled(1), "1\t1\n");
  Report(2 * kSecond);
  ExpectReports();
  Reopen();
  ExpectReports();
  Maintain(30 * kSecond);
  EXPECT_EQ(Rolled(1), "3\t3\n");
  Report(3 * kSecond);
  Maintain(10 * kSecond);  // the clock was set back
  ExpectReports();
  Reopen();
  Maintain(40 * kSecond);
  EXPECT_EQ(Rolled(1), "4\t4\n");
  ExpectReports();
}

// The newest partition holds nothing but a late row: how far the steps go stands in an older one.
TEST_F(RollupTest, HowFarItHasComeIsReadBackFromWhicheverPartitionKnows) {
  Report(11 * kSecond);
  Maintain(30 * kSecond);
  for (const size_t level : {0, 1}) {  // as if received two hours earlier
    const std::string_view table = kLevelTable[level].table;
    Ask(fmt::format("INSERT INTO {0} (received, {1}) SELECT received - 7200000000, {1} FROM {0}", table,
                    InsertColumns(level)));
    Ask(fmt::format(
        "ALTER TABLE {0} DELETE WHERE received > (SELECT min(received) FROM {0}) SETTINGS mutations_sync = 1", table));
  }
  Reopen();
  Report(1 * kSecond);
  Maintain(40 * kSecond);
  EXPECT_EQ(Rolled(1), "2\t2\n");
  Reopen();
  ExpectReports();
  Maintain(50 * kSecond);
  EXPECT_EQ(Rolled(1), "2\t2\n");
}

// Stores of before rolled up whatever had been received: they may hold half of a step.
TEST_F(RollupTest, HalfAStepThatWasRolledUpIsNotRolledUpAgain) {
  Report(1 * kSecond);
  Report(2 * kSecond);
  const uint64_t received = std::stoull(Ask("SELECT max(received) FROM weir.flows_raw"));
  Ask(RollupSql(1, {}, {received, kBegin + kHour}));
  Reopen();
  ExpectReports();
  Report(3 * kSecond);
  Maintain(20 * kSecond);
  EXPECT_EQ(Rolled(1), "2\t3\n");
  ExpectReports();
}

}  // namespace
}  // namespace weir::store

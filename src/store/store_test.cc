// What the store promises over time: atomic inserts, exactly-once roll-ups, retention, and all of it after
// kill -9.
#include "store/store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "base/disciplined_clock.h"
#include "base/metrics.h"
#include "model/row_edit.h"
#include "store/data_dir.h"
#include "store/engine/engine.h"
#include "store/rollup.h"
#include "store/schema.h"
#include "store/store_fixture.h"

namespace weir::store {
namespace {

using model::FindColumn;
using ::testing::HasSubstr;

constexpr UnixMillis kBegin = 1'764'000'000'000;
constexpr int64_t kHour = 3600 * kSecond;
constexpr int64_t kDay = 24 * kHour;
constexpr size_t kRowsPerBatch = 50;

// Rows that say which batch they belong to: by sequence, by port, and by one client report each.
std::vector<StoredRow> Batch(uint64_t sequence) {
  std::vector<StoredRow> rows(kRowsPerBatch);
  for (size_t i = 0; i < rows.size(); ++i) {
    model::FlowRow& row = rows[i].row;
    row.start = kBegin + static_cast<int64_t>(sequence) * 100;
    row.end = row.start + 100;
    row.server_port = static_cast<uint16_t>(sequence);
    model::SetAttribute(row, "client_process", fmt::format("p{}", i % 5));
    row.client_reports = 1;
    row.bytes_to_server = sequence;
    rows[i].client_agent = "agent";
    rows[i].client_sequence = sequence;
  }
  return rows;
}

// Ranges that are answered from each of the levels that are chosen by length, finest first; all hold every batch.
const std::array<TimeRange, 4>& Ranges() {
  static const std::array<TimeRange, 4> ranges{{{kBegin, kBegin + kHour},
                                                {kBegin - kHour, kBegin + kHour},
                                                {kBegin - 8 * kHour, kBegin + kHour},
                                                {kBegin - 8 * kDay, kBegin + kHour}}};
  return ranges;
}

class PromiseTest : public StoreTest {
 protected:
  // Every batch up to `last` is there exactly once, whatever the resolution asked for.
  void ExpectBatches(uint64_t last) {
    for (const TimeRange& range : Ranges()) {
      SCOPED_TRACE(fmt::format("range of {} ms", range.to - range.from));
      FlowQuery query;
      query.range = range;
      query.group_by = {FindColumn("server_port")};
      query.columns = {FindColumn("client_reports"), FindColumn("bytes_to_server")};
      query.sort = {{FindColumn("server_port"), false}};
      query.limit = 100'000;
      const Result<FlowResult> result = store().Query(query);
      ASSERT_TRUE(result.ok()) << result.status().message();
      ASSERT_EQ(result->groups, last);
      for (uint64_t i = 0; i < last; ++i) {
        EXPECT_EQ(result->rows[i][0].exact, i + 1);
        EXPECT_EQ(result->rows[i][3].exact, kRowsPerBatch) << "batch " << i + 1;
        EXPECT_EQ(result->rows[i][4].exact, (i + 1) * kRowsPerBatch) << "batch " << i + 1;
      }
    }
    const auto watermarks = store().Watermarks();
    ASSERT_TRUE(watermarks.ok()) << watermarks.status().message();
    EXPECT_EQ(*watermarks, (std::map<std::string, uint64_t>{{"agent", last}}));
  }

  void Insert(uint64_t sequence) {
    const Status status = store().Insert(Batch(sequence));
    ASSERT_TRUE(status.ok()) << status.message();
  }

  // A connection beside the store's own, to look behind its back.
  std::unique_ptr<Connection> Connect() {
    auto connection = Connection::Open(**LoadLibrary(*FindLibrary("")), directory() / "clickhouse");
    EXPECT_TRUE(connection.ok()) << connection.status().message();
    return *std::move(connection);
  }

  std::string Ask(Connection& connection, const std::string& sql) {
    const Result<std::string> answer = connection.Execute(sql);
    EXPECT_TRUE(answer.ok()) << answer.status().message();
    return answer.ok() ? *answer : "";
  }

  std::map<std::string, TableStatus> TablesByResolution() {
    std::map<std::string, TableStatus> tables;
    const Result<StoreStatus> status = store().GetStatus();
    EXPECT_TRUE(status.ok()) << status.status().message();
    for (const TableStatus& table : status->tables) tables[table.resolution] = table;
    return tables;
  }
};

TEST_F(PromiseTest, AnInsertIsOnePart) {
  const auto connection = Connect();
  Ask(*connection, "SYSTEM STOP MERGES");
  RandomRows random(5);
  ASSERT_TRUE(store().Insert(random.Rows(80'000, kBegin, kBegin + kHour)).ok());
  EXPECT_EQ(Ask(*connection, "SELECT count(), sum(rows) FROM system.parts WHERE active AND table = 'flows_raw'"),
            "1\t80000\n");
  ASSERT_TRUE(store().Maintain(kBegin + kDay).ok());
  for (const std::string_view table : {"flows_10s", "flows_1m", "flows_5m", "flows_1h"}) {
    EXPECT_EQ(Ask(*connection, fmt::format("SELECT count() FROM system.parts WHERE active AND table = '{}'", table)),
              "1\n")
        << table;
  }
  EXPECT_GT(TablesByResolution()["10s"].rows, 65'536U) << "the roll-up took more than one of ClickHouse's blocks";
}

TEST_F(PromiseTest, ALateRollUpIsDoneInChunksAndNothingIsLost) {
  for (uint64_t sequence = 1; sequence <= 6; ++sequence) Insert(sequence);
  {
    // As if received over three hours, without a roll-up in between.
    const auto connection = Connect();
    Ask(*connection,
        fmt::format("INSERT INTO weir.flows_raw (received, {0}) SELECT {1} + client_sequence * 1800000000, {0} "
                    "FROM weir.flows_raw",
                    InsertColumns(0), kBegin * 1000));
    Ask(*connection, fmt::format("ALTER TABLE weir.flows_raw DELETE WHERE received > {} SETTINGS mutations_sync = 1",
                                 (kBegin + kDay) * 1000));
  }
  Reopen();
  const uint64_t before = Read(Metric::store_rollups);
  ASSERT_TRUE(store().Maintain(kBegin + kDay).ok());
  EXPECT_GE(Read(Metric::store_rollups), before + 6 + 6 + 2);
  ExpectBatches(6);
  EXPECT_EQ(TablesByResolution()["raw"].rows, 6 * kRowsPerBatch);
}

TEST_F(PromiseTest, RollingUpAgainAddsNothing) {
  for (uint64_t sequence = 1; sequence <= 3; ++sequence) Insert(sequence);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(store().Maintain(kBegin + kDay + i * kHour).ok());
    ExpectBatches(3);
  }
  const auto tables = TablesByResolution();
  EXPECT_EQ(tables.at("raw").rows, 3 * kRowsPerBatch);
  EXPECT_GT(tables.at("1h").rows, 0U);
  EXPECT_EQ(tables.at("raw").oldest, kBegin + 100);
  EXPECT_EQ(tables.at("raw").newest, kBegin + 400);
}

TEST_F(PromiseTest, ReceiptNumbersGrowThoughTheClockWasSetBack) {
  const auto connection = Connect();
  Insert(1);
  // The last receipt lies a year ahead, as after the clock was set back by one.
  Ask(*connection, fmt::format("INSERT INTO weir.flows_raw (received, {0}) SELECT received + 31536000000000, {0} FROM "
                               "weir.flows_raw",
                               InsertColumns(0)));
  Ask(*connection, fmt::format("INSERT INTO weir.flows (received, {0}) SELECT received + 31536000000000, {0} FROM "
                               "weir.flows",
                               FlowInsertColumns()));
  Ask(*connection,
      "ALTER TABLE weir.flows_raw DELETE WHERE received < (SELECT max(received) FROM weir.flows_raw) "
      "SETTINGS mutations_sync = 1");
  Reopen();
  ASSERT_TRUE(store().Maintain(kBegin + kDay).ok());
  Insert(2);
  ExpectBatches(2);
  ASSERT_TRUE(store().Maintain(kBegin + 2 * kDay).ok());
  ExpectBatches(2);
}

TEST_F(PromiseTest, BadInsertsStoreNothing) {
  std::vector<StoredRow> rows = Batch(1);
  model::SetAttribute(rows[7].row, "server_unit", std::string(model::kMaxStringBytes + 1, 'x'));
  Status status = store().Insert(rows);
  EXPECT_EQ(status.code(), Code::kInvalid);
  EXPECT_THAT(status.message(), HasSubstr("row 7: server_unit is 257 bytes long"));
  rows = Batch(1);
  rows[0].row.start = -1;
  EXPECT_EQ(store().Insert(rows).code(), Code::kInvalid);
  EXPECT_EQ(store().Insert(std::vector<StoredRow>(kMaxRowsPerInsert + 1)).code(), Code::kInvalid);
  EXPECT_TRUE(store().Insert({}).ok());
  EXPECT_EQ(TablesByResolution()["raw"].rows, 0U);
  Insert(1);
  ExpectBatches(1);
}

TEST_F(PromiseTest, AgeDropsRawRowsAndTheRollUpsAnswer) {
  const uint64_t dropped_before = Read(Metric::store_partitions_dropped);
  for (uint64_t sequence = 1; sequence <= 3; ++sequence) Insert(sequence);
  const UnixMillis now = SystemClock().WallMillis();
  ASSERT_TRUE(store().Maintain(now).ok());
  EXPECT_EQ(TablesByResolution()["raw"].rows, 3 * kRowsPerBatch);
  EXPECT_GT(Read(Metric::store_disk_bytes), 0U);

  ASSERT_TRUE(store().Maintain(now + 2 * kDay).ok());
  EXPECT_EQ(TablesByResolution()["raw"].rows, 0U);
  EXPECT_GT(Read(Metric::store_partitions_dropped), dropped_before);
  for (int i = 0; i < 2; ++i) {
    FlowQuery query;
    query.range = Ranges()[0];
    query.columns = {FindColumn("client_reports")};
    const Result<FlowResult> result = store().Query(query);
    ASSERT_TRUE(result.ok());
    EXPECT_EQ(result->resolution, "10s");
    EXPECT_EQ(result->totals.back().exact, 3 * kRowsPerBatch);
    EXPECT_EQ(store().Watermarks()->at("agent"), 3U) << "what was acknowledged stays known";
    Reopen();
  }
  Insert(4);
  ASSERT_TRUE(store().Maintain(now + 2 * kDay + kHour).ok());
  FlowQuery query;
  query.range = Ranges()[3];
  query.columns = {FindColumn("client_reports")};
  EXPECT_EQ(store().Query(query)->totals.back().exact, 4 * kRowsPerBatch) << "old rows were not rolled up again";
}

TEST_F(PromiseTest, AStoreWithoutTheLevelBetweenMinutesAndHoursIsConvertedAndLosesNothing) {
  for (uint64_t sequence = 1; sequence <= 3; ++sequence) Insert(sequence);
  ASSERT_TRUE(store().Maintain(kBegin + kDay).ok());
  Insert(4);
  {
    const auto connection = Connect();
    Ask(*connection, "TRUNCATE TABLE weir.flows_5m");
    // The minutes of the first batch are past their age: only hours have it.
    for (const Level& level : {kLevelTable[0], kLevelTable[1], kLevelTable[2]}) {
      Ask(*connection,
          fmt::format("ALTER TABLE {} DELETE WHERE client_reports = bytes_to_server SETTINGS mutations_sync = 1",
                      level.table));
    }
  }
  std::ofstream(directory() / "version") << kOldestConvertible << "\n";
  for (int i = 0; i < 3; ++i) {
    Reopen();
    EXPECT_GT(TablesByResolution()["5m"].rows, 0U);
    FlowQuery query;
    query.range = Ranges()[3];
    query.columns = {FindColumn("client_reports"), FindColumn("bytes_to_server")};
    const Result<FlowResult> result = store().Query(query);
    ASSERT_TRUE(result.ok()) << result.status().message();
    EXPECT_EQ(result->resolution, "1h");
    EXPECT_EQ(result->totals[result->totals.size() - 2].exact, 4 * kRowsPerBatch);
    EXPECT_EQ(result->totals.back().exact, (1 + 2 + 3 + 4) * kRowsPerBatch);
    ASSERT_TRUE(store().Maintain(kBegin + (2 + i) * kDay).ok());
  }
}

TEST_F(PromiseTest, FlowsStayKnownAsLongAsARollUpNamesThem) {
  const auto connection = Connect();
  const auto flows = [&] { return Ask(*connection, "SELECT count(), uniqExact(flow) FROM weir.flows FINAL"); };
  Insert(1);
  Insert(1);
  EXPECT_EQ(Ask(*connection, "SELECT count() FROM weir.flows"), "5\n") << "a flow is written once";
  Reopen();
  Insert(1);
  EXPECT_EQ(flows(), "5\t5\n");
  // As if all that had been received ninety days ago.
  for (const std::string& columns : {InsertColumns(0), FlowInsertColumns()}) {
    const std::string table = columns == InsertColumns(0) ? "weir.flows_raw" : "weir.flows";
    Ask(*connection,
        fmt::format("INSERT INTO {0} (received, {1}) SELECT received - 7776000000000, {1} FROM {0}", table, columns));
    Ask(*connection,
        fmt::format("ALTER TABLE {0} DELETE WHERE received > (SELECT min(received) + 86400000000 FROM {0}) "
                    "SETTINGS mutations_sync = 1",
                    table));
  }
  Reopen();
  const UnixMillis now = SystemClock().WallMillis();
  ASSERT_TRUE(store().Maintain(now).ok());
  EXPECT_EQ(TablesByResolution()["raw"].rows, 0U) << "past their age";
  FlowQuery query;
  query.range = {kBegin, kBegin + kHour};
  query.group_by = {FindColumn("client_process")};
  EXPECT_EQ(store().Query(query)->rows.at(0).at(0).text, "p0");
  ASSERT_TRUE(store().Maintain(now + 300 * kDay).ok());
  query.range = Ranges()[3];
  EXPECT_EQ(store().Query(query)->rows.at(0).at(0).text, "p0");
  Insert(2);
  ASSERT_TRUE(store().Maintain(now + 500 * kDay).ok());
  EXPECT_EQ(flows(), "5\t5\n") << "what nobody names any more is gone, what was named lately is not";
}

TEST_F(PromiseTest, TheDiskBudgetIsEnforcedAndItsLimitsAreTold) {
  Retention tiny;
  tiny.disk_budget_bytes = 1;
  Reopen(tiny);
  Insert(1);
  const Status status = store().Maintain(SystemClock().WallMillis());
  EXPECT_EQ(status.code(), Code::kExhausted);
  EXPECT_THAT(status.message(), HasSubstr("raise the budget"));
  EXPECT_EQ(TablesByResolution()["raw"].rows, 0U);
  EXPECT_EQ(store().GetStatus()->last_error, status.message());
  FlowQuery query;
  query.range = Ranges()[3];
  query.columns = {FindColumn("client_reports")};
  EXPECT_EQ(store().Query(query)->totals.back().exact, kRowsPerBatch);
}

// A time zone ClickHouse does not know keeps it from starting; alone in its process this test shows it.
TEST_F(PromiseTest, OpensUnderAnyTimeZone) {
  Insert(1);
  for (const char* zone : {"", "CET-1CEST", ":nowhere", "Nonsense/Zone", "Asia/Kathmandu"}) {
    Close();
    setenv("TZ", zone, 1);
    Reopen();
    ExpectBatches(1);
  }
}

// As in small containers. Like the test before, it shows something when it is alone in its process.
TEST_F(PromiseTest, OpensWithoutTimeZoneData) {
  if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    GTEST_SKIP() << "NOT TESTED, for want of root: files hidden from this process";
  }
  Insert(1);
  Close();
  if (std::filesystem::exists("/usr/share/zoneinfo")) {
    ASSERT_EQ(mount("none", "/usr/share/zoneinfo", "tmpfs", 0, nullptr), 0);
  }
  if (std::filesystem::exists("/etc/localtime")) {
    ASSERT_EQ(mount("/dev/null", "/etc/localtime", nullptr, MS_BIND, nullptr), 0);
  }
  for (const char* zone : {"", "Europe/Berlin", "UTC"}) {
    Close();
    setenv("TZ", zone, 1);
    Reopen();
    ExpectBatches(1);
  }
}

// As the server has it: the machine's clock is set ahead by 500 days, and back after a moment.
TEST_F(PromiseTest, AClockSetAheadAndBackLosesNothing) {
  FakeClock machine(kBegin * 1'000'000);
  const DisciplinedClock clock(
      [&] {
        return ClockReading{machine.WallNanos(), machine.MonotonicNanos(), machine.MonotonicNanos(), false};
      },
      "boot");
  Reopen({}, 0, &clock);
  Insert(1);
  machine.StepWall(500 * kDay * 1'000'000);
  machine.Advance(24'000'000'000);
  Insert(2);
  machine.StepWall(-500 * kDay * 1'000'000);
  for (uint64_t sequence = 3; sequence <= 4; ++sequence) {
    machine.Advance(2 * kHour * 1'000'000);
    Insert(sequence);
    ASSERT_TRUE(store().Maintain(clock.WallMillis()).ok());
  }
  ExpectBatches(4);
  const auto connection = Connect();
  EXPECT_EQ(Ask(*connection, "SELECT uniqExact(partition_id) FROM system.parts WHERE active AND table = 'flows_raw'"),
            "3\n")
      << "nothing was stored as if it came 500 days later";
  Reopen({}, 0, &clock);
  machine.Advance(2 * kHour * 1'000'000);
  Insert(5);
  ExpectBatches(5);
}

// All within one hour, so that no partition is old, and more of it than the disk holds.
TEST_F(PromiseTest, ADiskSmallerThanTheBudgetMakesRoom) {
  Close();
  // Not in a mount namespace of its own: the engine has threads from before, which would not see it.
  if (geteuid() != 0 || mount("tmpfs", directory().c_str(), "tmpfs", 0, "size=24m") != 0) {
    GTEST_SKIP() << "NOT TESTED, for want of root: a disk of its own";
  }
  Reopen();
  constexpr int kInserts = 20;
  constexpr size_t kRows = 2'000;
  RandomRows random(7);
  int refused_in_a_row = 0;
  int most_refused_in_a_row = 0;
  int stored = 0;
  for (int i = 0; i < kInserts; ++i) {
    const UnixMillis now = SystemClock().WallMillis();
    const bool ok = store().Insert(random.Rows(kRows, now - 2'000, now)).ok();
    if (ok) ++stored;
    refused_in_a_row = ok ? 0 : refused_in_a_row + 1;
    most_refused_in_a_row = std::max(most_refused_in_a_row, refused_in_a_row);
    static_cast<void>(store().Maintain(now));
  }
  EXPECT_GE(stored, kInserts - 2);
  EXPECT_LE(most_refused_in_a_row, 1);
  EXPECT_GT(Read(Metric::store_room_made), 0U);
  EXPECT_GT(Read(Metric::store_rows_trimmed), 0U);
  {
    const auto connection = Connect();
    for (const Level& level : kLevelTable) {
      EXPECT_EQ(Ask(*connection,
                    fmt::format("SELECT count() FROM {} WHERE flow NOT IN (SELECT flow FROM weir.flows)", level.table)),
                "0\n")
          << level.table << ": what is left has its names";
    }
    EXPECT_EQ(Ask(*connection,
                  "SELECT count() FROM weir.flows WHERE (client_entity != 0 AND client_entity NOT IN (SELECT id FROM "
                  "weir.entities)) OR (server_entity != 0 AND server_entity NOT IN (SELECT id FROM weir.entities))"),
              "0\n");
    const uint64_t rows = std::stoull(Ask(*connection, "SELECT count() FROM weir.flows_raw")) +
                          std::stoull(Ask(*connection, "SELECT count() FROM weir.flows_10s"));
    EXPECT_GE(rows, 2 * kRows) << "no more goes than has to";
  }
  Reopen();
  bool stored_again = false;
  for (int i = 0; i < 3 && !stored_again; ++i) {  // the first refusal says how much room is needed
    const UnixMillis now = SystemClock().WallMillis();
    stored_again = store().Insert(random.Rows(kRows, now - 1'000, now)).ok();
    static_cast<void>(store().Maintain(now));
  }
  EXPECT_TRUE(stored_again) << "and after a restart";
  Close();
  ASSERT_EQ(umount2(directory().c_str(), MNT_DETACH), 0);
}

// Two threads write and roll up while a third asks: no answer lacks an acknowledged row or has one twice.
TEST_F(PromiseTest, AnswersAreExactWhileRowsComeInAndAreRolledUp) {
  constexpr uint64_t kLast = 40;
  std::atomic<uint64_t> acknowledged{0};
  std::thread writer([&] {
    for (uint64_t sequence = 1; sequence <= kLast; ++sequence) {
      EXPECT_TRUE(store().Insert(Batch(sequence)).ok());
      acknowledged = sequence;
    }
  });
  std::thread maintainer([&] {
    for (UnixMillis now = kBegin; acknowledged < kLast; now += 30 * kSecond) EXPECT_TRUE(store().Maintain(now).ok());
  });
  while (acknowledged < kLast) {
    for (const TimeRange& range : Ranges()) {
      FlowQuery query;
      query.range = range;
      query.columns = {FindColumn("client_reports")};
      query.group_by = {FindColumn("client_process")};
      const uint64_t before = acknowledged;
      const Result<FlowResult> result = store().Query(query);
      const uint64_t after = acknowledged + 1;  // one may be stored and not yet acknowledged
      EXPECT_TRUE(result.ok()) << result.status().message();
      if (!result.ok()) continue;
      EXPECT_EQ(result->totals.back().exact % kRowsPerBatch, 0U) << "an insert is seen wholly or not at all";
      EXPECT_GE(result->totals.back().exact, before * kRowsPerBatch);
      EXPECT_LE(result->totals.back().exact, after * kRowsPerBatch);
    }
  }
  writer.join();
  maintainer.join();
  ExpectBatches(kLast);
}

TEST_F(PromiseTest, AnAnswerThatFailedHalfWayIsNotTheBeginningOfTheNext) {
  const auto connection = Connect();
  for (const std::string_view format : {"RowBinary", "JSONCompact", "TabSeparated"}) {
    const auto failed = connection->Execute(
        "SELECT number, throwIf(number = 400000) FROM numbers(1000000) SETTINGS max_block_size = 1000", format);
    EXPECT_FALSE(failed.ok()) << format;
    EXPECT_EQ(Ask(*connection, "SELECT 7"), "7\n") << format;
  }
  EXPECT_EQ(connection->rows_read(), 1U);
}

TEST_F(PromiseTest, OneStorePerProcess) {
  const TemporaryDirectory other;
  const Status status = OpenEmbedded({other.path(), "", {}}).status();
  EXPECT_EQ(status.code(), Code::kConflict);
  EXPECT_THAT(status.message(), HasSubstr("one directory per process"));
  EXPECT_THAT(store().GetStatus()->engine, HasSubstr("embedded ClickHouse 2"));
}

TEST_F(PromiseTest, SignalHandlersOfTheProcessStay) {
  Close();
  struct sigaction ours {};
  ours.sa_handler = [](int) {};
  struct sigaction before {};
  sigaction(SIGSEGV, &ours, &before);
  Reopen();
  struct sigaction after {};
  sigaction(SIGSEGV, &before, &after);
  EXPECT_EQ(after.sa_handler, ours.sa_handler);
}

TEST_F(PromiseTest, ADamagedPartIsReportedAndTheRestAnswers) {
  Insert(1);
  Insert(2);
  const std::string part = [&] {
    const auto connection = Connect();
    return Ask(*connection, "SELECT path FROM system.parts WHERE active AND table = 'flows_raw' ORDER BY name LIMIT 1");
  }();
  Close();
  for (const auto& entry : std::filesystem::directory_iterator(part.substr(0, part.find('\n')))) {
    if (entry.path().filename() == "count.txt" || entry.path().filename() == "columns.txt")
      std::ofstream(entry.path()) << "?";
  }
  Reopen();
  const Result<StoreStatus> status = store().GetStatus();
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(status->tables[0].rows, kRowsPerBatch);
  EXPECT_THAT(status->last_error, HasSubstr("1 damaged parts of the store were set aside"));
}

// Runs only as the child of KilledAtAnyMoment: inserts and rolls up until it is killed, telling each step.
TEST(CrashChild, DISABLED_InsertsUntilKilled) {
  const char* directory = std::getenv("WEIR_TEST_CRASH_DIR");
  if (directory == nullptr) GTEST_SKIP() << "only as a child of KilledAtAnyMoment";
  const int acks = std::stoi(std::getenv("WEIR_TEST_CRASH_FD"));
  auto opened = OpenEmbedded({directory, "", {}});
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  const auto stored = (*opened)->Watermarks();
  ASSERT_TRUE(stored.ok());
  uint64_t sequence = stored->contains("agent") ? stored->at("agent") : 0;
  const auto tell = [&](uint64_t word) { return write(acks, &word, sizeof(word)) == sizeof(word); };
  for (UnixMillis now = kBegin; sequence < 60'000; now += 30 * kSecond) {
    ++sequence;
    ASSERT_TRUE((*opened)->Insert(Batch(sequence)).ok());
    if (!tell(sequence)) return;
    if (sequence % 4 == 0) {
      if (!tell(0)) return;  // about to roll up
      ASSERT_TRUE((*opened)->Maintain(now).ok());
    }
  }
}

// Starts the child, and kills it as soon as it has told `steps` things; the number of the last batch
// acknowledged.
uint64_t RunUntilKilled(const std::filesystem::path& directory, int steps, uint64_t acknowledged) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) return 0;
  const pid_t child = fork();
  if (child == 0) {
    setenv("WEIR_TEST_CRASH_DIR", directory.c_str(), 1);
    setenv("WEIR_TEST_CRASH_FD", std::to_string(ends[1]).c_str(), 1);
    close(ends[0]);
    const int null = open("/dev/null", O_WRONLY);
    dup2(null, STDOUT_FILENO);
    execl("/proc/self/exe", "store_test", "--gtest_also_run_disabled_tests",
          "--gtest_filter=CrashChild.DISABLED_InsertsUntilKilled", nullptr);
    _exit(127);
  }
  close(ends[1]);
  uint64_t word = 0;
  for (; steps > 0 && read(ends[0], &word, sizeof(word)) == sizeof(word); --steps) {
    if (word != 0) acknowledged = word;
  }
  kill(child, SIGKILL);
  while (read(ends[0], &word, sizeof(word)) == sizeof(word)) {
    if (word != 0) acknowledged = word;  // told before the signal arrived
  }
  close(ends[0]);
  waitpid(child, nullptr, 0);
  EXPECT_EQ(steps, 0) << "the child ended by itself";
  return acknowledged;
}

TEST_F(PromiseTest, KilledAtAnyMomentNothingAcknowledgedIsLostAndNothingIsThereTwice) {
  uint64_t acknowledged = 0;
  // 5, 10 and 15 end where a roll-up has been announced and not finished.
  for (const int steps : {1, 5, 8, 10, 15}) {
    SCOPED_TRACE(fmt::format("killed after {} steps", steps));
    Close();
    acknowledged = RunUntilKilled(directory(), steps, acknowledged);
    ASSERT_GT(acknowledged, 0U);
    Reopen();
    const auto stored = store().Watermarks();
    ASSERT_TRUE(stored.ok());
    const uint64_t last = stored->at("agent");
    EXPECT_GE(last, acknowledged);
    EXPECT_LE(last, acknowledged + 1) << "at most the insert that was under way";
    ExpectBatches(last);
    acknowledged = last;
  }
  ASSERT_TRUE(store().Maintain(kBegin + kDay).ok());
  ExpectBatches(acknowledged);
}

}  // namespace
}  // namespace weir::store

#include "store/retention.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "store/sql.h"

namespace weir::store {
namespace {

// No row starts later than this after it was received: the server refuses what is further ahead of its clock.
constexpr int64_t kMostAheadMs = 60 * kSecond;

int64_t MaxAgeSeconds(const Retention& retention, size_t level) {
  const std::array<int64_t, kLevels> ages{retention.raw_seconds, retention.ten_seconds_seconds,
                                          retention.minute_seconds, retention.minute_seconds, retention.hour_seconds};
  return ages[level];
}

bool IsPastAge(const Partition& partition, const Retention& retention, UnixMillis now, const Clock* clock,
               int64_t ahead_ms) {
  const auto end = static_cast<UnixMillis>(partition.end_us() / 1000);
  // A receipt of before the clock was set ahead and back is as old as the clock says.
  if (end > now) now += ahead_ms;
  const int64_t max_age = MaxAgeSeconds(retention, partition.level) * kSecond;
  if (end > now - max_age) return false;
  // A jump within the partition's own span counts: all its rows may be from before.
  const auto begin = static_cast<UnixMillis>(partition.begin_us() / 1000);
  return clock == nullptr || end <= now - max_age - clock->SkippedSince(begin);
}

}  // namespace

std::string PartitionsSql() {
  std::vector<std::string> tables;
  for (const Level& level : kLevelTable) tables.push_back(QuoteText(level.table.substr(kDatabase.size() + 1)));
  return fmt::format(
      "SELECT indexOf([{}], table) AS place, toUInt64(partition_id), sum(rows), sum(bytes_on_disk) FROM "
      "system.parts "
      "WHERE active AND database = {} AND place > 0 GROUP BY place, partition_id",
      Join(tables), QuoteText(kDatabase));
}

Result<std::vector<Partition>> ParsePartitions(std::string_view answer) {
  WEIR_ASSIGN_OR_RETURN(const auto rows, ParseNumbers(answer));
  std::vector<Partition> partitions;
  for (const auto& row : rows) {
    if (row.size() != 4 || row[0] > kLevels) return Status::Internal("the store cannot read its own partitions");
    partitions.push_back({row[0] - 1, row[1], row[2], row[3]});
  }
  return partitions;
}

bool MayDrop(const Partition& partition, const TableStates& states) {
  const TableState& state = states[partition.level];
  const uint64_t reached = state.watermark.received;
  if (partition.level > 0 && reached < partition.end_us()) return false;
  if (partition.level + 1 == kLevels) return true;
  const Watermark& rolled_up = states[partition.level + 1].watermark;
  const uint64_t last = std::min(partition.end_us() - 1, reached);
  return last <= rolled_up.received &&
         (static_cast<UnixMillis>(last / 1000) + kMostAheadMs < rolled_up.start || state.newest <= rolled_up.start);
}

std::vector<Partition> PartitionsToDrop(std::vector<Partition> partitions, const Retention& retention,
                                        const TableStates& states, UnixMillis now, uint64_t* excess_bytes,
                                        const Clock* clock, int64_t ahead_ms) {
  // Oldest first; raw rows before what was rolled up from them.
  std::sort(partitions.begin(), partitions.end(), [](const Partition& a, const Partition& b) {
    return a.end_us() != b.end_us() ? a.end_us() < b.end_us() : a.level < b.level;
  });
  uint64_t kept = 0;
  for (const Partition& partition : partitions) kept += partition.bytes;

  std::vector<Partition> dropped;
  const auto drop_where = [&](const auto& condition) {
    std::erase_if(partitions, [&](const Partition& partition) {
      if (!MayDrop(partition, states) || !condition(partition)) return false;
      kept -= partition.bytes;
      dropped.push_back(partition);
      return true;
    });
  };
  drop_where([&](const Partition& partition) { return IsPastAge(partition, retention, now, clock, ahead_ms); });
  drop_where([&](const Partition&) { return kept > retention.disk_budget_bytes; });
  *excess_bytes = kept > retention.disk_budget_bytes ? kept - retention.disk_budget_bytes : 0;
  return dropped;
}

Status KeepSequences(Connection& connection, uint64_t from, uint64_t to) {
  const std::string rows =
      fmt::format("FROM {} WHERE received >= {} AND received < {}", kLevelTable[0].table, from, to);
  return connection
      .Execute(fmt::format("INSERT INTO {} SELECT agent, max(sequence) FROM ("
                           "SELECT client_agent AS agent, client_sequence AS sequence {} UNION ALL "
                           "SELECT server_agent AS agent, server_sequence AS sequence {}) "
                           "WHERE agent != '' GROUP BY agent",
                           kSequenceTable, rows, rows))
      .status();
}

Status DropPartition(Connection& connection, const Partition& partition) {
  const Level& level = kLevelTable[partition.level];
  if (partition.level == 0) {
    WEIR_RETURN_IF_ERROR(KeepSequences(connection, partition.begin_us(), partition.end_us()));
  }
  return connection.Execute(fmt::format("ALTER TABLE {} DROP PARTITION ID '{}'", level.table, partition.id)).status();
}

}  // namespace weir::store

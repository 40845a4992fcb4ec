// The node tables and the statements over them. Pure text.
//
// A partition is a span of `received`, the microsecond of storing, as in schema.h. The minute table has no sequences:
// it is made from the other, by receipt, in one insert per step.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "store/node_store.h"

namespace weir::store {

enum NodeTable : size_t { kNodeRaw, kNodeMinute, kNodeWindows, kNodeTables };

struct NodeTableDescription {
  std::string_view table;  // with the database's name
  int64_t partition_us;
};
inline constexpr int64_t kMinuteMs = 60'000;
inline constexpr NodeTableDescription kNodeTableList[kNodeTables] = {
    {"weir.node_samples", int64_t{3'600'000'000}},
    {"weir.node_samples_1m", int64_t{24 * 3'600'000'000}},
    {"weir.node_rate_windows", int64_t{24 * 3'600'000'000}},
};
// Highest sequences of agents whose samples have been dropped.
inline constexpr std::string_view kNodeSequenceTable = "weir.node_sequences";

std::vector<std::string> CreateNodeTablesSql();

// Rows in ClickHouse's RowBinary format, for the statements below. Not in the statements: ClickHouse as a library takes
// what the process has on its standard input for more rows of an INSERT ... VALUES.
std::string SampleRows(const std::vector<NodeBatch>& batches);
std::string WindowRows(const std::vector<NodeBatch>& batches);

// One statement, one part; `path` of a file with the rows.
std::string InsertSamplesSql(std::string_view path, uint64_t received);
std::string InsertWindowsSql(std::string_view path, uint64_t received);

// Into the minute table, what was received after `after`, up to `upto`, marked with `upto`.
std::string NodeRollupSql(uint64_t after, uint64_t upto);

// `rolled_up`: receipt up to which the minute table has everything; `from_minutes`: read it there.
std::string TotalsSql(const NodeTotalsQuery& query, bool from_minutes, uint64_t rolled_up);
std::string SeriesSql(const NodeSeriesQuery& query, bool from_minutes, uint64_t rolled_up);
std::string WindowsSql(const TimeRange& range, const std::string& node, uint32_t limit);

std::string NodeWatermarksSql();
// Partitions of all three tables: place, id, rows, bytes.
std::string NodePartitionsSql();
std::string KeepNodeSequencesSql(uint64_t received_from, uint64_t received_until);

}  // namespace weir::store

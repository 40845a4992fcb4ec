// The tables, generated from the column table. Which flows there are stands in a table of its own, and so do the
// entities they name; rows name their flow by its number. One table of rows per resolution, all of one shape:
//
// * `received`, Unix microseconds of storing, one value per insert, strictly growing: orders the roll-ups;
// * `flow`, what tells flows apart as one number, see flow_hash.h;
// * in the raw table client_agent, client_sequence, server_agent, server_sequence, the batches a row came from;
// * start, end and the measures, as packing.h says.
//
// A partition is a span of `received`, so that one insert is one part of one partition: it happens wholly or
// not at all.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "model/address.h"
#include "model/columns.h"
#include "model/histogram.h"

namespace weir::store {

inline constexpr std::string_view kDatabase = "weir";

struct Level {
  std::string_view resolution;  // as in FlowResult
  std::string_view table;       // with the database's name
  int64_t step_ms;              // rows cover no more than one multiple of it; 1 = as reported
  int64_t partition_us;         // span of `received` in one partition
  int64_t rollup_period_ms;     // how often the rows of the level before are rolled up into it
  int64_t rollup_chunk_us;      // span of `received` rolled up in one go, which bounds memory after an outage
};

inline constexpr size_t kLevels = 5;
inline constexpr int64_t kSecond = 1'000;  // ms
inline constexpr int64_t kHourUs = 3'600'000'000;
// Finest first; each is rolled up from the one before.
inline constexpr std::array<Level, kLevels> kLevelTable{{
    {"raw", "weir.flows_raw", 1, kHourUs, 0, 0},
    {"10s", "weir.flows_10s", 10 * kSecond, kHourUs, 10 * kSecond, kHourUs / 60},
    {"1m", "weir.flows_1m", 60 * kSecond, 24 * kHourUs, 60 * kSecond, kHourUs / 6},
    {"5m", "weir.flows_5m", 300 * kSecond, 24 * kHourUs, 300 * kSecond, kHourUs / 2},
    {"1h", "weir.flows_1h", 3600 * kSecond, 30 * 24 * kHourUs, 3600 * kSecond, 2 * kHourUs},
}};

// Highest sequences of agents whose rows have been dropped from the raw table.
inline constexpr std::string_view kSequenceTable = "weir.agent_sequences";

// `received`, `flow`, the entities it names, and what its connections have in common: of each flow at least one row in
// every partition in which a row of it was received. See flow_catalogue.h.
inline constexpr std::string_view kFlowTable = "weir.flows";
// What the entities are that flows name, see entity_sql.h: in every partition in which a flow that names one stands, or
// in a later one, its highest version. See entity_catalogue.h.
inline constexpr std::string_view kEntityTable = "weir.entities";
inline constexpr int64_t kFlowPartitionUs = 24 * kHourUs;  // of both
// Where packed measures stand, see packing.h: list, place, measure.
inline constexpr std::string_view kPlaceTable = "weir.packed_places";

std::string CreateTableSql(size_t level);
std::string CreateFlowTableSql();
std::string CreateEntityTableSql();
std::string CreatePlaceTableSql();
std::string CreateSequenceTableSql();
// Give tables made by another Weir the columns they lack; what they have stays.
std::vector<std::string> ExtendTablesSql();

// Names of the columns an insert into `level` fills, comma-separated, in order, without `received`.
std::string InsertColumns(size_t level);
// The columns all levels have, without `received`.
const std::vector<std::string>& TableColumns();
// Those of them an expression names, in order. A word in a literal may add one: harmless.
std::vector<std::string> TableColumnsIn(std::string_view sql);
// Names and types of what native_block.h writes for `raw`, for the file() table function.
std::string InsertStructure();
// The same for the flow table: the columns, comma-separated, and their structure.
std::string FlowInsertColumns();
std::string FlowInsertStructure();
// And for the table of entities.
std::string EntityInsertColumns();
std::string EntityInsertStructure();

// Arrays of packed measures.
inline constexpr std::string_view kArrayType = "Array(UInt64)";
// Counts of a histogram's buckets. An hour of one flow stays below 2^32 samples in a bucket: that is a million a
// second.
inline constexpr std::string_view kCountsType = "Array(UInt32)";

// Every stored measure is this wide, whatever its width in a FlowRow: roll-ups add them up.
inline constexpr std::string_view kMeasureType = "UInt64";

// The ClickHouse type of a time's or a dimension's C++ type, before the table makes strings LowCardinality.
template <typename Value>
constexpr std::string_view FileType() {
  if constexpr (std::is_same_v<Value, std::string>) {
    return "String";
  } else if constexpr (std::is_same_v<Value, model::Address>) {
    return "FixedString(16)";
  } else if constexpr (std::is_same_v<Value, int64_t>) {
    return "Int64";
  } else if constexpr (std::is_same_v<Value, uint16_t>) {
    return "UInt16";
  } else if constexpr (std::is_same_v<Value, uint32_t>) {
    return "UInt32";
  } else {
    static_assert(std::is_same_v<Value, uint64_t>);
    return "UInt64";
  }
}

}  // namespace weir::store

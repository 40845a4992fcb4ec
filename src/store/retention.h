// Which partitions have to go: those past their age, then the oldest until the store fits its budget.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "store/engine/engine.h"
#include "store/store.h"
#include "store/tables.h"

namespace weir::store {

struct Partition {
  size_t level = 0;
  uint64_t id = 0;  // received / partition_us of the level
  uint64_t rows = 0;
  uint64_t bytes = 0;

  uint64_t begin_us() const { return id * static_cast<uint64_t>(kLevelTable[level].partition_us); }
  uint64_t end_us() const { return (id + 1) * static_cast<uint64_t>(kLevelTable[level].partition_us); }
};

// Asks for all partitions that hold rows, and reads the answer.
std::string PartitionsSql();
Result<std::vector<Partition>> ParsePartitions(std::string_view answer);

// Whether dropping the partition loses nothing that is still needed: all its rows are rolled up, and, but in
// the raw table, it does not hold the watermark, which is read back from the rows at the next start.
bool MayDrop(const Partition& partition, const TableStates& states);

// In the order they should go. *excess_bytes says by how much the rest exceeds the budget. Ages are elapsed time: what
// `clock` was set ahead by does not count; nullptr: it never was. Receipts of the future are `ahead_ms` before `now`.
std::vector<Partition> PartitionsToDrop(std::vector<Partition> partitions, const Retention& retention,
                                        const TableStates& states, UnixMillis now, uint64_t* excess_bytes,
                                        const Clock* clock = nullptr, int64_t ahead_ms = 0);

// Keeps the agents' sequences that raw rows received in [from, to), Unix microseconds, are evidence of.
Status KeepSequences(Connection& connection, uint64_t from, uint64_t to);
// Drops it, keeping the agents' sequences a raw partition is evidence of.
Status DropPartition(Connection& connection, const Partition& partition);

}  // namespace weir::store

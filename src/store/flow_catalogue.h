// Which flows the table of flows has: what an insert has to add to it, and what of it nobody needs any more.
#pragma once

#include <tsl/robin_set.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "store/engine/engine.h"
#include "store/tables.h"

namespace weir::store {

// Remembers the flows of the newest partition. Starts with none, so that after a restart flows are written again:
// merges remove what is double. Bounded: forgets all when full. Thread: one.
class FlowCatalogue {
 public:
  // The first row of each flow that the partition of `received` does not have yet, by position in `flows`.
  std::vector<size_t> Missing(const std::vector<uint64_t>& flows, uint64_t received);
  // They are durably stored.
  void Add(const std::vector<uint64_t>& flows, const std::vector<size_t>& which);

  // Some of the newest partition were dropped: asks for those that are left, one number per line of the answer.
  std::string KnownSql() const;
  void Reset(const std::vector<std::vector<uint64_t>>& flows);

 private:
  static constexpr size_t kMaxFlows = 1'000'000;  // 16 bytes each

  uint64_t partition_ = 0;
  tsl::robin_set<uint64_t> known_;
};

// Adds what WriteFlows() wrote into the file.
std::string InsertFlowsSql(std::string_view file, uint64_t received);

// The flows a row that starts at `from` or later may name are in partitions that begin later than this (Unix
// microseconds): rows are received after they start, but for what clocks do.
uint64_t FlowsSince(UnixMillis from);

// Asks for the bytes of the tables of flows and entities on disk: one number.
std::string FlowTableBytesSql();

// Drops the partitions of flows, and of the entities they name, of which no table has a row any more.
Status DropUnneededFlows(Connection& connection, const TableStates& states);

}  // namespace weir::store

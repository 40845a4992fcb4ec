// Makes room in pieces smaller than a partition, where nothing older is left to drop: rows received before some moment
// go from all tables of rows, then the names that no row has any more.
//
// Parts that are wholly older are dropped. Where one part holds both, what stays is copied and takes the partition's
// place, if there is room for the copy. A crash loses and doubles nothing: FinishTrim() ends what was begun.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "store/engine/engine.h"
#include "store/tables.h"

namespace weir::store {

// Part of a table as ClickHouse has it on the disk.
struct TablePart {
  std::string name;
  uint64_t partition = 0;
  uint64_t rows = 0;
  uint64_t bytes = 0;
  uint64_t min_received = 0;
  uint64_t max_received = 0;
};

struct Trimmed {
  uint64_t rows = 0;           // of the tables of rows
  uint64_t bytes = 0;          // of all tables, less what was copied
  uint64_t not_rolled_up = 0;  // of `rows`: they are in no coarser table
  bool names = false;          // rows of the tables of flows and entities went
};

// Thread: one, the maintainer's; while an object lives nobody may insert.
class Trim {
 public:
  // Merges stand still while it lives, so that parts keep their names. Both outlive it. `free_bytes` of the disk bounds
  // what is copied.
  Trim(Connection& connection, Tables& tables, uint64_t free_bytes);
  ~Trim();
  Trim(const Trim&) = delete;
  Trim& operator=(const Trim&) = delete;

  // Frees so many bytes, or what it can in some seconds: first names no row has, then the oldest rows and their names,
  // a sixteenth of the time up to `newest` (a receipt), or of the rows if that is less, after the other. Of a roll-up
  // its newest rows stay, which say how far it has come. An error only if nothing went.
  Status Free(uint64_t bytes, uint64_t newest, Trimmed* trimmed);

 private:
  // A table of names, the column with their numbers, and a question for the numbers (`number`) that are used. What was
  // received since `before` stays, used or not.
  struct NameTable {
    std::string_view table;
    std::string_view number;
    std::string used;
    uint64_t before;
  };

  Status RowsBefore(uint64_t cut, Trimmed* trimmed);
  Status WholeParts(size_t level, uint64_t cut, Trimmed* trimmed);
  Status Straddling(size_t level, uint64_t cut, Trimmed* trimmed);
  Status CopyPartition(size_t level, uint64_t partition, uint64_t cut, Trimmed* trimmed);
  Status UnusedNames(uint64_t before, Trimmed* trimmed);
  Status Names(const NameTable& names, Trimmed* trimmed);
  Status RewriteNames(const NameTable& names, const TablePart& part, uint64_t kept, uint64_t passes, Trimmed* trimmed);
  Result<std::map<std::string, uint64_t>> CountKept(const NameTable& names, uint64_t passes);
  static std::string Kept(const NameTable& names, uint64_t passes, uint64_t pass);
  Status DropPart(std::string_view table, const TablePart& part);
  Status Publish(size_t level);
  uint64_t RolledUp(size_t level) const;

  Connection& connection_;
  Tables& tables_;
  const uint64_t free_bytes_;
};

// Frees what parts that were merged or replaced still take; best effort. Where the disk is short, before anything else.
void RemoveReplacedParts(Connection& connection);

// Ends what a crash interrupted. Called when the tables are there and before they are read.
Status FinishTrim(Connection& connection);

// The receipt before which `share` of `of` parts of all rows were received, as if evenly within each part. Where the
// server was off for months, or a clock stepped, a share of the time would be all there is. REQUIRES: share < of.
uint64_t CutOfShare(const std::vector<TablePart>& parts, uint64_t share, uint64_t of);

// The receipt of the oldest row of any table of rows; 0 = they are empty.
uint64_t OldestReceived(const TableStates& states);

}  // namespace weir::store

// What the store knows about its tables without asking them: how far each has come and how far back it
// reaches.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "base/status.h"
#include "store/engine/engine.h"
#include "store/resolution.h"
#include "store/schema.h"

namespace weir::store {

// How far a roll-up has come: it holds the rows of the level before that were received up to `received` and start
// before `start`, and no others. Both only grow. `start` stands at the end of a step, so that a step is rolled up when
// all of it is there; `received` keeps late rows apart. Of the raw table, `received` is the highest given out.
struct Watermark {
  uint64_t received = 0;
  UnixMillis start = 0;
};

struct TableState {
  uint64_t min_received = 0;  // 0 = empty
  Watermark watermark;
  UnixMillis oldest = 0;  // start of the earliest row of the oldest partition; 0 = empty
  UnixMillis newest = 0;  // end of the latest row of the newest partition
  uint64_t rows = 0;
};

using TableStates = std::array<TableState, kLevels>;

// Thread-safe. A state is published only after its rows are durably stored, so that a reader who takes one
// snapshot and reads each table no further than it says sees every row exactly once, whatever goes on
// meanwhile.
class Tables {
 public:
  TableStates Snapshot() const;
  void Publish(size_t level, const TableState& state);
  // After an insert of rows that all carry `received`.
  void PublishInsert(uint64_t received, UnixMillis oldest, UnixMillis newest, uint64_t rows);

 private:
  mutable std::mutex mutex_;
  TableStates states_;
};

// Reads the state of one table, all but watermark.start; cheap, for it looks at the first and last partition only.
Result<TableState> ReadTableState(Connection& connection, size_t level);
// Reads the end of the last step there is a row of: watermark.start, as far as it matters, for between this and what it
// was when the last row was rolled up, nothing was there to roll up. Cheap where times follow receipts: beyond the last
// partition it reads what the index of starts does not rule out. `received`: the watermark's.
Result<UnixMillis> ReadRolledUpUntil(Connection& connection, size_t level, uint64_t received);

HeldSince HeldSinceOf(const TableStates& states);

// Earliest data an answer at `level` can hold, tails of finer tables included; 0 = none.
UnixMillis OldestAt(const TableStates& states, size_t level);

// A TabSeparated answer of unsigned numbers. kInternal when it is anything else.
Result<std::vector<std::vector<uint64_t>>> ParseNumbers(std::string_view tab_separated);
// The same of a text without tabs and one or more numbers a line.
Result<std::vector<std::pair<std::string, std::vector<uint64_t>>>> ParseNamed(std::string_view tab_separated);

}  // namespace weir::store

// Rolling finer tables up into coarser ones, each row exactly once.
#pragma once

#include <array>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "store/engine/engine.h"
#include "store/tables.h"

namespace weir::store {

// How long after its last moment a step is taken for settled and rolled up: what agents at the default interval say of
// it is there by then. What comes later adds a row to a step that has one already.
inline constexpr int64_t kSettleMs = 3 * kSecond;

// The statement that rolls what `from` does not cover of the level before, but `to` does, up into `level`. It inserts
// one block, so it happens entirely or not at all, and marks its rows with to.received, so the table itself says how
// far it has come.
std::string RollupSql(size_t level, const Watermark& from, const Watermark& to);

// Decides when each level is due and does it. Thread: one.
class Rollup {
 public:
  // Both must outlive the object.
  Rollup(Connection& connection, Tables& tables) : connection_(connection), tables_(tables) {}

  // Rolls up what is due at `now`. Returns the first error; a level that failed is tried again on the next
  // call.
  Status Run(UnixMillis now);

  // Rolls everything that starts before `end` up into the first level, settled or not. What comes later for the same
  // steps adds rows to them.
  Status RollUpAll(UnixMillis end);

  // For a level that was added below one that has been rolled up already: rolls it up as far as that one has come,
  // which from then on goes on from it. Until this is done no question may be asked. Takes as long as it takes.
  Status FillIn(size_t level);

 private:
  // One chunk of what `limit` covers; *more says whether rows are left. Where memory or disk do not suffice for it,
  // chunks become smaller, and larger again when they do.
  Status Step(size_t level, const Watermark& limit, bool* more);

  Connection& connection_;
  Tables& tables_;
  std::array<UnixMillis, kLevels> next_{};
  std::array<uint64_t, kLevels> chunk_us_ = [] {
    std::array<uint64_t, kLevels> chunks{};
    for (size_t level = 0; level < kLevels; ++level) {
      chunks[level] = static_cast<uint64_t>(kLevelTable[level].rollup_chunk_us);
    }
    return chunks;
  }();
};

}  // namespace weir::store

// How much of the disk the store may take, where the disk is smaller than the budget or others fill it.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <utility>

#include "base/status.h"

namespace weir::store {

struct DiskSpace {
  uint64_t total_bytes = 0;  // of the file system
  uint64_t free_bytes = 0;   // for this user
};
Result<DiskSpace> ReadDiskSpace(const std::filesystem::path& directory);

// What is left free for merges, roll-ups and everybody else: an eighth of the disk, at most 2 GiB.
uint64_t DiskReserve(const DiskSpace& space);
// The budget, or less, so that `reserve` stays free beside the `held_bytes` the store has now. Never less than a
// quarter of the disk or 256 MiB, whichever is smaller: when others fill the disk, history does not go for them.
uint64_t BudgetOnDisk(uint64_t budget_bytes, uint64_t held_bytes, uint64_t reserve, const DiskSpace& space);

// What the store wants free on its disk, and a file to give away where nothing is: to drop something takes a little
// room. Thread-safe but for the file.
class DiskRoom {
 public:
  explicit DiskRoom(std::filesystem::path directory) : directory_(std::move(directory)) {}

  // Of each insert: its bytes in memory, of which ClickHouse wants as many free, and whether there were too few.
  void NoteInsert(uint64_t bytes, bool refused);
  // The reserve, or more where inserts need more; at most three quarters of the disk.
  uint64_t Reserve(const DiskSpace& space) const;
  // Retention cannot wait for its turn.
  bool IsCrowded() const;

  // Takes the room when there is more than enough; does nothing where the file system cannot.
  void KeepSpare(const DiskSpace& space);
  // Gives it back where less than that is free.
  void GiveSpare(const DiskSpace& space);

 private:
  std::filesystem::path spare() const { return directory_ / "spare"; }

  const std::filesystem::path directory_;
  std::atomic<uint64_t> block_bytes_{0};
  std::atomic<bool> refused_{false};  // the last insert found no room
};

}  // namespace weir::store

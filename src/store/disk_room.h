// How much of the disk the store may take, where the disk is smaller than the budget or others fill it.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/status.h"

namespace weir::store {

struct DiskSpace {
  uint64_t total_bytes = 0;  // of the file system
  uint64_t free_bytes = 0;   // for this user
};
Result<DiskSpace> ReadDiskSpace(const std::filesystem::path& directory);

// What is left free for merges, roll-ups and everybody else: an eighth of the disk, at most 2 GiB.
uint64_t DiskReserve(const DiskSpace& space);
// The budget, or less, so that the reserve stays free beside the `held_bytes` the store has now. Never less than a
// quarter of the disk or 256 MiB, whichever is smaller: when others fill the disk, history does not go for them.
uint64_t BudgetOnDisk(uint64_t budget_bytes, uint64_t held_bytes, const DiskSpace& space);

}  // namespace weir::store

#include "store/disk_room.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>

namespace weir::store {
namespace {

constexpr uint64_t kReserveShare = 8;
constexpr uint64_t kMostReserveBytes = uint64_t{2} << 30;
constexpr uint64_t kFloorShare = 4;
constexpr uint64_t kMostFloorBytes = uint64_t{256} << 20;

}  // namespace

Result<DiskSpace> ReadDiskSpace(const std::filesystem::path& directory) {
  struct statvfs fields {};
  if (statvfs(directory.c_str(), &fields) != 0)
    return Status::FromErrno(errno, fmt::format("look for free space in {}", directory.string()));
  const uint64_t block = fields.f_frsize;
  return DiskSpace{fields.f_blocks * block, fields.f_bavail * block};
}

uint64_t DiskReserve(const DiskSpace& space) { return std::min(space.total_bytes / kReserveShare, kMostReserveBytes); }

uint64_t BudgetOnDisk(uint64_t budget_bytes, uint64_t held_bytes, const DiskSpace& space) {
  const uint64_t reserve = DiskReserve(space);
  const uint64_t room = held_bytes + space.free_bytes;
  const uint64_t fits = room > reserve ? room - reserve : 0;
  const uint64_t floor = std::min(space.total_bytes / kFloorShare, kMostFloorBytes);
  return std::min(budget_bytes, std::max(fits, floor));
}

}  // namespace weir::store

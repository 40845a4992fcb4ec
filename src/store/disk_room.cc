#include "store/disk_room.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace weir::store {
namespace {

constexpr uint64_t kReserveShare = 8;
constexpr uint64_t kMostReserveBytes = uint64_t{2} << 30;
constexpr uint64_t kFloorShare = 4;
constexpr uint64_t kMostFloorBytes = uint64_t{256} << 20;

constexpr uint64_t kSpareBytes = uint64_t{2} << 20;  // ClickHouse wants 1 MiB free to drop a part
constexpr uint64_t kForgetting = 32;

}  // namespace

Result<DiskSpace> ReadDiskSpace(const std::filesystem::path& directory) {
  struct statvfs fields {};
  if (statvfs(directory.c_str(), &fields) != 0)
    return Status::FromErrno(errno, fmt::format("look for free space in {}", directory.string()));
  const uint64_t block = fields.f_frsize;
  return DiskSpace{fields.f_blocks * block, fields.f_bavail * block};
}

uint64_t DiskReserve(const DiskSpace& space) { return std::min(space.total_bytes / kReserveShare, kMostReserveBytes); }

uint64_t BudgetOnDisk(uint64_t budget_bytes, uint64_t held_bytes, uint64_t reserve, const DiskSpace& space) {
  const uint64_t room = held_bytes + space.free_bytes;
  const uint64_t fits = room > reserve ? room - reserve : 0;
  const uint64_t floor = std::min(space.total_bytes / kFloorShare, kMostFloorBytes);
  return std::min(budget_bytes, std::max(fits, floor));
}

void DiskRoom::NoteInsert(uint64_t bytes, bool refused) {
  refused_ = refused;
  // One large insert is forgotten after some hundred smaller ones.
  block_bytes_ = std::max(bytes, block_bytes_ - block_bytes_ / kForgetting);
}

uint64_t DiskRoom::Reserve(const DiskSpace& space) const {
  return std::max(DiskReserve(space), std::min(block_bytes_ / 4 * 5, space.total_bytes / 4 * 3));
}

bool DiskRoom::IsCrowded() const {
  if (refused_) return true;
  const Result<DiskSpace> space = ReadDiskSpace(directory_);
  return space.ok() && space->free_bytes < Reserve(*space);
}

void DiskRoom::KeepSpare(const DiskSpace& space) {
  std::error_code error;
  if (space.free_bytes < 2 * kSpareBytes || std::filesystem::exists(spare(), error)) return;
  const int file = open(spare().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return;
  const bool taken = fallocate(file, 0, 0, kSpareBytes) == 0;
  close(file);
  if (!taken) std::filesystem::remove(spare(), error);
}

void DiskRoom::GiveSpare(const DiskSpace& space) {
  std::error_code error;
  if (space.free_bytes < kSpareBytes) std::filesystem::remove(spare(), error);
}

}  // namespace weir::store

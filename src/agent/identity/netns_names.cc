#include "agent/identity/netns_names.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "agent/identity/cgroup_name.h"
#include "model/columns.h"

namespace weir::agent::identity {
namespace {

constexpr Nanos kSecond = 1'000'000'000;
constexpr Nanos kLookPeriod = kSecond;
// For inodes not met before the folder is read again after so long, and after fifty times what the last reading took: a
// namespace may live for less than a second, and nobody pays more than 2 % of a core for one that has thousands.
constexpr Nanos kShortestScanPeriod = kSecond / 20;
constexpr Nanos kScanShare = 50;
constexpr Nanos kKeepGone = 2 * kSecond;
constexpr Nanos kMaxAge = 30 * kSecond;
constexpr size_t kMaxNames = 10'000;
constexpr size_t kMaxWithoutName = 16'384;

// 0 when there is no such file, or its inode is none the kernel gives to a namespace.
uint32_t InodeOf(int folder, const char* name) {
  struct stat info {};
  if (::fstatat(folder, name, &info, 0) != 0 || info.st_ino > UINT32_MAX) return 0;
  return static_cast<uint32_t>(info.st_ino);
}

}  // namespace

NetnsNames::NetnsNames(std::vector<std::filesystem::path> folders, const std::filesystem::path& host,
                       const Clock& clock)
    : folders_(std::move(folders)), clock_(clock), host_(InodeOf(AT_FDCWD, host.c_str())) {}

std::shared_ptr<const std::string> NetnsNames::NameOfOther(uint32_t inode) {
  const Nanos now = clock_.MonotonicNanos();
  const bool is_new = !names_.contains(inode) && !without_name_.contains(inode);
  if (is_new && now >= next_scan_) {
    Scan(now);
    if (without_name_.size() >= kMaxWithoutName) without_name_.clear();
    if (!names_.contains(inode)) without_name_.insert(inode);
  } else if (!is_new && now >= next_look_) {
    next_look_ = now + kLookPeriod;
    if (IsOutOfDate(now)) Scan(now);
  }
  const auto known = names_.find(inode);
  return known == names_.end() ? nameless_ : known->second.name;
}

bool NetnsNames::IsOutOfDate(Nanos now) const {
  return scan_again_ || now - scanned_at_ >= kMaxAge || FolderChangedAt() != folder_changed_at_;
}

int64_t NetnsNames::FolderChangedAt() const {
  for (const std::filesystem::path& folder : folders_) {
    struct stat info {};
    if (::stat(folder.c_str(), &info) == 0) return info.st_mtim.tv_sec * kSecond + info.st_mtim.tv_nsec;
  }
  return 0;
}

void NetnsNames::Scan(Nanos now) {
  scanned_at_ = now;
  next_look_ = now + kLookPeriod;
  const int64_t changed_at = FolderChangedAt();
  // A name is made in two steps, a file and then a mount on it, and only the first changes the folder.
  scan_again_ = changed_at != folder_changed_at_;
  folder_changed_at_ = changed_at;
  ReadFolder(now);
  for (auto item = names_.begin(); item != names_.end();) {
    if (now - item->second.seen > kKeepGone) {
      item = names_.erase(item);
      continue;
    }
    scan_again_ |= item->second.seen != now;
    ++item;
  }
  const Nanos took = clock_.MonotonicNanos() - now;
  next_scan_ = now + std::clamp(took * kScanShare, kShortestScanPeriod, kLookPeriod);
}

void NetnsNames::ReadFolder(Nanos now) {
  DIR* directory = nullptr;
  for (auto folder = folders_.begin(); directory == nullptr && folder != folders_.end(); ++folder) {
    directory = ::opendir(folder->c_str());
  }
  if (directory == nullptr) return;  // nobody has named a namespace since the node started
  size_t count = 0;
  while (const dirent* entry = ::readdir(directory)) {
    if (entry->d_name[0] == '.') continue;
    if (++count > kMaxNames) break;
    const uint32_t inode = InodeOf(::dirfd(directory), entry->d_name);
    if (inode == 0) continue;
    std::string name = PrintableName(entry->d_name, model::kMaxStringBytes);
    Entry& known = names_[inode];
    // Of two names for one namespace the lesser, whatever order the folder has.
    const bool is_first = known.seen != now || known.name == nullptr;
    if (is_first ? known.name == nullptr || *known.name != name : name < *known.name) {
      known.name = std::make_shared<const std::string>(std::move(name));
    }
    known.seen = now;
  }
  ::closedir(directory);
}

}  // namespace weir::agent::identity

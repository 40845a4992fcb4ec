#include "agent/identity/identity_index.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <vector>

namespace weir::agent::identity {
namespace {

constexpr Nanos kSecond = 1'000'000'000;
constexpr Nanos kWalkPeriod = kSecond;
constexpr Nanos kKeepGone = 300 * kSecond;  // final records may come after the folder went
constexpr Nanos kProcessLifetime = 10 * kSecond;
constexpr Nanos kBetweenLooks = 5 * kSecond;
constexpr size_t kMaxFolders = 65'536;
constexpr size_t kMaxUnknown = 16'384;
constexpr size_t kMaxProcesses = 16'384;
constexpr size_t kMaxProcFile = 16'384;
constexpr int kMaxDepth = 24;
constexpr uint64_t kProcessOwner = uint64_t{1} << 63;  // tells made-up owners from inodes

bool IsFile(const std::filesystem::path& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0;
}

uint64_t InodeOf(const std::filesystem::path& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

// "" when it cannot be read; at most kMaxProcFile bytes.
std::string ReadSmallFile(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  std::string text(kMaxProcFile, '\0');
  const ssize_t size = ::read(fd, text.data(), text.size());
  ::close(fd);
  text.resize(size > 0 ? static_cast<size_t>(size) : 0);
  return text;
}

// Containers of a v1 node have folders in these hierarchies, whatever the runtime.
bool HasV1Hierarchies(const std::filesystem::path& cgroup) {
  return IsFile(cgroup / "memory") || IsFile(cgroup / "cpu") || IsFile(cgroup / "systemd");
}

}  // namespace

IdentityIndex::IdentityIndex(Paths paths, const Clock& clock)
    : paths_(std::move(paths)),
      clock_(clock),
      netns_names_(paths_.netns, paths_.machines_processes ? paths_.proc / "1" / "ns" / "net" : "", clock),
      containers_(paths_.containers) {
  // Every v2 folder has this file, no v1 folder has.
  for (const std::filesystem::path& root : {paths_.tree, paths_.cgroup, paths_.cgroup / "unified"}) {
    if (!root.empty() && IsFile(root / "cgroup.procs") && IsFile(root / "cgroup.controllers")) {
      root_ = root;
      root_id_ = InodeOf(root);
      break;
    }
  }
  has_v1_ = root_ != paths_.cgroup && HasV1Hierarchies(paths_.cgroup);
  AskProcesses(has_v1_ && paths_.machines_processes);
  MissBirths(paths_.misses_births);
}

std::shared_ptr<const CgroupName> IdentityIndex::NameOf(uint64_t owner) {
  if (owner == 0 || owner == root_id_) return nobody_;
  if (const auto known = names_.find(owner); known != names_.end()) return Named(known->second);
  if (root_.empty() || owner & kProcessOwner || unknown_.contains(owner)) return nobody_;
  const Nanos now = clock_.MonotonicNanos();
  if (paths_.path_at_birth) {
    if (const std::string path = paths_.path_at_birth(owner); !path.empty()) {
      if (names_.size() > kMaxFolders) ForgetOld(now);
      return Named(names_[owner] = {.name = std::make_shared<const CgroupName>(NameFromPath(path)), .seen = now});
    }
  }
  if (now < next_walk_) return nobody_;  // asked again when the flow is next made
  Walk(now);
  if (const auto known = names_.find(owner); known != names_.end()) return Named(known->second);
  if (unknown_.size() >= kMaxUnknown) unknown_.clear();
  unknown_.insert(owner);
  return nobody_;
}

// Its runtime may write down its name a moment after it made the control group.
std::shared_ptr<const CgroupName> IdentityIndex::Named(Entry& entry) {
  if (entry.name->container.empty() || entry.looks_left == 0) return entry.name;
  const Nanos now = clock_.MonotonicNanos();
  if (now < entry.next_look) return entry.name;
  entry.next_look = now + kBetweenLooks;
  --entry.looks_left;
  ContainerMetadata said = containers_.Read(entry.name->container);
  if (said.empty()) return entry.name;
  entry.looks_left = 0;
  auto named = std::make_shared<CgroupName>(*entry.name);
  named->container_name = std::move(said.name);
  named->image = std::move(said.image);
  entry.name = std::move(named);
  return entry.name;
}

uint64_t IdentityIndex::OwnerByProcess(uint64_t cgroup_id, uint32_t pid) {
  auto known = processes_.find(pid);
  if (known == processes_.end()) {
    if (processes_.size() >= kMaxProcesses) processes_.clear();
    known = processes_.insert({pid, ReadProcess(pid, clock_.MonotonicNanos())}).first;
  }
  const ProcessEntry& process = known->second;
  // Outside containers the socket's own folder is the better answer: its creator may have moved since.
  const bool at_root = cgroup_id == 0 || cgroup_id == root_id_;
  return process.owner != 0 && (process.in_container || at_root) ? process.owner : cgroup_id;
}

void IdentityIndex::ExpireAnswers() {
  const Nanos now = clock_.MonotonicNanos();
  for (auto item = processes_.begin(); item != processes_.end();) {
    item = item->second.expires <= now ? processes_.erase(item) : std::next(item);
  }
}

IdentityIndex::ProcessEntry IdentityIndex::ReadProcess(uint32_t pid, Nanos now) {
  CgroupName name = NameFromProcFile(ReadSmallFile(paths_.proc / std::to_string(pid) / "cgroup"));
  ProcessEntry process{.expires = now + kProcessLifetime};
  if (name == CgroupName{}) return process;
  process.owner = kProcessOwner | std::hash<std::string>{}(name.container + '/' + name.pod_uid + '/' + name.unit);
  process.in_container = !name.container.empty();
  Entry& entry = names_[process.owner];
  if (entry.name == nullptr) entry.name = std::make_shared<const CgroupName>(std::move(name));
  entry.seen = now;
  if (names_.size() > kMaxFolders) ForgetOld(now);
  return process;
}

void IdentityIndex::Walk(Nanos now) {
  next_walk_ = now + kWalkPeriod;
  std::string relative;
  WalkFolder(root_, relative, 0, now);
  ForgetOld(now);
}

void IdentityIndex::WalkFolder(const std::filesystem::path& folder, std::string& relative, int depth, Nanos now) {
  if (depth >= kMaxDepth) return;
  DIR* directory = ::opendir(folder.c_str());
  if (directory == nullptr) return;  // removed meanwhile
  std::vector<std::string> children;
  while (const dirent* entry = ::readdir(directory)) {
    if (entry->d_type != DT_DIR || entry->d_name[0] == '.') continue;
    if (names_.size() >= kMaxFolders && !names_.contains(entry->d_ino)) continue;
    const size_t length = relative.size();
    relative.append("/").append(entry->d_name);
    Entry& known = names_[entry->d_ino];
    // Inodes of deleted folders are reused, so the name is made anew when it differs.
    if (CgroupName name = NameFromPath(relative); known.name == nullptr || !known.name->SameFolder(name)) {
      known = {std::make_shared<const CgroupName>(std::move(name))};
    }
    known.seen = now;
    unknown_.erase(entry->d_ino);
    relative.resize(length);
    children.emplace_back(entry->d_name);
  }
  ::closedir(directory);  // before descending: the depth must not cost descriptors
  for (const std::string& child : children) {
    const size_t length = relative.size();
    relative.append("/").append(child);
    WalkFolder(folder / child, relative, depth + 1, now);
    relative.resize(length);
  }
}

void IdentityIndex::ForgetOld(Nanos now) {
  std::erase_if(names_, [now](const auto& item) { return now - item.second.seen > kKeepGone; });
}

}  // namespace weir::agent::identity

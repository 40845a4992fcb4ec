#include "agent/kernel/net_namespaces.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>
#include <unordered_set>

#include "base/log.h"

namespace weir::agent::kernel {
namespace {

namespace fs = std::filesystem;

class Collector {
 public:
  explicit Collector(size_t limit) : limit_(limit) {}

  void Add(const fs::path& path) {
    // Most processes share few namespaces: look at the inode before opening anything.
    struct stat info {};
    if (found_.size() >= limit_ || ::stat(path.c_str(), &info) != 0 || inodes_.contains(info.st_ino)) return;
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    // The process may have ended or moved since; another one may lead there.
    if (!fd.valid() || ::fstat(fd.get(), &info) != 0 || !inodes_.insert(info.st_ino).second) return;
    found_.push_back({static_cast<uint32_t>(info.st_ino), std::move(fd), path});
  }
  std::vector<NetNamespace> Take() { return std::move(found_); }

 private:
  const size_t limit_;
  std::unordered_set<uint64_t> inodes_;
  std::vector<NetNamespace> found_;
};

}  // namespace

std::vector<NetNamespace> ListNetNamespaces(size_t limit, const fs::path& proc, const fs::path& bound) {
  Collector collector(limit);
  collector.Add(proc / "self" / "ns" / "net");
  std::error_code ignored;  // a folder that is not there has no namespaces
  for (fs::directory_iterator item(proc, ignored); item != fs::directory_iterator(); item.increment(ignored)) {
    const std::string name = item->path().filename();
    const bool is_process = std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (is_process) collector.Add(item->path() / "ns" / "net");
  }
  for (fs::directory_iterator item(bound, ignored); item != fs::directory_iterator(); item.increment(ignored)) {
    collector.Add(item->path());
  }
  return collector.Take();
}

Status RunInNetNamespace(int fd, const std::function<Status()>& action) {
  const UniqueFd home(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!home.valid()) return Status::FromErrno(errno, "open /proc/thread-self/ns/net");
  // Entering the namespace one is in needs a privilege too; being there needs none.
  struct stat here {};
  struct stat there {};
  if (::fstat(home.get(), &here) == 0 && ::fstat(fd, &there) == 0 && here.st_ino == there.st_ino) return action();
  if (::setns(fd, CLONE_NEWNET) != 0) return Status::FromErrno(errno, "setns (needs CAP_SYS_ADMIN)");
  Status status = action();
  if (::setns(home.get(), CLONE_NEWNET) != 0) {
    LogError("cannot return to the agent's network namespace (errno {}): stopping", errno);
    std::abort();
  }
  return status;
}

}  // namespace weir::agent::kernel

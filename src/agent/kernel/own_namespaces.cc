#include "agent/kernel/own_namespaces.h"

#include <sys/stat.h>
#include <unistd.h>

#include <system_error>

namespace weir::agent::kernel {
namespace {

// PROC_PID_INIT_INO of include/linux/proc_ns.h: the same on every machine since Linux 3.8.
constexpr ino_t kFirstProcessNamespace = 0xEFFFFFFC;

bool IsFirstProcessNamespace(const std::filesystem::path& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && info.st_ino == kFirstProcessNamespace;
}

}  // namespace

bool SharesProcessNamespace(const std::filesystem::path& proc) {
  return IsFirstProcessNamespace(proc / "self" / "ns" / "pid");
}

bool SharesNetworkNamespace(const std::filesystem::path& proc) {
  // Settings of the machine as a whole are shown in its first network namespace only (net/core/sysctl_net_core.c).
  std::error_code ignored;
  return std::filesystem::exists(proc / "sys" / "net" / "core" / "netdev_max_backlog", ignored);
}

bool ProcShowsMachine(const std::filesystem::path& proc) {
  // Mounted in another namespace than the agent's it shows the agent under another number, or not at all.
  std::error_code ignored;
  const bool is_ours = std::filesystem::read_symlink(proc / "self", ignored) == std::to_string(::getpid());
  return is_ours ? SharesProcessNamespace(proc) : IsFirstProcessNamespace(proc / "1" / "ns" / "pid");
}

}  // namespace weir::agent::kernel

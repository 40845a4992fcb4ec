// The network namespaces of this node, and how to act in one of them. Needed where the kernel answers only
// for the caller's namespace: iter/tcp and inet_diag.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "agent/kernel/unique_fd.h"
#include "base/status.h"

namespace weir::agent::kernel {

struct NetNamespace {
  uint32_t inode = 0;  // as the kernel's records name it
  UniqueFd fd;
  std::filesystem::path path;  // where it was found: /proc/PID/ns/net or the bound file
};

// Namespaces of processes and those bound in /run/netns, each once, at most `limit`; with /proc of the host.
std::vector<NetNamespace> ListNetNamespaces(size_t limit, const std::filesystem::path& proc = "/proc",
                                            const std::filesystem::path& bound = "/run/netns");

// Runs `action` with the calling thread inside the namespace `fd`, then brings the thread home. Ends the
// process when the way home is blocked: a thread in the wrong namespace would report lies. kDenied without
// CAP_SYS_ADMIN.
Status RunInNetNamespace(int fd, const std::function<Status()>& action);

}  // namespace weir::agent::kernel

// The sock_diag sockets of one network namespace: one that dumps, one that hears of destroyed sockets.
// Thread: the agent's loop, all calls.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "agent/kernel/unique_fd.h"
#include "agent/source/sock_diag/diag_message.h"
#include "base/status.h"

namespace weir::agent::source {

class DiagNamespace {
 public:
  using Visitor = std::function<void(const DiagSocket&)>;

  // Opens the sockets inside the namespace `fd`; they stay there when the thread comes home. Whoever keeps
  // one keeps the namespace alive, so it must be dropped when nothing else lives in it. kDenied without
  // CAP_SYS_ADMIN.
  static Result<std::unique_ptr<DiagNamespace>> Open(int fd, uint32_t inode);

  // Listeners first, so that the direction of the others can be told.
  Status Dump(const Visitor& visit);
  // Destroyed sockets since the last call. Lost messages are counted (agent_kernel_ring_full).
  void Destroyed(const Visitor& visit);

  // False when this kernel tells nobody of destroyed sockets, or not us.
  bool hears_destroyed() const { return destroyed_.valid(); }
  uint32_t inode() const { return inode_; }

 private:
  explicit DiagNamespace(uint32_t inode) : inode_(inode) {}
  Status DumpFamily(uint8_t family, uint32_t states, const Visitor& visit);

  const uint32_t inode_;
  kernel::UniqueFd dump_;
  kernel::UniqueFd destroyed_;
};

}  // namespace weir::agent::source

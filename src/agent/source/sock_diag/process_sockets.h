// Whose descriptor a socket's inode is, from /proc/PID/fd. One readlink per descriptor of the node: for the
// degraded mode, at a limited rate. Thread: the agent's loop, all calls.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <unordered_map>

#include "base/clock.h"
#include "bpf/abi.h"

namespace weir::agent::source {

struct SocketHolder {
  uint32_t pid = 0;
  std::array<char, WEIR_COMM_BYTES> comm{};
};

class ProcessSockets {
 public:
  explicit ProcessSockets(std::filesystem::path proc = "/proc") : proc_(std::move(proc)) {}

  // nullptr when unknown; valid until the next Refresh.
  const SocketHolder* Find(uint32_t inode) const;
  // Reads everything again, unless that happened less than 10 s ago. Descriptors of processes we may not see,
  // and more than a million of them, are left out. Of several holders the one with the lowest pid above 1
  // counts: process 1 holds the sockets of socket-activated services too.
  void Refresh(Nanos now_monotonic);
  size_t size() const { return holders_.size(); }

 private:
  void ReadProcess(uint32_t pid);

  const std::filesystem::path proc_;
  std::unordered_map<uint32_t, SocketHolder> holders_;
  Nanos next_ = 0;
};

}  // namespace weir::agent::source

// What full accept queues have cost listeners.
//
// A listener's own count (sk_drops) is of everything it threw away: a SYN that comes again because a SYN-ACK was lost
// is in it, and where the last ACK of a handshake meets a full queue it grows by two. Its namespace's count
// (ListenOverflows of TcpExt) is of full queues only, but of all listeners. A listener is told to have lost as much as
// both say: exact where no two listeners of a namespace throw something away within one snapshot, and never more than
// the namespace's. Kernel: tcp_listendrop(), tcp_v4_syn_recv_sock(), tcp_v4_rcv() of Linux 6.18. Thread: the agent's
// loop, all calls.
#pragma once

#include <tsl/robin_map.h>

#include <cstdint>
#include <functional>
#include <optional>

#include "bpf/abi.h"

namespace weir::agent::kernel {

class AcceptQueues {
 public:
  // ListenOverflows of the namespace, which the process is thought to be in; nullopt: cannot be told.
  using Counter = std::function<std::optional<uint64_t>(uint32_t netns, uint32_t pid)>;

  explicit AcceptQueues(Counter counter) : counter_(std::move(counter)) {}

  // Connections the full queue of this listener has cost since its first record; never less than before. Where the
  // namespace's count cannot be told, the listener's own stands. REQUIRES: record.state is TCP_LISTEN.
  uint32_t Overflows(const weir_record& record);

 private:
  static constexpr size_t kMaxListeners = 65'536;  // and namespaces; forgets all beyond, their next records begin anew

  struct Listener {
    uint32_t drops = 0;  // as of the last record
    uint32_t overflows = 0;
  };
  struct Namespace {
    uint64_t overflows = 0;  // as last read
    uint64_t unclaimed = 0;  // of these, what no listener was told yet
  };

  void Read(const weir_record& record, bool first_is_old);

  const Counter counter_;
  tsl::robin_map<uint64_t, Listener> listeners_;  // by the kernel's pointer
  tsl::robin_map<uint32_t, Namespace> namespaces_;
};

// From /proc/PID/net/netstat, where that process is in the namespace.
std::optional<uint64_t> ReadListenOverflows(uint32_t netns, uint32_t pid);

}  // namespace weir::agent::kernel

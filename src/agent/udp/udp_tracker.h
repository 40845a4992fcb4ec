// UdpTracker: loads bpf/udp.bpf.c, attaches it to a version 2 control group and reads what it counted. Everything is
// held by descriptors and nothing is pinned. Thread: one, all calls.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

#include "agent/kernel/program_time.h"
#include "base/status.h"
#include "bpf/udp_abi.h"

namespace weir::agent::udp {

struct UdpTrackerOptions {
  bool flows = true;
  bool dns = true;
  bool allowed = true;                            // false: eBPF is switched off
  uint32_t max_pairs = 65'536;                    // of socket and peer; 200 B of kernel memory each
  uint32_t ring_bytes = 4U << 20;                 // rounded up to a power of two; a DNS message takes 384 B
  std::filesystem::path group{};                  // below the version 2 root; "" = all sockets of the node
  std::filesystem::path root = "/sys/fs/cgroup";  // where control groups are mounted
};

// Since the tracker was loaded.
struct UdpLosses {
  uint64_t map_full = 0;   // datagrams
  uint64_t ring_full = 0;  // DNS messages
  uint64_t other = 0;      // no loss: packets of sockets that are neither TCP nor UDP
  uint64_t other_bytes = 0;
};

class UdpTracker {
 public:
  // kUnsupported: no version 2 control groups, or this kernel cannot; kDenied: this process may not, or somebody
  // attached programs that tolerate no others. Messages carry the remedy.
  static Result<std::unique_ptr<UdpTracker>> Open(const UdpTrackerOptions& options);
  virtual ~UdpTracker() = default;

  using OnPair = std::function<void(const weir_udp_key& key, const weir_udp_flow& flow)>;
  // Absolute counters of every pair.
  virtual Status ReadPairs(const OnPair& on_pair) = 0;
  // Forgets the pair and tells its last counters; false when it was not there. A datagram that is being counted at
  // this very moment may be lost, so only idle pairs are forgotten.
  virtual bool Forget(const weir_udp_key& key, weir_udp_flow& last) = 0;
  virtual void DrainDns(const std::function<void(const weir_dns_message& message)>& on_message) = 0;
  virtual UdpLosses Losses() = 0;
  virtual uint32_t max_pairs() const = 0;
  virtual kernel::ProgramTime Programs() const { return {}; }
  // Whether the sockets of the whole machine are seen, not only those of the agent's own control group namespace.
  virtual bool sees_machine() const { return true; }
};

}  // namespace weir::agent::udp

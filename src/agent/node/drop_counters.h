// DropCounters: how often the kernel dropped packets, by its reason, place, network namespace and protocol
// (bpf/drops.bpf.c). Opening it takes CAP_BPF and CAP_PERFMON, reading it (since Linux 5.19) nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "bpf/drops_abi.h"

namespace weir::agent::node {

// Thread: one at a time.
class DropCounters {
 public:
  virtual ~DropCounters() = default;
  // Calls with each kind of drop there was since Open(), and how many packets.
  virtual Status Read(const std::function<void(const weir_drop_key& key, uint64_t packets)>& visit) = 0;
  // Frees the place of a kind that does not happen any more. Returns what it had counted at last; nullopt when there is
  // no such kind.
  virtual std::optional<uint64_t> Forget(const weir_drop_key& key) = 0;
  // Packets of kinds there was no place for.
  virtual uint64_t Lost() = 0;
  virtual size_t max_kinds() const = 0;
  // "NETFILTER_DROP", as the running kernel numbers them; "REASON_7" of one without a name.
  virtual std::string ReasonName(uint32_t reason) const = 0;
};

// kUnsupported below Linux 5.17, which knows no reasons; kDenied.
Result<std::unique_ptr<DropCounters>> OpenDropCounters();

}  // namespace weir::agent::node

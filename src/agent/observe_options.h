// What eBPF is asked to observe. Part of what an agent is started with, and of a recording's head, so that a replay is
// the same observer again.
#pragma once

#include <cstdint>
#include <filesystem>

#include "agent/kernel/receive_loss.h"

namespace weir::agent {

struct ObserveOptions {
  uint32_t max_sockets = 65'536;  // size of the kernel map, rounded up to a power of two
  uint32_t max_flows = 65'536;    // flow table entries; beyond: one overflow flow, counted
  ReceiveLoss receive_loss = ReceiveLoss::kOnEvidence;
  bool udp = false;                 // UDP flows
  bool dns = false;                 // DNS as clients see it
  std::filesystem::path udp_group;  // whose sockets these two watch, below the version 2 root; "" = all
  std::filesystem::path within;     // whose sockets are seen at all, below the version 2 root; "" = all
  bool requests = false;            // measure HTTP/1 requests and learn TLS server names
  bool requests_auto = false;       // that only while a program is seen to serve that is known to serve inference
  bool nat = false;                 // ask connection tracking whom clients reach behind translated addresses
};

}  // namespace weir::agent

// What is observed by eBPF, put together: TCP, and beside it what was asked for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "agent/flow/address_translations.h"
#include "agent/kernel/receive_loss.h"
#include "agent/optional_source.h"
#include "agent/origin.h"
#include "agent/source.h"

namespace weir::agent {

struct ObserveOptions {
  uint32_t max_sockets = 65'536;
  uint32_t max_flows = 65'536;
  ReceiveLoss receive_loss = ReceiveLoss::kOnEvidence;
  bool udp = false;
  bool dns = false;
  std::filesystem::path udp_group;  // as UdpTrackerOptions::group
  bool requests = false;
  bool nat = false;  // ask the running kernel's connection tracking; a recording does not hold its answers
};

// `origin` outlives the source.
std::unique_ptr<Source> MakeObserver(const ObserveOptions& options, Origin& origin);
// The source keeps its origin.
std::unique_ptr<Source> MakeObserver(const ObserveOptions& options, std::unique_ptr<Origin> origin);

// What was asked for beside a source of another kind: NAT, UDP and DNS.
struct Beside {
  std::vector<std::unique_ptr<OptionalSource>> sources;
  flow::AddressTranslations* translations = nullptr;  // of one of them; null = not asked for
};
// `allowed`: false = eBPF is not, and UDP reports why it cannot. `clock` outlives them.
Beside MakeBeside(const ObserveOptions& options, bool allowed, const Clock& clock);

}  // namespace weir::agent

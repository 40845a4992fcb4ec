// The source that loses nothing: births and deaths of all sockets from a tracepoint, counters from snapshots.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

#include "agent/flow/address_translations.h"
#include "agent/flow/connection_names.h"
#include "agent/kernel/kernel_tracker.h"
#include "agent/kernel/receive_loss.h"
#include "agent/kernel/socket_tracker.h"
#include "agent/source.h"
#include "agent/source/surroundings.h"

namespace weir::agent {

struct EbpfOptions {
  uint32_t max_sockets = 65'536;
  uint32_t max_flows = 65'536;
  ReceiveLoss receive_loss = ReceiveLoss::kOnEvidence;
  std::filesystem::path within{};  // as in KernelOptions
  // Both outlive the source. Null = no names besides the processes'; addresses are what sockets say.
  flow::ConnectionNames* names = nullptr;
  flow::AddressTranslations* translations = nullptr;
};

// How often the ring is drained: so often that one time takes about kRecordsPerPoll records, some 0.15 ms, for whoever
// wants the processor waits as long. Waking up costs as much as 150 records.
inline constexpr int64_t kRecordsPerPoll = 1024;
inline constexpr std::chrono::milliseconds kShortestPollPeriod{10};
inline constexpr std::chrono::milliseconds kLongestPollPeriod{100};
// After `records` came in `period`.
std::chrono::milliseconds NextPollPeriod(std::chrono::milliseconds period, uint64_t records);

// `clock` outlives the source.
std::unique_ptr<Source> MakeEbpfSource(EbpfOptions options, const Clock& clock);

// The same over any tracker and any surroundings; `open` is called once, by Start(), and appends its probes.
using OpenTracker = std::function<Result<std::unique_ptr<kernel::SocketTracker>>(
    const kernel::KernelOptions& options, std::vector<model::ProbeReport>& probes)>;
std::unique_ptr<Source> MakeEbpfSource(EbpfOptions options, const Clock& clock, OpenTracker open,
                                       source::Surroundings surroundings);

// The tracker of the running kernel.
Result<std::unique_ptr<kernel::SocketTracker>> OpenKernelTracker(const kernel::KernelOptions& options,
                                                                 std::vector<model::ProbeReport>& probes);

}  // namespace weir::agent

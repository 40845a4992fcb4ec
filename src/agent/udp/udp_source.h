// What is not TCP: UDP flows, and DNS as clients see it.
#pragma once

#include <functional>
#include <memory>

#include "agent/flow/address_translations.h"
#include "agent/optional_source.h"
#include "agent/source/surroundings.h"
#include "agent/udp/udp_tracker.h"

namespace weir::agent {

struct UdpOptions {
  udp::UdpTrackerOptions tracker;  // `flows` and `dns` say what is wanted
  uint32_t max_flows = 65'536;
  flow::AddressTranslations* translations = nullptr;  // outlives the source; null = addresses are what sockets use
};

// Probes "udp" and "dns", those that are wanted, after Start(). `clock` outlives the source.
std::unique_ptr<OptionalSource> MakeUdpSource(UdpOptions options, const Clock& clock);

// The same over any tracker and any surroundings; `open` is called once, by Start().
using OpenUdpTracker = std::function<Result<std::unique_ptr<udp::UdpTracker>>(const udp::UdpTrackerOptions&)>;
std::unique_ptr<OptionalSource> MakeUdpSource(UdpOptions options, const Clock& clock, OpenUdpTracker open,
                                              source::Surroundings surroundings);

}  // namespace weir::agent

// What IP and the protocols above it count in a network namespace, as signals: /proc/net/snmp and netstat (groups of
// names and values) and snmp6 (a name and a value on each line).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

#include "base/status.h"
#include "model/node_signals.h"

namespace weir::agent::node {

using ProtocolVisitor = std::function<void(model::NodeSignal signal, uint64_t value)>;

// Calls once per signal found, with the sum of its sources; counters that no signal names are passed over. Pure.
void ParseProtocolCounters(std::string_view snmp, std::string_view netstat, std::string_view snmp6,
                           const ProtocolVisitor& visit);

// `folder`: the namespace's /proc/PID/net. A kernel without IPv6 has no snmp6, and that is no error.
Status ReadProtocolCounters(const std::filesystem::path& folder, const ProtocolVisitor& visit);

}  // namespace weir::agent::node

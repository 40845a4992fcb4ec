#include "agent/node/protocol_counters.h"

#include <array>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "agent/node/proc_text.h"
#include "agent/node/source_catalogue.h"

namespace weir::agent::node {
namespace {

using model::NodeSignal;

using Names = std::unordered_map<std::string_view, NodeSignal>;
using Sums = std::array<std::optional<uint64_t>, model::kNodeSignalCount>;

void AddUp(const Names& names, std::string_view name, uint64_t value, Sums& sums) {
  const auto signal = names.find(name);
  if (signal == names.end()) return;
  std::optional<uint64_t>& sum = sums[static_cast<size_t>(signal->second)];
  sum = sum.value_or(0) + value;
}

// nullptr when the catalogue names nothing of the group.
const Names* NamesOfGroup(std::string_view group) {
  static const std::array<std::pair<std::string_view, const Names*>, 6> kGroups{{
      {"Ip", &NamesOf("ip")},
      {"Icmp", &NamesOf("icmp")},
      {"Tcp", &NamesOf("tcp")},
      {"Udp", &NamesOf("udp")},
      {"TcpExt", &NamesOf("tcpext")},
      {"IpExt", &NamesOf("ipext")},
  }};
  for (const auto& [name, names] : kGroups) {
    if (name == group) return names;
  }
  return nullptr;
}

}  // namespace

void ParseProtocolCounters(std::string_view snmp, std::string_view netstat, std::string_view snmp6,
                           const ProtocolVisitor& visit) {
  Sums sums{};
  for (const std::string_view text : {snmp, netstat}) {
    ParseGroups(text, [&](std::string_view group, std::string_view name, uint64_t value) {
      if (const Names* names = NamesOfGroup(group)) AddUp(*names, name, value, sums);
    });
  }
  const Names& names6 = NamesOf("snmp6");
  ParsePairs(snmp6, [&](std::string_view name, uint64_t value) { AddUp(names6, name, value, sums); });
  for (size_t i = 0; i < sums.size(); ++i) {
    if (sums[i]) visit(static_cast<NodeSignal>(i), *sums[i]);
  }
}

Status ReadProtocolCounters(const std::filesystem::path& folder, const ProtocolVisitor& visit) {
  WEIR_ASSIGN_OR_RETURN(const std::string snmp, ReadText(folder / "snmp"));
  WEIR_ASSIGN_OR_RETURN(const std::string netstat, ReadText(folder / "netstat"));
  const Result<std::string> snmp6 = ReadText(folder / "snmp6");
  if (!snmp6.ok() && snmp6.status().code() != Code::kNotFound) return snmp6.status();
  ParseProtocolCounters(snmp, netstat, snmp6.ok() ? std::string_view(*snmp6) : "", visit);
  return Status::Ok();
}

}  // namespace weir::agent::node

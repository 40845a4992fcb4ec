#include "api/accounts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <set>
#include <string_view>

#include "api/time_text.h"
#include "model/node_subject.h"
#include "store/store.h"

namespace weir::api {
namespace {

using diagnose::AccountNumbers;
using diagnose::FlowBytes;
using diagnose::NamespaceFlows;
using diagnose::SignalSums;
using model::NodeSignal;
using store::NodeTotal;

// Other namespaces are read every 5 s: their newest reading is not older, unless there are none any more.
constexpr int64_t kSlowReadingsMs = 12'000;
constexpr uint32_t kFlowGroups = 100'000;
constexpr int64_t kMinuteMs = 60'000;

Json NumbersJson(const AccountNumbers& numbers) {
  Json json = Json::object();
#define WEIR_FIELD(name) json[#name] = numbers.name;
  WEIR_ACCOUNT_NUMBERS(WEIR_FIELD)
#undef WEIR_FIELD
  return json;
}

// A name as a value of the filter language, whatever bytes it has.
std::string Quoted(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      out += c;
    } else {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return out + "\"";
}

constexpr std::array<std::string_view, 8> kFlowGroupColumns{"protocol",    "client_node", "client_netns",
                                                            "client_kind", "server_node", "server_netns",
                                                            "server_kind", "server_port"};
constexpr std::array<std::string_view, 10> kFlowMeasures{"bytes_to_server",
                                                         "bytes_to_client",
                                                         "segments_to_server",
                                                         "segments_to_client",
                                                         "retransmits_to_server",
                                                         "retransmits_to_client",
                                                         "retransmitted_bytes_to_server",
                                                         "retransmitted_bytes_to_client",
                                                         "spurious_retransmits_to_server",
                                                         "spurious_retransmits_to_client"};

template <size_t N>
std::vector<const model::Column*> ColumnsNamed(const std::array<std::string_view, N>& names) {
  std::vector<const model::Column*> columns;
  for (const std::string_view name : names) columns.push_back(model::FindColumn(name));
  return columns;
}

// One row of the answer, by name. A column that is not there is "" and 0.
struct FlowCells {
  const store::FlowResult& result;
  const std::vector<store::Cell>& cells;
  const store::Cell* Find(std::string_view name) const {
    for (size_t i = 0; i < result.columns.size() && i < cells.size(); ++i) {
      if (result.columns[i]->name == name) return &cells[i];
    }
    return nullptr;
  }
  std::string TextOf(std::string_view name) const {
    const store::Cell* cell = Find(name);
    return cell == nullptr ? "" : cell->text;
  }
  uint64_t NumberOf(std::string_view name) const {
    const store::Cell* cell = Find(name);
    return cell == nullptr ? 0 : cell->exact;
  }
};

// What went in direction `to` ("server", "client"), as its sender and its receiver have it.
void AddDirection(const FlowCells& row, std::string_view to, FlowBytes& sent, FlowBytes& received) {
  const uint64_t bytes = row.NumberOf(fmt::format("bytes_to_{}", to));
  const uint64_t segments = row.NumberOf(fmt::format("segments_to_{}", to));
  if (row.TextOf("protocol") == "udp") {
    for (FlowBytes* end : {&sent, &received}) {
      end->udp_bytes += bytes;
      end->udp_datagrams += segments;
    }
    return;
  }
  sent.tcp_bytes += bytes;
  received.tcp_bytes += bytes;
  const uint64_t again = row.NumberOf(fmt::format("retransmitted_bytes_to_{}", to));
  const uint64_t retransmits = row.NumberOf(fmt::format("retransmits_to_{}", to));
  sent.tcp_sent_again_bytes += again;
  if (retransmits == 0) return;
  const uint64_t spurious = std::min(row.NumberOf(fmt::format("spurious_retransmits_to_{}", to)), retransmits);
  received.tcp_sent_again_bytes += again * spurious / retransmits;
}

const NodeTotal* OwnMark(const std::vector<NodeTotal>& marks) {
  for (const NodeTotal& mark : marks) {
    if (mark.netns == 0 && mark.signal == NodeSignal::netns_inode) return &mark;
  }
  return nullptr;
}

// How far the account may be off at either end of its period: what passed in this time may be on one side only.
int64_t EdgesMs(const AccountFacts& facts) {
  int64_t edges = 1'000;
  if (const NodeTotal* own = OwnMark(facts.marks); own != nullptr && own->samples > 1) {
    edges = std::max(edges, (own->last_time - own->first_time) / static_cast<int64_t>(own->samples - 1));
  }
  if (facts.resolution == "10s") edges = std::max<int64_t>(edges, 10'000);
  if (facts.resolution == "1m" || facts.from_minutes) edges = std::max(edges, kMinuteMs);
  if (facts.resolution == "5m") edges = std::max(edges, 5 * kMinuteMs);
  if (facts.resolution == "1h") edges = std::max(edges, 60 * kMinuteMs);
  return edges;
}

}  // namespace

store::FlowQuery AccountFlowsQuery(const store::TimeRange& range, const std::string& node) {
  store::FlowQuery query;
  query.range = range;
  // Every byte is written as a number or a letter: it parses.
  if (auto filter = model::Filter::Parse(fmt::format("client_node = {0} or server_node = {0}", Quoted(node)));
      filter.ok()) {
    query.filter = *std::move(filter);
  }
  query.group_by = ColumnsNamed(kFlowGroupColumns);
  query.columns = ColumnsNamed(kFlowMeasures);
  query.totals = false;
  query.limit = kFlowGroups;
  query.sort = {{model::FindColumn("bytes_to_server"), true}};
  return query;
}

FlowsByNamespace FlowsOf(const store::FlowResult& result) {
  FlowsByNamespace flows;
  NamespaceFlows unreported;
  for (const std::vector<store::Cell>& cells : result.rows) {
    const FlowCells row{result, cells};
    // Nobody counted at an end that is but an address, though its node may be known.
    const auto at = [&](const std::string& end) -> NamespaceFlows& {
      if (row.TextOf(end + "_kind") == "address") return unreported;
      return flows[{row.TextOf(end + "_node"), static_cast<uint32_t>(row.NumberOf(end + "_netns"))}];
    };
    NamespaceFlows& client = at("client");
    NamespaceFlows& server = at("server");
    AddDirection(row, "server", client.out, server.in);
    AddDirection(row, "client", server.out, client.in);
  }
  return flows;
}

const std::vector<NodeSignal>& AccountMarks() {
  static const std::vector<NodeSignal> kMarks{NodeSignal::netns_inode, NodeSignal::tcp_timestamps};
  return kMarks;
}

const std::vector<NodeSignal>& AccountSignals() {
  using enum NodeSignal;
  static const std::vector<NodeSignal> kSignals{
      interface_rx_bytes, interface_tx_bytes, interface_rx_packets,  interface_tx_packets, loopback_bytes,
      loopback_packets,   tcp_segments_in,    tcp_segments_out,      tcp_retransmits,      tcp_active_opens,
      tcp_passive_opens,  ip_packets_in,      ip_packets_out,        ip_requests_out,      ip_bytes_in,
      ip_bytes_out,       ip_segments_in,     ip_delivered,          ip_unknown_protocols, ip_forwarded,
      ip6_packets_in,     ip6_packets_out,    ip6_requests_out,      ip6_bytes_in,         ip6_bytes_out,
      ip6_segments_in,    ip6_delivered,      ip6_unknown_protocols, ip6_forwarded,        icmp_messages_in,
      icmp_messages_out,  icmp6_messages_in,  icmp6_messages_out,    udp_datagrams_in,     udp_datagrams_out,
      udp_errors_in,      udp_no_ports,       udp6_datagrams_in,     udp6_datagrams_out,   udp6_errors_in,
      udp6_no_ports};
  return kSignals;
}

store::TimeRange ReadingsOf(const std::vector<NodeTotal>& marks) {
  const NodeTotal* own = OwnMark(marks);
  std::optional<store::TimeRange> others;
  for (const NodeTotal& mark : marks) {
    if (mark.netns == 0 || mark.signal != NodeSignal::netns_inode) continue;
    if (!others) others = {mark.first_time, mark.last_time};
    others->from = std::min(others->from, mark.first_time);
    others->to = std::max(others->to, mark.last_time);
  }
  if (own == nullptr) return others.value_or(store::TimeRange{});
  store::TimeRange range{own->first_time, own->last_time};
  if (!others) return range;
  // The own namespace is read with every pass, so both begin and end with a pass that read the others too.
  if (others->from - range.from <= kSlowReadingsMs) range.from = others->from;
  if (range.to - others->to <= kSlowReadingsMs) range.to = others->to;
  range.to = std::max(range.from, range.to);
  return range;
}

uint64_t AppendAccounts(const AccountFacts& facts, Json& accounts) {
  std::map<uint32_t, SignalSums> sums;  // by namespace as in samples: 0 = the agent's own
  std::map<uint32_t, std::set<std::string>> interfaces;
  for (const NodeTotal& total : facts.totals) {
    sums[total.netns][total.signal] += total.sum;
    if (model::Describe(total.signal).scope != model::SignalScope::kInterface) continue;
    interfaces[total.netns].emplace(model::ParseNodeSubject(model::SignalScope::kInterface, total.subject).interface);
  }
  std::map<uint32_t, bool> timestamps;
  for (const NodeTotal& mark : facts.marks) {
    if (mark.signal == NodeSignal::tcp_timestamps) timestamps[mark.netns] = mark.last != 0;
  }
  std::set<uint32_t> read;
  for (const NodeTotal& mark : facts.marks) {
    if (mark.signal != NodeSignal::netns_inode) continue;
    const auto inode = static_cast<uint32_t>(mark.last);
    if (!read.insert(inode).second) continue;  // renamed meanwhile
    const auto flows = facts.flows.find({facts.node, inode});
    const auto stamps = timestamps.find(mark.netns);
    const diagnose::Account account =
        diagnose::MakeAccount(sums[mark.netns], flows == facts.flows.end() ? NamespaceFlows{} : flows->second,
                              stamps == timestamps.end() || stamps->second);
    accounts.push_back({{"node", facts.node},
                        {"namespace", mark.subject},
                        {"netns", inode},
                        {"since", FormatTime(std::max(facts.range.from, mark.first_time))},
                        {"until", FormatTime(std::min(facts.range.to, mark.last_time))},
                        {"edges_ms", EdgesMs(facts)},
                        {"interfaces", interfaces[mark.netns]},
                        {"in", NumbersJson(account.in)},
                        {"out", NumbersJson(account.out)}});
  }
  uint64_t elsewhere = 0;
  for (const auto& [place, flows] : facts.flows) {
    if (place.first != facts.node || read.contains(place.second)) continue;
    elsewhere += flows.in.tcp_bytes + flows.in.udp_bytes + flows.out.tcp_bytes + flows.out.udp_bytes;
  }
  return elsewhere;
}

}  // namespace weir::api

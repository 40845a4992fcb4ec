#include "api/accounts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <set>
#include <string_view>

#include "api/time_text.h"
#include "store/store.h"

namespace weir::api {
namespace {

using model::NodeSignal;
using store::NodeTotal;

constexpr uint64_t kLinkHeader = 14;  // Ethernet; a veth that merges (NAPI) counts without it
constexpr uint64_t kIp4Header = 20;
constexpr uint64_t kIp6Header = 40;
constexpr uint64_t kUdpHeader = 8;
constexpr uint64_t kTcpHeader = 20;
constexpr uint64_t kTimestamps = 12;  // RFC 7323, padded
// Options of a SYN beyond those of every segment: MSS, SACK permitted, window scale, as Linux lays them out.
constexpr uint64_t kSynOptions = 8;
constexpr uint64_t kSynOptionsWithoutTimestamps = 12;
// Other namespaces are read every 5 s: their newest reading is not older, unless there are none any more.
constexpr int64_t kSlowReadingsMs = 12'000;
constexpr uint32_t kFlowGroups = 100'000;
constexpr int64_t kMinuteMs = 60'000;

uint64_t LessOrZero(uint64_t from, uint64_t what) { return from > what ? from - what : 0; }

uint64_t At(const SignalSums& sums, NodeSignal signal) {
  const auto found = sums.find(signal);
  return found == sums.end() ? 0 : found->second;
}

template <typename... Signals>
uint64_t SumOf(const SignalSums& sums, Signals... signals) {
  return (At(sums, signals) + ...);
}

// Packets of one IP version in one direction.
struct Family {
  uint64_t packets = 0;  // all, forwarded ones too
  uint64_t local = 0;    // for or from here
  uint64_t udp = 0;
  uint64_t icmp = 0;
  uint64_t forwarded = 0;
  uint64_t rest() const { return LessOrZero(local, udp + icmp); }
};

Family Ip4In(const SignalSums& sums) {
  using enum NodeSignal;
  return {.packets = At(sums, ip_packets_in),
          .local = SumOf(sums, ip_delivered, ip_unknown_protocols),
          .udp = SumOf(sums, udp_datagrams_in, udp_no_ports, udp_errors_in),
          .icmp = At(sums, icmp_messages_in),
          .forwarded = At(sums, ip_forwarded)};
}

Family Ip6In(const SignalSums& sums) {
  using enum NodeSignal;
  return {.packets = At(sums, ip6_packets_in),
          .local = SumOf(sums, ip6_delivered, ip6_unknown_protocols),
          .udp = SumOf(sums, udp6_datagrams_in, udp6_no_ports, udp6_errors_in),
          .icmp = At(sums, icmp6_messages_in),
          .forwarded = At(sums, ip6_forwarded)};
}

// Before Linux 6.7 "requests" were all that was sent, and nothing else was counted.
void SetSent(Family& family, uint64_t requests, uint64_t packets) {
  family.packets = packets != 0 ? packets : requests;
  family.local = packets != 0 ? requests : LessOrZero(requests, family.forwarded);
}

Family Ip4Out(const SignalSums& sums) {
  using enum NodeSignal;
  Family family{
      .udp = At(sums, udp_datagrams_out), .icmp = At(sums, icmp_messages_out), .forwarded = At(sums, ip_forwarded)};
  SetSent(family, At(sums, ip_requests_out), At(sums, ip_packets_out));
  return family;
}

Family Ip6Out(const SignalSums& sums) {
  using enum NodeSignal;
  Family family{
      .udp = At(sums, udp6_datagrams_out), .icmp = At(sums, icmp6_messages_out), .forwarded = At(sums, ip6_forwarded)};
  SetSent(family, At(sums, ip6_requests_out), At(sums, ip6_packets_out));
  return family;
}

// What the two directions differ in.
struct Direction {
  Family ip4;
  Family ip6;
  // TCP packets as IP sees them, merged segments once. On the way out TCP counts segments alone: then it is what IP
  // sent beyond UDP and ICMP, but not more than segments.
  uint64_t tcp_packets = 0;
  // Segments below those packets that have no packet of their own: at most so many, and of these IPv6.
  uint64_t merged = 0;
  uint64_t merged6 = 0;
};

Direction InOf(const SignalSums& sums) {
  using enum NodeSignal;
  Direction in{Ip4In(sums), Ip6In(sums), At(sums, tcp_segments_in), 0, 0};
  in.merged6 = LessOrZero(At(sums, ip6_segments_in), in.ip6.packets);
  in.merged = LessOrZero(At(sums, ip_segments_in), in.ip4.packets) + in.merged6;
  return in;
}

Direction OutOf(const SignalSums& sums) {
  using enum NodeSignal;
  Direction out{Ip4Out(sums), Ip6Out(sums), 0, 0, 0};
  const uint64_t segments = SumOf(sums, tcp_segments_out, tcp_retransmits);
  out.tcp_packets = std::min(segments, out.ip4.rest() + out.ip6.rest());
  out.merged = segments - out.tcp_packets;
  // TCP does not say which version its segments went by: they are divided as the bytes are.
  const uint64_t bytes = SumOf(sums, ip_bytes_out, ip6_bytes_out);
  const double share6 = bytes == 0 ? 0 : static_cast<double>(At(sums, ip6_bytes_out)) / static_cast<double>(bytes);
  out.merged6 = static_cast<uint64_t>(static_cast<double>(out.merged) * share6);
  return out;
}

uint64_t UdpHeaders(const Direction& direction, uint64_t datagrams) {
  const uint64_t udp = direction.ip4.udp + direction.ip6.udp;
  const uint64_t more = udp == 0 ? 0 : datagrams * direction.ip6.udp / udp * (kIp6Header - kIp4Header);
  return datagrams * (kIp4Header + kUdpHeader) + more;
}

// Of packets as IP sees them, and of the segments below them that were merged or are cut there.
struct Headers {
  uint64_t ip = 0;
  uint64_t merged = 0;
};

Headers HeadersOf(const Direction& direction, const AccountNumbers& numbers, const FlowBytes& flows, uint64_t opens,
                  bool timestamps) {
  const uint64_t tcp_header = kTcpHeader + (timestamps ? kTimestamps : 0);
  const uint64_t tcp6 = std::min(direction.tcp_packets, direction.ip6.rest());
  const uint64_t tcp4 = direction.tcp_packets - tcp6;
  Headers headers;
  headers.ip = tcp4 * (kIp4Header + tcp_header) + tcp6 * (kIp6Header + tcp_header) +
               opens * (timestamps ? kSynOptions : kSynOptionsWithoutTimestamps) +
               UdpHeaders(direction, flows.udp_datagrams);
  // An interface that counts segments has seen more packets than IP; one that takes them whole has not.
  const uint64_t below =
      std::min(direction.merged, LessOrZero(numbers.interface_packets + numbers.loopback_packets, numbers.ip_packets));
  const uint64_t below6 = direction.merged == 0 ? 0 : below * direction.merged6 / direction.merged;
  headers.merged = below * (kIp4Header + tcp_header) + below6 * (kIp6Header - kIp4Header);
  return headers;
}

void Complete(const Direction& direction, const FlowBytes& flows, uint64_t opens, bool timestamps,
              AccountNumbers& numbers) {
  const Family& ip4 = direction.ip4;
  const Family& ip6 = direction.ip6;
  numbers.ip_packets = ip4.packets + ip6.packets;
  numbers.tcp_packets = direction.tcp_packets;
  numbers.udp_packets = ip4.udp + ip6.udp;
  numbers.icmp_packets = ip4.icmp + ip6.icmp;
  numbers.forwarded_packets = ip4.forwarded + ip6.forwarded;
  numbers.other_packets = LessOrZero(ip4.rest() + ip6.rest(), direction.tcp_packets);
  numbers.tcp_bytes = flows.tcp_bytes;
  numbers.tcp_sent_again_bytes = flows.tcp_sent_again_bytes;
  numbers.udp_bytes = flows.udp_bytes;

  const Headers headers = HeadersOf(direction, numbers, flows, opens, timestamps);
  const uint64_t attributed = flows.tcp_bytes + flows.tcp_sent_again_bytes + flows.udp_bytes + headers.ip;
  numbers.unattributed_bytes = LessOrZero(numbers.ip_bytes, attributed);
  numbers.excess_bytes = LessOrZero(attributed, numbers.ip_bytes);

  const uint64_t counted = numbers.interface_bytes + numbers.loopback_bytes;
  const uint64_t below = LessOrZero(counted, numbers.ip_bytes + headers.merged);
  numbers.excess_bytes += LessOrZero(numbers.ip_bytes + headers.merged, counted);
  const uint64_t link = std::min(below, numbers.interface_packets * kLinkHeader);
  numbers.below_ip_bytes = below - link;
  numbers.header_bytes = headers.ip + headers.merged + link;
}

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

Account MakeAccount(const SignalSums& sums, const NamespaceFlows& flows, bool timestamps) {
  using enum NodeSignal;
  Account account;
  account.in.interface_bytes = At(sums, interface_rx_bytes);
  account.in.interface_packets = At(sums, interface_rx_packets);
  account.in.ip_bytes = SumOf(sums, ip_bytes_in, ip6_bytes_in);
  account.out.interface_bytes = At(sums, interface_tx_bytes);
  account.out.interface_packets = At(sums, interface_tx_packets);
  account.out.ip_bytes = SumOf(sums, ip_bytes_out, ip6_bytes_out);
  for (AccountNumbers* numbers : {&account.in, &account.out}) {
    numbers->loopback_bytes = At(sums, loopback_bytes);
    numbers->loopback_packets = At(sums, loopback_packets);
  }
  // A SYN one way, a SYN-ACK the other way.
  const uint64_t opens = SumOf(sums, tcp_active_opens, tcp_passive_opens);
  Complete(InOf(sums), flows.in, opens, timestamps, account.in);
  Complete(OutOf(sums), flows.out, opens, timestamps, account.out);
  if (account.in.forwarded_packets != 0) {
    // What is forwarded comes in and goes out again.
    account.in.forwarded_bytes_at_most = account.out.forwarded_bytes_at_most =
        std::min(account.in.unattributed_bytes, account.out.unattributed_bytes);
  }
  return account;
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
    interfaces[total.netns].insert(total.subject.substr(total.subject.find('/') + 1));
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
    const Account account = MakeAccount(sums[mark.netns], flows == facts.flows.end() ? NamespaceFlows{} : flows->second,
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

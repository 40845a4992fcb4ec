#include "diagnose/account.h"

#include <algorithm>

namespace weir::diagnose {
namespace {

using model::NodeSignal;

constexpr uint64_t kLinkHeader = 14;  // Ethernet; a veth that merges (NAPI) counts without it
constexpr uint64_t kIp4Header = 20;
constexpr uint64_t kIp6Header = 40;
constexpr uint64_t kUdpHeader = 8;
constexpr uint64_t kTcpHeader = 20;
constexpr uint64_t kTimestamps = 12;  // RFC 7323, padded
// Options of a SYN beyond those of every segment: MSS, SACK permitted, window scale, as Linux lays them out.
constexpr uint64_t kSynOptions = 8;
constexpr uint64_t kSynOptionsWithoutTimestamps = 12;

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

}  // namespace

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

}  // namespace weir::diagnose

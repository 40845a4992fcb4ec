#include "agent/source/sock_diag/diag_message.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "agent/kernel/jiffies.h"

namespace weir::agent::source {
namespace {

// include/net/tcp_states.h; <netinet/tcp.h> has them too but not beside <linux/tcp.h>.
enum TcpState : uint8_t {
  kEstablished = 1,
  kSynSent = 2,
  kTimeWait = 6,
  kClose = 7,
  kCloseWait = 8,
  kLastAck = 9,
  kListen = 10,
  kClosing = 11
};

constexpr uint32_t kNoTimeouts = 0xffffffff;
// tcpi_total_rto (6.7) follows tcpi_snd_wnd, tcpi_rcv_wnd and tcpi_rehash; older headers end before it.
constexpr size_t kTotalRtoOffset = offsetof(tcp_info, tcpi_snd_wnd) + 3 * sizeof(uint32_t);

constexpr int kMaxErrno = 4095;  // include/linux/err.h

constexpr size_t Align(size_t length) { return (length + 3) & ~size_t{3}; }

struct Attributes {
  std::span<const uint8_t> tcp_info;
  std::span<const uint8_t> cgroup_id;
};

Attributes FindAttributes(std::span<const uint8_t> bytes) {
  Attributes found;
  while (bytes.size() >= sizeof(rtattr)) {
    rtattr header{};
    std::memcpy(&header, bytes.data(), sizeof(header));
    if (header.rta_len < sizeof(header) || header.rta_len > bytes.size()) break;
    const auto payload = bytes.subspan(sizeof(header), header.rta_len - sizeof(header));
    if (header.rta_type == INET_DIAG_INFO) found.tcp_info = payload;
    if (header.rta_type == INET_DIAG_CGROUP_ID) found.cgroup_id = payload;
    bytes = bytes.subspan(std::min(Align(header.rta_len), bytes.size()));
  }
  return found;
}

void FillEnds(const inet_diag_msg& message, weir_record& record) {
  record.family = message.idiag_family;
  record.local_port = ntohs(message.id.idiag_sport);
  record.remote_port = ntohs(message.id.idiag_dport);
  const size_t words = message.idiag_family == AF_INET ? 1 : 4;
  std::copy_n(message.id.idiag_src, words, record.local_address);
  std::copy_n(message.id.idiag_dst, words, record.remote_address);
  // Older kernels count cookies per namespace.
  record.socket = (uint64_t{message.id.idiag_cookie[1] ^ record.netns} << 32) | message.id.idiag_cookie[0];
}

void FillCounters(std::span<const uint8_t> bytes, weir_record& record) {
  tcp_info info{};
  std::memcpy(&info, bytes.data(), std::min(bytes.size(), sizeof(info)));
  record.bytes_sent = info.tcpi_bytes_sent;
  record.bytes_retransmitted = info.tcpi_bytes_retrans;
  record.bytes_received = info.tcpi_bytes_received;
  record.segs_in = info.tcpi_segs_in;
  record.segs_out = info.tcpi_segs_out;
  record.total_retrans = info.tcpi_total_retrans;
  record.srtt_us = info.tcpi_rtt;
  record.min_rtt_us = info.tcpi_min_rtt;
  record.delivered = info.tcpi_delivered;
  record.packets_out = info.tcpi_unacked;
  record.ca_state = info.tcpi_ca_state;
  record.dsack_dups = info.tcpi_dsack_dups;
  record.delivered_ce = info.tcpi_delivered_ce;
  record.out_of_order = info.tcpi_rcv_ooopack;
  const uint64_t jiffy_us = kernel::JiffyMicros();
  record.busy_jiffies = static_cast<uint32_t>(info.tcpi_busy_time / jiffy_us);
  record.window_jiffies = static_cast<uint32_t>(info.tcpi_rwnd_limited / jiffy_us);
  record.buffer_jiffies = static_cast<uint32_t>(info.tcpi_sndbuf_limited / jiffy_us);
  record.timeouts = kNoTimeouts;
  if (uint16_t timeouts = 0; bytes.size() >= kTotalRtoOffset + sizeof(timeouts)) {
    std::memcpy(&timeouts, bytes.data() + kTotalRtoOffset, sizeof(timeouts));
    record.timeouts = timeouts;
  }
}

bool HasFin(uint8_t state) {
  return state == kCloseWait || state == kLastAck || state == kClosing || state == kTimeWait;
}

// A destroyed socket is in TCP_CLOSE; what it was before, and why it ended, must be guessed from its
// counters.
void GuessEnd(weir_record& record) {
  record.kind = WEIR_RECORD_FINAL;
  if (record.delivered > 0) {
    record.state = kLastAck;
    // Most connections end by FIN. One that did not is counted one byte short.
    if (record.bytes_received > 0) record.flags |= WEIR_SOCKET_FIN_RECEIVED;
    return;
  }
  record.state = kSynSent;
  record.syn_retrans = record.total_retrans;
  record.error = record.segs_in > 0 ? ECONNREFUSED : EIO;  // EIO: cause unknown
}

}  // namespace

std::optional<DiagSocket> ParseDiagMessage(std::span<const uint8_t> bytes, DiagOrigin origin, uint32_t netns) {
  inet_diag_msg message{};
  if (bytes.size() < sizeof(message)) return std::nullopt;
  std::memcpy(&message, bytes.data(), sizeof(message));
  if (message.idiag_family != AF_INET && message.idiag_family != AF_INET6) return std::nullopt;
  const Attributes attributes = FindAttributes(bytes.subspan(sizeof(message)));

  DiagSocket socket;
  weir_record& record = socket.record;
  record.netns = netns;
  FillEnds(message, record);
  record.state = message.idiag_state;
  socket.inode = message.idiag_inode;
  if (attributes.cgroup_id.size() == sizeof(record.cgroup_id)) {
    std::memcpy(&record.cgroup_id, attributes.cgroup_id.data(), sizeof(record.cgroup_id));
  }
  if (message.idiag_state == kListen && origin == DiagOrigin::kDump) {
    record.kind = WEIR_RECORD_LISTEN;
    record.flags = WEIR_SOCKET_LISTENING;
    record.backlog = message.idiag_rqueue;
    record.max_backlog = message.idiag_wqueue;
    return socket;
  }
  if (attributes.tcp_info.empty() || record.remote_port == 0) return std::nullopt;
  FillCounters(attributes.tcp_info, record);
  if (origin == DiagOrigin::kDestroyed) {
    GuessEnd(record);
    return socket;
  }
  record.kind = WEIR_RECORD_LIVE;
  if (record.state == kSynSent) record.syn_retrans = record.total_retrans;
  if (HasFin(record.state)) record.flags |= WEIR_SOCKET_FIN_RECEIVED;
  return socket;
}

Result<bool> ForEachDiagMessage(std::span<const uint8_t> datagram,
                                const std::function<void(std::span<const uint8_t>)>& visit) {
  while (datagram.size() >= sizeof(nlmsghdr)) {
    nlmsghdr header{};
    std::memcpy(&header, datagram.data(), sizeof(header));
    if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > datagram.size()) {
      return Status::Corrupt("a netlink message does not fit into its datagram");
    }
    const auto payload = datagram.subspan(sizeof(header), header.nlmsg_len - sizeof(header));
    if (header.nlmsg_type == NLMSG_DONE) return true;
    if (header.nlmsg_type == NLMSG_ERROR) {
      int error = 0;
      if (payload.size() < sizeof(error)) return Status::Corrupt("a netlink error without its number");
      std::memcpy(&error, payload.data(), sizeof(error));
      if (error > 0 || error < -kMaxErrno) return Status::Corrupt("a netlink error with an impossible number");
      if (error < 0) return Status::FromErrno(-error, "sock_diag");
    } else if (header.nlmsg_type == SOCK_DIAG_BY_FAMILY) {
      visit(payload);
    }
    datagram = datagram.subspan(std::min(Align(header.nlmsg_len), datagram.size()));
  }
  return false;
}

}  // namespace weir::agent::source

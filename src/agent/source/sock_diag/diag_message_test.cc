#include "agent/source/sock_diag/diag_message.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>

#include <cerrno>
#include <cstring>
#include <limits>
#include <vector>

namespace weir::agent::source {
namespace {

using Bytes = std::vector<uint8_t>;

template <typename T>
void Append(Bytes& to, const T& value) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(&value);
  to.insert(to.end(), bytes, bytes + sizeof(value));
}

void AppendAttribute(Bytes& to, uint16_t type, const Bytes& payload) {
  Append(to, rtattr{static_cast<unsigned short>(sizeof(rtattr) + payload.size()), type});
  to.insert(to.end(), payload.begin(), payload.end());
  to.resize((to.size() + 3) & ~size_t{3});
}

inet_diag_msg Socket(uint8_t state) {
  inet_diag_msg message{};
  message.idiag_family = AF_INET;
  message.idiag_state = state;
  message.id.idiag_sport = htons(40'000);
  message.id.idiag_dport = htons(80);
  inet_pton(AF_INET, "10.0.0.1", message.id.idiag_src);
  inet_pton(AF_INET, "10.0.0.2", message.id.idiag_dst);
  message.id.idiag_cookie[0] = 77;
  message.idiag_inode = 4'242;
  return message;
}

tcp_info Counters() {
  tcp_info info{};
  info.tcpi_bytes_sent = 1'500;
  info.tcpi_bytes_retrans = 500;
  info.tcpi_bytes_received = 2'001;
  info.tcpi_segs_out = 9;
  info.tcpi_segs_in = 8;
  info.tcpi_total_retrans = 2;
  info.tcpi_rtt = 120;
  info.tcpi_min_rtt = 90;
  info.tcpi_delivered = 5;
  return info;
}

Bytes Message(const inet_diag_msg& socket, const tcp_info& info, const Bytes& beyond = {}) {
  Bytes bytes;
  Append(bytes, socket);
  Bytes payload;
  Append(payload, info);
  payload.resize(offsetof(tcp_info, tcpi_snd_wnd) + 4);
  payload.insert(payload.end(), beyond.begin(), beyond.end());
  AppendAttribute(bytes, INET_DIAG_INFO, payload);
  Bytes cgroup;
  Append(cgroup, uint64_t{31'337});
  AppendAttribute(bytes, INET_DIAG_CGROUP_ID, cgroup);
  return bytes;
}

TEST(DiagMessage, ALiveSocket) {
  const auto socket = ParseDiagMessage(Message(Socket(1), Counters()), DiagOrigin::kDump, 7);
  ASSERT_TRUE(socket.has_value());
  const weir_record& record = socket->record;
  EXPECT_EQ(socket->inode, 4'242U);
  EXPECT_EQ(record.kind, WEIR_RECORD_LIVE);
  EXPECT_EQ(record.netns, 7U);
  EXPECT_EQ(record.family, AF_INET);
  EXPECT_EQ(record.local_port, 40'000);
  EXPECT_EQ(record.remote_port, 80);
  EXPECT_EQ(record.local_address[0], htonl(0x0a000001));
  EXPECT_EQ(record.remote_address[0], htonl(0x0a000002));
  EXPECT_EQ(record.cgroup_id, 31'337U);
  EXPECT_EQ(record.bytes_sent, 1'500U);
  EXPECT_EQ(record.bytes_retransmitted, 500U);
  EXPECT_EQ(record.bytes_received, 2'001U);
  EXPECT_EQ(record.total_retrans, 2U);
  EXPECT_EQ(record.syn_retrans, 0U);
  EXPECT_EQ(record.srtt_us, 120U);
  EXPECT_EQ(record.min_rtt_us, 90U);
  EXPECT_EQ(record.flags, 0U);
  EXPECT_EQ(record.timeouts, 0xffffffff) << "before 6.7";
}

TEST(DiagMessage, NewKernelsCountTimeouts) {
  const Bytes beyond = {0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 9, 9};  // tcpi_rcv_wnd, tcpi_rehash, tcpi_total_rto, more
  EXPECT_EQ(ParseDiagMessage(Message(Socket(1), Counters(), beyond), DiagOrigin::kDump, 7)->record.timeouts, 3U);
}

TEST(DiagMessage, CookiesOfNamespacesDiffer) {
  EXPECT_NE(ParseDiagMessage(Message(Socket(1), Counters()), DiagOrigin::kDump, 7)->record.socket,
            ParseDiagMessage(Message(Socket(1), Counters()), DiagOrigin::kDump, 8)->record.socket);
}

TEST(DiagMessage, TheFinIsTakenFromTheState) {
  for (const auto& [state, fin] :
       {std::pair(8, true), std::pair(9, true), std::pair(11, true), std::pair(4, false), std::pair(5, false)}) {
    const auto socket =
        ParseDiagMessage(Message(Socket(static_cast<uint8_t>(state)), Counters()), DiagOrigin::kDump, 7);
    EXPECT_EQ((socket->record.flags & WEIR_SOCKET_FIN_RECEIVED) != 0, fin) << "state " << state;
  }
}

TEST(DiagMessage, AConnectingSocketsRetransmissionsAreSyns) {
  tcp_info info{};
  info.tcpi_total_retrans = 3;
  EXPECT_EQ(ParseDiagMessage(Message(Socket(2), info), DiagOrigin::kDump, 7)->record.syn_retrans, 3U);
}

TEST(DiagMessage, AListenerNeedsNoCounters) {
  inet_diag_msg listener = Socket(10);
  listener.id.idiag_dport = 0;
  listener.idiag_rqueue = 3;
  listener.idiag_wqueue = 128;
  Bytes bytes;
  Append(bytes, listener);
  const auto socket = ParseDiagMessage(bytes, DiagOrigin::kDump, 7);
  ASSERT_TRUE(socket.has_value());
  EXPECT_EQ(socket->record.kind, WEIR_RECORD_LISTEN);
  EXPECT_EQ(socket->record.backlog, 3U);
  EXPECT_EQ(socket->record.max_backlog, 128U);
  EXPECT_FALSE(ParseDiagMessage(bytes, DiagOrigin::kDestroyed, 7).has_value());
}

TEST(DiagMessage, ADestroyedSocketIsFinal) {
  const auto socket = ParseDiagMessage(Message(Socket(7), Counters()), DiagOrigin::kDestroyed, 7);
  ASSERT_TRUE(socket.has_value());
  EXPECT_EQ(socket->record.kind, WEIR_RECORD_FINAL);
  EXPECT_EQ(socket->record.state, 9) << "something was acknowledged: it was open";
  EXPECT_NE(socket->record.flags & WEIR_SOCKET_FIN_RECEIVED, 0U);

  tcp_info refused{};
  refused.tcpi_segs_out = 1;
  refused.tcpi_segs_in = 1;
  const auto failed = ParseDiagMessage(Message(Socket(7), refused), DiagOrigin::kDestroyed, 7);
  EXPECT_EQ(failed->record.state, 2);
  EXPECT_EQ(failed->record.error, static_cast<uint32_t>(ECONNREFUSED));
  refused.tcpi_segs_in = 0;
  EXPECT_EQ(ParseDiagMessage(Message(Socket(7), refused), DiagOrigin::kDestroyed, 7)->record.error,
            static_cast<uint32_t>(EIO));

  inet_diag_msg wiped = Socket(7);
  wiped.id.idiag_dport = 0;
  EXPECT_FALSE(ParseDiagMessage(Message(wiped, tcp_info{}), DiagOrigin::kDestroyed, 7).has_value());
}

TEST(DiagMessage, ShortAndForeignMessagesAreNoSockets) {
  const Bytes whole = Message(Socket(1), Counters());
  for (size_t size = 0; size < sizeof(inet_diag_msg); ++size) {
    EXPECT_FALSE(ParseDiagMessage({whole.data(), size}, DiagOrigin::kDump, 7).has_value());
  }
  EXPECT_FALSE(ParseDiagMessage({whole.data(), sizeof(inet_diag_msg)}, DiagOrigin::kDump, 7).has_value())
      << "no counters";
  inet_diag_msg unix_socket = Socket(1);
  unix_socket.idiag_family = AF_UNIX;
  EXPECT_FALSE(ParseDiagMessage(Message(unix_socket, Counters()), DiagOrigin::kDump, 7).has_value());
  Bytes endless = whole;
  const uint16_t zero = 0;
  std::memcpy(endless.data() + sizeof(inet_diag_msg), &zero, sizeof(zero));  // an attribute of length 0
  EXPECT_FALSE(ParseDiagMessage(endless, DiagOrigin::kDump, 7).has_value());
}

Bytes Netlink(uint16_t type, const Bytes& payload) {
  Bytes bytes;
  nlmsghdr header{};
  header.nlmsg_len = static_cast<uint32_t>(sizeof(header) + payload.size());
  header.nlmsg_type = type;
  Append(bytes, header);
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  bytes.resize((bytes.size() + 3) & ~size_t{3});
  return bytes;
}

TEST(DiagDatagram, MessagesEndsAndErrors) {
  int visited = 0;
  const auto visit = [&visited](std::span<const uint8_t> message) { visited += message.size() == 5 ? 1 : 100; };
  Bytes datagram = Netlink(SOCK_DIAG_BY_FAMILY, Bytes(5));
  const Bytes second = datagram;
  datagram.insert(datagram.end(), second.begin(), second.end());
  auto end = ForEachDiagMessage(datagram, visit);
  ASSERT_TRUE(end.ok());
  EXPECT_FALSE(*end);
  EXPECT_EQ(visited, 2);
  end = ForEachDiagMessage(Netlink(NLMSG_DONE, Bytes(4)), visit);
  ASSERT_TRUE(end.ok());
  EXPECT_TRUE(*end);

  Bytes denied;
  Append(denied, -EPERM);
  EXPECT_EQ(ForEachDiagMessage(Netlink(NLMSG_ERROR, denied), visit).status().code(), Code::kDenied);
  EXPECT_EQ(ForEachDiagMessage(Netlink(NLMSG_ERROR, Bytes(1)), visit).status().code(), Code::kCorrupt);
  Bytes impossible;
  Append(impossible, std::numeric_limits<int>::min());
  EXPECT_EQ(ForEachDiagMessage(Netlink(NLMSG_ERROR, impossible), visit).status().code(), Code::kCorrupt);
  Bytes cut = second;
  cut.pop_back();
  cut.resize(sizeof(nlmsghdr) + 2);
  EXPECT_EQ(ForEachDiagMessage(cut, visit).status().code(), Code::kCorrupt);
}

}  // namespace
}  // namespace weir::agent::source

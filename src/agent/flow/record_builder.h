// Test support: literal records with the fields a test cares about.
#pragma once

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "bpf/abi.h"

namespace weir::agent::flow {

class RecordBuilder {
 public:
  RecordBuilder() {
    record_.kind = WEIR_RECORD_LIVE;
    record_.state = TCP_ESTABLISHED;
    record_.socket = 0x1000;
    record_.netns = 7;
    record_.timeouts = 0xffffffff;
    record_.min_rtt_us = 0xffffffff;
    Ends("10.0.0.1", 40'000, "10.0.0.2", 80);
  }

  RecordBuilder& Live() { return Kind(WEIR_RECORD_LIVE); }
  RecordBuilder& Final(uint8_t left_state = TCP_LAST_ACK) { return Kind(WEIR_RECORD_FINAL).State(left_state); }
  RecordBuilder& Listen(const char* address, uint16_t port, std::string_view comm, uint32_t pid) {
    const char* any = std::strchr(address, ':') != nullptr ? "::" : "0.0.0.0";
    return Kind(WEIR_RECORD_LISTEN)
        .State(TCP_LISTEN)
        .Flags(WEIR_SOCKET_LISTENING)
        .Ends(address, port, any, 0)
        .Process(comm, pid);
  }
  RecordBuilder& Kind(weir_record_kind kind) {
    record_.kind = static_cast<weir_u8>(kind);
    return *this;
  }
  RecordBuilder& State(uint8_t state) {
    record_.state = state;
    return *this;
  }
  RecordBuilder& Socket(uint64_t socket) {
    record_.socket = socket;
    return *this;
  }
  RecordBuilder& Time(uint64_t ns) {
    record_.time_ns = ns;
    return *this;
  }
  RecordBuilder& Netns(uint32_t netns) {
    record_.netns = netns;
    return *this;
  }
  RecordBuilder& Cgroup(uint64_t id) {
    record_.cgroup_id = id;
    return *this;
  }
  // Where its process lives, if not where it was made.
  RecordBuilder& Holder(uint64_t cgroup_id) {
    record_.holder_cgroup_id = cgroup_id;
    return *this;
  }
  // Connected by this node at `start`, answered at `established` (0: not yet).
  RecordBuilder& Outgoing(uint64_t start, uint64_t established) {
    record_.start_ns = start;
    record_.established_ns = established;
    return *this;
  }
  RecordBuilder& Incoming(uint64_t established) {
    record_.flags |= WEIR_SOCKET_INCOMING;
    record_.established_ns = established;
    return *this;
  }
  RecordBuilder& Flags(uint32_t flags) {
    record_.flags |= flags;
    return *this;
  }
  RecordBuilder& Ends(const char* local, uint16_t local_port, const char* remote, uint16_t remote_port) {
    record_.family = std::strchr(local, ':') != nullptr ? AF_INET6 : AF_INET;
    record_.local_port = local_port;
    record_.remote_port = remote_port;
    inet_pton(record_.family, local, record_.local_address);
    inet_pton(record_.family, remote, record_.remote_address);
    return *this;
  }
  RecordBuilder& Process(std::string_view comm, uint32_t pid) {
    std::fill(std::begin(record_.comm), std::end(record_.comm), '\0');
    std::copy_n(comm.begin(), std::min<size_t>(comm.size(), WEIR_COMM_BYTES - 1), record_.comm);
    record_.pid = pid;
    return *this;
  }
  RecordBuilder& Bytes(uint64_t sent, uint64_t received) {
    record_.bytes_sent = sent;
    record_.bytes_received = received;
    return *this;
  }
  RecordBuilder& Segments(uint32_t out, uint32_t in) {
    record_.segs_out = out;
    record_.segs_in = in;
    return *this;
  }
  RecordBuilder& Retransmits(uint32_t total, uint32_t syn, uint64_t bytes = 0) {
    record_.total_retrans = total;
    record_.syn_retrans = syn;
    record_.bytes_retransmitted = bytes;
    return *this;
  }
  RecordBuilder& Timeouts(uint32_t timeouts) {
    record_.timeouts = timeouts;
    return *this;
  }
  RecordBuilder& Rtt(uint32_t srtt_us, uint32_t min_us, uint32_t delivered) {
    record_.srtt_us = srtt_us;
    record_.min_rtt_us = min_us;
    record_.delivered = delivered;
    return *this;
  }
  RecordBuilder& Limits(uint32_t busy, uint32_t window, uint32_t buffer) {
    record_.busy_jiffies = busy;
    record_.window_jiffies = window;
    record_.buffer_jiffies = buffer;
    return *this;
  }
  RecordBuilder& Delivery(uint32_t segments, uint32_t interval_us, uint32_t mss) {
    record_.rate_delivered = segments;
    record_.rate_interval_us = interval_us;
    record_.mss = mss;
    return *this;
  }
  RecordBuilder& Arrivals(uint32_t out_of_order, uint32_t unread) {
    record_.out_of_order = out_of_order;
    record_.unread = unread;
    return *this;
  }
  RecordBuilder& Late(uint32_t segments, uint64_t bytes, uint32_t gaps, uint32_t reordered) {
    record_.late_segments = segments;
    record_.late_bytes = bytes;
    record_.gaps = gaps;
    record_.reordered = reordered;
    return *this;
  }
  RecordBuilder& RetransmitKinds(uint32_t rto, uint32_t probe, uint32_t spurious) {
    record_.retrans_rto = rto;
    record_.retrans_probe = probe;
    record_.dsack_dups = spurious;
    return *this;
  }
  RecordBuilder& Queue(uint32_t backlog, uint32_t most, uint32_t drops) {
    record_.backlog = backlog;
    record_.max_backlog = most;
    record_.drops = drops;
    return *this;
  }
  // Sequence numbers, as in weir_record.
  RecordBuilder& Begins(uint32_t sent, uint32_t received) {
    record_.sent_begin = sent;
    record_.received_begin = received;
    return *this;
  }
  RecordBuilder& Errors(uint32_t error, uint32_t soft_error = 0) {
    record_.error = error;
    record_.soft_error = soft_error;
    return *this;
  }

  operator const weir_record&() const { return record_; }  // NOLINT(google-explicit-constructor)
  const weir_record& record() const { return record_; }

 private:
  weir_record record_{};
};

}  // namespace weir::agent::flow

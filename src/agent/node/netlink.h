// One netlink socket and the questions asked of it. The socket answers for the network namespace it was opened in,
// wherever its thread goes later, and keeps that namespace alive: close those of others soon.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "agent/kernel/unique_fd.h"
#include "base/status.h"

namespace weir::agent::node {

using Bytes = std::span<const uint8_t>;

class NetlinkSocket {
 public:
  // `type` of the message and what follows its netlink header.
  using Visitor = std::function<void(uint16_t type, Bytes payload)>;

  // `protocol`: NETLINK_ROUTE or NETLINK_GENERIC.
  static Result<NetlinkSocket> Open(int protocol);

  // The kernel's number of the namespace, which no later one has, other than inodes; 0 = a kernel before 5.14.
  uint64_t NamespaceCookie() const;

  // Everything there is. A dump that the kernel marks as interrupted by a change is complete but for that change.
  Status Dump(uint16_t type, Bytes body, const Visitor& visit) { return Talk(type, 0x300, body, visit); }
  // One thing; kNotFound and others as the kernel says.
  Status Ask(uint16_t type, Bytes body, const Visitor& visit) { return Talk(type, 0, body, visit); }

 private:
  explicit NetlinkSocket(kernel::UniqueFd fd) : fd_(std::move(fd)) {}
  Status Talk(uint16_t type, uint16_t flags, Bytes body, const Visitor& visit);

  kernel::UniqueFd fd_;
  uint32_t sequence_ = 0;
};

// Calls visit(type, payload) for each attribute (struct nlattr, nested and byte-order bits removed); stops where a
// length does not fit.
void ForEachAttribute(Bytes attributes, const std::function<void(uint16_t type, Bytes payload)>& visit);

// The value of an attribute of 1, 2, 4 or 8 bytes, 0 for any other length.
uint64_t NumberOf(Bytes payload);
// Its text up to the first NUL.
std::string_view TextOf(Bytes payload);

// What one datagram holds of the answer to `sequence`. Pure, for Talk() and its fuzz target.
enum class AnswerState { kMore, kDone };
Result<AnswerState> ReadDatagram(Bytes datagram, uint32_t sequence, bool dump, const NetlinkSocket::Visitor& visit);

}  // namespace weir::agent::node

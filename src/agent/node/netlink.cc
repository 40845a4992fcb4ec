#include "agent/node/netlink.h"

#include <linux/netlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <vector>

namespace weir::agent::node {
namespace {

constexpr size_t kDatagramBytes = 32 << 10;  // what the kernel puts into one datagram at most
constexpr timeval kPatience{.tv_sec = 1, .tv_usec = 0};

size_t Aligned(size_t length) { return (length + 3) & ~size_t{3}; }

}  // namespace

Result<NetlinkSocket> NetlinkSocket::Open(int protocol) {
  kernel::UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!fd.valid()) return Status::FromErrno(errno, "open a netlink socket");
  // The kernel answers at once or not at all; an answer that is lost must not stop the thread.
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof(kPatience));
  return NetlinkSocket(std::move(fd));
}

uint64_t NetlinkSocket::NamespaceCookie() const {
  uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  return ::getsockopt(fd_.get(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

Status NetlinkSocket::Talk(uint16_t type, uint16_t flags, Bytes body, const Visitor& visit) {
  std::array<uint8_t, 256> question{};
  nlmsghdr header{};
  header.nlmsg_len = static_cast<uint32_t>(sizeof(header) + body.size());
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
  header.nlmsg_seq = ++sequence_;
  if (header.nlmsg_len > question.size()) return Status::Internal("a netlink question is too long");
  std::memcpy(question.data(), &header, sizeof(header));
  std::copy(body.begin(), body.end(), question.begin() + sizeof(header));
  if (::send(fd_.get(), question.data(), header.nlmsg_len, 0) < 0) return Status::FromErrno(errno, "ask netlink");
  std::array<uint8_t, kDatagramBytes> buffer;
  for (;;) {
    const ssize_t size = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return Status::FromErrno(size < 0 ? errno : EIO, "read netlink");
    WEIR_ASSIGN_OR_RETURN(const AnswerState state, ReadDatagram({buffer.data(), static_cast<size_t>(size)}, sequence_,
                                                                (flags & NLM_F_DUMP) != 0, visit));
    if (state == AnswerState::kDone) return Status::Ok();
  }
}

Result<AnswerState> ReadDatagram(Bytes datagram, uint32_t sequence, bool dump, const NetlinkSocket::Visitor& visit) {
  while (!datagram.empty()) {
    nlmsghdr header{};
    if (datagram.size() < sizeof(header)) return Status::Corrupt("a netlink message is cut short");
    std::memcpy(&header, datagram.data(), sizeof(header));
    if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > datagram.size()) {
      return Status::Corrupt("a netlink message is longer than its datagram");
    }
    const Bytes payload = datagram.subspan(sizeof(header), header.nlmsg_len - sizeof(header));
    datagram = datagram.subspan(std::min(Aligned(header.nlmsg_len), datagram.size()));
    if (header.nlmsg_seq != sequence) continue;  // the rest of an answer nobody waited for
    if (header.nlmsg_type == NLMSG_ERROR) {
      int32_t error = 0;
      if (payload.size() >= sizeof(error)) std::memcpy(&error, payload.data(), sizeof(error));
      if (error < 0 && error > -4096) return Status::FromErrno(-error, "netlink");
      return AnswerState::kDone;
    }
    if (header.nlmsg_type == NLMSG_DONE) return AnswerState::kDone;
    if (header.nlmsg_type < NLMSG_MIN_TYPE) continue;
    visit(header.nlmsg_type, payload);
    if (!dump) return AnswerState::kDone;
  }
  return AnswerState::kMore;
}

void ForEachAttribute(Bytes attributes, const std::function<void(uint16_t type, Bytes payload)>& visit) {
  while (attributes.size() >= sizeof(nlattr)) {
    nlattr header{};
    std::memcpy(&header, attributes.data(), sizeof(header));
    if (header.nla_len < sizeof(header) || header.nla_len > attributes.size()) return;
    visit(header.nla_type & NLA_TYPE_MASK, attributes.subspan(sizeof(header), header.nla_len - sizeof(header)));
    attributes = attributes.subspan(std::min(Aligned(header.nla_len), attributes.size()));
  }
}

uint64_t NumberOf(Bytes payload) {
  uint64_t number = 0;
  const bool known = payload.size() == 1 || payload.size() == 2 || payload.size() == 4 || payload.size() == 8;
  if (known) std::memcpy(&number, payload.data(), payload.size());  // little-endian, as every machine Weir runs on
  return number;
}

std::string_view TextOf(Bytes payload) {
  const auto* begin = reinterpret_cast<const char*>(payload.data());
  const std::string_view text(begin, payload.size());
  return text.substr(0, text.find('\0'));
}

}  // namespace weir::agent::node

#include "agent/source/sock_diag/diag_socket.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include "agent/kernel/net_namespaces.h"
#include "base/metrics.h"

namespace weir::agent::source {
namespace {

using kernel::UniqueFd;

// States of include/net/tcp_states.h, as bits. TIME_WAIT and half-open requests have no counters.
constexpr uint32_t kListening = 1U << 10;
constexpr uint32_t kConnected =
    0xfff & ~(kListening | 1U << 6 /* TIME_WAIT */ | 1U << 3 /* SYN_RECV */ | 1U << 7 /* CLOSE */);
using Buffer = std::array<uint8_t, 32 << 10>;  // what the kernel puts into one datagram at most

constexpr int kDestroyedBufferBytes = 4 << 20;  // 10,000 messages

UniqueFd DiagFd() { return UniqueFd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG)); }

UniqueFd DestroyedFd() {
  UniqueFd fd = DiagFd();
  if (!fd.valid()) return fd;
  sockaddr_nl name{};
  name.nl_family = AF_NETLINK;
  name.nl_groups = 1U << (SKNLGRP_INET_TCP_DESTROY - 1) | 1U << (SKNLGRP_INET6_TCP_DESTROY - 1);
  // Without CAP_NET_ADMIN the default buffer has to do.
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kDestroyedBufferBytes, sizeof(kDestroyedBufferBytes));
  return ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)) == 0 ? std::move(fd) : UniqueFd();
}

}  // namespace

Result<std::unique_ptr<DiagNamespace>> DiagNamespace::Open(int fd, uint32_t inode) {
  std::unique_ptr<DiagNamespace> opened(new DiagNamespace(inode));
  WEIR_RETURN_IF_ERROR(kernel::RunInNetNamespace(fd, [&opened] {
    opened->dump_ = DiagFd();
    if (!opened->dump_.valid()) return Status::FromErrno(errno, "open a sock_diag socket");
    opened->destroyed_ = DestroyedFd();
    return Status::Ok();
  }));
  return opened;
}

Status DiagNamespace::Dump(const Visitor& visit) {
  for (const uint32_t states : {kListening, kConnected}) {
    WEIR_RETURN_IF_ERROR(DumpFamily(AF_INET, states, visit));
    // A kernel without IPv6 answers ENOENT.
    if (Status status = DumpFamily(AF_INET6, states, visit); !status.ok() && status.code() != Code::kNotFound)
      return status;
  }
  return Status::Ok();
}

Status DiagNamespace::DumpFamily(uint8_t family, uint32_t states, const Visitor& visit) {
  struct {
    nlmsghdr header;
    inet_diag_req_v2 request;
  } question{};
  question.header.nlmsg_len = sizeof(question);
  question.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  question.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  question.request.sdiag_family = family;
  question.request.sdiag_protocol = IPPROTO_TCP;
  question.request.idiag_ext = 1U << (INET_DIAG_INFO - 1);
  question.request.idiag_states = states;
  if (::send(dump_.get(), &question, sizeof(question), 0) < 0) return Status::FromErrno(errno, "ask sock_diag");
  Buffer buffer;
  for (;;) {
    const ssize_t size = ::recv(dump_.get(), buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return Status::FromErrno(size < 0 ? errno : EIO, "read sock_diag");
    auto end = ForEachDiagMessage({buffer.data(), static_cast<size_t>(size)}, [&](std::span<const uint8_t> message) {
      if (const auto socket = ParseDiagMessage(message, DiagOrigin::kDump, inode_)) visit(*socket);
    });
    if (!end.ok()) return end.status();
    if (*end) return Status::Ok();
  }
}

void DiagNamespace::Destroyed(const Visitor& visit) {
  if (!destroyed_.valid()) return;
  Buffer buffer;
  for (;;) {
    const ssize_t size = ::recv(destroyed_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size < 0) {
      if (errno == EINTR) continue;
      if (errno != ENOBUFS) return;           // EAGAIN: that was all
      Count(Metric::agent_kernel_ring_full);  // at least one
      continue;
    }
    // A datagram cut short is the only way to fail: its tail is lost, what is in it is visited.
    const auto end =
        ForEachDiagMessage({buffer.data(), static_cast<size_t>(size)}, [&](std::span<const uint8_t> message) {
          if (const auto socket = ParseDiagMessage(message, DiagOrigin::kDestroyed, inode_)) visit(*socket);
        });
    if (!end.ok()) Count(Metric::agent_kernel_ring_full);
  }
}

}  // namespace weir::agent::source

// Test support: UDP sockets on loopback.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "agent/kernel/unique_fd.h"

namespace weir::agent::udp {

using Bytes = std::vector<uint8_t>;

// A UDP socket on loopback of the current namespace; fails the test instead of returning errors.
class Datagrams {
 public:
  explicit Datagrams(int family = AF_INET) : family_(family), fd_(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    const timeval limit{10, 0};
    EXPECT_EQ(::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
  }
  void Bind(uint16_t port) {
    const auto [address, size] = Loopback(port);
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), size), 0) << std::strerror(errno);
  }
  void Connect(uint16_t port) {
    const auto [address, size] = Loopback(port);
    EXPECT_EQ(::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), size), 0) << std::strerror(errno);
  }
  void Send(const Bytes& bytes) {
    EXPECT_EQ(::send(fd_.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()))
        << std::strerror(errno);
  }
  Bytes Receive() {
    Bytes bytes(65'536);
    peer_size_ = sizeof(peer_);
    const ssize_t size =
        ::recvfrom(fd_.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&peer_), &peer_size_);
    bytes.resize(static_cast<size_t>(std::max<ssize_t>(size, 0)));
    return bytes;
  }
  void Reply(const Bytes& bytes) {
    EXPECT_EQ(::sendto(fd_.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&peer_), peer_size_),
              static_cast<ssize_t>(bytes.size()));
  }
  // Without connecting.
  void SendTo(uint16_t port, const Bytes& bytes) {
    const auto [address, size] = Loopback(port);
    EXPECT_EQ(::sendto(fd_.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&address), size),
              static_cast<ssize_t>(bytes.size()))
        << std::strerror(errno);
  }
  int fd() const { return fd_.get(); }

 private:
  std::pair<sockaddr_storage, socklen_t> Loopback(uint16_t port) const {
    sockaddr_storage address{};
    if (family_ == AF_INET) {
      auto& v4 = reinterpret_cast<sockaddr_in&>(address);
      v4.sin_family = AF_INET;
      v4.sin_port = htons(port);
      v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      return {address, sizeof(sockaddr_in)};
    }
    auto& v6 = reinterpret_cast<sockaddr_in6&>(address);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    v6.sin6_addr = in6addr_loopback;
    return {address, sizeof(sockaddr_in6)};
  }

  const int family_;
  const kernel::UniqueFd fd_;
  sockaddr_storage peer_{};
  socklen_t peer_size_ = 0;
};

}  // namespace weir::agent::udp

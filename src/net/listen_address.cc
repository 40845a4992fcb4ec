#include "net/listen_address.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>

#include "base/text.h"
#include "model/address.h"

namespace weir::net {
namespace {

model::Address AddressOf(const sockaddr_storage& storage) {
  if (storage.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &storage, sizeof v6);
    return model::Address::FromV6(v6.sin6_addr.s6_addr);
  }
  sockaddr_in v4{};
  std::memcpy(&v4, &storage, sizeof v4);
  return model::Address::FromV4(v4.sin_addr.s_addr);
}

uint16_t PortOf(const sockaddr_storage& storage) {
  // sin_port and sin6_port share their offset.
  sockaddr_in v4{};
  std::memcpy(&v4, &storage, sizeof v4);
  return ntohs(v4.sin_port);
}

std::optional<uint16_t> ParsePort(std::string_view text) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return port;
}

Status Misread(std::string_view text, std::string_view what) {
  return Status::Invalid(fmt::format("listen address '{}': {}", text, what))
      .WithRemedy("write host:port, e.g. 127.0.0.1:7600, [::1]:7600, or 0.0.0.0:7600 for every IPv4 interface");
}

Status BindFailure(int error_number, const std::string& where, std::string_view flag) {
  switch (error_number) {
    case EADDRINUSE:
      return Status::Conflict(fmt::format("{} is in use by another process", where))
          .WithRemedy(fmt::format("stop it or choose another {} address", flag));
    case EACCES:
      return Status::Denied(fmt::format("{}: ports below 1024 need CAP_NET_BIND_SERVICE", where))
          .WithRemedy(fmt::format("choose a higher port with {}", flag));
    case EADDRNOTAVAIL:
      return Status::Invalid(fmt::format("{}: no interface of this machine has that address", where))
          .WithRemedy(fmt::format("choose another {} address", flag));
    default: return Status::FromErrno(error_number, "listen on " + where);
  }
}

}  // namespace

bool IsLoopbackHost(std::string_view host_header) {
  std::string host = Lower(host_header);
  if (host.starts_with('[')) {
    const size_t end = host.find(']');
    if (end == std::string::npos) return false;
    host = host.substr(1, end - 1);
  } else {
    host = host.substr(0, host.find(':'));
  }
  if (host.ends_with('.')) host.pop_back();
  if (host == "localhost" || host.ends_with(".localhost")) return true;
  const std::optional<model::Address> address = model::Address::Parse(host);
  return address && address->is_loopback();
}

Result<ListenAddress> ParseListenAddress(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return Misread(text, "the port is missing");
  std::string_view host = text.substr(0, colon);
  const std::optional<uint16_t> port = ParsePort(text.substr(colon + 1));
  if (!port) return Misread(text, "the port is not a number from 0 to 65535");
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (host.empty()) return Misread(text, "the host is missing");
  if (!bracketed && host.find(':') != std::string_view::npos) return Misread(text, "an IPv6 address needs brackets");

  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | (bracketed ? AI_NUMERICHOST : 0);
  addrinfo* found = nullptr;
  const std::string name(host);
  const std::string service = std::to_string(*port);
  if (const int error = getaddrinfo(name.c_str(), service.c_str(), &hints, &found); error != 0) {
    return Misread(text, fmt::format("host '{}' cannot be resolved ({})", name, gai_strerror(error)));
  }
  ListenAddress address;
  std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
  address.length = found->ai_addrlen;
  freeaddrinfo(found);
  address.loopback = AddressOf(address.storage).is_loopback();
  return address;
}

std::string FormatSocketHost(const sockaddr_storage& storage) { return AddressOf(storage).ToString(); }

std::string FormatSocketAddress(const sockaddr_storage& storage) {
  const std::string host = FormatSocketHost(storage);
  const bool v6 = host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", v6 ? "[" : "", host, v6 ? "]" : "", PortOf(storage));
}

Result<int> OpenListenSocket(const ListenAddress& address, std::string_view flag) {
  const std::string where = FormatSocketAddress(address.storage);
  const int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return Status::FromErrno(errno, "open a socket for " + where);
  const int on = 1;
  const int off = 0;
  // REUSEADDR lets a restarted server take its port back while old connections linger in TIME_WAIT; it does not let
  // two processes listen at once.
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.storage.ss_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.length) != 0 ||
      listen(fd, SOMAXCONN) != 0) {
    const int error_number = errno;
    close(fd);
    return BindFailure(error_number, where, flag);
  }
  return fd;
}

}  // namespace weir::net

// The text of --listen, understood: "127.0.0.1:7600", "[::1]:7600", "localhost:0".
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace weir::net {

struct ListenAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  bool loopback = false;  // only this machine can reach it
};

// kInvalid with what is expected. A host name is resolved (the first address wins); the host may not be empty,
// because "every interface" should be something a person wrote on purpose.
Result<ListenAddress> ParseListenAddress(std::string_view text);

// "127.0.0.1:7600", "[::1]:7600".
std::string FormatSocketAddress(const sockaddr_storage& storage);
// The same without the port or brackets; v4-mapped IPv6 as IPv4.
std::string FormatSocketHost(const sockaddr_storage& storage);

// A listening TCP socket, not blocking, closed on exec. kConflict: taken; kDenied: privileged port; kInvalid: no such
// address here. Messages name the address and the remedy, with the `flag` it was given by.
Result<int> OpenListenSocket(const ListenAddress& address, std::string_view flag = "--listen");

// Of a request's Host header: "localhost", "127.0.0.1:7600", "[::1]:7600", "x.localhost" (RFC 6761, 6.3). On a loopback
// address any other name is a web page that had its own name point here.
bool IsLoopbackHost(std::string_view host_header);

}  // namespace weir::net

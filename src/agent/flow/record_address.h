// Addresses of a record. A v4-mapped IPv6 socket and an IPv4 socket give the same Address.
#pragma once

#include <sys/socket.h>

#include <cstring>

#include "bpf/abi.h"
#include "model/address.h"

namespace weir::agent::flow {

inline model::Address AddressOf(uint8_t family, const weir_u32 (&words)[4]) {
  if (family == AF_INET) return model::Address::FromV4(words[0]);
  model::Address address;
  std::memcpy(address.bytes.data(), words, sizeof(words));
  return address;
}

inline model::Address LocalAddress(const weir_record& record) { return AddressOf(record.family, record.local_address); }
inline model::Address RemoteAddress(const weir_record& record) {
  return AddressOf(record.family, record.remote_address);
}

}  // namespace weir::agent::flow

// Addresses and the owner's group of a record. A v4-mapped IPv6 socket and an IPv4 socket give the same Address.
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

// The control group of who uses the socket: its holder's where that is known to live elsewhere than its maker.
inline uint64_t GroupOf(const weir_record& record) {
  return record.holder_cgroup_id != 0 ? record.holder_cgroup_id : record.cgroup_id;
}

}  // namespace weir::agent::flow

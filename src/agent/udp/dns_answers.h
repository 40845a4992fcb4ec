// The answers of a DNS message (RFC 1035 §4.1.3): which addresses a name was said to have. The bytes come from whoever
// may send to the socket, and may end within a record: what is complete before that is taken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/address.h"

namespace weir::agent::udp {

struct DnsAddress {
  model::Address address;
  uint32_t ttl_s = 0;  // the smallest on the way from the name to the address

  bool operator==(const DnsAddress&) const = default;
};

struct DnsAnswers {
  std::string canonical;              // what the name's last alias (CNAME) leads to; "" = it has none
  std::vector<DnsAddress> addresses;  // those of the name itself or of what its aliases lead to
  bool cut = false;                   // the bytes ended within the records
};

inline constexpr size_t kMaxDnsRecords = 64;  // that are looked at
inline constexpr size_t kMaxDnsAliases = 16;  // that are followed

// `bytes`: the beginning of an answer that ParseDns() took. Empty when it has no addresses, or is no sound message.
// Names are as ParseDns() writes them.
DnsAnswers ParseDnsAnswers(std::span<const uint8_t> bytes);

}  // namespace weir::agent::udp

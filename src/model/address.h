// An IPv4 or IPv6 address, always 16 bytes: IPv4 is kept as ::ffff:a.b.c.d, so a v4-mapped socket and a plain
// IPv4 socket are the same endpoint (RFC 4291 §2.5.5.2). Ordering is by bytes, which is what CIDR ranges need.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::model {

struct Address {
  std::array<uint8_t, 16> bytes{};

  static Address FromV4(uint32_t big_endian);
  static Address FromV6(const uint8_t* sixteen_bytes);
  // Dotted quad or RFC 4291 text, no port, no zone. nullopt when it is neither.
  static std::optional<Address> Parse(std::string_view text);

  bool is_v4() const;
  bool is_unspecified() const;
  bool is_loopback() const;    // 127.0.0.0/8, ::1
  bool is_link_local() const;  // 169.254.0.0/16, fe80::/10
  bool is_private() const;     // RFC 1918, RFC 6598, RFC 4193
  bool is_multicast() const;
  bool is_public() const;  // none of these

  // IPv4 as a dotted quad, IPv6 compressed (RFC 5952).
  std::string ToString() const;

  auto operator<=>(const Address&) const = default;
};

// The addresses of a prefix, both ends included.
struct AddressRange {
  Address first;
  Address last;
  bool Contains(const Address& address) const { return first <= address && address <= last; }
  // "10.0.0.0/8", "fd00::/8"; a bare address is a range of one.
  static std::optional<AddressRange> Parse(std::string_view text);
};

// What Address::is_… says, as ranges: for SQL. A test holds them against the functions.
const std::vector<AddressRange>& UnspecifiedRanges();
const std::vector<AddressRange>& LoopbackRanges();
const std::vector<AddressRange>& NotPublicRanges();  // the two above among them

}  // namespace weir::model

#include "model/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace weir::model {
namespace {

constexpr std::array<uint8_t, 12> kV4Prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

Address Address::FromV4(uint32_t big_endian) {
  Address address;
  std::copy(kV4Prefix.begin(), kV4Prefix.end(), address.bytes.begin());
  std::memcpy(address.bytes.data() + 12, &big_endian, 4);
  return address;
}

Address Address::FromV6(const uint8_t* sixteen_bytes) {
  Address address;
  std::memcpy(address.bytes.data(), sixteen_bytes, 16);
  return address;
}

std::optional<Address> Address::Parse(std::string_view text) {
  if (text.size() >= INET6_ADDRSTRLEN) return std::nullopt;
  const std::string terminated(text);
  if (in_addr v4{}; inet_pton(AF_INET, terminated.c_str(), &v4) == 1) return FromV4(v4.s_addr);
  if (in6_addr v6{}; inet_pton(AF_INET6, terminated.c_str(), &v6) == 1) return FromV6(v6.s6_addr);
  return std::nullopt;
}

bool Address::is_v4() const { return std::equal(kV4Prefix.begin(), kV4Prefix.end(), bytes.begin()); }

bool Address::is_unspecified() const {
  const auto* tail = bytes.data() + (is_v4() ? 12 : 0);
  return std::all_of(tail, bytes.data() + 16, [](uint8_t byte) { return byte == 0; });
}

bool Address::is_loopback() const {
  if (is_v4()) return bytes[12] == 127;
  return bytes[15] == 1 && std::all_of(bytes.begin(), bytes.end() - 1, [](uint8_t byte) { return byte == 0; });
}

bool Address::is_link_local() const {
  if (is_v4()) return bytes[12] == 169 && bytes[13] == 254;
  return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
}

bool Address::is_private() const {
  if (!is_v4()) return (bytes[0] & 0xfe) == 0xfc;
  const uint8_t a = bytes[12];
  const uint8_t b = bytes[13];
  return a == 10 || (a == 172 && (b & 0xf0) == 16) || (a == 192 && b == 168) || (a == 100 && (b & 0xc0) == 64);
}

bool Address::is_multicast() const { return is_v4() ? (bytes[12] & 0xf0) == 0xe0 : bytes[0] == 0xff; }

bool Address::is_public() const {
  return !is_private() && !is_loopback() && !is_link_local() && !is_multicast() && !is_unspecified();
}

std::string Address::ToString() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (is_v4()) {
    inet_ntop(AF_INET, bytes.data() + 12, text.data(), text.size());
  } else {
    inet_ntop(AF_INET6, bytes.data(), text.data(), text.size());
  }
  return text.data();
}

std::optional<AddressRange> AddressRange::Parse(std::string_view text) {
  const size_t slash = text.find('/');
  const std::optional<Address> base = Address::Parse(text.substr(0, slash));
  if (!base) return std::nullopt;
  AddressRange range{*base, *base};
  if (slash == std::string_view::npos) return range;

  const std::string_view digits = text.substr(slash + 1);
  unsigned length = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  const unsigned width = text.substr(0, slash).find(':') == std::string_view::npos ? 32 : 128;
  if (error != std::errc{} || end != digits.data() + digits.size() || length > width) return std::nullopt;

  const unsigned fixed_bits = 128 - width + length;
  for (unsigned bit = fixed_bits; bit < 128; ++bit) {
    const auto mask = static_cast<uint8_t>(0x80U >> (bit % 8));
    range.first.bytes[bit / 8] = static_cast<uint8_t>(range.first.bytes[bit / 8] & ~mask);
    range.last.bytes[bit / 8] = static_cast<uint8_t>(range.last.bytes[bit / 8] | mask);
  }
  return range;
}

namespace {

std::vector<AddressRange> Ranges(std::initializer_list<std::string_view> prefixes) {
  std::vector<AddressRange> ranges;
  for (const std::string_view prefix : prefixes) ranges.push_back(*AddressRange::Parse(prefix));
  return ranges;
}

}  // namespace

const std::vector<AddressRange>& UnspecifiedRanges() {
  static const std::vector<AddressRange> ranges = Ranges({"0.0.0.0", "::"});
  return ranges;
}

const std::vector<AddressRange>& LoopbackRanges() {
  static const std::vector<AddressRange> ranges = Ranges({"127.0.0.0/8", "::1"});
  return ranges;
}

const std::vector<AddressRange>& NotPublicRanges() {
  static const std::vector<AddressRange> ranges =
      Ranges({"0.0.0.0", "::", "127.0.0.0/8", "::1", "169.254.0.0/16", "fe80::/10", "10.0.0.0/8", "172.16.0.0/12",
              "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "224.0.0.0/4", "ff00::/8"});
  return ranges;
}

}  // namespace weir::model

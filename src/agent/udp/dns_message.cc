#include "agent/udp/dns_message.h"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "model/columns.h"

namespace weir::agent::udp {
namespace {

constexpr size_t kHeaderBytes = 12;
constexpr size_t kMaxNameBytes = 255;  // on the wire, lengths and root included
constexpr uint8_t kMaxLabelBytes = 63;

uint16_t Read16(std::span<const uint8_t> bytes, size_t at) {
  return static_cast<uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

// Where the name at `at` ends; nullopt when it is none.
std::optional<size_t> ReadName(std::span<const uint8_t> bytes, size_t at, std::string& name) {
  const size_t begin = at;
  while (at < bytes.size() && at - begin < kMaxNameBytes) {
    const uint8_t length = bytes[at++];
    if (length == 0) {
      if (name.empty()) name.push_back('.');
      return at;
    }
    if (length > kMaxLabelBytes || length > bytes.size() - at) return std::nullopt;
    if (!name.empty()) name += '.';
    for (const uint8_t byte : bytes.subspan(at, length)) AppendDnsCharacter(name, byte);
    at += length;
  }
  return std::nullopt;
}

}  // namespace

void AppendDnsCharacter(std::string& name, uint8_t byte) {
  if (byte >= 'A' && byte <= 'Z') byte = static_cast<uint8_t>(byte + ('a' - 'A'));
  const bool plain = byte > ' ' && byte <= '~' && byte != '.' && byte != '\\';
  name += plain ? std::string(1, static_cast<char>(byte)) : fmt::format("\\{:03}", byte);
}

void CutDnsName(std::string& name) {
  static constexpr std::string_view kMore = "...";
  if (name.size() <= model::kMaxStringBytes) return;
  name.replace(model::kMaxStringBytes - kMore.size(), std::string::npos, kMore);
}

Result<DnsMessage> ParseDns(std::span<const uint8_t> bytes) {
  if (bytes.size() < kHeaderBytes) return Status::Invalid("shorter than a DNS header");
  DnsMessage message;
  message.id = Read16(bytes, 0);
  message.is_answer = (bytes[2] & 0x80) != 0;
  message.response_code = bytes[3] & 0x0F;
  message.is_cut = message.is_answer && (bytes[2] & 0x02) != 0;
  if ((bytes[2] >> 3 & 0x0F) != 0) return Status::Invalid("neither a query nor its answer");
  if (Read16(bytes, 4) == 0) {
    if (!message.is_answer) return Status::Invalid("a query without a question");
    return message;
  }
  const std::optional<size_t> end = ReadName(bytes, kHeaderBytes, message.name);
  if (!end || bytes.size() - *end < 4) return Status::Invalid("the question is no name and type");
  CutDnsName(message.name);
  message.type = Read16(bytes, *end);
  message.has_question = true;
  return message;
}

std::string DnsTypeName(uint16_t type) {
  static constexpr auto kNames = std::to_array<std::pair<uint16_t, std::string_view>>({{1, "A"},
                                                                                       {2, "NS"},
                                                                                       {5, "CNAME"},
                                                                                       {6, "SOA"},
                                                                                       {12, "PTR"},
                                                                                       {15, "MX"},
                                                                                       {16, "TXT"},
                                                                                       {28, "AAAA"},
                                                                                       {33, "SRV"},
                                                                                       {35, "NAPTR"},
                                                                                       {43, "DS"},
                                                                                       {46, "RRSIG"},
                                                                                       {48, "DNSKEY"},
                                                                                       {64, "SVCB"},
                                                                                       {65, "HTTPS"},
                                                                                       {252, "AXFR"},
                                                                                       {255, "ANY"},
                                                                                       {257, "CAA"}});
  for (const auto& [number, name] : kNames) {
    if (number == type) return std::string(name);
  }
  return fmt::format("TYPE{}", type);
}

std::string DnsResponseName(uint8_t code) {
  static constexpr auto kNames =
      std::to_array<std::string_view>({"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN",
                                       "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE"});
  return code < kNames.size() ? std::string(kNames[code]) : fmt::format("RCODE{}", code);
}

}  // namespace weir::agent::udp

#include "agent/udp/dns_answers.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "agent/udp/dns_message.h"

namespace weir::agent::udp {
namespace {

constexpr size_t kHeaderBytes = 12;
constexpr size_t kMaxNameBytes = 255;  // on the wire, lengths and root included
constexpr uint8_t kMaxLabelBytes = 63;
constexpr uint8_t kPointer = 0xC0;  // the two bits a compressed name begins with (RFC 1035 §4.1.4)
constexpr size_t kFixedBytes = 10;  // of a record, behind its name: type, class, TTL, length
constexpr uint16_t kInternet = 1;
constexpr uint16_t kTypeA = 1;
constexpr uint16_t kTypeCname = 5;
constexpr uint16_t kTypeAaaa = 28;
constexpr uint32_t kMaxTtl = 0x7fff'ffff;

uint16_t Read16(std::span<const uint8_t> bytes, size_t at) {
  return static_cast<uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

uint32_t Read32(std::span<const uint8_t> bytes, size_t at) {
  return static_cast<uint32_t>(Read16(bytes, at)) << 16 | Read16(bytes, at + 2);
}

// Where the name at `at` ends; nullopt when it is none. Pointers lead back, so that no name is endless.
std::optional<size_t> ReadName(std::span<const uint8_t> bytes, size_t at, std::string& name) {
  std::optional<size_t> end;
  size_t limit = at;  // of a pointer
  size_t length = 0;
  while (at < bytes.size()) {
    const uint8_t first = bytes[at];
    if ((first & kPointer) == kPointer) {
      if (bytes.size() - at < 2) return std::nullopt;
      const size_t to = Read16(bytes, at) & 0x3FFF;
      if (to >= limit) return std::nullopt;
      if (!end) end = at + 2;
      at = limit = to;
      continue;
    }
    ++at;
    if (first == 0) {
      if (name.empty()) name.assign(1, '.');
      return end ? end : at;
    }
    length += first + size_t{1};
    if (first > kMaxLabelBytes || first > bytes.size() - at || length >= kMaxNameBytes) return std::nullopt;
    if (!name.empty()) name += '.';
    for (const uint8_t byte : bytes.subspan(at, first)) AppendDnsCharacter(name, byte);
    at += first;
  }
  return std::nullopt;
}

struct Record {
  std::string owner;
  uint16_t type = 0;
  uint32_t ttl_s = 0;
  std::string alias;  // of a CNAME
  model::Address address;
};

// Where the record at `at` ends; nullopt when it is cut off or unsound. `keep` is false for types that do not matter.
std::optional<size_t> ReadRecord(std::span<const uint8_t> bytes, size_t at, Record& record, bool& keep) {
  const auto name_end = ReadName(bytes, at, record.owner);
  if (!name_end || bytes.size() - *name_end < kFixedBytes) return std::nullopt;
  record.type = Read16(bytes, *name_end);
  const uint16_t record_class = Read16(bytes, *name_end + 2);
  record.ttl_s = std::min(Read32(bytes, *name_end + 4), kMaxTtl);
  const size_t length = Read16(bytes, *name_end + 8);
  const size_t data = *name_end + kFixedBytes;
  if (bytes.size() - data < length) return std::nullopt;
  keep = record_class == kInternet;
  if (record.type == kTypeA && length == 4) {
    uint32_t v4 = 0;
    std::memcpy(&v4, bytes.data() + data, sizeof(v4));
    record.address = model::Address::FromV4(v4);
  } else if (record.type == kTypeAaaa && length == 16) {
    record.address = model::Address::FromV6(bytes.data() + data);
  } else if (record.type == kTypeCname) {
    keep &= ReadName(bytes, data, record.alias).has_value();
  } else {
    keep = false;
  }
  return data + length;
}

}  // namespace

DnsAnswers ParseDnsAnswers(std::span<const uint8_t> bytes) {
  DnsAnswers answers;
  if (bytes.size() < kHeaderBytes || Read16(bytes, 4) != 1) return answers;
  std::string name;
  const auto question_end = ReadName(bytes, kHeaderBytes, name);
  if (!question_end || bytes.size() - *question_end < 4) return answers;
  std::vector<Record> records;
  size_t at = *question_end + 4;
  const size_t count = Read16(bytes, 6);
  for (size_t i = 0; i < count; ++i) {
    Record record;
    bool keep = false;
    const auto end = i < kMaxDnsRecords ? ReadRecord(bytes, at, record, keep) : std::nullopt;
    if (!end) {
      answers.cut = true;
      break;
    }
    at = *end;
    if (keep) records.push_back(std::move(record));
  }
  uint32_t ttl_s = kMaxTtl;
  for (size_t i = 0; i < kMaxDnsAliases; ++i) {
    const auto alias = std::find_if(records.begin(), records.end(), [&](const Record& record) {
      return record.type == kTypeCname && record.owner == name;
    });
    if (alias == records.end()) break;
    ttl_s = std::min(ttl_s, alias->ttl_s);
    name = answers.canonical = alias->alias;
  }
  for (const Record& record : records) {
    if (record.type == kTypeCname || record.owner != name) continue;
    answers.addresses.push_back({record.address, std::min(ttl_s, record.ttl_s)});
  }
  CutDnsName(answers.canonical);
  return answers;
}

}  // namespace weir::agent::udp

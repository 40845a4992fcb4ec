#include "agent/nat/conntrack_message.h"

#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

namespace weir::agent::nat {
namespace {

using node::ForEachAttribute;

constexpr size_t kV4Offset = 12;  // of a dotted quad in model::Address

uint16_t TypeOf(uint16_t message) { return static_cast<uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | message); }

void AppendBytes(std::vector<uint8_t>& out, const void* bytes, size_t size) {
  const size_t begin = out.size();
  out.resize(begin + size);
  std::memcpy(out.data() + begin, bytes, size);
}

void AppendHeader(std::vector<uint8_t>& out, uint8_t family) {
  const nfgenmsg header{.nfgen_family = family, .version = NFNETLINK_V0, .res_id = 0};
  AppendBytes(out, &header, sizeof(header));
}

// Returns where the attribute begins, for CloseNest().
size_t OpenNest(std::vector<uint8_t>& out, uint16_t type) {
  const size_t begin = out.size();
  const nlattr header{.nla_len = 0, .nla_type = static_cast<uint16_t>(type | NLA_F_NESTED)};
  AppendBytes(out, &header, sizeof(header));
  return begin;
}

void CloseNest(std::vector<uint8_t>& out, size_t begin) {
  const auto length = static_cast<uint16_t>(out.size() - begin);
  std::memcpy(out.data() + begin, &length, sizeof(length));
}

void Append(std::vector<uint8_t>& out, uint16_t type, Bytes value) {
  const size_t begin = OpenNest(out, type);
  std::memcpy(out.data() + begin + offsetof(nlattr, nla_type), &type, sizeof(type));  // not nested after all
  AppendBytes(out, value.data(), value.size());
  CloseNest(out, begin);
  out.resize((out.size() + 3) & ~size_t{3});
}

void AppendPort(std::vector<uint8_t>& out, uint16_t type, uint16_t port) {
  const uint8_t value[] = {static_cast<uint8_t>(port >> 8), static_cast<uint8_t>(port)};
  Append(out, type, value);
}

void AppendAddress(std::vector<uint8_t>& out, uint16_t v4_type, uint16_t v6_type, bool v4,
                   const model::Address& address) {
  const Bytes all(address.bytes);
  Append(out, v4 ? v4_type : v6_type, v4 ? all.subspan(kV4Offset) : all);
}

uint64_t BigEndian(Bytes value) {
  uint64_t number = 0;
  for (const uint8_t byte : value.first(std::min<size_t>(value.size(), sizeof(number)))) number = number << 8 | byte;
  return number;
}

model::Address AddressOf(Bytes value) {
  if (value.size() == 4) {
    uint32_t word = 0;
    std::memcpy(&word, value.data(), sizeof(word));
    return model::Address::FromV4(word);
  }
  return value.size() == 16 ? model::Address::FromV6(value.data()) : model::Address{};
}

Tuple ParseTuple(Bytes payload) {
  Tuple tuple;
  ForEachAttribute(payload, [&tuple](uint16_t type, Bytes nested) {
    ForEachAttribute(nested, [&tuple, type](uint16_t part, Bytes value) {
      if (type == CTA_TUPLE_IP) {
        if (part == CTA_IP_V4_SRC || part == CTA_IP_V6_SRC) tuple.source = AddressOf(value);
        if (part == CTA_IP_V4_DST || part == CTA_IP_V6_DST) tuple.destination = AddressOf(value);
      } else if (type == CTA_TUPLE_PROTO) {
        if (part == CTA_PROTO_NUM) tuple.protocol = static_cast<model::Protocol>(BigEndian(value));
        if (part == CTA_PROTO_SRC_PORT) tuple.source_port = static_cast<uint16_t>(BigEndian(value));
        if (part == CTA_PROTO_DST_PORT) tuple.destination_port = static_cast<uint16_t>(BigEndian(value));
      }
    });
  });
  return tuple;
}

}  // namespace

const uint16_t kGetConnection = TypeOf(IPCTNL_MSG_CT_GET);
const uint16_t kGetStatistics = TypeOf(IPCTNL_MSG_CT_GET_STATS);

std::vector<uint8_t> QuestionAbout(const Tuple& direction) {
  const bool v4 = direction.source.is_v4() && direction.destination.is_v4();
  std::vector<uint8_t> out;
  out.reserve(128);
  AppendHeader(out, v4 ? AF_INET : AF_INET6);
  const size_t tuple = OpenNest(out, CTA_TUPLE_ORIG);
  const size_t addresses = OpenNest(out, CTA_TUPLE_IP);
  AppendAddress(out, CTA_IP_V4_SRC, CTA_IP_V6_SRC, v4, direction.source);
  AppendAddress(out, CTA_IP_V4_DST, CTA_IP_V6_DST, v4, direction.destination);
  CloseNest(out, addresses);
  const size_t transport = OpenNest(out, CTA_TUPLE_PROTO);
  const auto protocol = static_cast<uint8_t>(direction.protocol);
  Append(out, CTA_PROTO_NUM, {&protocol, 1});
  AppendPort(out, CTA_PROTO_SRC_PORT, direction.source_port);
  AppendPort(out, CTA_PROTO_DST_PORT, direction.destination_port);
  CloseNest(out, transport);
  CloseNest(out, tuple);
  return out;
}

std::vector<uint8_t> StatisticsQuestion() {
  std::vector<uint8_t> out;
  AppendHeader(out, AF_UNSPEC);
  return out;
}

std::optional<Tuple> OtherDirection(Bytes payload, const Tuple& asked) {
  if (payload.size() < sizeof(nfgenmsg)) return std::nullopt;
  std::optional<Tuple> original;
  std::optional<Tuple> reply;
  ForEachAttribute(payload.subspan(sizeof(nfgenmsg)), [&](uint16_t type, Bytes nested) {
    if (type == CTA_TUPLE_ORIG) original = ParseTuple(nested);
    if (type == CTA_TUPLE_REPLY) reply = ParseTuple(nested);
  });
  if (!original || !reply) return std::nullopt;
  if (*original == asked) return reply;
  // Tracking began in the middle of the connection, with a packet of the answering end.
  if (*reply == asked) return original;
  return std::nullopt;
}

bool IsOpen(Bytes payload) {
  if (payload.size() < sizeof(nfgenmsg)) return false;
  uint64_t state = TCP_CONNTRACK_NONE;
  ForEachAttribute(payload.subspan(sizeof(nfgenmsg)), [&](uint16_t type, Bytes protocols) {
    if (type != CTA_PROTOINFO) return;
    ForEachAttribute(protocols, [&](uint16_t protocol, Bytes tcp) {
      if (protocol != CTA_PROTOINFO_TCP) return;
      ForEachAttribute(tcp, [&](uint16_t part, Bytes value) {
        if (part == CTA_PROTOINFO_TCP_STATE) state = BigEndian(value);
      });
    });
  });
  return (state >= TCP_CONNTRACK_SYN_SENT && state <= TCP_CONNTRACK_ESTABLISHED) || state == TCP_CONNTRACK_SYN_SENT2;
}

std::optional<uint32_t> EntriesOf(Bytes payload) {
  if (payload.size() < sizeof(nfgenmsg)) return std::nullopt;
  std::optional<uint32_t> entries;
  ForEachAttribute(payload.subspan(sizeof(nfgenmsg)), [&](uint16_t type, Bytes value) {
    if (type == CTA_STATS_GLOBAL_ENTRIES && value.size() == 4) entries = static_cast<uint32_t>(BigEndian(value));
  });
  return entries;
}

}  // namespace weir::agent::nat

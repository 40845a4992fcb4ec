// A DNS message as far as it is copied: header and first question (RFC 1035 §4.1). The bytes come from whoever may
// send to the socket, so everything is checked against the length at hand.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/status.h"

namespace weir::agent::udp {

struct DnsMessage {
  uint16_t id = 0;
  bool is_answer = false;
  uint8_t response_code = 0;  // 0..15; the extended bits of EDNS lie beyond the copied part
  bool is_cut = false;        // TC: the answer did not fit, and is to be asked for again over TCP (RFC 1035, 4.1.1)
  bool has_question = false;  // an answer that says FORMERR may have none
  uint16_t type = 0;
  std::string name;  // lower case, without the final dot, "." for the root; at most model::kMaxStringBytes
};

// `bytes`: the beginning of the datagram. kInvalid: too short, no query or answer to one (notify, update), or a name
// that is none: a length beyond the message, more than 255 bytes, or compression, which has nothing to point to yet.
// Names are printable ASCII: what is not, and dots and backslashes within a label, become \DDD (RFC 4343 §2.1). A name
// that grows too long by that is cut and ends in "...".
Result<DnsMessage> ParseDns(std::span<const uint8_t> bytes);

// Adds one byte of a label to a name, as above.
void AppendDnsCharacter(std::string& name, uint8_t byte);
void CutDnsName(std::string& name);

// "A", "AAAA", ..., or "TYPE65535" (RFC 3597).
std::string DnsTypeName(uint16_t type);
// "NOERROR", "NXDOMAIN", ..., or "RCODE15".
std::string DnsResponseName(uint8_t code);

}  // namespace weir::agent::udp

// ctnetlink's messages about one tracked connection (linux/netfilter/nfnetlink_conntrack.h) as plain structs. Pure
// functions over bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "agent/node/netlink.h"
#include "model/address.h"
#include "model/side_report.h"

namespace weir::agent::nat {

using node::Bytes;

// Types of netlink messages.
extern const uint16_t kGetConnection;
extern const uint16_t kGetStatistics;

// One direction of a connection, as its packets name it.
struct Tuple {
  model::Protocol protocol = model::Protocol::kTcp;
  model::Address source;
  model::Address destination;
  uint16_t source_port = 0;
  uint16_t destination_port = 0;

  bool operator==(const Tuple&) const = default;
};

// The body of kGetConnection: the connection with this direction, whichever of its two it is, in the default zone.
std::vector<uint8_t> QuestionAbout(const Tuple& direction);
// The body of kGetStatistics.
std::vector<uint8_t> StatisticsQuestion();

// Of an answer to QuestionAbout(asked): the connection's other direction, from the answering end back. Nullopt when it
// is no such answer.
std::optional<Tuple> OtherDirection(Bytes payload, const Tuple& asked);
// Of the same: whether it is a TCP connection that neither end has ended yet.
bool IsOpen(Bytes payload);
// Of an answer to StatisticsQuestion(): connections tracked in this network namespace.
std::optional<uint32_t> EntriesOf(Bytes payload);

}  // namespace weir::agent::nat

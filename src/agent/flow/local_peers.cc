#include "agent/flow/local_peers.h"

#include <utility>

#include "agent/flow/outcome.h"

namespace weir::agent::flow {
namespace {

size_t IndexOf(model::Side side) { return side == model::Side::kClient ? 0 : 1; }

}  // namespace

LocalPeers::Id LocalPeers::IdOf(const weir_record& record) {
  constexpr uint32_t kAccepted = WEIR_SOCKET_INCOMING;
  const bool older = (record.flags & WEIR_SOCKET_EXISTING) != 0;
  if ((record.flags & (WEIR_SOCKET_LISTENING | WEIR_SOCKET_SIMULTANEOUS)) != 0) return 0;
  if (older && (record.flags & (kAccepted | WEIR_SOCKET_OUTGOING)) == 0) return 0;
  if (NeverOpened(record) || record.received_begin == 0) return 0;
  // Who accepted has no number of its own for the SYN it sent: count both from the byte behind it.
  const bool accepted = (record.flags & kAccepted) != 0;
  const uint32_t client = accepted ? record.received_begin : record.sent_begin + 1;
  const uint32_t server = accepted ? record.sent_begin : record.received_begin;
  return uint64_t{client} << 32 | server;
}

model::Side LocalPeers::SideOf(const weir_record& record) {
  return (record.flags & WEIR_SOCKET_INCOMING) != 0 ? model::Side::kServer : model::Side::kClient;
}

void LocalPeers::Put(Id id, model::Side side, const End& end) {
  auto known = now_.find(id);
  if (known == now_.end()) {
    if (now_.size() >= kMaxConnections) {
      before_.swap(now_);
      now_.clear();
    }
    const auto older = before_.find(id);
    known = now_.insert({id, older == before_.end() ? Ends{} : older->second}).first;
  }
  known.value()[IndexOf(side)] = end;
}

const LocalPeers::End* LocalPeers::Other(Id id, model::Side side) const {
  const size_t other = 1 - IndexOf(side);
  for (const Generation* generation : {&now_, &before_}) {
    const auto known = generation->find(id);
    if (known != generation->end()) return known->second[other].netns != 0 ? &known->second[other] : nullptr;
  }
  return nullptr;
}

}  // namespace weir::agent::flow

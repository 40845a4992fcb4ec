#include "server/row_parts.h"

#include <algorithm>
#include <utility>

namespace weir::server {
namespace {

// The flow's key has what the server sees.
void SetUsed(model::FlowRow& row, const UsedAddresses& used) {
  if (!used.client.is_unspecified()) row.client_address = used.client;
  row.service_address = used.service;
  row.service_port = used.service_port;
}

}  // namespace

void SetFlow(model::FlowRow& row, const FlowKey& key, UnixMillis start, UnixMillis end) {
  row.start = start;
  row.end = end;
  row.protocol = model::ProtocolName(key.protocol);
  row.client_address = key.client_address;
  row.server_address = key.server_address;
  row.server_port = key.server_port;
}

void SetReportedEnd(store::StoredRow& out, model::Side side, const Seen& seen, model::EntityRef entity) {
  model::FlowRow& row = out.row;
  const model::LocalIdentity& identity = seen.report->identity;
  if (row.application.empty()) row.application = identity.application;
  EntityAt(row, side) = std::move(entity);
  if (side == model::Side::kClient) {
    row.server_name = identity.server_name;
    row.alpn = identity.alpn;
    SetUsed(row, UsedOf(seen.report->ends));
    row.client_reports = 1;
    out.client_agent = seen.from->batch.agent_id;
    out.client_sequence = seen.from->batch.sequence;
  } else {
    row.server_reports = 1;
    out.server_agent = seen.from->batch.agent_id;
    out.server_sequence = seen.from->batch.sequence;
  }
}

void SetRecalledEnd(model::FlowRow& row, model::Side side, const EndIdentity& identity) {
  EntityAt(row, side) = identity.entity;
  if (side != model::Side::kClient) return;
  row.server_name = identity.server_name;
  row.alpn = identity.alpn;
  SetUsed(row, identity.used);
}

void SetRequestKind(model::FlowRow& row, model::RequestKind& kind) {
  row.application = std::move(kind.application);
  row.operation = std::move(kind.operation);
  row.resource = std::move(kind.resource);
  row.result = std::move(kind.result);
}

bool AreOfThePath(const model::SideCounters& counters) {
  uint64_t others = counters.retransmits_syn;
  const uint64_t busy_us = counters.busy_us;
#define WEIR_ANY(name) others += counters.name;
  WEIR_SENDER_COUNTERS(WEIR_ANY)
  WEIR_RECEIVER_COUNTERS(WEIR_ANY)
  WEIR_RECEIVER_MAXIMA(WEIR_ANY)
  WEIR_END_COUNTERS(WEIR_ANY)
  WEIR_END_MAXIMA(WEIR_ANY)
#undef WEIR_ANY
  return others == busy_us;
}

// What the client sends goes to the server, what it receives comes to the client; and the other way round.
void AddOwnMeasures(model::FlowRow& row, model::Side side, model::SideCounters& counters) {
  const bool client = side == model::Side::kClient;
#define WEIR_SENT(name) (client ? row.name##_to_server : row.name##_to_client) += counters.name;
  WEIR_SENDER_COUNTERS(WEIR_SENT)
#undef WEIR_SENT
#define WEIR_RECEIVED(name) (client ? row.name##_to_client : row.name##_to_server) += counters.name;
  WEIR_RECEIVER_COUNTERS(WEIR_RECEIVED)
#undef WEIR_RECEIVED
#define WEIR_SENT(name) (client ? row.name##_to_server : row.name##_to_client) = counters.name;
  WEIR_SENDER_MAXIMA(WEIR_SENT)
#undef WEIR_SENT
#define WEIR_RECEIVED(name) (client ? row.name##_to_client : row.name##_to_server) = counters.name;
  WEIR_RECEIVER_MAXIMA(WEIR_RECEIVED)
#undef WEIR_RECEIVED
#define WEIR_RTT(name) (client ? row.client_##name : row.server_##name) = counters.name;
  WEIR_RTT_COUNTERS(WEIR_RTT)
#undef WEIR_RTT
  (client ? row.client_rtt_histogram : row.server_rtt_histogram) = std::move(counters.rtt_histogram);
#define WEIR_END(name) row.name += counters.name;
  WEIR_END_COUNTERS(WEIR_END)
  WEIR_END(retransmits_syn)
#undef WEIR_END
#define WEIR_END(name) row.name = std::max(row.name, counters.name);
  WEIR_END_MAXIMA(WEIR_END)
#undef WEIR_END
#define WEIR_END(name) row.name.Merge(counters.name);
  WEIR_END_HISTOGRAMS(WEIR_END)
#undef WEIR_END
}

}  // namespace weir::server

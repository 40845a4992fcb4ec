#include "server/row_parts.h"

#include <utility>

namespace weir::server {
namespace {

std::string Take(std::string& text, bool move) { return move ? std::move(text) : text; }

}  // namespace

void SetFlow(model::FlowRow& row, const FlowKey& key, UnixMillis start, UnixMillis end, std::string_view locality) {
  row.start = start;
  row.end = end;
  row.protocol = model::ProtocolName(key.protocol);
  row.client_address = key.client_address;
  row.server_address = key.server_address;
  row.server_port = key.server_port;
  row.locality = locality;
}

void SetReportedEnd(store::StoredRow& out, model::Side side, const Seen& seen, bool last_use) {
  model::FlowRow& row = out.row;
  model::LocalIdentity& identity = seen.report->identity;
  if (side == model::Side::kClient) {
    row.client_process = Take(identity.process, last_use);
    row.client_container = Take(identity.container, last_use);
    row.client_unit = Take(identity.unit, last_use);
    row.client_node = seen.from->batch.node;
    row.client_netns = seen.report->ends.netns;
    row.client_reports = 1;
    out.client_agent = seen.from->batch.agent_id;
    out.client_sequence = seen.from->batch.sequence;
  } else {
    row.server_process = Take(identity.process, last_use);
    row.server_container = Take(identity.container, last_use);
    row.server_unit = Take(identity.unit, last_use);
    row.server_node = seen.from->batch.node;
    row.server_netns = seen.report->ends.netns;
    row.server_reports = 1;
    out.server_agent = seen.from->batch.agent_id;
    out.server_sequence = seen.from->batch.sequence;
  }
}

void SetRecalledEnd(model::FlowRow& row, model::Side side, const EndIdentity& identity) {
  if (side == model::Side::kClient) {
    row.client_process = identity.local.process;
    row.client_container = identity.local.container;
    row.client_unit = identity.local.unit;
    row.client_node = identity.node;
    row.client_netns = identity.netns;
  } else {
    row.server_process = identity.local.process;
    row.server_container = identity.local.container;
    row.server_unit = identity.local.unit;
    row.server_node = identity.node;
    row.server_netns = identity.netns;
  }
}

void AddOwnMeasures(model::FlowRow& row, model::Side side, model::SideCounters& counters) {
  row.retransmits_syn += counters.retransmits_syn;
  if (side == model::Side::kClient) {
    row.retransmits_to_server += counters.retransmits;
    row.timeouts_to_server += counters.timeouts;
    row.connect_count = counters.connect_count;
    row.connect_sum_us = counters.connect_sum_us;
    row.connect_max_us = counters.connect_max_us;
    row.client_rtt_count = counters.rtt_count;
    row.client_rtt_sum_us = counters.rtt_sum_us;
    row.client_rtt_min_us = counters.rtt_min_us;
    row.client_rtt_max_us = counters.rtt_max_us;
    row.client_rtt_histogram = std::move(counters.rtt_histogram);
  } else {
    row.retransmits_to_client += counters.retransmits;
    row.timeouts_to_client += counters.timeouts;
    row.server_rtt_count = counters.rtt_count;
    row.server_rtt_sum_us = counters.rtt_sum_us;
    row.server_rtt_min_us = counters.rtt_min_us;
    row.server_rtt_max_us = counters.rtt_max_us;
    row.server_rtt_histogram = std::move(counters.rtt_histogram);
  }
}

}  // namespace weir::server

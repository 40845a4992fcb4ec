// The measures both ends of a flow report, oriented client to server, so that the two views can be compared and
// exactly one of them stored. The other measures are known to one end only and live in the row builder.
#pragma once

#include <array>
#include <cstdint>

#include "model/flow_row.h"
#include "model/side_report.h"

namespace weir::server {

enum SharedMeasure : size_t {
  kBytesToServer,
  kBytesToClient,
  kSegmentsToServer,
  kSegmentsToClient,
  kOpened,
  kClosed,
  kFailedRefused,
  kFailedTimedOut,
  kFailedUnreachable,
  kFailedAbandoned,
  kFailedNoPort,
  kFailedOther,
  kClosedResetByClient,
  kClosedResetByServer,
  kClosedTimedOut,
  kSharedMeasures
};

using Shared = std::array<uint64_t, kSharedMeasures>;

inline bool IsZero(const Shared& shared) { return shared == Shared{}; }

inline void Add(Shared& into, const Shared& from) {
  for (size_t i = 0; i < kSharedMeasures; ++i) into[i] += from[i];
}

inline Shared SharedOf(const model::SideReport& report) {
  const model::SideCounters& c = report.counters;
  const bool client = report.ends.side == model::Side::kClient;
  return {client ? c.bytes_sent : c.bytes_received,
          client ? c.bytes_received : c.bytes_sent,
          client ? c.segments_sent : c.segments_received,
          client ? c.segments_received : c.segments_sent,
          c.opened,
          c.closed,
          c.failed_refused,
          c.failed_timed_out,
          c.failed_unreachable,
          c.failed_abandoned,
          c.failed_no_port,
          c.failed_other,
          c.closed_reset_by_client,
          c.closed_reset_by_server,
          c.closed_timed_out};
}

// REQUIRES: the row's shared columns are still zero.
inline void SetShared(model::FlowRow& row, const Shared& shared) {
  row.bytes_to_server = shared[kBytesToServer];
  row.bytes_to_client = shared[kBytesToClient];
  row.segments_to_server = shared[kSegmentsToServer];
  row.segments_to_client = shared[kSegmentsToClient];
  row.connections_opened = shared[kOpened];
  row.connections_closed = shared[kClosed];
  row.failed_refused = shared[kFailedRefused];
  row.failed_timed_out = shared[kFailedTimedOut];
  row.failed_unreachable = shared[kFailedUnreachable];
  row.failed_abandoned = shared[kFailedAbandoned];
  row.failed_no_port = shared[kFailedNoPort];
  row.failed_other = shared[kFailedOther];
  row.connections_failed = row.failed_refused + row.failed_timed_out + row.failed_unreachable + row.failed_abandoned +
                           row.failed_no_port + row.failed_other;
  row.closed_reset_by_client = shared[kClosedResetByClient];
  row.closed_reset_by_server = shared[kClosedResetByServer];
  row.closed_timed_out = shared[kClosedTimedOut];
}

}  // namespace weir::server

// The parts a stored row is put together from: the flow's key, either end's identity, either end's measures.
#pragma once

#include "server/flow_memory.h"
#include "server/pending_batch.h"
#include "store/store.h"

namespace weir::server {

// One end's report within its batch. Both are borrowed until the batch has been matched.
struct Seen {
  const PendingBatch* from = nullptr;
  model::SideReport* report = nullptr;
};

inline model::Side OtherSide(model::Side side) {
  return side == model::Side::kClient ? model::Side::kServer : model::Side::kClient;
}

void SetFlow(model::FlowRow& row, const FlowKey& key, UnixMillis start, UnixMillis end);

inline model::EntityRef& EntityAt(model::FlowRow& row, model::Side side) {
  return side == model::Side::kClient ? row.client : row.server;
}

// The end that reported: who it is, what its connections have in common, and the batch the row came from.
void SetReportedEnd(store::StoredRow& out, model::Side side, const Seen& seen, model::EntityRef entity);
// The end that did not report, as remembered.
void SetRecalledEnd(model::FlowRow& row, model::Side side, const EndIdentity& identity);
// What the report's requests have in common. Moves the strings out.
void SetRequestKind(model::FlowRow& row, model::RequestKind& kind);
// Whether an end's own measures are of the way between the two ends, and of nobody's fault: round trips, rates, the
// time something was on its way.
bool AreOfThePath(const model::SideCounters& counters);
// Adds what only this end can know. Moves the RTT histogram out of the report: at most once per report.
void AddOwnMeasures(model::FlowRow& row, model::Side side, model::SideCounters& counters);

}  // namespace weir::server

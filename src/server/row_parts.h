// The parts a stored row is put together from: the flow's key, either end's identity, either end's measures.
#pragma once

#include <string_view>

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

void SetFlow(model::FlowRow& row, const FlowKey& key, UnixMillis start, UnixMillis end, std::string_view locality);

// The end that reported: identity, node, and the batch the row came from. `last_use` moves the strings out.
void SetReportedEnd(store::StoredRow& out, model::Side side, const Seen& seen, bool last_use);
// The end that did not report, as remembered.
void SetRecalledEnd(model::FlowRow& row, model::Side side, const EndIdentity& identity);
// What the report's requests have in common. Moves the strings out.
void SetRequestKind(model::FlowRow& row, model::RequestKind& kind);
// Adds what only this end can know. Moves the RTT histogram out of the report: at most once per report.
void AddOwnMeasures(model::FlowRow& row, model::Side side, model::SideCounters& counters);

}  // namespace weir::server

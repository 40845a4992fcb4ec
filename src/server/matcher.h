// Matcher: joins the two ends' reports of each flow into one row. The product's heart; docs/adr/0002 argues it.
//
// A report is one end's view of key K = (protocol, client address, server address, server port) for one
// interval. Both ends of K within one agent are joined within that agent, because private addresses exist on
// many nodes; what stays single is joined across agents. Shared measures go through the flow's Ledger, so that
// they are stored once whatever arrives, late or never; the measures only one end knows are simply added.
//
// Bounds: MatcherOptions::max_flows remembered flows, the least recently used goes first and is counted.
// Thread: the writer's.
#pragma once

#include <tsl/robin_map.h>

#include <queue>
#include <span>
#include <vector>

#include "server/entity_pool.h"
#include "server/flow_memory.h"
#include "server/neighbourhood.h"
#include "server/pending_batch.h"
#include "server/row_parts.h"
#include "store/store.h"

namespace weir::server {

struct MatcherOptions {
  size_t max_flows = 262'144;  // about 1 KB each once both ends were seen
  int64_t match_hold_ms = 700;
};

class Matcher {
 public:
  // `neighbourhood` outlives the matcher and has observed every batch before it is matched.
  Matcher(MatcherOptions options, const Neighbourhood& neighbourhood);

  // Appends the rows of these batches, at most two per report. Reports are consumed. Batches of one agent must
  // come in the order of their sequence, over all calls.
  void Match(std::span<PendingBatch* const> batches, UnixMillis now, std::vector<store::StoredRow>& rows);

  // Appends at most max_rows rows for what only servers reported of flows whose client has fallen silent.
  void SettleQuiet(UnixMillis now, size_t max_rows, std::vector<store::StoredRow>& rows);

  size_t flows() const { return memory_.size(); }

 private:
  static constexpr uint32_t kEnd = ~0U;
  struct List {
    uint32_t first = kEnd;
    uint32_t last = kEnd;
    uint32_t count = 0;
  };
  struct Node {
    Seen seen;
    uint32_t next = kEnd;
  };
  struct Group {
    FlowKey key;
    List clients;
    List servers;
  };
  using GroupIndex = FlowKeyMap<uint32_t>;
  struct Interval {
    UnixMillis start = 0;
    UnixMillis end = 0;
    UnixMillis now = 0;
    std::vector<store::StoredRow>* rows = nullptr;
  };
  struct QuietCheck {
    UnixMillis due = 0;
    FlowSlot slot = 0;
    uint32_t generation = 0;
    bool operator>(const QuietCheck& other) const { return due > other.due; }
  };

  FlowKey WidestKey(AgentNumber agent, const model::FlowEnds& ends) const;
  void MatchInterval(std::span<PendingBatch* const> batches, const Interval& interval);
  void GroupReports(std::span<PendingBatch* const> batches);
  AgentNumber OnlyAgentOf(const Group& group) const;
  void SettleByAgent(const Group& group, const Interval& interval);
  void Append(List& list, Seen seen);
  void Splice(List& to, const List& from);

  // Whether the group's other end lives with the same agent; if so, `slot` is the flow there, kNone when new.
  bool StaysWithinAgent(const Group& group, UnixMillis now, FlowSlot& slot);
  FlowSlot AdoptFromAcross(const FlowKey& key);
  void Settle(const Group& group, FlowSlot slot, const Interval& interval);
  FlowSlot AddFlow(const FlowKey& key, const Interval& interval);
  bool HasCompleteHistory(const Group& group, const FlowState& state, const Interval& interval) const;
  Shared SumOf(const List& list) const;
  void Remember(KnownEnd& end, const List& list, const Interval& interval);
  EndIdentity CommonIdentity(const List& list, UnixMillis now);
  model::EntityRef EntityOf(const Seen& seen, UnixMillis now);
  model::EntityRef UnreportedEnd(const FlowState& state, model::Side side, UnixMillis now);
  bool OtherEndMayStillReport(const FlowState& state) const;

  void EmitPair(const Group& group, const FlowState& state, const Shared& shared, const Interval& interval);
  bool HaveOneWay(const List& list) const;
  void EmitMany(const Group& group, const FlowState& state, Shared shared, const Interval& interval);
  void EmitRequests(const Seen& seen, const Interval& interval);
  void EmitExcess(FlowState& state, UnixMillis now, std::vector<store::StoredRow>& rows);
  store::StoredRow& NewRow(const FlowState& state, const Interval& interval) const;
  void Recall(model::FlowRow& row, model::Side side, const FlowState& state, const Interval& interval);
  void QueueQuietCheck(FlowSlot slot);
  void ForgetIdle(UnixMillis now, std::vector<store::StoredRow>& rows);

  MatcherOptions options_;
  const Neighbourhood& neighbourhood_;
  FlowMemory memory_;
  EntityPool entities_;
  std::priority_queue<QuietCheck, std::vector<QuietCheck>, std::greater<>> quiet_checks_;

  // Scratch of one interval, kept for its capacity.
  std::vector<Node> nodes_;
  std::vector<Group> groups_;
  std::vector<Seen> request_reports_;
  std::vector<uint32_t> by_agent_;
  GroupIndex group_index_;
};

}  // namespace weir::server

// Hold: how long a batch waits for another node's report of the same flows.
//
// A batch is held as a whole, because its rows must reach the store in one insert. It waits for the agents that
// own the other ends of its flows, until their batches of the same interval are here too or match_hold after
// the interval's end. Batches that await each other leave together, batches of one agent in order.
// Bound: match_hold after the end of the interval; late (spooled) batches do not wait. Thread: the writer's.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "server/neighbourhood.h"
#include "server/pending_batch.h"

namespace weir::server {

class Hold {
 public:
  // `neighbourhood` outlives the hold and has observed the batch that is added.
  Hold(int64_t match_hold_ms, const Neighbourhood& neighbourhood)
      : match_hold_ms_(match_hold_ms), neighbourhood_(neighbourhood) {}

  void Add(std::unique_ptr<PendingBatch> batch, UnixMillis now);

  // The batches that need not wait any longer, `everything` = all, oldest interval first; as many as have at most
  // max_reports reports, and one at least.
  std::vector<std::unique_ptr<PendingBatch>> TakeDue(UnixMillis now, bool everything, size_t max_reports);

  bool empty() const { return held_.empty(); }
  size_t size() const { return held_.size(); }

 private:
  struct Held {
    std::unique_ptr<PendingBatch> batch;
    UnixMillis added = 0;
    UnixMillis release_at = 0;
    std::vector<AgentNumber> awaits;
    bool waits = false;  // as decided by the current TakeDue
    UnixMillis order_end = 0;
  };
  using PlaceInTime = std::pair<UnixMillis, AgentNumber>;  // interval's end, agent

  std::vector<AgentNumber> Awaited(const PendingBatch& batch, UnixMillis now) const;
  void DecideWhoWaits(UnixMillis now);
  static bool IsOver(const Held& held, UnixMillis now);

  int64_t match_hold_ms_;
  const Neighbourhood& neighbourhood_;
  std::vector<Held> held_;  // by agent, then sequence
};

}  // namespace weir::server

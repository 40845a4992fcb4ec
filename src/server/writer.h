// Writer: takes batches from the intake, holds and matches them, inserts the rows, then lets the intake answer.
//
// The node's part of a batch is stored first, as soon as it comes; it waits for nobody. A batch that has flows too is
// answered when those are stored as well, and the node store recognises what it has had when such a batch comes again.
//
// All rows of a batch are in exactly one insert, and so are all batches of a joined row. A failed insert is
// repeated with the same rows until it succeeds: nothing else is matched meanwhile, so memory stays bounded by
// the intake. Thread `weir-writer` runs Step() every flush_interval, sooner when much has come; tests call Step()
// themselves.
#pragma once

#include <atomic>
#include <thread>
#include <unordered_map>

#include "base/log.h"
#include "server/hold.h"
#include "server/intake.h"
#include "server/live_hub.h"
#include "server/matcher.h"
#include "server/naming.h"

namespace weir::server {

struct WriterOptions {
  std::chrono::milliseconds flush_interval{200};
  MatcherOptions matcher;
};

class Writer {
 public:
  // All of these outlive the writer. `namer` null: rows keep the names that agents gave.
  Writer(WriterOptions options, Intake& intake, store::Store& store, LiveHub& live, const Clock& clock,
         Namer* namer = nullptr);
  ~Writer() { Stop(); }

  void Start();
  // REQUIRES: the intake is closed. Stores what was accepted; what the store refuses is answered kUnavailable.
  void Stop();

  // One round: match what is due, insert it, answer. `final_round`: everything is due and failures end the wait.
  void Step(bool final_round = false);

 private:
  // Rows on their way into the store and the batches that will be stored with them.
  struct Outbox {
    std::vector<store::StoredRow> rows;
    std::vector<BatchId> batches;
  };

  // Samples and windows on their way, and the batches that have nothing else.
  struct NodeOutbox {
    std::vector<store::NodeBatch> batches;
    std::vector<BatchId> complete;
  };

  void TakeBatches();
  void TakeNode(PendingBatch& batch);
  Status EmptyNodeOutbox();
  // False: failed, to be repeated in the next round.
  bool StoreNode(bool final_round);
  // Stores what is known better by now of ends whose flows may not move any more. False as above.
  bool StoreNames();
  void FillOutbox(UnixMillis now, bool everything);
  Status EmptyOutbox();
  void GiveUp();
  void Failed(const Status& status);

  WriterOptions options_;
  Intake& intake_;
  store::Store& store_;
  LiveHub& live_;
  const Clock& clock_;
  Namer* const namer_;

  Neighbourhood neighbourhood_;
  Hold hold_;
  Matcher matcher_;
  Outbox outbox_;
  NodeOutbox node_outbox_;
  std::unordered_map<model::EntityId, model::EntityRef> changed_names_;  // not stored yet, the newest of each
  Nanos retry_at_ = 0;                                                   // monotonic
  std::chrono::milliseconds back_off_{0};
  Status last_failure_;
  RateLimit failure_log_{std::chrono::seconds(10)};

  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace weir::server

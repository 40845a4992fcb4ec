// Ledger: how much of one flow has been stored, so that two reports of the same bytes are stored once.
//
// Each end has an account: its position in the stream of everything the flow ever did, as far as its reports
// prove it. `emitted` is what went into rows. The client's account leads: whatever it has beyond `emitted` is
// emitted at once. The server's account leads only while the client has been silent for longer than the grace
// period; what it emits then is credit that the client's late reports use up.
//
// An account is also raised to where the other end stood one grace period earlier: an agent reports its
// intervals in order, so an interval that it skipped never comes, and a credit for it has lost its purpose. The
// lag makes that safe as long as the two agents sample the same instant less than a grace period apart.
//
// Hence, per measure: emitted never exceeds what at least one end reported, and once both ends are quiet it is
// at least the larger of both ends' totals; with no report lost it equals both. ledger_test.cc plays this
// against random schedules. Totals wrap on purpose: only differences matter.
#pragma once

#include <memory>

#include "base/clock.h"
#include "server/shared_measures.h"

namespace weir::server {

struct LedgerInterval {
  UnixMillis end = 0;
  int64_t grace_ms = 0;
  // False when either agent may have reported this flow before the ledger began: then an end that joins may
  // repeat what is already stored, so its first report opens its account but brings no credit.
  bool complete_history = true;
};

class Ledger {
 public:
  // Books one interval's sums of either end, nullptr = that end reported nothing; returns what to store now.
  Shared Settle(const LedgerInterval& interval, const Shared* client, const Shared* server);

  // True when the server reported more than was stored.
  bool HasExcess() const;
  // Stores that excess too; for when the client has been silent until after quiet_at().
  Shared TakeExcess();
  // End of the client's grace period.
  UnixMillis quiet_at() const;
  bool paired() const { return both_ != nullptr; }

 private:
  struct Mark {
    UnixMillis time = 0;
    Shared total{};
  };
  // An account: its total now, and at two moments at least a grace period apart.
  struct Account {
    Shared total{};
    UnixMillis last = 0;
    Mark middle;
    Mark old;

    void Book(const Shared& delta, const LedgerInterval& interval);
    // The total at `time` or some moment before it; nullptr when that is forgotten.
    const Shared* At(UnixMillis time) const;
  };
  struct Both {
    Account client;
    Account server;
    Shared emitted{};
    int64_t grace_ms = 0;
  };

  void Pair(const LedgerInterval& interval, bool server_joins);

  // Most flows are seen from one end only: one total is all they need.
  bool only_client_ = false;
  UnixMillis last_ = 0;
  Shared total_{};
  std::unique_ptr<Both> both_;
};

}  // namespace weir::server

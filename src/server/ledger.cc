#include "server/ledger.h"

#include <algorithm>

namespace weir::server {
namespace {

bool IsAhead(uint64_t a, uint64_t b) { return static_cast<int64_t>(a - b) > 0; }

void Raise(Shared& total, const Shared* to) {
  if (to == nullptr) return;
  for (size_t i = 0; i < kSharedMeasures; ++i) {
    if (IsAhead((*to)[i], total[i])) total[i] = (*to)[i];
  }
}

// Raises `emitted` to `to` and returns the difference.
Shared Emit(Shared& emitted, const Shared& to) {
  Shared out{};
  for (size_t i = 0; i < kSharedMeasures; ++i) {
    if (!IsAhead(to[i], emitted[i])) continue;
    out[i] = to[i] - emitted[i];
    emitted[i] = to[i];
  }
  return out;
}

}  // namespace

void Ledger::Account::Book(const Shared& delta, const LedgerInterval& interval) {
  if (interval.end > last && last >= middle.time + interval.grace_ms) {
    old = middle;
    middle = {last, total};
  }
  Add(total, delta);
  last = std::max(last, interval.end);
}

const Shared* Ledger::Account::At(UnixMillis time) const {
  if (last <= time) return &total;
  if (middle.time <= time) return &middle.total;
  return old.time <= time ? &old.total : nullptr;
}

void Ledger::Pair(const LedgerInterval& interval, bool server_joins) {
  both_ = std::make_unique<Both>();
  both_->emitted = total_;
  Account& known = only_client_ ? both_->client : both_->server;
  known.total = total_;
  known.last = last_;
  known.middle = {last_, total_};
  // The server's first report ends, at least, where the client stood before that interval; for an interval that
  // the client has passed already, where that was is not known and only the beginning is certain.
  if (server_joins && !interval.complete_history && last_ < interval.end) both_->server.total = total_;
}

Shared Ledger::Settle(const LedgerInterval& interval, const Shared* client, const Shared* server) {
  const bool begins = last_ == 0;
  if (both_ == nullptr) {
    const Shared* alone = client == nullptr ? server : server == nullptr ? client : nullptr;
    if (alone != nullptr && (begins || only_client_ == (client != nullptr))) {
      only_client_ = client != nullptr;
      last_ = std::max(last_, interval.end);
      Add(total_, *alone);
      return *alone;
    }
  }
  bool server_is_uncertain = false;
  if (both_ == nullptr) {
    const bool server_joins = server != nullptr && (begins || only_client_);
    server_is_uncertain = server_joins && !interval.complete_history;
    Pair(interval, server_joins);
  }
  Both& both = *both_;
  both.grace_ms = interval.grace_ms;
  if (client != nullptr) both.client.Book(*client, interval);
  if (server != nullptr) both.server.Book(server_is_uncertain ? Shared{} : *server, interval);
  const UnixMillis settled = interval.end - interval.grace_ms;
  if (client != nullptr) Raise(both.client.total, both.server.At(settled));
  if (server != nullptr) Raise(both.server.total, both.client.At(settled));

  Shared out = Emit(both.emitted, both.client.total);
  if (client == nullptr && interval.end - both.client.last > interval.grace_ms) {
    Add(out, Emit(both.emitted, both.server.total));
  }
  return out;
}

bool Ledger::HasExcess() const {
  if (both_ == nullptr) return false;
  for (size_t i = 0; i < kSharedMeasures; ++i) {
    if (IsAhead(both_->server.total[i], both_->emitted[i])) return true;
  }
  return false;
}

Shared Ledger::TakeExcess() { return both_ == nullptr ? Shared{} : Emit(both_->emitted, both_->server.total); }

UnixMillis Ledger::quiet_at() const { return both_ == nullptr ? 0 : both_->client.last + both_->grace_ms; }

}  // namespace weir::server

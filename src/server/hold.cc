#include "server/hold.h"

#include <algorithm>
#include <utility>

#include "server/validate.h"

namespace weir::server {

void Hold::Add(std::unique_ptr<PendingBatch> batch, UnixMillis now) {
  Held held;
  held.added = now;
  held.release_at = batch->batch.end + match_hold_ms_;
  if (held.release_at > now) held.awaits = Awaited(*batch, now);
  held.batch = std::move(batch);
  const auto place = [](const Held& entry) { return std::pair(entry.batch->agent, entry.batch->batch.sequence); };
  const auto at = std::upper_bound(held_.begin(), held_.end(), place(held),
                                   [&](const auto& wanted, const Held& entry) { return wanted < place(entry); });
  held_.insert(at, std::move(held));
}

std::vector<AgentNumber> Hold::Awaited(const PendingBatch& batch, UnixMillis now) const {
  std::vector<AgentNumber> awaits;
  const int64_t interval_ms = batch.batch.end - batch.batch.start;
  const model::Address* previous = nullptr;
  for (const model::SideReport& report : batch.batch.reports) {
    const bool client = report.ends.side == model::Side::kClient;
    const model::Address& other = client ? report.ends.server_address : report.ends.client_address;
    if (previous != nullptr && *previous == other) continue;
    previous = &other;
    const AgentNumber owner = neighbourhood_.LiveOwner(other, batch.agent, now);
    if (owner == 0 || std::find(awaits.begin(), awaits.end(), owner) != awaits.end()) continue;
    // Other interval lengths never meet; an agent that lags does not come in time.
    const Neighbourhood::AgentProgress& progress = neighbourhood_.Progress(owner);
    if (progress.interval_ms != interval_ms || progress.newest_end + 3 * interval_ms < batch.batch.end) continue;
    awaits.push_back(owner);
  }
  return awaits;
}

// Also when the clock was set back: what is to come by the old time does not come.
bool Hold::IsOver(const Held& held, UnixMillis now) {
  return now >= held.release_at || now < held.added - kClockToleranceMs;
}

void Hold::DecideWhoWaits(UnixMillis now) {
  std::multimap<PlaceInTime, Held*> by_place;
  for (Held& held : held_) {
    by_place.emplace(PlaceInTime(held.batch->batch.end, held.batch->agent), &held);
    held.waits = !IsOver(held, now) && std::any_of(held.awaits.begin(), held.awaits.end(), [&](AgentNumber agent) {
      return neighbourhood_.Progress(agent).newest_end < held.batch->batch.end;
    });
  }
  // Whoever awaits, or is awaited by, a batch of the same interval that waits, waits as well.
  for (bool changed = true; changed;) {
    changed = false;
    for (Held& held : held_) {
      for (const AgentNumber agent : held.awaits) {
        const auto [first, last] = by_place.equal_range(PlaceInTime(held.batch->batch.end, agent));
        for (auto it = first; it != last; ++it) {
          Held& partner = *it->second;
          if (held.waits == partner.waits) continue;
          Held& free = held.waits ? partner : held;
          if (IsOver(free, now)) continue;
          free.waits = changed = true;
        }
      }
    }
  }
}

std::vector<std::unique_ptr<PendingBatch>> Hold::TakeDue(UnixMillis now, bool everything, size_t max_reports) {
  if (!everything) DecideWhoWaits(now);
  std::vector<Held*> due;
  for (size_t i = 0; i < held_.size(); ++i) {
    Held& held = held_[i];
    held.order_end = held.batch->batch.end;
    if (everything) held.waits = false;
    // No batch overtakes an earlier one of its agent: the store's watermark would hide the earlier one.
    if (i != 0 && held_[i - 1].batch->agent == held.batch->agent) {
      held.waits = held.waits || held_[i - 1].waits;
      held.order_end = std::max(held.order_end, held_[i - 1].order_end);
    }
    if (!held.waits) due.push_back(&held);
  }
  std::stable_sort(due.begin(), due.end(), [](const Held* a, const Held* b) { return a->order_end < b->order_end; });

  std::vector<std::unique_ptr<PendingBatch>> taken;
  size_t reports = 0;
  for (Held* held : due) {
    reports += held->batch->batch.reports.size();
    if (!taken.empty() && reports > max_reports) break;
    taken.push_back(std::move(held->batch));
  }
  std::erase_if(held_, [](const Held& held) { return held.batch == nullptr; });
  return taken;
}

}  // namespace weir::server

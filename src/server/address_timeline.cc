#include "server/address_timeline.h"

#include <algorithm>

namespace weir::server {
namespace {

constexpr UnixMillis kLingers = 60'000;

bool IsNamed(const Tenure& tenure) { return tenure.kind == Tenure::Kind::kPod || tenure.kind == Tenure::Kind::kNode; }

}  // namespace

Tenure AddressTimeline::At(UnixMillis start, UnixMillis end) const {
  end = std::max(end, start + 1);
  const Tenure* named = nullptr;
  const Tenure* any = nullptr;
  for (auto tenure = tenures_.rbegin(); tenure != tenures_.rend(); ++tenure) {
    if (!tenure->Overlaps(start, end)) {
      if (tenure->to != 0 && tenure->to <= start) break;
      continue;
    }
    if (any == nullptr) any = &*tenure;
    const bool blocks = IsNamed(*tenure) || tenure->kind == Tenure::Kind::kContested;
    if (blocks && named != nullptr) {
      Tenure between{.kind = Tenure::Kind::kContested, .generation = kBetween | named->generation};
      between.from = start;
      between.to = end;
      return between;
    }
    if (blocks) named = &*tenure;
  }
  if (named != nullptr) return *named;
  if (any != nullptr) return *any;
  // Older than anything that is remembered.
  return {.generation = kBetween | tenures_.front().generation};
}

Tenure AddressTimeline::Use(UnixMillis start, UnixMillis end) {
  last_used_ = std::max(last_used_, end);
  if (IsNamed(tenures_.back()) && tenures_.back().from <= start) return tenures_.back();
  const Tenure found = At(start, end);
  if (IsNamed(found)) return found;
  for (Tenure& tenure : tenures_) {
    if (tenure.generation != found.generation) continue;
    if (tenure.first_used == 0 || start < tenure.first_used) tenure.first_used = std::max<UnixMillis>(start, 1);
  }
  return found;
}

void AddressTimeline::Open(Tenure::Kind kind, uint32_t holder, UnixMillis from) {
  tenures_.push_back({.kind = kind, .holder = holder, .generation = next_generation_++, .from = from});
  if (tenures_.size() > kMaxTenures) tenures_.erase(tenures_.begin());
}

// The holder takes over the generation of the unnamed time that lasts, as far as it reaches back to `from`; what lies
// before that gets a generation of its own, under which nothing has been stored.
void AddressTimeline::TakeOver(Tenure::Kind kind, uint32_t holder, UnixMillis from) {
  Tenure& last = tenures_.back();
  if (last.first_used != 0 && last.first_used < from) {
    last.to = from;
    Open(kind, holder, from);
    return;
  }
  if (from > last.from) {
    const uint32_t generation = last.generation;
    const UnixMillis first_used = last.first_used;
    last.to = from;
    last.generation = next_generation_;
    last.first_used = 0;
    Open(kind, holder, from);
    tenures_.back().generation = generation;
    tenures_.back().first_used = first_used;
    return;
  }
  last.kind = kind;
  last.holder = holder;
}

// A contest that nothing was stored under never happened: a list may tell of the new holder before the old one's end.
bool AddressTimeline::DropUnusedContest(Tenure::Kind kind, uint32_t holder) {
  if (tenures_.size() < 2 || tenures_.back().kind != Tenure::Kind::kContested || tenures_.back().first_used != 0) {
    return false;
  }
  tenures_.pop_back();
  Tenure& last = tenures_.back();
  const bool goes_on = last.Is(kind, holder);
  if (goes_on || last.kind == Tenure::Kind::kNobody) last.to = 0;
  return goes_on;
}

void AddressTimeline::Begin(Tenure::Kind kind, uint32_t holder, UnixMillis earliest, UnixMillis sure,
                            UnixMillis lasted) {
  if (kind == Tenure::Kind::kContested) holder = 0;
  if (tenures_.back().Is(kind, holder) || DropUnusedContest(kind, holder)) return;
  sure = std::max(sure, earliest);
  const bool gap = tenures_.back().kind == Tenure::Kind::kNobody;
  Tenure* const before = !gap ? &tenures_.back() : tenures_.size() > 1 ? &tenures_[tenures_.size() - 2] : nullptr;
  // A pod whose containers have ended keeps its address until its sandbox is taken down.
  if (before == nullptr || (gap && (!IsNamed(*before) || earliest >= before->to + kLingers))) {
    TakeOver(kind, holder, std::max(earliest, tenures_.back().from));
    return;
  }
  const UnixMillis until = std::max({earliest, before->seen_from, lasted, before->from});
  if (before->to == 0 || before->to > until) before->to = std::max<UnixMillis>(until, 1);
  const UnixMillis unsure = before->to;
  sure = std::max(sure, unsure);
  if (gap && until <= unsure) {
    // Flows may be stored under it that were the one's or the other's.
    tenures_.back().kind = Tenure::Kind::kContested;
    tenures_.back().from = unsure;
    tenures_.back().to = sure;
  } else if (gap) {
    tenures_.back().to = until;
    sure = std::max(sure, until);
    Open(Tenure::Kind::kContested, 0, until);
    tenures_.back().to = sure;
  } else if (sure > unsure) {
    Open(Tenure::Kind::kContested, 0, unsure);
    tenures_.back().to = sure;
  }
  Open(kind, holder, sure);
}

void AddressTimeline::End(UnixMillis at) {
  Tenure& last = tenures_.back();
  if (last.kind == Tenure::Kind::kNobody) return;
  last.to = std::max({at, last.from, last.seen_from, UnixMillis{1}});
  Open(Tenure::Kind::kNobody, 0, last.to);
}

void AddressTimeline::Prove(uint32_t pod, UnixMillis earliest, UnixMillis start, UnixMillis end) {
  const Tenure& last = tenures_.back();
  if (!last.Is(Tenure::Kind::kPod, pod)) {
    if (end <= std::max(last.from, last.seen_to)) return;  // of a time that has passed
    if (earliest == 0 && last.kind == Tenure::Kind::kNobody) {
      TakeOver(Tenure::Kind::kPod, pod, std::max(start, last.from));
    } else {
      Begin(Tenure::Kind::kPod, pod, std::min(earliest, start), end, 0);
    }
  }
  Tenure& proven = tenures_.back();
  if (end <= proven.seen_to) return;
  proven.seen_from = std::max(start, proven.from);
  proven.seen_to = end;
  // The contest before it ended when it was seen, if that is earlier than was known.
  if (tenures_.size() > 1 && proven.from > end) {
    Tenure& before = tenures_[tenures_.size() - 2];
    if (before.kind == Tenure::Kind::kContested && before.from <= end) {
      before.to = end;
      proven.from = end;
    }
  }
}

void AddressTimeline::Forget(Tenure::Kind kind, uint32_t holder) {
  for (Tenure& tenure : tenures_) {
    if (!tenure.Is(kind, holder)) continue;
    tenure.kind = Tenure::Kind::kNobody;
    tenure.holder = 0;
    // Flows are stored under it, with the name it had.
    tenure.first_used = std::max<UnixMillis>(tenure.from, 1);
  }
}

bool AddressTimeline::IsIdleSince(UnixMillis time) const {
  const Tenure& last = tenures_.back();
  return last.kind == Tenure::Kind::kNobody && last.from < time && last_used_ < time;
}

}  // namespace weir::server

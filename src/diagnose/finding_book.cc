#include "diagnose/finding_book.h"

#include <algorithm>
#include <utility>

namespace weir::diagnose {
namespace {

void Bound(Finding& finding) {
  if (finding.evidence.size() > kMaxListed) finding.evidence.resize(kMaxListed);
  if (finding.culprits.size() > kMaxListed) finding.culprits.resize(kMaxListed);
  if (finding.victims.size() > kMaxListed) finding.victims.resize(kMaxListed);
}

bool SameParties(const std::vector<Involved>& a, const std::vector<Involved>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Involved& x, const Involved& y) { return x.subject.key == y.subject.key; });
}

double Millis(double seconds) { return 1'000 * seconds; }

}  // namespace

FindingBook::Key FindingBook::KeyOf(const Finding& finding) {
  return {finding.detector, finding.subject.key, finding.peer.key, finding.variant};
}

// Evidence of the surest moment stays: a finding does not get weaker because its cause fades.
void FindingBook::Update(Entry& entry, Finding draft, UnixMillis now) {
  Finding& known = entry.finding;
  const bool reopened = known.state == FindingState::kClosed;
  draft.id = known.id;
  draft.start = std::min(known.start, draft.start);
  draft.end = std::max(known.end, draft.end);
  draft.revision = known.revision;
  draft.updated = known.updated;
  if (known.points > draft.points && known.kind == draft.kind) {
    draft.points = known.points;
    draft.evidence = std::move(known.evidence);
    draft.not_excluded = std::move(known.not_excluded);
  }
  if (draft.severity < known.severity) draft.severity = known.severity;
  if (draft.victims.empty()) draft.victims = std::move(known.victims);
  if (draft.culprits.empty()) draft.culprits = std::move(known.culprits);
  draft.level = LevelOf(draft.points, thresholds_);
  entry.urgent = entry.urgent || reopened || draft.level != known.level || draft.severity != known.severity ||
                 draft.kind != known.kind || !SameParties(draft.culprits, known.culprits) ||
                 !SameParties(draft.victims, known.victims);
  draft.state = FindingState::kOpen;
  draft.closed_because.clear();
  known = std::move(draft);
  entry.reported = now;
  entry.changed = true;
}

uint64_t FindingBook::Report(Finding draft, UnixMillis now) {
  now_ = std::max(now_, now);
  Bound(draft);
  const Key key = KeyOf(draft);
  if (const auto found = entries_.find(key); found != entries_.end()) {
    Update(found->second, std::move(draft), now);
    return found->second.finding.id;
  }
  draft.level = LevelOf(draft.points, thresholds_);
  if (draft.level == Level::kSilent) return 0;
  if (entries_.size() >= kMaxOpen) {
    ++refused_;
    return 0;
  }
  draft.id = FindingId(draft.detector, key.subject, key.peer, key.variant, draft.start);
  draft.state = FindingState::kOpen;
  draft.end = std::max(draft.end, draft.start);
  const uint64_t id = draft.id;
  entries_[key] = {std::move(draft), now, 0, true, true};
  return id;
}

uint64_t FindingBook::Record(Finding draft, UnixMillis now) {
  now_ = std::max(now_, now);
  Bound(draft);
  draft.level = LevelOf(draft.points, thresholds_);
  if (draft.level == Level::kSilent) return 0;
  draft.id = FindingId(draft.detector, draft.subject.key, draft.peer.key, draft.variant, draft.start);
  draft.state = FindingState::kClosed;
  if (draft.closed_because.empty()) draft.closed_because = "done";
  draft.updated = now;
  draft.revision = 1;
  const uint64_t id = draft.id;
  recorded_.push_back(std::move(draft));
  return id;
}

void FindingBook::Amend(Finding finding, UnixMillis now) {
  now_ = std::max(now_, now);
  finding.updated = now;
  ++finding.revision;
  if (const auto found = entries_.find(KeyOf(finding));
      found != entries_.end() && found->second.finding.id == finding.id) {
    finding.revision = found->second.finding.revision + 1;
    found->second.finding = finding;
    found->second.changed = found->second.urgent = false;
  }
  recorded_.push_back(std::move(finding));
}

void FindingBook::End(Entry& entry, std::string_view because, UnixMillis now) {
  entry.finding.state = FindingState::kClosed;
  entry.finding.closed_because = because;
  entry.reported = now;
  entry.changed = entry.urgent = true;
}

void FindingBook::Close(Finding draft, std::string_view because, UnixMillis now) {
  const Key key = KeyOf(draft);
  if (!entries_.contains(key)) {
    Report(std::move(draft), now);
  } else {
    Bound(draft);
    Update(entries_[key], std::move(draft), now);
  }
  if (const auto found = entries_.find(key); found != entries_.end()) End(found->second, because, now);
}

void FindingBook::Tick(UnixMillis now, const std::function<bool(const std::string& node)>& blind) {
  now_ = std::max(now_, now);
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    Entry& known = entry->second;
    const auto silent_ms = static_cast<double>(now - known.reported);
    if (known.finding.state == FindingState::kOpen) {
      const bool no_data = !known.finding.node.empty() && blind(known.finding.node);
      const double limit_s = no_data ? thresholds_.blind_close_s : thresholds_.clear_after_s;
      if (silent_ms >= Millis(limit_s)) End(known, no_data ? "no_data" : "clean", now);
    } else if (!known.changed && silent_ms >= Millis(thresholds_.merge_gap_s)) {
      entry = entries_.erase(entry);
      continue;
    }
    ++entry;
  }
}

std::vector<Finding> FindingBook::TakeChanges() {
  std::vector<Finding> changes = std::exchange(recorded_, {});
  for (auto& [key, entry] : entries_) {
    const bool due = static_cast<double>(now_ - entry.stored) >= Millis(thresholds_.update_every_s);
    if (!entry.changed || (!entry.urgent && !due)) continue;
    entry.changed = entry.urgent = false;
    entry.stored = now_;
    entry.finding.updated = now_;
    ++entry.finding.revision;
    changes.push_back(entry.finding);
  }
  return changes;
}

std::vector<Finding> FindingBook::Open() const {
  std::vector<Finding> open;
  for (const auto& [key, entry] : entries_) {
    if (entry.finding.state == FindingState::kOpen) open.push_back(entry.finding);
  }
  return open;
}

const Finding* FindingBook::Find(Detector detector, uint64_t subject_key, uint64_t peer_key, uint64_t variant) const {
  const auto found = entries_.find({detector, subject_key, peer_key, variant});
  return found == entries_.end() ? nullptr : &found->second.finding;
}

const Finding* FindingBook::FindAny(Detector detector, uint64_t subject_key) const {
  const Finding* any = nullptr;
  for (auto entry = entries_.lower_bound({detector, subject_key, 0, 0}); entry != entries_.end(); ++entry) {
    if (entry->first.detector != detector || entry->first.subject != subject_key) break;
    if (entry->second.finding.state == FindingState::kOpen) return &entry->second.finding;
    any = &entry->second.finding;
  }
  return any;
}

void FindingBook::Restore(const std::vector<Finding>& open, UnixMillis now, UnixMillis heard) {
  now_ = std::max(now_, now);
  for (const Finding& finding : open) {
    if (entries_.size() >= kMaxOpen) return;
    entries_[KeyOf(finding)] = {finding, heard, now, false, false};
  }
}

}  // namespace weir::diagnose

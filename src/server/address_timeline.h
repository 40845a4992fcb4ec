// AddressTimeline: who held one address, and when. Pods come and go and their addresses are given to others at once;
// a flow of which only the far end reports belongs to whoever held the address then.
//
// Each holder is a tenure with a generation of its own, and so is a time in which nobody is known. A generation is part
// of the id of an end that is known by its address alone: it never changes, so a name that arrives late goes to the
// generation under which flows were stored already, and never to one that an earlier holder had.
//
// Times are Unix milliseconds. Pure: no clock, no lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/clock.h"

namespace weir::server {

struct Tenure {
  enum class Kind : uint8_t { kNobody, kPod, kNode, kContested };

  Kind kind = Kind::kNobody;
  uint32_t holder = 0;  // of a pod or node: its number
  uint32_t generation = 0;
  UnixMillis from = 0;  // 0 = since ever, as far as known
  UnixMillis to = 0;    // 0 = still
  // The last interval in which an agent saw the holder there, at some moment of it.
  UnixMillis seen_from = 0;
  UnixMillis seen_to = 0;
  UnixMillis first_used = 0;  // start of the first flow that was given this generation while it had no name; 0 = none

  bool Is(Kind other_kind, uint32_t other_holder) const { return kind == other_kind && holder == other_holder; }
  bool Overlaps(UnixMillis start, UnixMillis end) const { return from < end && (to == 0 || to > start); }
};

class AddressTimeline {
 public:
  static constexpr size_t kMaxTenures = 16;  // the oldest goes first
  // Generations of intervals in which the address changed hands; nobody's, for ever.
  static constexpr uint32_t kBetween = 0x8000'0000;

  // `generation`: of the first tenure.
  explicit AddressTimeline(uint32_t generation = 0) : next_generation_(generation + 1) {
    tenures_.push_back({.generation = generation});
  }

  // Who held it during the interval. Where that were several, the answer is contested and has a generation that is
  // never named. An unnamed generation that is given out remembers it.
  Tenure Use(UnixMillis start, UnixMillis end);
  // The same without remembering.
  Tenure At(UnixMillis start, UnixMillis end) const;

  // Somebody else holds it, not before `earliest`, surely since `sure`. The holder before was there until `lasted` at
  // least, 0 = nothing is known. What lies between is nobody's for ever. Nothing happens when it is the holder already.
  void Begin(Tenure::Kind kind, uint32_t holder, UnixMillis earliest, UnixMillis sure, UnixMillis lasted);
  // The holder is gone since `at`; nobody is known from then on.
  void End(UnixMillis at);
  // An agent saw this pod there at some moment of the interval; it was not there before `earliest`, 0 = unknown.
  void Prove(uint32_t pod, UnixMillis earliest, UnixMillis start, UnixMillis end);

  const Tenure& current() const { return tenures_.back(); }
  const std::vector<Tenure>& tenures() const { return tenures_; }
  // The holder's number is not valid any more.
  void Forget(Tenure::Kind kind, uint32_t holder);
  // Whether nothing after `time` is remembered.
  bool IsIdleSince(UnixMillis time) const;

 private:
  void TakeOver(Tenure::Kind kind, uint32_t holder, UnixMillis from);
  void Open(Tenure::Kind kind, uint32_t holder, UnixMillis from);
  bool DropUnusedContest(Tenure::Kind kind, uint32_t holder);
  // By `from`, never empty; the last one lasts.
  std::vector<Tenure> tenures_;
  uint32_t next_generation_;
  UnixMillis last_used_ = 0;
};

}  // namespace weir::server

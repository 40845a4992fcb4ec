// FlowTable: what is remembered of each flow: its ends, which of its samples were seen, and the sums of the present
// epoch by which the network's health is judged. One lookup for each sample; 112 bytes for each flow.
#pragma once

#include <cstdint>
#include <vector>

#include "diagnose/names.h"
#include "diagnose/samples.h"

namespace weir::diagnose {

inline constexpr size_t kMaxFlows = 2'000'000;

// Why a flow's trouble is its ends' own, in this epoch: bits.
inline constexpr uint8_t kHeldBackByEnd = 1;
inline constexpr uint8_t kEndGone = 2;
inline constexpr uint8_t kFailedByKnownCause = 4;

struct alignas(64) FlowState {
  uint64_t flow = 0;  // 0 = free
  PartyNumber client = kNobody;
  PartyNumber server = kNobody;
  uint16_t port = 0;
  uint8_t acquitted = 0;
  bool watched = false;         // some detector wants all its samples
  int64_t last_s = -1;          // latest second a sample began in
  uint64_t seen_by_client = 0;  // bit i: second last_s - i was reported
  uint64_t seen_by_server = 0;
  // Of the epoch. Lost: sent again or late, whichever end saw more.
  uint32_t segments[2] = {0, 0};  // to server, to client
  uint32_t lost[2] = {0, 0};
  uint32_t syn_lost = 0;
  uint32_t opened = 0;
  uint32_t rtt_samples = 0;
  float rtt_sum_us = 0;
  float rtt_usual_us = 0;  // mean of healthy epochs; 0 = unknown
  float loss_usual = 0;
  int64_t used_s = 0;

  void EndEpoch() {
    segments[0] = segments[1] = lost[0] = lost[1] = syn_lost = opened = rtt_samples = 0;
    rtt_sum_us = 0;
    acquitted = 0;
  }
};

class FlowTable {
 public:
  FlowTable() : slots_(kFewest) {}

  // Brings a flow's place near, so that a Find() some samples later does not wait for it.
  void Prefetch(uint64_t flow) const { __builtin_prefetch(&slots_[flow & (slots_.size() - 1)], 1); }
  // The flow where it belongs first; nullptr when it is elsewhere or nowhere.
  const FlowState* Peek(uint64_t flow) const {
    const FlowState& state = slots_[flow & (slots_.size() - 1)];
    return state.flow == flow ? &state : nullptr;
  }
  // nullptr when the table is full. Valid until a flow is added or forgotten.
  FlowState* Find(const FlowSample& sample, Names& names);
  // Whether the sample is new; one that was seen before, by its second and reporting ends, is not.
  static bool Accept(FlowState& state, const FlowSample& sample);

  template <typename Visitor>
  void Visit(Visitor&& visit) {
    for (FlowState& state : slots_) {
      if (state.flow != 0) visit(state);
    }
  }
  void Forget(int64_t before_s);
  size_t size() const { return used_; }

 private:
  static constexpr size_t kFewest = 1'024;

  FlowState& Place(uint64_t flow);
  void Rebuild(size_t places, int64_t before_s);

  std::vector<FlowState> slots_;  // a power of two
  size_t used_ = 0;
};

}  // namespace weir::diagnose

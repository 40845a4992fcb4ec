// B9: requests across zones on a latency-critical path, what routing by zone would save, and the proof afterwards. See
// docs/detectors/cross_zone.md.
#pragma once

#include <array>
#include <unordered_map>
#include <vector>

#include "diagnose/context.h"

namespace weir::diagnose {

class ZoneDetector {
 public:
  void Observe(const Context& context, const RequestSample& sample, const FlowEnds& ends);
  // Whether flows to a workload matter here; asked for every sample.
  bool Tracks(NameNumber workload) const { return workload < tracked_.size() && tracked_[workload]; }
  void Observe(const Context& context, const FlowSample& sample, const FlowEnds& ends);
  void Tick(const Context& context);

 private:
  static constexpr size_t kSlots = 20;
  struct Counts {
    int64_t slot = -1;
    uint64_t requests = 0, across = 0, streamed = 0, bytes_across = 0;
    int64_t from_s = 0, to_s = 0;
  };
  struct Path {
    double rtt_us = 0;  // shortest, of flows in that relation
    void Note(uint32_t min_us) {
      if (min_us != 0) rtt_us = rtt_us == 0 ? min_us : std::min<double>(rtt_us, min_us);
    }
  };
  struct Watch {
    std::array<Counts, kSlots> slots;
    int64_t first_s = 0, latest_s = 0;
    PartyNumber example = kNobody;  // one of the workload's pods
    Path inside, across;
    bool firing = false;
    int64_t since_s = 0;
    double before_share = 0;  // while it fired
    double before_bytes_per_day = 0;
  };

  static Counts Sum(const Watch& watch, int64_t slots, int64_t length);
  void Report(const Context& context, NameNumber workload, Watch& watch, const Counts& sum);
  void Prove(const Context& context, NameNumber workload, Watch& watch, const Counts& now);
  static Finding Begin(const Context& context, NameNumber workload, const Watch& watch);
  static int64_t Length(const Context& context);

  std::unordered_map<NameNumber, Watch> watches_;
  std::vector<bool> tracked_;
};

}  // namespace weir::diagnose

// B6: connections that fail, by kind. See docs/detectors/connection_failure.md.
#pragma once

#include <array>
#include <map>
#include <unordered_map>

#include "diagnose/context.h"

namespace weir::diagnose {

// Whether a sample tells of anything that failed.
inline bool LooksFailing(const FlowSample& sample) {
  return sample.failed() != 0 || sample.closed_reset_by_client != 0 || sample.closed_reset_by_server != 0 ||
         sample.closed_timed_out != 0 || sample.accept_overflows != 0 || sample.retransmits_syn != 0;
}

class FailureDetector {
 public:
  // Returns whether the flow is still of interest.
  bool Observe(const Context& context, const FlowSample& sample, const FlowEnds& ends);
  void Tick(const Context& context);

 private:
  static constexpr size_t kSlots = 16;  // of a sixteenth of the window each
  struct Counts {
    int64_t slot = -1;
    uint32_t opened = 0, refused = 0, timed_out = 0, unreachable = 0, abandoned = 0, no_port = 0, other = 0;
    uint32_t reset = 0, closed = 0, slow = 0, syn_again = 0;
    uint32_t given_up = 0;  // of `reset`: nobody answered any more
    uint32_t failed() const { return refused + timed_out + unreachable + abandoned + no_port + other; }
  };
  struct Watch {
    std::array<Counts, kSlots> slots;
    int64_t latest_s = 0;
    int64_t failed_s = 0;  // last second with a failure
    int64_t since_s = 0;
    uint32_t connect_max_us = 0;
  };
  struct Cause {
    std::string kind;
    double points = 0;
    double count = 0;
    std::string sentence;
    std::string verdict;
    std::string advice;
    std::string not_excluded;
    Reference reference;
  };

  static Counts Sum(const Context& context, const Watch& watch);
  static bool Fires(const Thresholds& thresholds, const Counts& sum);
  Cause CauseOf(const Context& context, const PairKey& key, const Watch& watch, const Counts& sum) const;
  Cause Unanswered(const Context& context, const PairKey& key, const Watch& watch, const Counts& sum) const;
  static Cause Resets(const Context& context, const PairKey& key, const Counts& sum);
  static bool Starting(const Context& context, PartyNumber server);
  int64_t OverflowOf(PartyNumber server, uint16_t port) const;
  void Report(const Context& context, const PairKey& key, const Watch& watch, const Counts& sum,
              const Cause& cause) const;

  std::unordered_map<PairKey, Watch, PairHash> watches_;
  std::map<std::pair<PartyNumber, uint16_t>, std::pair<int64_t, uint64_t>> overflows_;  // last second, count
};

}  // namespace weir::diagnose

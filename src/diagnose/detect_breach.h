// B2: bandwidth breach, its cause and who suffers. See docs/detectors/bandwidth_breach.md.
#pragma once

#include <array>
#include <string>
#include <unordered_map>
#include <vector>

#include "diagnose/context.h"
#include "diagnose/serving.h"

namespace weir::diagnose {

class BreachDetector {
 public:
  // `serving` outlives this.
  explicit BreachDetector(const Serving& serving) : serving_(serving) {}
  void Tick(const Context& context);

 private:
  // Places of a node's runs: one for each resource, and two inferred without a counter.
  static constexpr size_t kInferredIn = kResources;
  static constexpr size_t kInferredOut = kResources + 1;
  static constexpr size_t kRuns = kResources + 2;

  // What flows of a node say of seconds of a breach.
  struct Flows {
    double lossy = 0;  // most in a second
    double slow = 0;
    double late_segments = 0;
    std::unordered_map<PartyNumber, uint64_t> moved;
    uint64_t moved_total = 0;
  };
  // A breach as far as it went.
  struct Run {
    int64_t since_s = -1;  // -1 = none
    int64_t last_s = -1;
    double seconds = 0;  // in which it held
    double exceeded = 0;
    double packets = 0;
    double sum_bits = 0;
    double most_bits = 0;
    double peak_10ms = 0;
    bool gap = false;
    // Flows of a second may come later than the node's readings of it: the last seconds are read again each time.
    std::vector<int64_t> unsettled;
    Flows settled;
    Flows flows;  // of all seconds, as far as is known now
  };
  struct State {
    int64_t judged_s = -1;
    std::array<RecentSeconds, kResources> exceeded;
    std::array<RecentSeconds, kResources> major;
    std::array<RecentSeconds, kResources> critical;
    RecentSeconds bursts;
    std::array<Run, kRuns> runs;
  };
  struct Seen {
    const Context& context;
    NodeActivity& node;
    State& state;
    Capacity capacity;
  };

  static bool Inbound(const NodeActivity& node, size_t run);
  static bool BothWays(size_t run);
  static double Bits(const NodeActivity& node, size_t run, int64_t second);
  void JudgeResource(const Seen& seen, size_t resource, int64_t second) const;
  void JudgePlateau(const Seen& seen, size_t run, int64_t second) const;
  static bool MatchesLimit(const Seen& seen, double bits);
  static bool Plateau(const Seen& seen, size_t run, int64_t second);
  static bool LimitedByEnds(const Seen& seen, size_t run, int64_t second);
  static void WarnOfConnections(const Seen& seen, int64_t second);
  static void Extend(const Seen& seen, size_t run, int64_t second);
  static void ReadFlows(const Seen& seen, size_t run, int64_t second, Flows& flows);
  static void Settle(const Seen& seen, size_t run, int64_t second);
  static bool SteppedDown(const Seen& seen, size_t run, int64_t second);
  static bool NearLimit(const Seen& seen, const Run& run);
  static std::string KindOf(const Seen& seen, size_t run, int64_t second);
  void Report(const Seen& seen, size_t run, int64_t second) const;
  static void AddCounter(const Seen& seen, size_t run, Finding& finding);
  static void AddRate(const Seen& seen, size_t run, Finding& finding);
  static void AddFlows(const Seen& seen, size_t run, Finding& finding);
  static void AddInferred(const Seen& seen, size_t run, int64_t second, Finding& finding);
  static void AddCulprits(const Seen& seen, size_t run, Finding& finding);
  void AddVictims(const Seen& seen, size_t run, Finding& finding) const;
  static void AddWords(const Seen& seen, size_t run, Finding& finding);

  const Serving& serving_;
  std::unordered_map<NodeNumber, State> states_;
};

}  // namespace weir::diagnose

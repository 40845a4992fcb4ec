// B7: servers that answer late without the network being at fault. See docs/detectors/serving_stall.md.
#pragma once

#include <unordered_map>

#include "diagnose/context.h"
#include "diagnose/serving.h"

namespace weir::diagnose {

class StallDetector {
 public:
  // `serving` outlives this.
  explicit StallDetector(const Serving& serving) : serving_(serving) {}
  void Tick(const Context& context);

 private:
  struct Watch {
    int64_t since_s = 0;  // when the present stall began; 0 = none
  };
  // Now, and the two minutes before.
  struct Sight {
    PartyNumber server = kNobody;
    double wait_p95 = 0, accept_p95 = 0;
    double first_p50 = 0, first_p95 = 0, first_usual = 0;
    double gap_p95 = 0, gap_usual = 0;
    uint64_t requests = 0, waits = 0, accepts = 0, firsts = 0, gaps = 0, firsts_before = 0, gaps_before = 0;
  };

  Sight Look(const Context& context, PartyNumber server) const;
  static bool NetworkInnocent(const Context& context, PartyNumber server);
  static bool JudgeWaits(const Context& context, const Sight& sight, Watch& watch);
  void Judge(const Context& context, const Sight& sight);
  static Finding Begin(const Context& context, const Sight& sight, std::string kind, UnixMillis start);
  static void Finish(const Context& context, const Sight& sight, Finding finding);

  const Serving& serving_;
  std::unordered_map<PartyNumber, Watch> watches_;
};

}  // namespace weir::diagnose

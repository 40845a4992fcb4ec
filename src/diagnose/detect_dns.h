// B8: DNS trouble. See docs/detectors/dns.md.
#pragma once

#include <array>
#include <unordered_map>
#include <unordered_set>

#include "diagnose/context.h"

namespace weir::diagnose {

class DnsDetector {
 public:
  void Observe(const Context& context, const RequestSample& sample, const FlowEnds& ends);
  void Tick(const Context& context);

 private:
  static constexpr size_t kSlots = 12;  // of five seconds
  struct Counts {
    int64_t slot = -1;
    uint64_t queries = 0, unanswered = 0, repeated = 0, failed = 0, missing = 0, late = 0;
    std::array<uint32_t, model::kHistogramBuckets> latency{};
  };
  struct Watch {
    std::array<Counts, kSlots> slots;
    int64_t latest_s = 0;
    int64_t since_s = 0;
    PartyNumber resolver = kNobody;
    std::string example;  // a name that failed last
  };
  struct Trouble {
    std::string kind;
    double value = 0;
    double points = 0;
    std::string sentence;
    std::string advice;
  };

  static Counts Sum(const Watch& watch);
  static int64_t FirstTrouble(const Watch& watch);
  static Trouble TroubleOf(const Context& context, const Watch& watch, const Counts& sum);
  void Report(const Context& context, PartyNumber client, Watch& watch, const Counts& sum,
              const Trouble& trouble) const;

  std::unordered_map<PartyNumber, Watch> watches_;
};

}  // namespace weir::diagnose

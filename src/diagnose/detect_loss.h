// B3: packet loss, and where. See docs/detectors/loss.md.
#pragma once

#include <array>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "diagnose/context.h"

namespace weir::diagnose {

class LossDetector {
 public:
  // A sample of a flow on which something was lost lately, or is now. Returns whether the flow is still of interest.
  bool Observe(const Context& context, const FlowSample& sample, const FlowEnds& ends);
  void Tick(const Context& context);

 private:
  static constexpr size_t kSeconds = 16;
  struct Second {
    int64_t second = -1;
    uint64_t segments = 0;
    uint64_t retransmits = 0;
    uint64_t spurious = 0;
    uint64_t late = 0;
    uint64_t timeouts = 0;
  };
  struct Watch {
    std::array<Second, kSeconds> seconds;
    int64_t latest_s = 0;
    int64_t lossy_s = 0;   // last second with loss
    double usual = 0;      // lost share of ordinary minutes
    int64_t minute_s = 0;  // when the present minute began
    uint64_t minute_segments = 0;
    uint64_t minute_lost = 0;
    bool fired = false;  // in the present minute
  };
  // Ten seconds added up.
  struct Sum {
    uint64_t segments = 0, retransmits = 0, spurious = 0, late = 0, timeouts = 0;
    int lossy_seconds = 0;
    int64_t from_s = 0, to_s = 0;
    double lost() const { return static_cast<double>(late > retransmits ? late : retransmits); }
    double seconds() const { return to_s > from_s ? static_cast<double>(to_s - from_s + 1) : 1; }
    double ratio() const { return segments == 0 ? 0 : lost() / static_cast<double>(segments); }
  };
  enum class Place : uint8_t { kPath, kNode, kRule, kAllowance, kReceiverMemory };
  // What several losing pairs have in common, the most particular first.
  enum class Common : uint8_t { kParty, kNode, kZones };
  using Trait = std::tuple<Common, uint32_t, uint32_t>;
  struct Verdict {
    PairKey key;
    Sum sum;
    Place place = Place::kPath;
    NodeNumber node = 0;  // where it is lost
    double drops = 0;
  };

  void AddDirection(const Context& context, const PairKey& key, const FlowEnds& ends, const Direction& direction);
  static Sum SumOf(const Watch& watch);
  static void LearnUsual(Watch& watch, int64_t now_s);
  static bool Fires(const Thresholds& thresholds, const Watch& watch, const Sum& sum);
  static Verdict Locate(const Context& context, const PairKey& key, const Sum& sum);
  static Severity SeverityOf(const Thresholds& thresholds, const Sum& sum);
  static Finding Describe(const Context& context, const Verdict& verdict);
  static void ReportAll(const Context& context, const std::vector<Verdict>& verdicts);
  static void ReportCommon(const Context& context, std::vector<Verdict> verdicts);
  static std::vector<Trait> TraitsOf(const Context& context, const Verdict& verdict);
  static void ReportPair(const Context& context, const Verdict& verdict);
  static void ReportNode(const Context& context, const std::vector<Verdict>& verdicts);
  static Finding Worst(const Context& context, const std::vector<Verdict>& verdicts, const Subject& subject);

  std::unordered_map<PairKey, Watch, PairHash> watches_;
};

}  // namespace weir::diagnose

// B4 and B5: flows that an end holds back: a receiver that does not read, a send buffer or writes that are too small, a
// slow remote service. See docs/detectors/receiver_limited.md and sender_limited.md.
#pragma once

#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "diagnose/context.h"

namespace weir::diagnose {

// Whether a direction of a sample looks held back by an end; what the hot path asks before anything else.
bool LooksHeldBack(const FlowSample& sample, const Direction& direction, const Thresholds& thresholds);

class EndsDetector {
 public:
  // A sample with a direction that is held back now, or was lately. Returns whether the flow is still of interest.
  bool Observe(const Context& context, const FlowSample& sample, const FlowEnds& ends);
  void Observe(const Context& context, const RequestSample& sample, const FlowEnds& ends);
  void Tick(const Context& context);

 private:
  struct Watch {
    RecentSeconds window;  // the sender waits for the receiver's window
    RecentSeconds unread;  // the receiver has data unread and no room
    RecentSeconds buffer;  // the sender waits for its own buffer
    RecentSeconds small;   // its writes are too small for the path
    int64_t latest_s = 0;
    int64_t heard_s = 0;  // when a sample came last, by the server's clock: samples may be late
    int64_t held_s = 0;   // last second that was held back
    double bits = 0;      // running mean of the rate while held back
    double zero_windows = 0;
    double unread_max = 0;
    double window_share = 0;
    double buffer_share = 0;
    double srtt_us = 0;
    double rtt_min_us = 0;
    double flight_share = 0;
    bool receiver_seen = false;
  };
  struct Stalls {
    RecentSeconds seconds;
    int64_t heard_s = 0;
    uint64_t count = 0;  // running, forgotten with the window
    int64_t window_s = 0;
  };
  struct Remote {  // a service outside, as one client sees it
    double usual_us = 0;
    double p95_us = 0;
    uint64_t samples = 0;
    uint64_t slow = 0;
    int64_t window_s = 0;
    int64_t latest_s = 0;
  };

  void ObserveDirection(const Context& context, const FlowSample& sample, const FlowEnds& ends, bool to_client);
  // Pairs of one party that is slow, the worst first; they are one finding.
  using Group = std::vector<std::pair<PairKey, const Watch*>>;
  static Finding Begin(const Context& context, const Group& group, bool receiver);
  static void ReportReceiver(const Context& context, const Group& group);
  static void AddReceiverEvidence(const Context& context, const PairKey& key, const Watch& watch, Finding& finding);
  static void ReportSender(const Context& context, const Group& group);
  static void AddPeers(const Context& context, const Group& group, bool receiver, Finding& finding);
  static void ReportNagle(const Context& context, const PairKey& key, const Stalls& stalls);
  static void ReportRemote(const Context& context, const PairKey& key, const Remote& remote);

  std::unordered_map<PairKey, Watch, PairHash> watches_;
  std::unordered_map<PairKey, Stalls, PairHash> stalls_;
  std::unordered_map<PairKey, Remote, PairHash> remotes_;
};

}  // namespace weir::diagnose

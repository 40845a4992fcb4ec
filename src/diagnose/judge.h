// Judge: all detectors over one stream of samples. Pure: no I/O and no clock; whoever feeds it says what time it is.
//
//   names and cluster objects -> Learn()    samples as they come -> Add()    once a second -> Tick(now), TakeChanges()
//
// Samples may come late, twice, from nodes whose clocks differ by seconds, or not at all: see docs/detectors/README.md.
// Not thread-safe; one thread owns it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "diagnose/activity.h"
#include "diagnose/context.h"
#include "diagnose/detect_breach.h"
#include "diagnose/detect_dns.h"
#include "diagnose/detect_ends.h"
#include "diagnose/detect_failures.h"
#include "diagnose/detect_health.h"
#include "diagnose/detect_load.h"
#include "diagnose/detect_loss.h"
#include "diagnose/detect_stalls.h"
#include "diagnose/detect_startup.h"
#include "diagnose/detect_zones.h"
#include "diagnose/finding_book.h"
#include "diagnose/flow_table.h"
#include "diagnose/names.h"
#include "diagnose/serving.h"

namespace weir::diagnose {

// What did not reach the detectors, and why.
struct JudgeCounters {
  uint64_t flows = 0;
  uint64_t duplicates = 0;      // seen before
  uint64_t late = 0;            // history
  uint64_t unusable = 0;        // times or sizes that cannot be
  uint64_t not_remembered = 0;  // more flows than fit
  uint64_t findings_refused = 0;
};

class Judge {
 public:
  Judge(const Thresholds& thresholds, Capacities capacities);
  Judge(const Judge&) = delete;
  Judge& operator=(const Judge&) = delete;

  Names& names() { return names_; }

  // `now` by the server's clock, in milliseconds. The spans belong to the caller.
  void Add(std::span<const FlowSample> samples, UnixMillis now);
  void Add(std::span<const RequestSample> samples, UnixMillis now);
  void Add(const NodeReadings& readings, UnixMillis now);

  // Judges what came. Once a second; more often does no harm.
  void Tick(UnixMillis now);

  std::vector<Finding> TakeChanges() { return book_.TakeChanges(); }
  std::vector<HealthIndicator> TakeEpochs() { return health_.TakeEpochs(); }
  const FindingBook& book() const { return book_; }
  FindingBook& book() { return book_; }
  const std::vector<HealthIndicator>& indicators() const { return health_.indicators(); }
  const Activity& activity() const { return activity_; }
  JudgeCounters counters() const;

 private:
  void AddOne(const FlowSample& sample);
  void Prefetch(const FlowSample& sample);
  bool Usable(const FlowSample& sample);
  void Sum(FlowState& state, const FlowSample& sample);
  void Serve(const FlowSample& sample, const FlowEnds& ends);
  void NoteRtt(PartyNumber party, const Rtt& rtt, const Direction& sent, int64_t second);
  void Show(const FlowSample& sample, const FlowEnds& ends, FlowState& state);

  const Thresholds thresholds_;
  Names names_;
  Activity activity_;
  FindingBook book_;
  Context context_;
  FlowTable flows_;
  Serving serving_;
  LossDetector loss_;
  EndsDetector ends_;
  FailureDetector failures_;
  DnsDetector dns_;
  ZoneDetector zones_;
  BreachDetector breach_;
  StallDetector stalls_;
  LoadDetector loads_;
  StartupDetector startup_;
  HealthDetector health_;
  JudgeCounters counters_;
  int64_t ticked_s_ = 0;
  int64_t swept_s_ = 0;
};

}  // namespace weir::diagnose

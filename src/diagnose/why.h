// Why: the answer to "what was wrong with this pod, or workload, or with this finding, at that time": five lines, then
// the evidence. It acquits as readily as it accuses, and says what it cannot exclude. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "diagnose/app_beside.h"
#include "diagnose/detect_health.h"
#include "diagnose/finding.h"

namespace weir::diagnose {

// What was measured of the subject around the time; counts of nothing are 0, what nobody measured is nullopt.
struct WhyFacts {
  Subject subject;  // a pod, a workload or a process
  UnixMillis from = 0;
  UnixMillis to = 0;
  uint64_t flows = 0;  // 0: no agent told of the subject in that time
  uint64_t bytes = 0;
  uint64_t segments = 0;
  uint64_t lost = 0;  // sent again or late, the larger of the two
  uint64_t connections_opened = 0;
  uint64_t connections_failed = 0;
  uint64_t resets = 0;
  std::optional<double> rtt_us;
  std::optional<double> rtt_usual_us;  // of the hour before
  uint64_t requests = 0;
  std::optional<double> first_chunk_p99_us;
  std::optional<double> first_chunk_usual_us;
  std::optional<double> receive_wait_p99_us;
  std::optional<Beside> beside;  // the wire's first chunk and the application's first token, where it is asked
  uint64_t dns_queries = 0;
  uint64_t dns_failed = 0;
  std::string node;                     // "" = unknown, or several
  std::optional<double> node_bits;      // highest second of the busier direction
  std::optional<double> node_exceeded;  // packets over any allowance
  double node_baseline_bits = 0;        // 0 = unknown
  std::string capacity_source;
  bool readings_missing = false;
  std::vector<HealthIndicator> indicators;  // of scopes the subject's flows pass
};

struct WhyAnswer {
  std::vector<std::string> lines;    // five
  std::vector<Finding> findings;     // about the subject, what explains most first
  std::vector<Evidence> acquittals;  // what was looked at and found well
  std::vector<std::string> unknown;  // what could not be looked at, and why
  std::string blames;                // network | node | peer | application | cluster | nothing | unknown
};

// `findings` are those that overlap the time, whoever they are about.
WhyAnswer Why(const WhyFacts& facts, const std::vector<Finding>& findings, const Thresholds& thresholds);
// About one finding: its subject's other findings and facts stand beside it.
WhyAnswer WhyFinding(const Finding& finding, const WhyFacts& facts, const std::vector<Finding>& findings,
                     const Thresholds& thresholds);

// Whether a finding is about the subject, or names it as culprit or victim.
bool Concerns(const Finding& finding, const Subject& subject);

}  // namespace weir::diagnose

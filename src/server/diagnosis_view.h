// What the detectors know now, for whoever asks.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "diagnose/capacity.h"
#include "diagnose/detect_health.h"
#include "diagnose/finding.h"
#include "diagnose/judge.h"

namespace weir::server {

// The present state. A snapshot, made once a second.
struct DiagnosisView {
  UnixMillis judged = 0;  // when; 0 = not yet
  std::vector<diagnose::Finding> open;
  std::vector<diagnose::HealthIndicator> indicators;     // of the last whole epoch
  std::map<std::string, diagnose::Capacity> capacities;  // of nodes heard of, where known
  diagnose::JudgeCounters counters;
  diagnose::Thresholds thresholds;
};

}  // namespace weir::server

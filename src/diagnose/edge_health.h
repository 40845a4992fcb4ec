// Whether an edge of the map, or a row of a table, is well, and the sentences that say why. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "diagnose/thresholds.h"

namespace weir::diagnose {

enum class EdgeHealth { kOk, kWarn, kBad, kFailed };
std::string_view EdgeHealthName(EdgeHealth health);  // "ok", "warn", "bad", "failed"

struct EdgeFacts {
  uint64_t segments = 0;
  uint64_t retransmits = 0;
  uint64_t late = 0;  // segments that arrived after later ones, without those that were overtaken for certain
  uint64_t bytes = 0;
  uint64_t opened = 0;
  uint64_t failed_refused = 0;
  uint64_t failed_timed_out = 0;
  uint64_t failed_unreachable = 0;
  uint64_t failed_abandoned = 0;
  uint64_t failed_no_port = 0;
  uint64_t failed_other = 0;
  double rtt_min_us = 0;  // 0 = unknown
  double rtt_p99_us = 0;  // 0 = unknown

  uint64_t failed() const {
    return failed_refused + failed_timed_out + failed_unreachable + failed_abandoned + failed_no_port + failed_other;
  }
};

struct EdgeVerdict {
  EdgeHealth health = EdgeHealth::kOk;
  std::vector<std::string> reasons;  // whole sentences, worst kind first
};
EdgeVerdict JudgeEdge(const EdgeFacts& facts, const Thresholds& thresholds = {});
// By retransmissions alone, for a table that shows them in a cell of their own.
EdgeHealth RetransmitHealth(uint64_t retransmits, uint64_t segments, const Thresholds& thresholds = {});

}  // namespace weir::diagnose

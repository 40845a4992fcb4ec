// When an edge of the map is unwell: the one table of thresholds, and the sentences that say why.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::api {

struct HealthThresholds {
  double retransmit_warn_percent = 1;
  double retransmit_bad_percent = 5;
  uint64_t retransmit_least_segments = 100;  // fewer say nothing about a percentage
  uint64_t retransmit_least_count = 3;
  double failed_bad_share = 0.10;    // of attempts; any failure at all warns
  double rtt_p99_over_min = 10;      // queueing: the tail is this many times the path's own delay …
  double rtt_p99_least_us = 50'000;  // … and long enough to be felt
};
inline constexpr HealthThresholds kHealth;

// About agents, for the problems on the status page.
inline constexpr int64_t kStaleAfterMs = 10'000;  // without a batch
inline constexpr int64_t kClockSkewMs = 2'000;    // beyond what the way to the server explains

enum class Health { kOk, kWarn, kBad, kFailed };
std::string_view HealthName(Health health);  // "ok", "warn", "bad", "failed"

struct EdgeFacts {
  uint64_t segments = 0;
  uint64_t retransmits = 0;
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

struct HealthVerdict {
  Health health = Health::kOk;
  std::vector<std::string> reasons;  // whole sentences, worst kind first
};
HealthVerdict Judge(const EdgeFacts& facts);

}  // namespace weir::api

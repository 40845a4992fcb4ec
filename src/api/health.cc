#include "api/health.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace weir::api {
namespace {

std::string TimeText(double microseconds) {
  if (microseconds < 1'000) return fmt::format("{:.0f} µs", microseconds);
  return microseconds < 10'000 ? fmt::format("{:.1f} ms", microseconds / 1'000)
                               : fmt::format("{:.0f} ms", microseconds / 1'000);
}

// "3 refused, 1 timed out"
std::string FailureKinds(const EdgeFacts& facts) {
  const std::array<std::pair<uint64_t, std::string_view>, 6> kinds{{{facts.failed_refused, "refused"},
                                                                    {facts.failed_timed_out, "timed out"},
                                                                    {facts.failed_unreachable, "unreachable"},
                                                                    {facts.failed_abandoned, "abandoned"},
                                                                    {facts.failed_no_port, "without a local port"},
                                                                    {facts.failed_other, "failed otherwise"}}};
  std::string text;
  for (const auto& [count, name] : kinds) {
    if (count != 0) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, name);
  }
  return text;
}

void JudgeFailures(const EdgeFacts& facts, HealthVerdict& verdict) {
  if (facts.failed() == 0) return;
  const uint64_t attempts = facts.failed() + facts.opened;
  const double share = static_cast<double>(facts.failed()) / static_cast<double>(attempts);
  // Payload without an opening belongs to connections older than the range: something works.
  const bool nothing_works = facts.opened == 0 && facts.bytes == 0;
  verdict.health = nothing_works ? Health::kFailed : share >= kHealth.failed_bad_share ? Health::kBad : Health::kWarn;
  verdict.reasons.push_back(
      nothing_works ? fmt::format("No connection was opened; {} failed: {}.", facts.failed(), FailureKinds(facts))
                    : fmt::format("{} of {} connection attempts failed ({:.1f} %): {}.", facts.failed(), attempts,
                                  100 * share, FailureKinds(facts)));
}

void JudgeRetransmits(const EdgeFacts& facts, HealthVerdict& verdict) {
  if (facts.segments < kHealth.retransmit_least_segments || facts.retransmits < kHealth.retransmit_least_count) return;
  const double percent = 100.0 * static_cast<double>(facts.retransmits) / static_cast<double>(facts.segments);
  if (percent < kHealth.retransmit_warn_percent) return;
  verdict.health = std::max(verdict.health, percent >= kHealth.retransmit_bad_percent ? Health::kBad : Health::kWarn);
  verdict.reasons.push_back(
      fmt::format("{:.1f} % of segments were sent again ({} of {}).", percent, facts.retransmits, facts.segments));
}

void JudgeRtt(const EdgeFacts& facts, HealthVerdict& verdict) {
  if (facts.rtt_min_us <= 0 || facts.rtt_p99_us <= kHealth.rtt_p99_least_us) return;
  if (facts.rtt_p99_us <= kHealth.rtt_p99_over_min * facts.rtt_min_us) return;
  verdict.health = std::max(verdict.health, Health::kWarn);
  verdict.reasons.push_back(fmt::format("The slowest percent of round trips takes {}, {:.0f} times the shortest ({}).",
                                        TimeText(facts.rtt_p99_us), facts.rtt_p99_us / facts.rtt_min_us,
                                        TimeText(facts.rtt_min_us)));
}

}  // namespace

std::string_view HealthName(Health health) {
  switch (health) {
    case Health::kOk: return "ok";
    case Health::kWarn: return "warn";
    case Health::kBad: return "bad";
    case Health::kFailed: return "failed";
  }
  return "ok";
}

HealthVerdict Judge(const EdgeFacts& facts) {
  HealthVerdict verdict;
  JudgeFailures(facts, verdict);
  JudgeRetransmits(facts, verdict);
  JudgeRtt(facts, verdict);
  return verdict;
}

}  // namespace weir::api

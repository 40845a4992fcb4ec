#include "diagnose/edge_health.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace weir::diagnose {
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

void JudgeFailures(const EdgeFacts& facts, const Thresholds& thresholds, EdgeVerdict& verdict) {
  if (facts.failed() == 0) return;
  const uint64_t attempts = facts.failed() + facts.opened;
  const double share = static_cast<double>(facts.failed()) / static_cast<double>(attempts);
  // Payload without an opening belongs to connections older than the range: something works.
  const bool nothing_works = facts.opened == 0 && facts.bytes == 0;
  verdict.health = nothing_works                               ? EdgeHealth::kFailed
                   : share >= thresholds.edge_failed_bad_share ? EdgeHealth::kBad
                                                               : EdgeHealth::kWarn;
  verdict.reasons.push_back(
      nothing_works ? fmt::format("No connection was opened; {} failed: {}.", facts.failed(), FailureKinds(facts))
                    : fmt::format("{} of {} connection attempts failed ({:.1f} %): {}.", facts.failed(), attempts,
                                  100 * share, FailureKinds(facts)));
}

double Percent(uint64_t part, uint64_t all) {
  return all == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(all);
}

// What a sender without an agent lost shows at its receiver alone; where both tell, they tell of the same losses.
void JudgeLoss(const EdgeFacts& facts, const Thresholds& thresholds, EdgeVerdict& verdict) {
  const uint64_t lost = std::max(facts.retransmits, facts.late);
  const EdgeHealth health = RetransmitHealth(lost, facts.segments, thresholds);
  if (health == EdgeHealth::kOk) return;
  verdict.health = std::max(verdict.health, health);
  const std::string_view how = facts.retransmits >= facts.late
                                   ? "were sent again"
                                   : "arrived after later ones: lost on the way and sent again by the other end";
  verdict.reasons.push_back(
      fmt::format("{:.1f} % of segments {} ({} of {}).", Percent(lost, facts.segments), how, lost, facts.segments));
}

void JudgeRtt(const EdgeFacts& facts, const Thresholds& thresholds, EdgeVerdict& verdict) {
  if (facts.rtt_min_us <= 0 || facts.rtt_p99_us <= thresholds.edge_rtt_least_us) return;
  if (facts.rtt_p99_us <= thresholds.edge_rtt_over_min * facts.rtt_min_us) return;
  verdict.health = std::max(verdict.health, EdgeHealth::kWarn);
  verdict.reasons.push_back(fmt::format("The slowest percent of round trips takes {}, {:.0f} times the shortest ({}).",
                                        TimeText(facts.rtt_p99_us), facts.rtt_p99_us / facts.rtt_min_us,
                                        TimeText(facts.rtt_min_us)));
}

}  // namespace

std::string_view EdgeHealthName(EdgeHealth health) {
  switch (health) {
    case EdgeHealth::kOk: return "ok";
    case EdgeHealth::kWarn: return "warn";
    case EdgeHealth::kBad: return "bad";
    case EdgeHealth::kFailed: return "failed";
  }
  return "ok";
}

EdgeHealth RetransmitHealth(uint64_t retransmits, uint64_t segments, const Thresholds& thresholds) {
  const bool says_something = static_cast<double>(segments) >= thresholds.edge_retransmit_least_segments &&
                              static_cast<double>(retransmits) >= thresholds.edge_retransmit_least;
  const double percent = Percent(retransmits, segments);
  if (!says_something || percent < thresholds.edge_retransmit_warn_percent) return EdgeHealth::kOk;
  return percent >= thresholds.edge_retransmit_bad_percent ? EdgeHealth::kBad : EdgeHealth::kWarn;
}

EdgeVerdict JudgeEdge(const EdgeFacts& facts, const Thresholds& thresholds) {
  EdgeVerdict verdict;
  JudgeFailures(facts, thresholds, verdict);
  JudgeLoss(facts, thresholds, verdict);
  JudgeRtt(facts, thresholds, verdict);
  return verdict;
}

}  // namespace weir::diagnose

#include "diagnose/finding.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace weir::diagnose {
namespace {

// "4.1 Gbit/s": two digits that matter, decimal prefixes.
std::string Scaled(double value, std::string_view unit) {
  constexpr std::array<std::string_view, 5> kPrefixes{"", "k", "M", "G", "T"};
  size_t prefix = 0;
  while (value >= 999.5 && prefix + 1 < kPrefixes.size()) {
    value /= 1000;
    ++prefix;
  }
  return value < 9.95 && prefix > 0   ? fmt::format("{:.1f} {}{}", value, kPrefixes[prefix], unit)
         : value < 99.5 && prefix > 1 ? fmt::format("{:.1f} {}{}", value, kPrefixes[prefix], unit)
                                      : fmt::format("{:.0f} {}{}", value, kPrefixes[prefix], unit);
}

}  // namespace

std::string_view LevelName(Level level) {
  switch (level) {
    case Level::kSilent: return "silent";
    case Level::kLow: return "low";
    case Level::kMedium: return "medium";
    case Level::kHigh: return "high";
  }
  return "silent";
}

Level LevelOf(double points, const Thresholds& thresholds) {
  if (points >= thresholds.confidence_high) return Level::kHigh;
  if (points >= thresholds.confidence_medium) return Level::kMedium;
  return points >= thresholds.confidence_low ? Level::kLow : Level::kSilent;
}

std::string_view SeverityName(Severity severity) {
  switch (severity) {
    case Severity::kInfo: return "info";
    case Severity::kMinor: return "minor";
    case Severity::kMajor: return "major";
    case Severity::kCritical: return "critical";
  }
  return "info";
}

std::string_view ReferenceKindName(Reference::Kind kind) {
  switch (kind) {
    case Reference::Kind::kNone: return "none";
    case Reference::Kind::kFlows: return "flows";
    case Reference::Kind::kRequests: return "requests";
    case Reference::Kind::kNodeSeries: return "node_series";
    case Reference::Kind::kRateWindows: return "rate_windows";
    case Reference::Kind::kPods: return "pods";
  }
  return "none";
}

uint64_t FindingId(Detector detector, uint64_t subject_key, uint64_t peer_key, uint64_t variant, UnixMillis start) {
  const std::array<uint64_t, 5> parts{HashText(Describe(detector).name), subject_key, peer_key, variant,
                                      static_cast<uint64_t>(start)};
  // Programs read ids as JSON numbers, which are exact up to 2^53.
  const uint64_t id = XXH3_64bits(parts.data(), sizeof parts) >> 11;
  return id == 0 ? 1 : id;
}

std::vector<std::string> AboutWhom(const Finding& finding) {
  std::vector<std::string> about;
  const auto add = [&](std::string reference) {
    if (reference.empty() || about.size() >= kMaxAbout) return;
    if (std::find(about.begin(), about.end(), reference) == about.end()) about.push_back(std::move(reference));
  };
  const auto add_subject = [&](const Subject& subject) {
    add(SubjectReference(subject));
    if (subject.kind != SubjectKind::kPod || subject.workload.empty()) return;
    Subject workload = subject;
    workload.kind = SubjectKind::kWorkload;
    add(SubjectReference(workload));
  };
  add_subject(finding.subject);
  add_subject(finding.peer);
  for (const Involved& culprit : finding.culprits) add_subject(culprit.subject);
  for (const Involved& victim : finding.victims) add_subject(victim.subject);
  if (finding.load) add_subject(finding.load->helper);
  if (!finding.node.empty()) add("node:" + finding.node);
  return about;
}

void Add(Finding& finding, Evidence evidence) {
  finding.points += evidence.points;
  finding.evidence.push_back(std::move(evidence));
}

std::string BitsText(double bits_per_second) { return Scaled(bits_per_second, "bit/s"); }
std::string BytesText(double bytes) { return Scaled(bytes, "B"); }

std::string SecondsText(double seconds) {
  if (seconds < 100) return fmt::format("{:.1f} s", seconds);
  if (seconds < 3600) return fmt::format("{:.0f} min {:.0f} s", std::floor(seconds / 60), std::fmod(seconds, 60));
  return fmt::format("{:.1f} h", seconds / 3600);
}

std::string MicrosText(double microseconds) {
  if (microseconds < 1'000) return fmt::format("{:.0f} µs", microseconds);
  if (microseconds < 10'000) return fmt::format("{:.1f} ms", microseconds / 1'000);
  if (microseconds < 10'000'000) return fmt::format("{:.0f} ms", microseconds / 1'000);
  return SecondsText(microseconds / 1e6);
}

std::string PercentText(double share) {
  const double percent = 100 * share;
  return percent >= 10 || percent == 0 ? fmt::format("{:.0f} %", percent)
         : percent >= 0.1              ? fmt::format("{:.1f} %", percent)
                                       : fmt::format("{:.2f} %", percent);
}

}  // namespace weir::diagnose

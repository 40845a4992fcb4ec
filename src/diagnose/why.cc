#include "diagnose/why.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <tuple>

namespace weir::diagnose {
namespace {

constexpr size_t kMostNamed = 3;  // in a line
constexpr double kRttRise = 2;
constexpr double kRttRiseUs = 1'000;
constexpr double kReceiveWaitUs = 50'000;

std::string TimeOfDay(UnixMillis at) {
  return fmt::format("{:%H:%M:%S}", fmt::gmtime(static_cast<std::time_t>(at / 1'000)));
}

bool SameThing(const Subject& a, const Subject& b) {
  if (a.key != 0 && a.key == b.key) return true;
  if (a.cluster != b.cluster && !a.cluster.empty() && !b.cluster.empty()) return false;
  if (!a.pod.empty() && !b.pod.empty()) return a.pod == b.pod && a.name_space == b.name_space;
  const bool workloads = a.kind == SubjectKind::kWorkload || b.kind == SubjectKind::kWorkload;
  if (workloads && !a.workload.empty()) return a.workload == b.workload && a.name_space == b.name_space;
  if (a.kind == SubjectKind::kProcess && b.kind == SubjectKind::kProcess)
    return a.process == b.process && a.node == b.node;
  return a.kind == SubjectKind::kNode && b.kind == SubjectKind::kNode && a.node == b.node;
}

// Whom a finding blames.
std::string_view BlameOf(const Finding& finding, const Subject& subject) {
  switch (finding.detector) {
    case Detector::bandwidth_breach: return "node";
    case Detector::loss:
      return finding.kind == "node" || finding.kind == "node_allowance" || finding.kind == "packet_rule" ? "node"
                                                                                                         : "network";
    case Detector::network_health: return "network";
    case Detector::receiver_limited:
    case Detector::sender_limited: return SameThing(finding.subject, subject) ? "application" : "peer";
    case Detector::connection_failure:
      return finding.kind == "blocked" || finding.kind == "policy" || finding.kind == "rejected" ? "cluster" : "peer";
    case Detector::serving_stall: return "application";
    case Detector::dns: return "cluster";
    case Detector::cross_zone: return "cluster";
    case Detector::model_load:
    case Detector::startup: return "nothing";
  }
  return "unknown";
}

// What explains most comes first: what is wrong before what is merely known, the surer before the less sure.
auto Order(const Finding& finding, const Subject& subject) {
  const bool about = SameThing(finding.subject, subject);
  const bool suffers = std::any_of(finding.victims.begin(), finding.victims.end(),
                                   [&](const Involved& one) { return SameThing(one.subject, subject); });
  // A breach explains the loss and the stalls it causes, and not the other way round.
  const int cause = finding.detector == Detector::bandwidth_breach ? 0
                    : finding.detector == Detector::network_health ? 1
                                                                   : 2;
  return std::tuple(finding.severity == Severity::kInfo, -static_cast<int>(finding.level), cause, !(about || suffers),
                    -static_cast<int>(finding.severity), finding.start, finding.id);
}

std::string Named(const std::vector<Involved>& involved) {
  std::string text;
  for (size_t index = 0; index < involved.size() && index < kMostNamed; ++index) {
    text += fmt::format("{}{} ({})", index == 0 ? "" : ", ", Title(involved[index].subject), involved[index].sentence);
  }
  if (involved.size() > kMostNamed) text += fmt::format(" and {} more", involved.size() - kMostNamed);
  return text;
}

std::string WhoAndWhen(const Finding& finding) {
  const double seconds = static_cast<double>(finding.end - finding.start) / 1'000;
  std::string line = fmt::format("When: {} to {} UTC ({}){}.", TimeOfDay(finding.start), TimeOfDay(finding.end),
                                 SecondsText(seconds), finding.state == FindingState::kOpen ? ", and it goes on" : "");
  if (!finding.culprits.empty()) line += fmt::format(" Cause: {}.", Named(finding.culprits));
  if (!finding.victims.empty()) line += fmt::format(" Suffers: {}.", Named(finding.victims));
  return line;
}

std::string Sureness(const Finding& finding) {
  std::vector<const Evidence*> best;
  for (const Evidence& evidence : finding.evidence) {
    if (!evidence.sentence.empty()) best.push_back(&evidence);
  }
  std::stable_sort(best.begin(), best.end(),
                   [](const Evidence* a, const Evidence* b) { return a->points > b->points; });
  std::string line = fmt::format("Confidence: {} ({:.0f} points).", LevelName(finding.level), finding.points);
  for (size_t index = 0; index < best.size() && index < 3; ++index) line += " " + best[index]->sentence;
  return line;
}

void Acquit(std::vector<Evidence>& acquittals, std::string name, std::string sentence, double value, std::string unit) {
  acquittals.push_back({std::move(name), std::move(sentence), value, std::move(unit), 0, {}});
}

void LookAtLoss(const WhyFacts& facts, const Thresholds& thresholds, WhyAnswer& answer) {
  if (facts.segments == 0) {
    answer.unknown.emplace_back("No segments were counted, so nothing is known of loss.");
    return;
  }
  const double share = static_cast<double>(facts.lost) / static_cast<double>(facts.segments);
  if (share > thresholds.loss_warn_ratio) return;
  Acquit(answer.acquittals, "loss",
         fmt::format("{} of {} segments were lost ({}).", facts.lost, facts.segments, PercentText(share)), share, "");
}

void LookAtRtt(const WhyFacts& facts, WhyAnswer& answer) {
  if (!facts.rtt_us) {
    answer.unknown.emplace_back("No round trip was measured; a pure download shows none at its receiver.");
    return;
  }
  if (!facts.rtt_usual_us) {
    answer.unknown.emplace_back(
        fmt::format("Round trips took {}; what is usual is not known yet.", MicrosText(*facts.rtt_us)));
    return;
  }
  if (*facts.rtt_us >= kRttRise * *facts.rtt_usual_us && *facts.rtt_us - *facts.rtt_usual_us >= kRttRiseUs) return;
  Acquit(answer.acquittals, "round_trip",
         fmt::format("Round trips took {}, usually {}.", MicrosText(*facts.rtt_us), MicrosText(*facts.rtt_usual_us)),
         *facts.rtt_us, "us");
}

void LookAtNode(const WhyFacts& facts, WhyAnswer& answer) {
  if (facts.node.empty() || !facts.node_bits) {
    answer.unknown.emplace_back("Nothing is known of the limits of its node in that time.");
    return;
  }
  if (!facts.node_exceeded) {
    answer.unknown.emplace_back(fmt::format("Node {} has no counter of what it may send and receive.", facts.node));
  } else if (*facts.node_exceeded == 0) {
    Acquit(answer.acquittals, "node_allowance", fmt::format("Node {} exceeded no allowance.", facts.node), 0,
           "packets");
  }
  if (facts.node_baseline_bits > 0) {
    const double share = *facts.node_bits / facts.node_baseline_bits;
    if (share < 0.8) {
      Acquit(answer.acquittals, "node_rate",
             fmt::format("Node {} moved {} at most, {} of its baseline ({}).", facts.node, BitsText(*facts.node_bits),
                         PercentText(share), facts.capacity_source),
             share, "");
    }
  } else {
    answer.unknown.emplace_back(
        fmt::format("What node {} may move is unknown; it moved {} at most.", facts.node, BitsText(*facts.node_bits)));
  }
}

void LookAtConnections(const WhyFacts& facts, WhyAnswer& answer) {
  if (facts.connections_failed == 0 && facts.resets == 0) {
    Acquit(answer.acquittals, "connections",
           fmt::format("{} connections opened, none failed or was reset.", facts.connections_opened),
           static_cast<double>(facts.connections_opened), "connections");
  }
  if (facts.dns_queries != 0 && facts.dns_failed == 0) {
    Acquit(answer.acquittals, "dns", fmt::format("All of {} DNS queries were answered.", facts.dns_queries),
           static_cast<double>(facts.dns_queries), "queries");
  } else if (facts.dns_queries == 0) {
    answer.unknown.emplace_back("No DNS query was seen (--dns may be off).");
  }
}

void LookAtServing(const WhyFacts& facts, WhyAnswer& answer) {
  if (facts.requests == 0) {
    answer.unknown.emplace_back("No request was measured (--requests may be off, or nobody asked).");
    return;
  }
  if (facts.beside && facts.beside->verdict == BesideVerdict::agree) {
    Acquit(answer.acquittals, "application_agrees", facts.beside->sentence, facts.beside->difference_us.value_or(0),
           "us");
  } else if (facts.beside && facts.beside->verdict != BesideVerdict::explained) {
    answer.unknown.push_back(facts.beside->sentence);
  }
  if (facts.receive_wait_p99_us && *facts.receive_wait_p99_us < kReceiveWaitUs) {
    Acquit(answer.acquittals, "receive_wait",
           fmt::format("Requests waited {} to be read (99th percentile).", MicrosText(*facts.receive_wait_p99_us)),
           *facts.receive_wait_p99_us, "us");
  }
}

void LookAtIndicators(const WhyFacts& facts, WhyAnswer& answer) {
  for (const HealthIndicator& indicator : facts.indicators) {
    if (indicator.value == 0) {
      Acquit(answer.acquittals, "network_health",
             fmt::format("Network health of {} is 0 (well): {}", Title(indicator.scope), indicator.why), 0, "");
    } else if (!indicator.value) {
      answer.unknown.push_back(
          fmt::format("Network health of {} is unknown: {}", Title(indicator.scope), indicator.why));
    }
  }
}

void Look(const WhyFacts& facts, const Thresholds& thresholds, WhyAnswer& answer) {
  if (facts.flows == 0) {
    answer.unknown.emplace_back("No agent told of its flows in that time.");
    return;
  }
  LookAtLoss(facts, thresholds, answer);
  LookAtRtt(facts, answer);
  LookAtNode(facts, answer);
  LookAtConnections(facts, answer);
  LookAtServing(facts, answer);
  LookAtIndicators(facts, answer);
  if (facts.readings_missing) answer.unknown.emplace_back("Readings of that time are missing.");
}

std::string Joined(const std::vector<std::string>& sentences, size_t most) {
  std::string text;
  for (size_t index = 0; index < sentences.size() && index < most; ++index)
    text += (index == 0 ? "" : " ") + sentences[index];
  if (sentences.size() > most) text += fmt::format(" And {} more.", sentences.size() - most);
  return text;
}

std::string Joined(const std::vector<Evidence>& evidence, size_t most) {
  std::vector<std::string> sentences;
  for (const Evidence& one : evidence) sentences.push_back(one.sentence);
  return Joined(sentences, most);
}

void AnswerByFinding(const Finding& finding, const Subject& subject, WhyAnswer& answer) {
  answer.blames = BlameOf(finding, subject);
  std::vector<std::string> excluded = finding.not_excluded;
  if (excluded.empty()) excluded.emplace_back("nothing else that Weir looks for.");
  answer.lines = {finding.verdict, WhoAndWhen(finding), Sureness(finding), "Not excluded: " + Joined(excluded, 3),
                  "Advice: " + finding.advice};
}

void AnswerByFacts(const WhyFacts& facts, WhyAnswer& answer) {
  const std::string who = Title(facts.subject);
  const std::string when = fmt::format("{} to {} UTC", TimeOfDay(facts.from), TimeOfDay(facts.to));
  if (facts.flows == 0) {
    answer.blames = "unknown";
    answer.lines = {fmt::format("Nothing is known of {} from {}.", who, when),
                    "No agent told of its flows in that time.", "Confidence: none.", "Not excluded: everything.",
                    "Advice: See whether the agent of its node runs, and how far back data reaches (weir status)."};
    return;
  }
  answer.blames = "nothing";
  const std::string known = Joined(answer.acquittals, 4);
  const std::string load = answer.findings.empty() ? "" : " " + answer.findings[0].verdict;
  answer.lines = {
      fmt::format("Weir finds no fault of the network with {} from {}.{}", who, when, load),
      fmt::format("Looked at: {} flows, {}.", facts.flows, BytesText(static_cast<double>(facts.bytes))),
      known.empty() ? "Nothing could be shown to be well." : known,
      "Not excluded: " + (answer.unknown.empty()
                              ? std::string("what only the application sees: its CPU, disk, GPU and queues.")
                              : Joined(answer.unknown, 3)),
      "Advice: Look at the application next: its own metrics, CPU quota, disk and accelerator."};
}

}  // namespace

bool Concerns(const Finding& finding, const Subject& subject) {
  const auto among = [&](const std::vector<Involved>& involved) {
    return std::any_of(involved.begin(), involved.end(),
                       [&](const Involved& one) { return SameThing(one.subject, subject); });
  };
  return SameThing(finding.subject, subject) || SameThing(finding.peer, subject) || among(finding.culprits) ||
         among(finding.victims) || (finding.load && SameThing(finding.load->helper, subject));
}

namespace {

// What a node exceeds concerns those of its pods that lost segments, also where nobody measured how they answered.
bool OfItsNode(const Finding& finding, const WhyFacts& facts, const Thresholds& thresholds) {
  const bool lossy = static_cast<double>(facts.lost) > thresholds.loss_warn_ratio * static_cast<double>(facts.segments);
  return lossy && finding.detector == Detector::bandwidth_breach && finding.subject.kind == SubjectKind::kNode &&
         !facts.node.empty() && finding.subject.node == facts.node;
}

constexpr double kContradicted = 30;  // points that a stall loses when the application's own numbers are against it

bool IsAgainst(BesideVerdict verdict) {
  return verdict == BesideVerdict::contradiction || verdict == BesideVerdict::different_requests;
}

// What the application says of itself stands beside stalls of its own, for them or against them.
void WeighByApp(const WhyFacts& facts, const Thresholds& thresholds, std::vector<Finding>& findings) {
  if (!facts.beside) return;
  const bool against = IsAgainst(facts.beside->verdict);
  if (!against && facts.beside->verdict != BesideVerdict::explained) return;
  for (Finding& finding : findings) {
    if (finding.detector != Detector::serving_stall || !SameThing(finding.subject, facts.subject)) continue;
    Add(finding, {against ? "application_contradicts" : "application_explained",
                  facts.beside->sentence,
                  facts.beside->difference_us.value_or(0),
                  "us",
                  against ? -kContradicted : 0,
                  {}});
    if (against) finding.level = std::min(finding.level, LevelOf(finding.points, thresholds));
  }
}

}  // namespace

WhyAnswer Why(const WhyFacts& facts, const std::vector<Finding>& findings, const Thresholds& thresholds) {
  WhyAnswer answer;
  for (const Finding& finding : findings) {
    const bool in_time = finding.start <= facts.to && finding.end >= facts.from;
    if (in_time && (Concerns(finding, facts.subject) || OfItsNode(finding, facts, thresholds)))
      answer.findings.push_back(finding);
  }
  WeighByApp(facts, thresholds, answer.findings);
  std::stable_sort(answer.findings.begin(), answer.findings.end(), [&](const Finding& a, const Finding& b) {
    return Order(a, facts.subject) < Order(b, facts.subject);
  });
  Look(facts, thresholds, answer);
  if (!answer.findings.empty() && answer.findings[0].severity != Severity::kInfo) {
    AnswerByFinding(answer.findings[0], facts.subject, answer);
  } else {
    AnswerByFacts(facts, answer);
  }
  return answer;
}

WhyAnswer WhyFinding(const Finding& finding, const WhyFacts& facts, const std::vector<Finding>& findings,
                     const Thresholds& thresholds) {
  WhyAnswer answer = Why(facts, findings, thresholds);
  std::erase_if(answer.findings, [&](const Finding& other) { return other.id == finding.id; });
  std::vector<Finding> asked{finding};
  WeighByApp(facts, thresholds, asked);
  answer.findings.insert(answer.findings.begin(), asked[0]);
  AnswerByFinding(asked[0], facts.subject, answer);
  return answer;
}

}  // namespace weir::diagnose

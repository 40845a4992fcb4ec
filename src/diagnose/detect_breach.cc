#include "diagnose/detect_breach.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace weir::diagnose {
namespace {

constexpr double kCounterPoints = 60;
constexpr double kNearPoints = 25;
constexpr double kFlowPoints = 15;
constexpr double kLinkLocalPoints = 95;
constexpr double kConnectionPoints = 85;
constexpr double kMatchPoints = 40;
constexpr double kLatePoints = 20;
constexpr double kRttPoints = 20;
constexpr double kStepPoints = 20;
constexpr double kWarningPoints = 60;
constexpr int kMajorWindow = 5;
constexpr int kMinorWindow = 10;
constexpr int64_t kBefore = 120;     // seconds a victim's times are compared with
constexpr int64_t kStepWindow = 30;  // seconds a fall of the rate is looked for in
constexpr int64_t kMost = 20;        // seconds of a node judged in one go
constexpr int64_t kSettled = 12;     // seconds after which flows of a second have come; parties remember a few more
constexpr size_t kMostNamed = 8;

struct ResourceWords {
  std::string_view name;
  std::string_view signal;
  std::string_view exceeds;
};
constexpr std::array<ResourceWords, kResources + 2> kWords{
    {{"inbound bandwidth", "allowance.bandwidth_in_exceeded", "receives more than it may"},
     {"outbound bandwidth", "allowance.bandwidth_out_exceeded", "sends more than it may"},
     {"packet rate", "allowance.packets_exceeded", "moves more packets than it may"},
     {"tracked connections", "allowance.connections_exceeded", "tracks as many connections as it may"},
     {"link-local packets", "allowance.link_local_exceeded",
      "sends more packets to DNS and instance metadata than it may"},
     {"egress rate", "qdisc.overlimits", "is held back by a configured rate"},
     {"inbound bandwidth", "interface.rx_bytes", "seems to receive as much as it may"},
     {"outbound bandwidth", "interface.tx_bytes", "seems to send as much as it may"}}};

constexpr size_t Index(Resource resource) { return static_cast<size_t>(resource); }

}  // namespace

bool BreachDetector::BothWays(size_t run) {
  return run == Index(Resource::kPackets) || run == Index(Resource::kConnections) || run == Index(Resource::kLinkLocal);
}

bool BreachDetector::Inbound(const NodeActivity& node, size_t run) {
  if (run == Index(Resource::kQueue)) return node.queue_is_virtual;
  return run != Index(Resource::kBandwidthOut) && run != kInferredOut;
}

double BreachDetector::Bits(const NodeActivity& node, size_t run, int64_t second) {
  return Inbound(node, run) ? node.RxBits(second) : node.TxBits(second);
}

void BreachDetector::Tick(const Context& context) {
  for (auto& [number, node] : context.activity.nodes()) {
    State& state = states_[number];
    const Seen seen{context, node, state, context.names.CapacityOf(number)};
    const int64_t until = node.latest_s - 1;  // the last one may still fill
    for (int64_t second = std::max(state.judged_s + 1, until - kMost + 1); second <= until; ++second) {
      if (second < 0) continue;
      for (size_t resource = 0; resource < kResources; ++resource) JudgeResource(seen, resource, second);
      JudgePlateau(seen, kInferredIn, second);
      JudgePlateau(seen, kInferredOut, second);
      WarnOfConnections(seen, second);
    }
    state.judged_s = std::max(state.judged_s, until);
  }
  std::erase_if(states_, [&](const auto& entry) { return context.activity.FindNode(entry.first) == nullptr; });
}

void BreachDetector::JudgeResource(const Seen& seen, size_t resource, int64_t second) const {
  const Thresholds& thresholds = seen.context.thresholds;
  const auto exceeded = static_cast<double>(seen.node.In(second).exceeded[resource]);
  const double packets = seen.node.Packets(second);
  const bool absolute = resource == Index(Resource::kConnections) || resource == Index(Resource::kLinkLocal);
  const double ratio = exceeded == 0 ? 0 : absolute ? 1 : exceeded / (exceeded + packets);
  State& state = seen.state;
  state.exceeded[resource].Note(second, exceeded > 0);
  state.major[resource].Note(second, ratio >= thresholds.breach_major_ratio && exceeded > 0);
  state.critical[resource].Note(second, ratio >= thresholds.breach_critical_ratio && exceeded > 0);
  seen.node.breached[resource].Note(second, exceeded > 0);
  if (exceeded == 0) return;
  const bool inbound = Inbound(seen.node, resource);
  const bool burst = seen.capacity.known() && !BothWays(resource) &&
                     Bits(seen.node, resource, second) < thresholds.breach_burst_mean * seen.capacity.highest() &&
                     seen.node.Peak10ms(second, inbound) >= thresholds.breach_burst_peak * seen.capacity.highest();
  const bool fires = state.major[resource].Count(second, kMajorWindow) >= thresholds.breach_major_seconds ||
                     state.exceeded[resource].Count(second, kMinorWindow) >= thresholds.breach_minor_seconds;
  Run& run = state.runs[resource];
  if (!fires && !burst) return;
  if (run.since_s < 0 || static_cast<double>(second - run.last_s) > thresholds.clear_after_s) {
    run = {};
    run.since_s = second;
    // The seconds that made it fire belong to it.
    for (int64_t earlier = second - kMinorWindow + 1; earlier < second; ++earlier) {
      if (seen.node.In(earlier).exceeded[resource] != 0) Extend(seen, resource, earlier);
    }
  }
  Extend(seen, resource, second);
  Report(seen, resource, second);
}

void BreachDetector::Extend(const Seen& seen, size_t index, int64_t second) {
  Run& run = seen.state.runs[index];
  const NodeSecond read = seen.node.In(second);
  run.since_s = run.since_s < 0 ? second : std::min(run.since_s, second);
  run.last_s = std::max(run.last_s, second);
  run.seconds += 1;
  if (index < kResources) run.exceeded += static_cast<double>(read.exceeded[index]);
  run.packets += seen.node.Packets(second);
  const double bits = Bits(seen.node, index, second);
  run.sum_bits += bits;
  run.most_bits = std::max(run.most_bits, bits);
  run.peak_10ms = std::max(run.peak_10ms, seen.node.Peak10ms(second, Inbound(seen.node, index)));
  run.gap = run.gap || seen.node.Gap(second - 1, second);
  run.unsettled.push_back(second);
}

void BreachDetector::ReadFlows(const Seen& seen, size_t index, int64_t second, Flows& flows) {
  const NodeSecond read = seen.node.In(second);
  flows.lossy = std::max(flows.lossy, static_cast<double>(read.lossy_flows));
  flows.slow = std::max(flows.slow, static_cast<double>(read.slow_flows));
  flows.late_segments += read.late_segments;
  const bool inbound = Inbound(seen.node, index);
  const bool both = BothWays(index);
  for (const Activity::Share& share :
       seen.context.activity.Ranked(seen.node.node, {second}, inbound || both, !inbound || both)) {
    flows.moved[share.party] += share.bytes;
    flows.moved_total += share.bytes;
  }
}

void BreachDetector::Settle(const Seen& seen, size_t index, int64_t second) {
  Run& run = seen.state.runs[index];
  const auto settled =
      std::partition(run.unsettled.begin(), run.unsettled.end(), [&](int64_t at) { return at < second - kSettled; });
  for (auto at = run.unsettled.begin(); at != settled; ++at) ReadFlows(seen, index, *at, run.settled);
  run.unsettled.erase(run.unsettled.begin(), settled);
  run.flows = run.settled;
  for (const int64_t at : run.unsettled) ReadFlows(seen, index, at, run.flows);
}

// Without a counter a limit shows as a plateau that nobody at the ends made.
bool BreachDetector::Plateau(const Seen& seen, size_t run, int64_t second) {
  const Thresholds& thresholds = seen.context.thresholds;
  std::vector<double> rates;
  for (int64_t at = second - static_cast<int64_t>(thresholds.breach_flat_s) + 1; at <= second; ++at) {
    rates.push_back(Bits(seen.node, run, at));
  }
  double top = 0;
  for (int64_t at = second - 59; at <= second; ++at) top = std::max(top, Bits(seen.node, run, at));
  const double lowest = *std::min_element(rates.begin(), rates.end());
  const bool stepped = SteppedDown(seen, run, second);
  return lowest > 0 && VariationOf(rates) <= thresholds.breach_flat_cv &&
         (lowest >= thresholds.breach_top_share * top || stepped);
}

bool BreachDetector::MatchesLimit(const Seen& seen, double bits) {
  const auto matches = [&](double limit) {
    return limit > 0 && std::abs(bits - limit) <= seen.context.thresholds.breach_match * limit;
  };
  return matches(seen.capacity.baseline_bits) || matches(seen.capacity.peak_bits);
}

bool BreachDetector::LimitedByEnds(const Seen& seen, size_t run, int64_t second) {
  uint64_t total = 0;
  uint64_t limited = 0;
  const bool inbound = Inbound(seen.node, run);
  for (const Activity::Share& share : seen.context.activity.Ranked(seen.node.node, {second}, inbound, !inbound)) {
    total += share.bytes;
    if (second - seen.context.activity.Party(share.party).limited_s <= 5) limited += share.bytes;
  }
  return total == 0 || limited * 2 >= total;
}

void BreachDetector::JudgePlateau(const Seen& seen, size_t index, int64_t second) const {
  const bool counted = seen.node.has_allowance || seen.state.exceeded[Index(Resource::kQueue)].Count(second, 60) > 0;
  const Thresholds& thresholds = seen.context.thresholds;
  // The cheapest question first: it is asked of every node every second.
  if (counted || !MatchesLimit(seen, Bits(seen.node, index, second)) || !Plateau(seen, index, second)) return;
  if (LimitedByEnds(seen, index, second)) return;
  Run& run = seen.state.runs[index];
  if (run.since_s < 0 || static_cast<double>(second - run.last_s) > thresholds.clear_after_s) {
    run = {};
    for (int64_t earlier = second - static_cast<int64_t>(thresholds.breach_flat_s) + 1; earlier < second; ++earlier) {
      Extend(seen, index, earlier);
    }
  }
  Extend(seen, index, second);
  Report(seen, index, second);
}

void BreachDetector::WarnOfConnections(const Seen& seen, int64_t second) {
  const NodeActivity& node = seen.node;
  if (node.connections_left_s != second || node.connections_left_most == 0) return;
  const double share = static_cast<double>(node.connections_left) / static_cast<double>(node.connections_left_most);
  if (share >= seen.context.thresholds.breach_connections_left) return;
  Finding finding;
  finding.detector = Detector::bandwidth_breach;
  finding.kind = "connections_nearly_used_up";
  finding.subject = seen.context.names.NodeSubjectOf(node.node);
  finding.node = finding.subject.node;
  finding.variant = kRuns;
  finding.start = second * 1'000;
  finding.end = finding.start + 1'000;
  Add(finding, {"connections_left",
                fmt::format("{} connections are left of the {} that were once.", node.connections_left,
                            node.connections_left_most),
                static_cast<double>(node.connections_left), "connections", kWarningPoints,
                NodeReference("allowance.connections_left", finding.node, "", finding.start, finding.end)});
  finding.verdict = fmt::format("{} can track few more connections; after that new ones fail.", Title(finding.subject));
  finding.advice = "Close idle connections, shorten keep-alive, or use a larger instance.";
  seen.context.book.Report(std::move(finding), seen.context.now);
}

// A rate that was higher and then stays flat: the credits that allowed more are used up.
bool BreachDetector::SteppedDown(const Seen& seen, size_t run, int64_t second) {
  const Thresholds& thresholds = seen.context.thresholds;
  std::vector<double> rates;
  const auto flat = static_cast<int64_t>(thresholds.breach_flat_s);
  for (int64_t at = second - flat + 1; at <= second; ++at) rates.push_back(Bits(seen.node, run, at));
  const double mean = MeanOf(rates);
  double before = 0;
  for (int64_t at = second - kStepWindow; at <= second - flat; ++at)
    before = std::max(before, Bits(seen.node, run, at));
  if (mean <= 0 || mean > (1 - thresholds.breach_step_down) * before) return false;
  const double baseline = seen.capacity.baseline_bits;
  if (baseline > 0) return std::abs(mean - baseline) <= thresholds.breach_match * baseline;
  return VariationOf(rates) <= thresholds.breach_flat_cv;
}

bool BreachDetector::NearLimit(const Seen& seen, const Run& run) {
  if (!seen.capacity.known()) return false;
  const double near = seen.context.thresholds.breach_near_share;
  const double baseline = seen.capacity.baseline_bits;
  const double fastest = std::max(run.most_bits, run.peak_10ms);
  return (baseline > 0 && run.most_bits >= near * baseline) || fastest >= near * seen.capacity.highest();
}

std::string BreachDetector::KindOf(const Seen& seen, size_t index, int64_t second) {
  const Run& run = seen.state.runs[index];
  if (index == Index(Resource::kPackets)) return "packet_rate";
  if (index == Index(Resource::kConnections)) return "connection_tracking";
  if (index == Index(Resource::kLinkLocal)) return "link_local";
  if (SteppedDown(seen, index, second)) return "credits_used_up";
  const double limit = seen.capacity.highest();
  const double mean = run.seconds == 0 ? 0 : run.sum_bits / run.seconds;
  if (limit > 0 && mean < seen.context.thresholds.breach_burst_mean * limit) {
    return run.peak_10ms >= seen.context.thresholds.breach_burst_peak * limit ? "micro_burst" : "below_known_limit";
  }
  return "sustained";
}

void BreachDetector::AddCounter(const Seen& seen, size_t index, Finding& finding) {
  const Run& run = seen.state.runs[index];
  const ResourceWords& words = kWords[index];
  const bool queue = index == Index(Resource::kQueue);
  const double points = index == Index(Resource::kLinkLocal)     ? kLinkLocalPoints
                        : index == Index(Resource::kConnections) ? kConnectionPoints
                                                                 : kCounterPoints;
  Add(finding,
      {std::string(words.signal),
       queue ? fmt::format("Packets had to wait {:.0f} times for the rate configured on {}.", run.exceeded,
                           seen.node.queue_subject)
             : fmt::format("{:.0f} packets were queued or dropped over the allowance.", run.exceeded),
       run.exceeded, queue ? "times" : "packets", points,
       NodeReference(words.signal, finding.node, queue ? seen.node.queue_subject : "", finding.start, finding.end)});
  if (!queue) {
    finding.not_excluded.emplace_back("The counter does not tell packets that waited from packets that were dropped.");
  }
}

void BreachDetector::AddRate(const Seen& seen, size_t index, Finding& finding) {
  const Run& run = seen.state.runs[index];
  const double mean = run.seconds == 0 ? 0 : run.sum_bits / run.seconds;
  const std::string_view signal = Inbound(seen.node, index) ? "interface.rx_bytes" : "interface.tx_bytes";
  const Reference series = NodeReference(signal, finding.node, "", finding.start, finding.end);
  if (!seen.capacity.known()) {
    Add(finding, {"rate", fmt::format("The rate was {} on average.", BitsText(mean)), mean, "bit/s", 0, series});
    finding.not_excluded.emplace_back("How much the node may move is unknown, so the rate cannot be compared with it.");
    return;
  }
  const double limit = seen.capacity.baseline_bits > 0 ? seen.capacity.baseline_bits : seen.capacity.peak_bits;
  const bool near = NearLimit(seen, run);
  Add(finding,
      {"rate",
       fmt::format("The rate was {} on average and {} at most, {} of the {} ({}, by {}).", BitsText(mean),
                   BitsText(run.most_bits), PercentText(run.most_bits / limit),
                   seen.capacity.baseline_bits > 0 ? "baseline" : "peak", BitsText(limit), seen.capacity.source),
       mean, "bit/s", near ? kNearPoints : 0, series});
  if (run.peak_10ms > 0 && run.peak_10ms >= run.most_bits) {
    Reference windows = series;
    windows.kind = Reference::Kind::kRateWindows;
    Add(finding, {"peak_10ms", fmt::format("The fastest 10 ms reached {}.", BitsText(run.peak_10ms)), run.peak_10ms,
                  "bit/s", 0, windows});
  }
  if (!near) finding.not_excluded.emplace_back("The rate stayed below what is known of the limit.");
}

void BreachDetector::AddFlows(const Seen& seen, size_t index, Finding& finding) {
  const Run& run = seen.state.runs[index];
  const double flows = std::max(run.flows.lossy, run.flows.slow);
  if (run.flows.late_segments > 0) {
    Add(finding, {"late_segments",
                  fmt::format("{:.0f} segments came late or were sent again meanwhile.", run.flows.late_segments),
                  run.flows.late_segments,
                  "segments",
                  0,
                  {}});
  }
  if (flows < seen.context.thresholds.breach_flows) return;
  Reference reference;
  reference.kind = Reference::Kind::kFlows;
  reference.columns = "late_segments,retransmits,rtt_p99_us";
  reference.filter = FlowFilter(finding.subject);
  reference.from = finding.start;
  reference.to = finding.end;
  Add(finding,
      {"flows",
       fmt::format("{:.0f} flows of the node had {} in the same second.", flows,
                   run.flows.lossy >= run.flows.slow ? "lost or late segments" : "round trips far above their own"),
       flows, "flows", kFlowPoints, reference});
}

void BreachDetector::AddInferred(const Seen& seen, size_t index, int64_t second, Finding& finding) {
  const Thresholds& thresholds = seen.context.thresholds;
  const Run& run = seen.state.runs[index];
  const double mean = run.sum_bits / std::max(1.0, run.seconds);
  for (const double limit : {seen.capacity.baseline_bits, seen.capacity.peak_bits}) {
    if (limit <= 0 || std::abs(mean - limit) > thresholds.breach_match * limit) continue;
    Add(finding, {"plateau",
                  fmt::format("The rate stays at {}, which is the limit of {} known by {}.", BitsText(mean),
                              BitsText(limit), seen.capacity.source),
                  mean, "bit/s", kMatchPoints,
                  NodeReference(kWords[index].signal, finding.node, "", finding.start, finding.end)});
    break;
  }
  if (run.packets > 0 && run.flows.late_segments >= thresholds.breach_major_ratio * run.packets) {
    Add(finding, {"late_segments",
                  fmt::format("{:.0f} segments came late or were sent again.", run.flows.late_segments),
                  run.flows.late_segments,
                  "segments",
                  kLatePoints,
                  {}});
  }
  if (run.flows.slow >= 1) {
    Add(finding, {"round_trips",
                  fmt::format("Round trips of {:.0f} flows grew far above their shortest.", run.flows.slow),
                  run.flows.slow,
                  "flows",
                  kRttPoints,
                  {}});
  }
  if (SteppedDown(seen, index, second)) {
    Add(finding, {"step_down",
                  "The rate was higher before and then fell to this level.",
                  run.most_bits,
                  "bit/s",
                  kStepPoints,
                  {}});
  }
  finding.not_excluded.emplace_back("The node has no counter of its allowance: a limit elsewhere looks the same.");
}

void BreachDetector::AddCulprits(const Seen& seen, size_t index, Finding& finding) {
  const Run& run = seen.state.runs[index];
  // Bytes say nothing of who holds connections or asks for names.
  if (run.flows.moved_total == 0 || index == Index(Resource::kConnections) || index == Index(Resource::kLinkLocal))
    return;
  std::vector<std::pair<uint64_t, PartyNumber>> ranked;
  for (const auto& [party, bytes] : run.flows.moved) ranked.emplace_back(bytes, party);
  std::sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  const auto total = static_cast<double>(run.flows.moved_total);
  double listed = 0;
  for (const auto& [bytes, party] : ranked) {
    const double share = static_cast<double>(bytes) / total;
    if (finding.culprits.size() >= kMostNamed) break;
    listed += share;
    finding.culprits.push_back(
        {seen.context.names[party].subject, share,
         fmt::format("{} of {} ({})", BytesText(static_cast<double>(bytes)), BytesText(total), PercentText(share))});
    const bool one = finding.culprits.size() == 1 && share >= seen.context.thresholds.culprit_share;
    if (one || listed >= seen.context.thresholds.culprit_list_share) break;
  }
  if (finding.culprits.size() > 1) {
    finding.not_excluded.emplace_back("No one pod used most of the bandwidth; those listed did together.");
  }
}

void BreachDetector::AddVictims(const Seen& seen, size_t index, Finding& finding) const {
  const Thresholds& thresholds = seen.context.thresholds;
  const Run& run = seen.state.runs[index];
  for (const PartyNumber server : serving_.Servers()) {
    const PartyNumber party = seen.context.names.Resolve(server);
    const Subject& subject = seen.context.names[party].subject;
    const bool culprit = std::any_of(finding.culprits.begin(), finding.culprits.end(),
                                     [&](const Involved& involved) { return involved.subject.key == subject.key; });
    if (culprit || seen.context.names.Brief(party).node != seen.node.node) continue;
    Involved victim{subject, 0, ""};
    for (const auto& [time, name] : {std::pair{ServingTime::kChunkGap, "gap between chunks"},
                                     std::pair{ServingTime::kFirstChunk, "time to first chunk"}}) {
      // The step in which the breach began is neither before nor during it.
      const auto least = static_cast<uint64_t>(thresholds.victim_samples);
      const ServingSum before = serving_.Sum(server, time, run.since_s - kBefore, run.since_s - 1, Steps::kWhole);
      ServingSum during = serving_.Sum(server, time, run.since_s, run.last_s, Steps::kWhole);
      if (during.samples < least) during = serving_.Sum(server, time, run.since_s, run.last_s);
      if (before.samples < least || during.samples < least) continue;
      const double usual = before.Quantile(0.95);
      const double now = during.Quantile(0.95);
      if (now < thresholds.victim_factor * usual || now - usual < thresholds.victim_least_us) continue;
      victim.share = std::max(victim.share, now / usual);
      victim.sentence +=
          fmt::format("{}{} grew from {} to {} on average, its 95th percentile from about {} to about {}",
                      victim.sentence.empty() ? "" : ", ", name, MicrosText(before.Mean()), MicrosText(during.Mean()),
                      MicrosText(usual), MicrosText(now));
    }
    if (!victim.sentence.empty()) finding.victims.push_back(std::move(victim));
  }
}

void BreachDetector::AddWords(const Seen& seen, size_t index, Finding& finding) {
  const Run& run = seen.state.runs[index];
  const Finding* const load = finding.culprits.empty()
                                  ? nullptr
                                  : seen.context.book.FindAny(Detector::model_load, finding.culprits[0].subject.key);
  std::string who;
  if (!finding.culprits.empty()) {
    const Involved& first = finding.culprits[0];
    who = fmt::format("; {} {} {}", Title(first.subject), finding.culprits.size() > 1 ? "and others moved" : "moved",
                      first.sentence);
    if (load != nullptr) who += fmt::format(", loading from {}", Title(load->load->source));
  }
  const bool inbound = Inbound(seen.node, index);
  const std::string exceeds = index == Index(Resource::kQueue)
                                  ? fmt::format("{} more than the rate configured on {} lets through",
                                                inbound ? "receives" : "sends", seen.node.queue_subject)
                                  : std::string(kWords[index].exceeds);
  finding.verdict = fmt::format("{} {}, for {:.0f} s{}.", Title(finding.subject), exceeds, run.seconds, who);
  if (load != nullptr) finding.related.push_back(load->id);
  if (index == Index(Resource::kLinkLocal)) {
    finding.advice = "Cache DNS on the node (NodeLocal DNSCache), and ask instance metadata less often.";
  } else if (index == Index(Resource::kConnections)) {
    finding.advice = "Close idle connections, shorten keep-alive, or use a larger instance.";
  } else if (index == Index(Resource::kPackets)) {
    finding.advice = "Send fewer, larger packets (batching, larger MTU), or use an instance with a higher packet rate.";
  } else if (load != nullptr) {
    finding.advice =
        "Cap the loader's throughput below the node's baseline, cache the model on the node, or use a larger instance.";
  } else {
    finding.advice = "Cap or move what uses the bandwidth, or use an instance with a higher baseline.";
  }
}

void BreachDetector::Report(const Seen& seen, size_t index, int64_t second) const {
  const Run& run = seen.state.runs[index];
  Settle(seen, index, second);
  Finding finding;
  finding.detector = Detector::bandwidth_breach;
  finding.subject = seen.context.names.NodeSubjectOf(seen.node.node);
  finding.node = finding.subject.node;
  finding.variant = index;
  finding.start = run.since_s * 1'000;
  finding.end = (run.last_s + 1) * 1'000;
  finding.kind = KindOf(seen, index, second);
  const bool inferred = index >= kResources;
  if (inferred) {
    AddInferred(seen, index, second, finding);
    // A constant rate at a known limit that harms nobody is no trouble.
    if (finding.evidence.size() < 2 || finding.evidence[0].name != "plateau") return;
    finding.severity = Severity::kMajor;
  } else {
    AddCounter(seen, index, finding);
    AddRate(seen, index, finding);
    AddFlows(seen, index, finding);
    const bool critical =
        seen.state.critical[index].Count(second, kMajorWindow) >= seen.context.thresholds.breach_major_seconds;
    const bool major =
        seen.state.major[index].Count(second, kMajorWindow) >= seen.context.thresholds.breach_major_seconds;
    finding.severity = critical ? Severity::kCritical : major ? Severity::kMajor : Severity::kMinor;
  }
  AddCulprits(seen, index, finding);
  AddVictims(seen, index, finding);
  AddWords(seen, index, finding);
  if (run.gap) LowerForGaps(finding, seen.context.thresholds);
  seen.context.book.Report(std::move(finding), seen.context.now);
}

}  // namespace weir::diagnose

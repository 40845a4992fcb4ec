#include "diagnose/detect_loss.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

namespace weir::diagnose {
namespace {

constexpr int kWindow = 10;
constexpr int64_t kForgetAfter = 60;
constexpr double kBase = 50;
constexpr double kMajor = 15;
constexpr double kCritical = 10;
constexpr double kBothEnds = 20;
constexpr double kOnNode = 60;
constexpr double kElsewhereKnown = 50;  // an allowance, or a receiver's memory
constexpr double kUsualWeight = 0.3;    // of a new minute
constexpr int64_t kMinute = 60;

uint64_t Late(const Direction& direction) {
  return direction.late_segments - std::min(direction.reordered, direction.late_segments);
}

struct Drops {
  double node = 0, rules = 0, sockets = 0;
};

Drops DropsOf(const NodeActivity& node, int64_t from, int64_t to) {
  Drops drops;
  for (int64_t second = from; second <= to; ++second) {
    const NodeSecond read = node.In(second);
    drops.node += read.node_drops + read.queue_drops;
    drops.rules += read.rule_drops;
    drops.sockets += read.socket_drops;
  }
  return drops;
}

std::string_view PlaceSentence(uint8_t place) {
  switch (place) {
    case 1: return "by queues or rings of";
    case 2: return "by a packet rule of";
    case 3: return "by the bandwidth allowance of";
    case 4: return "for want of receive memory on";
    default: return "on the way to";
  }
}

}  // namespace

bool LossDetector::Observe(const Context& context, const FlowSample& sample, const FlowEnds& ends) {
  PairKey key{ends.client, ends.server, sample.server_port, false};
  AddDirection(context, key, ends, sample.to_server);
  const bool watched = watches_.contains(key);
  key.to_client = true;
  AddDirection(context, key, ends, sample.to_client);
  return watched || watches_.contains(key);
}

void LossDetector::AddDirection(const Context& context, const PairKey& key, const FlowEnds& ends,
                                const Direction& direction) {
  const uint64_t late = Late(direction);
  const bool lossy = late != 0 || direction.retransmits != 0;
  auto found = watches_.find(key);
  if (found == watches_.end()) {
    if (!lossy || watches_.size() >= kMaxWatched) return;
    found = watches_.try_emplace(key).first;
  }
  Watch& watch = found->second;
  Second& slot = watch.seconds[static_cast<size_t>(ends.second) % kSeconds];
  if (slot.second > ends.second) return;
  if (slot.second != ends.second) slot = {ends.second, 0, 0, 0, 0, 0};
  slot.segments += direction.segments;
  slot.retransmits += direction.retransmits;
  slot.spurious += direction.spurious_retransmits;
  slot.late += late;
  slot.timeouts += direction.timeouts;
  watch.latest_s = std::max(watch.latest_s, ends.second);
  watch.minute_segments += direction.segments;
  watch.minute_lost += std::max<uint64_t>(late, direction.retransmits);
  if (!lossy) return;
  watch.lossy_s = std::max(watch.lossy_s, ends.second);
  const NodeNumber node = context.names.Brief(key.to_client ? key.client : key.server).node;
  if (node == 0) return;
  NodeSecond& read = context.activity.Node(node).At(ends.second);
  ++read.lossy_flows;
  read.late_segments += static_cast<uint32_t>(std::max<uint64_t>(late, direction.retransmits));
}

LossDetector::Sum LossDetector::SumOf(const Watch& watch) {
  Sum sum;
  sum.to_s = watch.latest_s;
  sum.from_s = watch.latest_s;
  for (const Second& second : watch.seconds) {
    if (second.second <= watch.latest_s - kWindow || second.second < 0) continue;
    sum.segments += second.segments;
    sum.retransmits += second.retransmits;
    sum.spurious += second.spurious;
    sum.late += second.late;
    sum.timeouts += second.timeouts;
    if (second.retransmits == 0 && second.late == 0) continue;
    ++sum.lossy_seconds;
    sum.from_s = std::min(sum.from_s, second.second);
  }
  return sum;
}

// Minutes with a finding teach nothing: otherwise lasting loss would become the usual.
void LossDetector::LearnUsual(Watch& watch, int64_t now_s) {
  if (watch.minute_s == 0) watch.minute_s = now_s;
  if (now_s - watch.minute_s < kMinute) return;
  if (!watch.fired && watch.minute_segments != 0) {
    const double ratio = static_cast<double>(watch.minute_lost) / static_cast<double>(watch.minute_segments);
    watch.usual += kUsualWeight * (ratio - watch.usual);
  }
  watch.minute_s = now_s;
  watch.minute_segments = watch.minute_lost = 0;
  watch.fired = false;
}

bool LossDetector::Fires(const Thresholds& thresholds, const Watch& watch, const Sum& sum) {
  if (static_cast<double>(sum.segments) < thresholds.loss_least_segments) return false;
  if (sum.lossy_seconds < thresholds.loss_seconds || sum.lost() < thresholds.loss_least_lost) return false;
  const double limit = std::max(thresholds.loss_warn_ratio, thresholds.loss_over_baseline * watch.usual);
  return WilsonLower(sum.lost(), static_cast<double>(sum.segments)) > limit;
}

// Drops of a node explain the pair's loss when they are a fair part of it; nearer the receiver goes first.
LossDetector::Verdict LossDetector::Locate(const Context& context, const PairKey& key, const Sum& sum) {
  Verdict verdict{key, sum, Place::kPath, 0, 0};
  const double enough = std::max(1.0, context.thresholds.loss_drops_share * sum.lost());
  const NodeNumber receiver = context.names.Brief(key.to_client ? key.client : key.server).node;
  const NodeNumber sender = context.names.Brief(key.to_client ? key.server : key.client).node;
  for (const NodeNumber number : {receiver, sender}) {
    const NodeActivity* node = number == 0 ? nullptr : context.activity.FindNode(number);
    if (node == nullptr) continue;
    const Drops drops = DropsOf(*node, sum.from_s - 1, sum.to_s + 1);
    const bool inbound = number == receiver;
    verdict.node = number;
    if (node->BreachedIn(sum.from_s - 1, sum.to_s + 1, inbound)) {
      verdict.place = Place::kAllowance;
      return verdict;
    }
    const std::array<std::pair<Place, double>, 3> places{{{Place::kNode, drops.node},
                                                          {Place::kRule, drops.rules},
                                                          {Place::kReceiverMemory, inbound ? drops.sockets : 0}}};
    for (const auto& [place, count] : places) {
      if (count < enough) continue;
      verdict.place = place;
      verdict.drops = count;
      return verdict;
    }
  }
  verdict.node = receiver;
  return verdict;
}

Severity LossDetector::SeverityOf(const Thresholds& thresholds, const Sum& sum) {
  const double timeouts = static_cast<double>(sum.timeouts) / sum.seconds();
  if (sum.ratio() >= thresholds.loss_critical_ratio || timeouts >= thresholds.loss_critical_timeouts) {
    return Severity::kCritical;
  }
  return sum.ratio() >= thresholds.loss_major_ratio ? Severity::kMajor : Severity::kMinor;
}

Finding LossDetector::Describe(const Context& context, const Verdict& verdict) {
  const Thresholds& thresholds = context.thresholds;
  const Subject client = context.names[verdict.key.client].subject;
  const Subject server = context.names[verdict.key.server].subject;
  const Sum& sum = verdict.sum;
  const std::string suffix = verdict.key.to_client ? "_to_client" : "_to_server";
  const UnixMillis from = sum.from_s * 1'000;
  const UnixMillis to = (sum.to_s + 1) * 1'000;
  Finding finding;
  finding.detector = Detector::loss;
  finding.subject = verdict.key.to_client ? client : server;
  finding.peer = verdict.key.to_client ? server : client;
  finding.variant = HashPair(verdict.key.port, verdict.key.to_client ? 1 : 0);
  finding.start = from;
  finding.end = to;
  const double seconds = sum.seconds();
  const bool by_receiver = sum.late > sum.retransmits;
  const bool spurious =
      sum.retransmits != 0 &&
      static_cast<double>(sum.spurious) >= thresholds.loss_spurious_share * static_cast<double>(sum.retransmits);
  finding.kind = spurious ? "reordering" : "path";
  finding.severity = SeverityOf(thresholds, sum);
  Add(finding, {by_receiver ? "late_segments" : "retransmits",
                fmt::format("{}{:.0f} of {} segments ({}) were {} within {:.0f} s.", by_receiver ? "At least " : "",
                            sum.lost(), sum.segments, PercentText(sum.ratio()),
                            by_receiver ? "lost on the way and came late" : "sent again", seconds),
                sum.lost(), "segments", kBase,
                FlowReference((by_receiver ? "late_segments" : "retransmits") + suffix + ",segments" + suffix, client,
                              server, from, to)});
  if (finding.severity >= Severity::kMajor) {
    Add(finding, {"loss_ratio",
                  fmt::format("That is {} or more.", PercentText(thresholds.loss_major_ratio)),
                  sum.ratio(),
                  "",
                  kMajor + (finding.severity == Severity::kCritical ? kCritical : 0),
                  {}});
  }
  if (sum.late != 0 && sum.retransmits > sum.spurious) {
    Add(finding, {"both_ends",
                  "The sender sent segments again, and the receiver saw them come late.",
                  static_cast<double>(std::min(sum.late, sum.retransmits)),
                  "segments",
                  kBothEnds,
                  {}});
  }
  if (by_receiver && sum.retransmits == 0) {
    finding.not_excluded.emplace_back("More may be lost than came late: what is lost last leaves no hole.");
  }
  finding.verdict =
      fmt::format("{} of what {} sends to {} is {}.", PercentText(sum.ratio()), Title(finding.peer),
                  Title(finding.subject), spurious ? "sent again needlessly: delayed or reordered" : "lost");
  finding.advice =
      spurious ? "Look for paths of different length or a queue that delays by turns; nothing is lost."
               : "Compare with other pairs of these nodes and zones; where none of them loses, look at the two ends.";
  return finding;
}

// One finding for several pairs, in the words of the one that loses most.
Finding LossDetector::Worst(const Context& context, const std::vector<Verdict>& verdicts, const Subject& subject) {
  const auto worst = std::max_element(verdicts.begin(), verdicts.end(),
                                      [](const Verdict& a, const Verdict& b) { return a.sum.lost() < b.sum.lost(); });
  Finding finding = Describe(context, *worst);
  finding.subject = subject;
  finding.peer = {};
  finding.node = subject.node;
  std::vector<const Verdict*> ordered;
  for (const Verdict& verdict : verdicts) ordered.push_back(&verdict);
  std::sort(ordered.begin(), ordered.end(), [](const Verdict* a, const Verdict* b) {
    return std::tuple(-a->sum.lost(), a->key.client, a->key.server) <
           std::tuple(-b->sum.lost(), b->key.client, b->key.server);
  });
  for (const Verdict* verdict : ordered) {
    finding.start = std::min(finding.start, UnixMillis{verdict->sum.from_s * 1'000});
    const PartyNumber hit = verdict->key.to_client ? verdict->key.client : verdict->key.server;
    finding.victims.push_back({context.names[hit].subject, verdict->sum.ratio(),
                               fmt::format("{:.0f} of {} segments", verdict->sum.lost(), verdict->sum.segments)});
  }
  return finding;
}

void LossDetector::ReportNode(const Context& context, const std::vector<Verdict>& verdicts) {
  const Verdict& first = verdicts.front();
  const Subject node = context.names.NodeSubjectOf(first.node);
  Finding finding = Worst(context, verdicts, node);
  if (finding.kind == "reordering") return;
  const Place place = first.place;
  constexpr std::array<std::string_view, 5> kKinds{"path", "node", "packet_rule", "node_allowance", "receiver_memory"};
  finding.kind = kKinds[static_cast<size_t>(place)];
  finding.variant = static_cast<uint64_t>(place);
  double total = 0;
  for (const Verdict& verdict : verdicts) total += verdict.sum.lost();
  const NodeActivity* activity = context.activity.FindNode(first.node);
  if (place == Place::kAllowance) {
    Add(finding,
        {"breach", fmt::format("{} exceeded its bandwidth in that time.", Title(node)), 1, "", kElsewhereKnown, {}});
    if (const Finding* breach = context.book.FindAny(Detector::bandwidth_breach, node.key); breach != nullptr) {
      finding.related.push_back(breach->id);
    }
  } else {
    const bool rule = place == Place::kRule;
    const Reference drops =
        NodeReference(rule ? "drop.rule" : "qdisc.drops", node.node,
                      rule && activity != nullptr ? activity->rule_place : "", finding.start, finding.end);
    Add(finding, {"drops", fmt::format("{} itself dropped {:.0f} packets in that time.", Title(node), first.drops),
                  first.drops, "packets", place == Place::kReceiverMemory ? kElsewhereKnown : kOnNode, drops});
  }
  if (activity != nullptr && activity->Gap(first.sum.from_s, first.sum.to_s)) LowerForGaps(finding, context.thresholds);
  finding.verdict = fmt::format("{} pair{} lose{} segments {} {}: {:.0f} in ten seconds.", verdicts.size(),
                                verdicts.size() == 1 ? "" : "s", verdicts.size() == 1 ? "s" : "",
                                PlaceSentence(static_cast<uint8_t>(place)), Title(node), total);
  constexpr std::array<std::string_view, 5> kAdvice{
      "", "Look at what drops there: receive rings, queue lengths and the node's CPU.",
      "Look at the packet rules of the place named in the evidence.",
      "See the bandwidth breach of this node for who uses the bandwidth.",
      "Raise net.ipv4.tcp_rmem or let the application read sooner."};
  finding.advice = kAdvice[static_cast<size_t>(place)];
  context.book.Report(std::move(finding), context.now);
}

void LossDetector::ReportPair(const Context& context, const Verdict& verdict) {
  Finding finding = Describe(context, verdict);
  finding.not_excluded.emplace_back("Where on the way it is lost cannot be seen from the two ends.");
  context.book.Report(std::move(finding), context.now);
}

std::vector<LossDetector::Trait> LossDetector::TraitsOf(const Context& context, const Verdict& verdict) {
  const PartyBrief& client = context.names.Brief(verdict.key.client);
  const PartyBrief& server = context.names.Brief(verdict.key.server);
  std::vector<Trait> traits{{Common::kParty, verdict.key.client, 0}, {Common::kParty, verdict.key.server, 0}};
  if (client.node != 0) traits.emplace_back(Common::kNode, client.node, 0);
  if (server.node != 0 && server.node != client.node) traits.emplace_back(Common::kNode, server.node, 0);
  if (client.zone != 0 && server.zone != 0) {
    traits.emplace_back(Common::kZones, std::min(client.zone, server.zone), std::max(client.zone, server.zone));
  }
  return traits;
}

// Pairs whose place is unknown: what most of them have in common takes them together, and so on with the rest.
void LossDetector::ReportCommon(const Context& context, std::vector<Verdict> verdicts) {
  while (!verdicts.empty()) {
    std::map<Trait, std::set<std::pair<PartyNumber, PartyNumber>>> pairs;
    for (const Verdict& verdict : verdicts) {
      for (const Trait& trait : TraitsOf(context, verdict)) {
        pairs[trait].insert(std::minmax(verdict.key.client, verdict.key.server));
      }
    }
    // The map's order makes the most particular trait win where several hold the same pairs.
    const auto most = std::max_element(pairs.begin(), pairs.end(),
                                       [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
    if (static_cast<double>(most->second.size()) < context.thresholds.loss_node_pairs) break;
    const auto& [common, a, b] = most->first;
    std::vector<Verdict> together;
    std::erase_if(verdicts, [&](const Verdict& verdict) {
      const std::vector<Trait> traits = TraitsOf(context, verdict);
      if (std::find(traits.begin(), traits.end(), most->first) == traits.end()) return false;
      together.push_back(verdict);
      return true;
    });
    const Subject subject = common == Common::kParty  ? context.names[a].subject
                            : common == Common::kNode ? context.names.NodeSubjectOf(a)
                                                      : ZonePairSubject(context.names.Text(a), context.names.Text(b));
    Finding finding = Worst(context, together, subject);
    finding.kind = common == Common::kParty ? "common_end" : common == Common::kNode ? "common_node" : "common_zones";
    finding.variant = 16 + static_cast<uint64_t>(common);
    // What the losing have in common is a hint; that the others are well is for network_health to show.
    const double most_points = context.thresholds.confidence_high - 1;
    if (finding.points > most_points) {
      Add(finding,
          {"in_common", "What they have in common is a hint and no proof.", 0, "", most_points - finding.points, {}});
    }
    finding.not_excluded.emplace_back("Whether it is lost there or on the way cannot be seen from the ends.");
    finding.verdict =
        fmt::format("{} pairs lose segments, and what they have in common is {}.", most->second.size(), Title(subject));
    finding.advice = "Compare with pairs that avoid it, and see the network health indicator.";
    context.book.Report(std::move(finding), context.now);
  }
  for (const Verdict& verdict : verdicts) ReportPair(context, verdict);
}

void LossDetector::ReportAll(const Context& context, const std::vector<Verdict>& verdicts) {
  std::map<std::pair<NodeNumber, Place>, std::vector<Verdict>> by_place;
  std::vector<Verdict> somewhere;
  for (const Verdict& verdict : verdicts) {
    if (verdict.node == 0 || verdict.place == Place::kPath) {
      somewhere.push_back(verdict);
    } else {
      by_place[{verdict.node, verdict.place}].push_back(verdict);
    }
  }
  for (const auto& [place, group] : by_place) ReportNode(context, group);
  std::sort(somewhere.begin(), somewhere.end(), [](const Verdict& a, const Verdict& b) {
    return std::tuple(a.key.client, a.key.server, a.key.port, a.key.to_client) <
           std::tuple(b.key.client, b.key.server, b.key.port, b.key.to_client);
  });
  ReportCommon(context, std::move(somewhere));
}

void LossDetector::Tick(const Context& context) {
  std::vector<Verdict> verdicts;
  for (auto entry = watches_.begin(); entry != watches_.end();) {
    Watch& watch = entry->second;
    if (context.second() - watch.lossy_s > kForgetAfter) {
      entry = watches_.erase(entry);
      continue;
    }
    const Sum sum = SumOf(watch);
    const bool fresh = context.second() - watch.latest_s <= kWindow && watch.latest_s - watch.lossy_s <= 2;
    if (fresh && Fires(context.thresholds, watch, sum)) {
      watch.fired = true;
      verdicts.push_back(Locate(context, entry->first, sum));
    }
    LearnUsual(watch, context.second());
    ++entry;
  }
  ReportAll(context, verdicts);
}

}  // namespace weir::diagnose

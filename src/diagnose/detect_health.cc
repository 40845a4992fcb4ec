#include "diagnose/detect_health.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace weir::diagnose {
namespace {

constexpr double kBase = 50;
constexpr double kOwner = 10;
constexpr double kBothWays = 10;
constexpr double kConnects = 10;
constexpr double kPersists = 10;
constexpr double kUsualWeight = 0.2;   // of a new healthy epoch
constexpr size_t kMaxStored = 20'000;  // indicators that wait to be taken

double Share(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

void HealthDetector::Few::Add(uint32_t value) {
  for (uint8_t at = 0; at < count; ++at) {
    if (values[at] == value) return;
  }
  if (count < values.size()) values[count++] = value;
}

// nullopt: too little traffic to say anything.
std::optional<HealthDetector::Judged> HealthDetector::JudgeFlow(const Context& context, FlowState& flow) {
  const Thresholds& thresholds = context.thresholds;
  const double segments = static_cast<double>(flow.segments[0]) + flow.segments[1];
  if (segments < thresholds.health_segments && flow.syn_lost == 0) return std::nullopt;
  Judged judged;
  const PartyBrief& client = context.names.Brief(flow.client);
  const PartyBrief& server = context.names.Brief(flow.server);
  judged.client_node = client.node;
  judged.server_node = server.node;
  judged.client_zone = client.zone;
  judged.server_zone = server.zone;
  judged.owner = server.workload;
  judged.client_owner = client.workload;
  judged.server = flow.server;
  const double limit =
      std::max(thresholds.loss_warn_ratio, thresholds.loss_over_baseline * static_cast<double>(flow.loss_usual));
  judged.to_server = WilsonLower(flow.lost[0], flow.segments[0]) > limit;
  judged.to_client = WilsonLower(flow.lost[1], flow.segments[1]) > limit;
  judged.connects = flow.syn_lost != 0 && flow.opened != 0;
  const double rtt = flow.rtt_samples == 0 ? 0 : static_cast<double>(flow.rtt_sum_us) / flow.rtt_samples;
  const double usual = flow.rtt_usual_us;
  const bool slow =
      usual > 0 && rtt >= thresholds.health_rtt_factor * usual && rtt - usual >= thresholds.health_rtt_least_us;
  const bool troubled = judged.to_server || judged.to_client || judged.connects || slow;
  const int64_t now = context.second();
  const auto from = now - static_cast<int64_t>(thresholds.health_epoch_s);
  if (troubled) {
    for (const NodeNumber number : {client.node, server.node}) {
      const NodeActivity* node = number == 0 ? nullptr : context.activity.FindNode(number);
      const bool breach = node != nullptr && (node->BreachedIn(from, now, true) || node->BreachedIn(from, now, false));
      judged.node_limit = judged.node_limit || breach;
    }
    for (const PartyNumber party : {flow.client, flow.server}) {
      const UnixMillis ended = context.names.EndOf(party);
      const bool gone =
          ended != 0 && context.now - ended <
                            static_cast<int64_t>(1'000 * (thresholds.health_epoch_s + thresholds.failure_rollout_s));
      judged.explained = judged.explained || gone || context.activity.Party(party).limited_s >= from;
    }
    judged.explained = judged.explained || judged.node_limit || flow.acquitted != 0;
  } else {
    const double lost = segments == 0 ? 0 : (static_cast<double>(flow.lost[0]) + flow.lost[1]) / segments;
    flow.loss_usual += static_cast<float>(kUsualWeight * (lost - flow.loss_usual));
    if (rtt > 0)
      flow.rtt_usual_us =
          usual == 0 ? static_cast<float>(rtt) : flow.rtt_usual_us + static_cast<float>(kUsualWeight * (rtt - usual));
  }
  judged.sick = troubled && !judged.explained;
  return judged;
}

std::array<HealthDetector::PartKey, 4> HealthDetector::PartsOf(const Judged& flow, size_t& count) {
  std::array<PartKey, 4> parts;
  count = 0;
  if (flow.client_node != 0) parts[count++] = {Part::kNode, flow.client_node, 0};
  if (flow.server_node != 0 && flow.server_node != flow.client_node)
    parts[count++] = {Part::kNode, flow.server_node, 0};
  if (flow.client_zone != 0 && flow.server_zone != 0 && flow.client_node != flow.server_node) {
    parts[count++] = {Part::kZonePair, std::min(flow.client_zone, flow.server_zone),
                      std::max(flow.client_zone, flow.server_zone)};
  }
  if (flow.owner != 0) parts[count++] = {Part::kService, flow.owner, 0};
  return parts;
}

void HealthDetector::Count(Tallies& tallies, const Judged& flow) {
  size_t count = 0;
  const std::array<PartKey, 4> parts = PartsOf(flow, count);
  for (size_t index = 0; index < count; ++index) {
    Tally& tally = tallies[parts[index]];
    ++tally.judged;
    tally.example_peers.Add(flow.server);
    if (flow.explained) {
      ++tally.explained;
      tally.by_node_limit += flow.node_limit ? 1 : 0;
    }
    if (!flow.sick) continue;
    ++tally.sick;
    tally.votes += 1.0 / static_cast<double>(count);
    // A pair of one owner's pods is one workload's trouble, whoever of them is the client.
    tally.owners.Add(parts[index].part == Part::kService ? flow.client_owner : flow.owner);
    const bool swapped = parts[index].part == Part::kZonePair && flow.client_zone > flow.server_zone;
    tally.clients.Add(swapped ? flow.server_node : flow.client_node);
    tally.servers.Add(swapped ? flow.client_node : flow.server_node);
    tally.to_server = tally.to_server || flow.to_server;
    tally.to_client = tally.to_client || flow.to_client;
    tally.connects = tally.connects || flow.connects;
  }
}

// Flows that differ from the part's in that part alone must be well.
bool HealthDetector::ControlIsHealthy(const Thresholds& thresholds, const PartKey& key, const Tally& tally) const {
  const auto among = [](const Few& few, uint32_t value) {
    return std::find(few.values.begin(), few.values.begin() + few.count, value) != few.values.begin() + few.count;
  };
  uint64_t judged = 0;
  uint64_t sick = 0;
  for (const Judged& flow : judged_) {
    if (flow.explained) continue;
    size_t count = 0;
    const std::array<PartKey, 4> parts = PartsOf(flow, count);
    if (std::find(parts.begin(), parts.begin() + count, key) != parts.begin() + count) continue;
    const bool shares_node = among(tally.clients, flow.client_node) || among(tally.clients, flow.server_node) ||
                             among(tally.servers, flow.client_node) || among(tally.servers, flow.server_node);
    const bool alike = key.part == Part::kNode || shares_node;
    if (!alike) continue;
    ++judged;
    sick += flow.sick ? 1 : 0;
  }
  return static_cast<double>(judged) >= thresholds.health_control_flows &&
         Share(sick, judged) <= thresholds.health_control_share;
}

bool HealthDetector::Degraded(const Context& context, const PartKey& key, const Tally& tally, double next_votes) const {
  const Thresholds& thresholds = context.thresholds;
  const uint64_t of = tally.judged - tally.explained;
  if (WilsonLower(static_cast<double>(tally.sick), static_cast<double>(of)) < thresholds.health_sick_share)
    return false;
  if (tally.owners.count < thresholds.health_owners) return false;
  const auto nodes = static_cast<uint8_t>(thresholds.health_nodes);
  // On both sides of a pair, or else one node may be at fault. Peers of a node, clients of a service.
  const bool spread = key.part == Part::kZonePair  ? tally.clients.count >= nodes && tally.servers.count >= nodes
                      : key.part == Part::kService ? tally.clients.count >= nodes
                                                   : tally.clients.count + tally.servers.count >= nodes + 1;
  if (!spread || tally.votes < thresholds.health_vote_lead * next_votes) return false;
  return ControlIsHealthy(thresholds, key, tally);
}

Subject HealthDetector::ScopeOf(const Context& context, const PartKey& key, const Tally& tally) const {
  switch (key.part) {
    case Part::kNode: return context.names.NodeSubjectOf(key.a);
    case Part::kZonePair: return ZonePairSubject(context.names.Text(key.a), context.names.Text(key.b));
    case Part::kService: break;
  }
  Subject subject = context.names[tally.example_peers.values[0]].subject;
  if (!subject.workload.empty()) {
    subject.kind = SubjectKind::kWorkload;
    subject.pod.clear();
    subject.node.clear();
    subject.zone.clear();
  }
  subject.key = HashText(context.names.Text(key.a), 6);
  return subject;
}

std::string HealthDetector::Explain(const Context& context, const Tally& tally, const std::optional<int>& value) {
  const uint64_t troubled = tally.sick + tally.explained;
  if (value == 1) {
    return fmt::format("{} of {} flows of {} workloads are sick here, and flows that avoid this part are not.",
                       tally.sick, tally.judged, tally.owners.count);
  }
  if (!value.has_value()) {
    return tally.sick == 0 ? fmt::format("Only {} flow{} could be judged.", tally.judged, tally.judged == 1 ? "" : "s")
                           : fmt::format("{} of {} flows are sick, but what they have in common is not certain.",
                                         tally.sick, tally.judged);
  }
  if (troubled == 0) return fmt::format("None of {} flows is in trouble.", tally.judged);
  if (Share(tally.explained, troubled) < context.thresholds.health_workload_share) {
    return fmt::format("{} of {} flows are sick, too few for a fault of this part.", tally.sick, tally.judged);
  }
  return tally.by_node_limit * 2 > tally.explained
             ? fmt::format("{} of {} flows are in trouble because a node exceeds its bandwidth.", troubled,
                           tally.judged)
             : fmt::format("{} of {} flows are in trouble because of their own workloads.", troubled, tally.judged);
}

HealthIndicator HealthDetector::IndicatorOf(const Context& context, const PartKey& key, const Tally& tally,
                                            double next_votes) {
  const Thresholds& thresholds = context.thresholds;
  HealthIndicator indicator;
  indicator.scope = ScopeOf(context, key, tally);
  indicator.start = epoch_s_ * 1'000;
  indicator.end = context.second() * 1'000;
  indicator.judged = tally.judged;
  indicator.sick = tally.sick;
  indicator.explained = tally.explained;
  indicator.owners = tally.owners.count;
  const bool enough = static_cast<double>(tally.judged) >= thresholds.health_least_flows;
  const uint64_t of = tally.judged - tally.explained;
  const bool sick =
      WilsonLower(static_cast<double>(tally.sick), static_cast<double>(of)) >= thresholds.health_sick_share;
  if (enough && Degraded(context, key, tally, next_votes)) {
    indicator.value = 1;
    const int epochs = ++persists_[key];
    const double owners = std::min(3.0, static_cast<double>(tally.owners.count) - 2);
    indicator.confidence = kBase + kOwner * owners + (tally.to_server && tally.to_client ? kBothWays : 0) +
                           (tally.connects ? kConnects : 0) + (epochs >= thresholds.health_persist ? kPersists : 0);
  } else {
    persists_.erase(key);
    if (enough && !sick) indicator.value = 0;
  }
  indicator.why = Explain(context, tally, indicator.value);
  return indicator;
}

Finding HealthDetector::Describe(const HealthIndicator& indicator, const Tally& tally) {
  Finding finding;
  finding.detector = Detector::network_health;
  finding.kind = SubjectKindName(indicator.scope.kind);
  finding.severity = Severity::kMajor;
  finding.subject = indicator.scope;
  finding.start = indicator.start;
  finding.end = indicator.end;
  Reference reference;
  reference.kind = Reference::Kind::kFlows;
  reference.columns = "retransmits,late_segments,rtt_avg_us,retransmits_syn";
  reference.filter = FlowFilter(indicator.scope);
  reference.from = indicator.start;
  reference.to = indicator.end;
  Add(finding,
      {"sick_flows",
       fmt::format("{} of {} judged flows lose segments, connect late or have round trips far above their usual.",
                   tally.sick, tally.judged),
       static_cast<double>(tally.sick), "flows", kBase, reference});
  Add(finding,
      {"owners",
       fmt::format("They belong to {} workloads{}.", tally.owners.count, tally.owners.count == 8 ? " or more" : ""),
       static_cast<double>(tally.owners.count), "workloads",
       kOwner * std::min(3.0, static_cast<double>(tally.owners.count) - 2), reference});
  if (tally.to_server && tally.to_client) Add(finding, {"both_ways", "Both directions lose.", 1, "", kBothWays, {}});
  if (tally.connects) Add(finding, {"connects", "New connections lose their first packet too.", 1, "", kConnects, {}});
  const double rest = indicator.confidence - finding.points;
  if (rest > 0) Add(finding, {"persists", "It has been so for several epochs.", 1, "", rest, {}});
  Add(finding, {"control", "Flows that differ in this part alone are well.", 0, "", 0, {}});
  finding.verdict = fmt::format("The network is degraded at {}: {}", Title(indicator.scope), indicator.why);
  finding.not_excluded.emplace_back(
      "This is inferred from flows; where in the platform it happens cannot be seen from hosts.");
  finding.advice = indicator.scope.kind == SubjectKind::kNode
                       ? "Drain the node and compare; report it to the platform with this evidence."
                       : "Shift traffic away from it where you can; report it to the platform with this evidence.";
  return finding;
}

HealthIndicator HealthDetector::ClusterIndicator(const Context& context, const Tally& whole, bool any) const {
  HealthIndicator cluster;
  cluster.scope.kind = SubjectKind::kCluster;
  cluster.scope.key = HashText("cluster", 7);
  cluster.start = epoch_s_ * 1'000;
  cluster.end = context.second() * 1'000;
  cluster.judged = whole.judged;
  cluster.sick = whole.sick;
  cluster.explained = whole.explained;
  cluster.owners = whole.owners.count;
  if (any) cluster.value = 1;
  const bool enough = static_cast<double>(whole.judged) >= context.thresholds.health_least_flows;
  const bool sick = WilsonLower(static_cast<double>(whole.sick), static_cast<double>(whole.judged - whole.explained)) >=
                    context.thresholds.health_sick_share;
  if (!any && enough && !sick) cluster.value = 0;
  cluster.why = Explain(context, whole, cluster.value);
  return cluster;
}

void HealthDetector::EndEpoch(const Context& context, FlowTable& flows) {
  judged_.clear();
  Tallies tallies;
  Tally whole;
  flows.Visit([&](FlowState& flow) {
    const std::optional<Judged> judged = JudgeFlow(context, flow);
    flow.EndEpoch();
    if (!judged) return;
    judged_.push_back(*judged);
    Count(tallies, *judged);
    ++whole.judged;
    whole.sick += judged->sick ? 1 : 0;
    whole.explained += judged->explained ? 1 : 0;
    whole.by_node_limit += judged->node_limit ? 1 : 0;
    if (judged->sick) whole.owners.Add(judged->owner);
  });
  std::vector<std::pair<double, PartKey>> votes;
  for (const auto& [key, tally] : tallies) {
    if (tally.votes > 0) votes.emplace_back(tally.votes, key);
  }
  std::sort(votes.begin(), votes.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  indicators_.clear();
  degraded_.clear();
  bool any = false;
  for (const auto& [key, tally] : tallies) {
    const double first = votes.empty() ? 0 : votes[0].first;
    const bool leads = !votes.empty() && votes[0].second == key;
    const double next = leads ? (votes.size() > 1 ? votes[1].first : 0) : first;
    HealthIndicator indicator = IndicatorOf(context, key, tally, next);
    if (indicator.value == 1) degraded_.push_back(Describe(indicator, tally));
    any = any || indicator.value == 1;
    indicators_.push_back(std::move(indicator));
  }
  indicators_.push_back(ClusterIndicator(context, whole, any));
  std::sort(indicators_.begin(), indicators_.end(), [](const auto& a, const auto& b) {
    return a.scope.kind != b.scope.kind ? a.scope.kind < b.scope.kind : a.scope.key < b.scope.key;
  });
  if (taken_.size() + indicators_.size() <= kMaxStored)
    taken_.insert(taken_.end(), indicators_.begin(), indicators_.end());
}

std::vector<HealthIndicator> HealthDetector::TakeEpochs() { return std::exchange(taken_, {}); }

void HealthDetector::Tick(const Context& context, FlowTable& flows) {
  const int64_t now = context.second();
  if (epoch_s_ == 0) epoch_s_ = now;
  if (static_cast<double>(now - epoch_s_) >= context.thresholds.health_epoch_s) {
    EndEpoch(context, flows);
    epoch_s_ = now;
  }
  // Between epochs what was found stands.
  for (const Finding& finding : degraded_) {
    Finding again = finding;
    again.end = context.now;
    context.book.Report(std::move(again), context.now);
  }
}

}  // namespace weir::diagnose

#include "diagnose/detect_failures.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir::diagnose {
namespace {

constexpr double kCertain = 85;       // the answer itself says what happened
constexpr double kSilence = 60;       // nothing answered, nothing more known
constexpr double kSilencePlace = 80;  // and other clients tell where
constexpr double kOverflow = 90;
constexpr double kBlocked = 85;
constexpr double kGivenUp = 45;
constexpr double kSlow = 55;
constexpr double kReset = 55;
constexpr int64_t kStartingMs = 600'000;

// Rule drops of a node around a time.
double RuleDrops(const Context& context, NodeNumber node, int64_t from, int64_t to) {
  const NodeActivity* activity = node == 0 ? nullptr : context.activity.FindNode(node);
  double drops = 0;
  for (int64_t second = from; activity != nullptr && second <= to; ++second) drops += activity->In(second).rule_drops;
  return drops;
}

std::string Plural(uint32_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

}  // namespace

bool FailureDetector::Observe(const Context& context, const FlowSample& sample, const FlowEnds& ends) {
  if (sample.accept_overflows != 0) {
    auto& [second, count] = overflows_[{ends.server, sample.server_port}];
    second = std::max(second, ends.second);
    count += sample.accept_overflows;
  }
  if (ends.client == kNobody) return false;  // a listener's own row
  const PairKey key{ends.client, ends.server, sample.server_port, false};
  auto found = watches_.find(key);
  const bool failing = LooksFailing(sample) || sample.connect_max_us >= context.thresholds.failure_slow_us;
  if (found == watches_.end()) {
    if (!failing || watches_.size() >= kMaxWatched) return false;
    found = watches_.try_emplace(key).first;
    found->second.since_s = ends.second;
  }
  Watch& watch = found->second;
  const auto length = std::max<int64_t>(1, static_cast<int64_t>(context.thresholds.failure_window_s) / 15);
  const int64_t number = ends.second / length;
  Counts& slot = watch.slots[static_cast<size_t>(number) % kSlots];
  if (slot.slot > number) return true;
  if (slot.slot != number) {
    slot = {};
    slot.slot = number;
  }
  const bool patient = sample.failed_after_max_us >= context.thresholds.failure_patient_us;
  slot.opened += sample.connections_opened;
  slot.refused += sample.failed_refused;
  slot.timed_out += sample.failed_timed_out;
  slot.unreachable += sample.failed_unreachable;
  slot.abandoned += patient ? sample.failed_abandoned : 0;
  slot.no_port += sample.failed_no_port;
  slot.other += sample.failed_other;
  slot.reset += sample.closed_reset_by_server + sample.closed_timed_out;
  slot.given_up += sample.closed_timed_out;
  slot.closed += sample.connections_closed;
  slot.syn_again += sample.retransmits_syn;
  if (sample.connections_opened != 0 && sample.connect_max_us >= context.thresholds.failure_slow_us) ++slot.slow;
  watch.latest_s = std::max(watch.latest_s, ends.second);
  watch.connect_max_us = std::max(watch.connect_max_us, sample.connect_max_us);
  if (failing) watch.failed_s = std::max(watch.failed_s, ends.second);
  return true;
}

FailureDetector::Counts FailureDetector::Sum(const Context& context, const Watch& watch) {
  const auto length = std::max<int64_t>(1, static_cast<int64_t>(context.thresholds.failure_window_s) / 15);
  Counts sum;
  for (const Counts& slot : watch.slots) {
    if (slot.slot < 0 || slot.slot <= watch.latest_s / length - static_cast<int64_t>(kSlots)) continue;
    sum.opened += slot.opened;
    sum.refused += slot.refused;
    sum.timed_out += slot.timed_out;
    sum.unreachable += slot.unreachable;
    sum.abandoned += slot.abandoned;
    sum.no_port += slot.no_port;
    sum.other += slot.other;
    sum.reset += slot.reset;
    sum.given_up += slot.given_up;
    sum.closed += slot.closed;
    sum.slow += slot.slow;
    sum.syn_again += slot.syn_again;
  }
  return sum;
}

// Refusals by a pod that has not become ready yet belong to its start.
bool FailureDetector::Starting(const Context& context, PartyNumber server) {
  const model::Pod* pod = context.names.PodOf(server);
  return pod != nullptr && !pod->ready && pod->deletion == 0 && context.now - pod->created < kStartingMs;
}

int64_t FailureDetector::OverflowOf(PartyNumber server, uint16_t port) const {
  const auto found = overflows_.find({server, port});
  return found == overflows_.end() ? -1 : found->second.first;
}

// Attempts nobody answered: what tells a full accept queue, a policy, a dead target and a lost path apart is what else
// is known of the target.
FailureDetector::Cause FailureDetector::Unanswered(const Context& context, const PairKey& key, const Watch& watch,
                                                   const Counts& sum) const {
  const Subject& server = context.names[key.server].subject;
  const uint32_t silent = sum.timed_out + sum.abandoned;
  const int64_t from = watch.failed_s - static_cast<int64_t>(context.thresholds.failure_window_s);
  const auto slack = static_cast<int64_t>(context.thresholds.cross_node_slack_s);
  Cause cause;
  cause.count = silent == 0 ? sum.syn_again : silent;
  cause.sentence = silent == 0 ? fmt::format("{} sent again and not answered yet.",
                                             sum.syn_again == 1 ? "A SYN was" : Plural(sum.syn_again, "SYN") + " were")
                               : fmt::format("{} to it got no answer, {} sent again.", Plural(silent, "attempt"),
                                             sum.syn_again == 1 ? "a SYN was" : Plural(sum.syn_again, "SYN") + " were");
  if (OverflowOf(key.server, key.port) >= from - slack) {
    cause.kind = "accept_overflow";
    cause.points = kOverflow;
    cause.verdict = fmt::format("{} does not accept connections fast enough: its accept queue is full.", Title(server));
    cause.advice = "Accept in more threads or processes, and raise the listen backlog and net.core.somaxconn.";
    return cause;
  }
  const NodeNumber here = context.names.Brief(key.client).node;
  const NodeNumber there = context.names.Brief(key.server).node;
  for (const NodeNumber node : {here, there}) {
    if (node == 0 || RuleDrops(context, node, watch.failed_s - 20, watch.failed_s + slack) < 1) continue;
    const NodeActivity* activity = context.activity.FindNode(node);
    cause.kind = "blocked";
    cause.points = kBlocked;
    cause.verdict =
        fmt::format("A packet rule of {} drops the attempts to reach {}.", context.names.NodeName(node), Title(server));
    cause.advice = "Look at network policies and packet rules at the place named in the evidence.";
    cause.reference =
        NodeReference("drop.rule", context.names.NodeName(node), activity->rule_place, from * 1'000, context.now);
    cause.not_excluded = "The rule may have dropped other packets of that time.";
    return cause;
  }
  const PartyActivity& activity = context.activity.Party(key.server);
  const bool others =
      (activity.served_s >= from && activity.served_to != key.client) || activity.served_other_s >= from;
  const model::Pod* pod = context.names.PodOf(key.server);
  const bool ours = pod != nullptr || context.names.Brief(key.server).seen;
  cause.kind = "timed_out";
  cause.points = silent == sum.timed_out || sum.syn_again != 0 ? kSilence : kGivenUp;
  cause.advice = "Look for a policy, security group or route between the two; on the target see whether it listens.";
  cause.verdict = fmt::format("{} gets no answer from {}.", Title(context.names[key.client].subject), Title(server));
  cause.not_excluded = "A policy that drops silently, a dead host and lost packets look the same from here.";
  if (ours && others && (pod == nullptr || pod->ready)) {
    cause.kind = "policy";
    cause.points = kSilencePlace;
    cause.verdict = fmt::format("Others reach {}, {} does not: something on the way drops what comes from it.",
                                Title(server), Title(context.names[key.client].subject));
    cause.advice = "Look for a network policy or security group that does not admit this client.";
  } else if (pod != nullptr && (!pod->ready || pod->deletion != 0)) {
    cause.kind = "target_down";
    cause.points = kSilencePlace;
    cause.verdict = fmt::format("{} is not ready, and nobody gets an answer from it.", Title(server));
    cause.advice = "Look at the pod's events and logs, and at endpoints that still name it.";
  }
  return cause;
}

FailureDetector::Cause FailureDetector::Resets(const Context& context, const PairKey& key, const Counts& sum) {
  const Subject& server = context.names[key.server].subject;
  const UnixMillis ended = context.names.EndOf(key.server);
  Cause cause;
  cause.kind = "reset_midstream";
  cause.count = sum.reset;
  cause.points = kReset;
  cause.sentence =
      fmt::format("{} of {} connections were reset or given up.", sum.reset, std::max(sum.closed, sum.reset));
  cause.verdict = fmt::format("{} ends open connections by a reset.", Title(server));
  cause.advice = "Look at the server's logs, and at idle timeouts of load balancers between the two.";
  cause.not_excluded = "A server that closes with data unread resets too, and may mean it.";
  if (2 * sum.given_up > sum.reset) {
    cause.kind = "vanished";
    cause.verdict = fmt::format("{} no longer answers on open connections.", Title(server));
    cause.advice = "See whether it still runs, and which load balancer or firewall between the two forgets idle flows.";
    cause.not_excluded = "A dead host, a forgotten flow and a path that is cut look the same from here.";
  }
  if (ended != 0 && context.now - ended <= static_cast<int64_t>(1'000 * (context.thresholds.failure_rollout_s +
                                                                         context.thresholds.failure_window_s))) {
    cause.kind = "rollout";
    cause.points = kCertain;
    cause.verdict = fmt::format("{} was stopped while clients were connected. It is not the network.", Title(server));
    cause.advice = "Drain connections before the pod stops: preStop hook, terminationGracePeriodSeconds.";
    cause.not_excluded.clear();
  }
  return cause;
}

FailureDetector::Cause FailureDetector::CauseOf(const Context& context, const PairKey& key, const Watch& watch,
                                                const Counts& sum) const {
  const Subject& client = context.names[key.client].subject;
  const Subject& server = context.names[key.server].subject;
  const uint32_t silent = sum.timed_out + sum.abandoned;
  const uint32_t most = std::max({sum.refused, silent, sum.unreachable, sum.no_port, sum.other});
  Cause cause;
  if (most == 0 && sum.reset != 0) return Resets(context, key, sum);
  if (most == 0 && sum.opened == 0 && sum.syn_again != 0) return Unanswered(context, key, watch, sum);
  if (most == 0) {
    cause.kind = "slow_connect";
    cause.count = sum.slow;
    cause.points = OverflowOf(key.server, key.port) >= watch.failed_s - 60 ? kOverflow : kSlow;
    cause.sentence = fmt::format("{} needed {} because a SYN was lost.", Plural(sum.slow, "connection"),
                                 MicrosText(watch.connect_max_us));
    cause.verdict =
        fmt::format("Connections of {} to {} open late: their first packet is lost.", Title(client), Title(server));
    cause.advice = "See packet loss on this path and the server's accept queue.";
    return cause;
  }
  if (most == silent) return Unanswered(context, key, watch, sum);
  cause.points = kCertain;
  cause.count = most;
  if (most == sum.refused) {
    cause.kind = "refused";
    cause.sentence = fmt::format("{} were answered by a reset.", Plural(sum.refused, "attempt"));
    cause.verdict = fmt::format("Nothing listens on port {} of {}.", key.port, Title(server));
    cause.advice = "Check the port in the client's configuration and whether the server process runs.";
    if (Starting(context, key.server)) cause.points = 0;
  } else if (most == sum.unreachable) {
    cause.kind = "rejected";
    cause.sentence = fmt::format("{} were rejected by ICMP, or had no route.", Plural(sum.unreachable, "attempt"));
    cause.verdict =
        fmt::format("The way from {} to {} is rejected by a router or a policy.", Title(client), Title(server));
    cause.advice = "Look for a policy that rejects, and at the routes of the client's node.";
  } else if (most == sum.no_port) {
    cause.kind = "no_port";
    cause.sentence = fmt::format("{} found no local port.", Plural(sum.no_port, "attempt"));
    cause.verdict = fmt::format("{} has used up its local ports towards {}.", Title(client), Title(server));
    cause.advice = "Reuse connections, or widen net.ipv4.ip_local_port_range.";
  } else {
    cause.kind = "blocked";
    cause.points = kSilence;
    cause.sentence = fmt::format("{} failed on the client's own machine.", Plural(sum.other, "attempt"));
    cause.verdict = fmt::format("{} may not connect to {}: its own machine refuses it.", Title(client), Title(server));
    cause.advice = "Look at local packet rules and control-group programs of the client's node.";
  }
  return cause;
}

void FailureDetector::Report(const Context& context, const PairKey& key, const Watch& watch, const Counts& sum,
                             const Cause& cause) const {
  Finding finding;
  finding.detector = Detector::connection_failure;
  finding.kind = cause.kind;
  finding.subject = context.names[key.client].subject;
  finding.peer = context.names[key.server].subject;
  finding.variant = key.port;
  finding.start = watch.since_s * 1'000;
  finding.end = (watch.failed_s + 1) * 1'000;
  const Reference flows = FlowReference(
      "connections_failed,failed_refused,failed_timed_out,failed_unreachable,retransmits_syn,closed_reset_by_server",
      finding.subject, finding.peer, finding.start, finding.end);
  Add(finding, {cause.kind, cause.sentence, cause.count, "connections", cause.points, flows});
  if (cause.reference.kind != Reference::Kind::kNone) {
    Add(finding,
        {"drops", fmt::format("Packets were dropped there: {}.", cause.reference.subject), 0, "", 0, cause.reference});
  }
  if (cause.kind == "accept_overflow") {
    const auto overflow = overflows_.find({key.server, key.port});
    const double count = overflow == overflows_.end() ? 0 : static_cast<double>(overflow->second.second);
    Add(finding,
        {"accept_overflows", fmt::format("Its kernel dropped {:.0f} connections for a full accept queue.", count),
         count, "connections", 0, flows});
  }
  Add(finding, {"opened",
                fmt::format("{} opened in the same time.", Plural(sum.opened, "connection")),
                static_cast<double>(sum.opened),
                "connections",
                0,
                {}});
  const bool all = sum.opened == 0 && sum.failed() != 0;
  finding.severity = cause.kind == "rollout" ? Severity::kInfo : all ? Severity::kMajor : Severity::kMinor;
  finding.verdict = cause.verdict;
  finding.advice = cause.advice;
  if (!cause.not_excluded.empty()) finding.not_excluded.push_back(cause.not_excluded);
  context.book.Report(std::move(finding), context.now);
}

// Many fail, or most of the few there were: one in a hundred is ordinary life, and so is a reset now and then.
bool FailureDetector::Fires(const Thresholds& thresholds, const Counts& sum) {
  const uint32_t waiting = sum.opened == 0 ? sum.syn_again : 0;  // attempts still under way
  // A patient client gives up one attempt while its SYNs were sent again many times: the latter tell as much.
  const double troubled = std::max({sum.failed(), sum.slow, waiting});
  const double attempts = std::max(sum.failed(), waiting) + sum.opened;
  if (troubled >= thresholds.failure_least && troubled >= thresholds.failure_share * attempts) return true;
  return sum.failed() == 0 && sum.reset >= thresholds.failure_resets &&
         sum.reset >= thresholds.failure_reset_share * std::max(sum.closed, sum.reset);
}

void FailureDetector::Tick(const Context& context) {
  const Thresholds& thresholds = context.thresholds;
  const int64_t now = context.second();
  const auto window = static_cast<int64_t>(thresholds.failure_window_s);
  for (auto entry = watches_.begin(); entry != watches_.end();) {
    const Watch& watch = entry->second;
    if (now - watch.failed_s > window) {
      entry = watches_.erase(entry);
      continue;
    }
    const Counts sum = Sum(context, watch);
    const bool fires = Fires(thresholds, sum);
    const bool recent = static_cast<double>(now - watch.failed_s) <= thresholds.clear_after_s;
    if (fires && recent) Report(context, entry->first, watch, sum, CauseOf(context, entry->first, watch, sum));
    ++entry;
  }
  std::erase_if(overflows_, [&](const auto& entry) { return now - entry.second.first > 2 * window; });
}

}  // namespace weir::diagnose

#include "diagnose/detect_dns.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir::diagnose {
namespace {

constexpr int64_t kSlotLength = 5;
constexpr double kTimeouts = 80;
constexpr double kFailures = 85;
constexpr double kSlow = 70;
constexpr double kRetry = 75;  // answers five seconds late: the resolver's retry
constexpr double kWaste = 60;
constexpr double kLinkLocal = 95;
constexpr double kRetryUs = 5e6;
constexpr double kRetrySpread = 0.1;

double QuantileOf(const std::array<uint32_t, model::kHistogramBuckets>& buckets, double q) {
  uint64_t total = 0;
  for (const uint32_t count : buckets) total += count;
  double seen = 0;
  for (uint32_t bucket = 0; bucket < buckets.size(); ++bucket) {
    seen += buckets[bucket];
    if (buckets[bucket] != 0 && seen >= q * static_cast<double>(total)) return model::BucketMiddle(bucket);
  }
  return 0;
}

bool IsFailure(const RequestSample& sample) { return sample.result == "SERVFAIL" || sample.result == "REFUSED"; }

double Part(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

void DnsDetector::Observe(const Context& context, const RequestSample& sample, const FlowEnds& ends) {
  if (ends.client == kNobody || (watches_.size() >= kMaxWatched && !watches_.contains(ends.client))) return;
  (void)context;
  Watch& watch = watches_[ends.client];
  const int64_t number = ends.second / kSlotLength;
  Counts& slot = watch.slots[static_cast<size_t>(number) % kSlots];
  if (slot.slot > number) return;
  if (slot.slot != number) {
    slot = {};
    slot.slot = number;
  }
  slot.queries += sample.requests;
  slot.unanswered += sample.requests_unanswered;
  slot.repeated += sample.requests_repeated;
  if (IsFailure(sample)) slot.failed += sample.requests;
  if (sample.result == "NXDOMAIN") slot.missing += sample.requests;
  for (const auto& [bucket, count] : sample.request_latency.histogram.buckets()) slot.latency[bucket] += count;
  // Around five seconds: the resolver asked again after its own time limit.
  const auto max_us = static_cast<double>(sample.request_latency.max_us);
  if (max_us >= kRetryUs * (1 - kRetrySpread) && max_us <= kRetryUs * (1 + kRetrySpread)) ++slot.late;
  watch.latest_s = std::max(watch.latest_s, ends.second);
  watch.resolver = ends.server;
  if (IsFailure(sample) || sample.requests_unanswered != 0 || sample.result == "NXDOMAIN")
    watch.example = sample.resource;
}

DnsDetector::Counts DnsDetector::Sum(const Watch& watch) {
  Counts sum;
  for (const Counts& slot : watch.slots) {
    if (slot.slot < 0 || slot.slot <= watch.latest_s / kSlotLength - static_cast<int64_t>(kSlots)) continue;
    sum.queries += slot.queries;
    sum.unanswered += slot.unanswered;
    sum.repeated += slot.repeated;
    sum.failed += slot.failed;
    sum.missing += slot.missing;
    sum.late += slot.late;
    for (size_t bucket = 0; bucket < sum.latency.size(); ++bucket) sum.latency[bucket] += slot.latency[bucket];
  }
  return sum;
}

// Where the first of the last minute's troubled slots begins.
int64_t DnsDetector::FirstTrouble(const Watch& watch) {
  int64_t first = watch.latest_s;
  for (const Counts& slot : watch.slots) {
    const bool troubled = slot.unanswered + slot.repeated + slot.failed + slot.missing + slot.late != 0;
    if (troubled && slot.slot > watch.latest_s / kSlotLength - static_cast<int64_t>(kSlots)) {
      first = std::min(first, slot.slot * kSlotLength);
    }
  }
  return first;
}

DnsDetector::Trouble DnsDetector::TroubleOf(const Context& context, const Watch& watch, const Counts& sum) {
  const Thresholds& thresholds = context.thresholds;
  const auto enough = [&](uint64_t count, double share) {
    const auto events = static_cast<double>(count);
    return events >= thresholds.dns_events && WilsonLower(events, static_cast<double>(sum.queries)) >= share;
  };
  const uint64_t lost = std::max(sum.unanswered, sum.repeated);
  const std::string of = fmt::format("of {} queries", sum.queries);
  if (enough(lost, thresholds.dns_timeout_share)) {
    return {"timeout", static_cast<double>(lost), kTimeouts, fmt::format("{} {} got no answer in time.", lost, of),
            fmt::format("See whether {} is up and reachable, and whether the node drops packets to it.",
                        Title(context.names[watch.resolver].subject))};
  }
  if (enough(sum.failed, thresholds.dns_failure_share)) {
    return {"server_failure", static_cast<double>(sum.failed), kFailures,
            fmt::format("{} {} were answered by SERVFAIL or REFUSED.", sum.failed, of),
            "Look at the resolver's logs and at the servers it asks."};
  }
  if (enough(sum.late, 0)) {
    return {"retry", static_cast<double>(sum.late), kRetry,
            fmt::format("{} answers came five seconds late, after a retry.", sum.late),
            "Look for lost DNS packets: a connection tracking race, or a rate limit towards the resolver."};
  }
  const double p95 = QuantileOf(sum.latency, 0.95);
  if (p95 >= thresholds.dns_slow_us) {
    return {"slow", p95, kSlow, fmt::format("The slowest twentieth of answers took {} or more.", MicrosText(p95)),
            "Look at the resolver's load and at how far the servers are that it asks."};
  }
  // Names that do not exist, asked over and over: every name is tried with each suffix of the search list.
  if (static_cast<double>(sum.missing) >= 10 * thresholds.dns_events &&
      enough(sum.missing, thresholds.dns_waste_share)) {
    return {"search_list", Part(sum.missing, sum.queries), kWaste,
            fmt::format("{} {} asked for names that do not exist, such as {}.", sum.missing, of, watch.example),
            "Ask for full names with a dot at their end, or set ndots:1 in the pod's dnsConfig."};
  }
  return {};
}

void DnsDetector::Report(const Context& context, PartyNumber client, Watch& watch, const Counts& sum,
                         const Trouble& trouble) const {
  Finding finding;
  finding.detector = Detector::dns;
  finding.kind = trouble.kind;
  finding.subject = context.names[client].subject;
  finding.peer = context.names[watch.resolver].subject;
  finding.start = watch.since_s * 1'000;
  finding.end = (watch.latest_s + 1) * 1'000;
  Reference reference = FlowReference("requests,requests_unanswered,requests_failed,request_latency_p99_us",
                                      finding.subject, {}, finding.start, finding.end);
  reference.kind = Reference::Kind::kRequests;
  reference.filter = reference.filter.empty() ? "application = dns" : reference.filter + " and application = dns";
  Add(finding, {trouble.kind, trouble.sentence, trouble.value, trouble.kind == "slow" ? "us" : "queries",
                trouble.points, reference});
  const NodeNumber node = context.names.Brief(client).node;
  const NodeActivity* activity = node == 0 ? nullptr : context.activity.FindNode(node);
  const auto& link_local =
      activity == nullptr ? RecentSeconds{} : activity->breached[static_cast<size_t>(Resource::kLinkLocal)];
  if (link_local.Count(watch.latest_s, 60) > 0) {
    finding.kind = "link_local";
    Add(finding,
        {"allowance.link_local_exceeded", "The node sent more packets to DNS and metadata than it may.", 1, "",
         std::max(0.0, kLinkLocal - finding.points),
         NodeReference("allowance.link_local_exceeded", context.names.NodeName(node), "", finding.start, finding.end)});
  }
  finding.severity = trouble.kind == "search_list" || trouble.kind == "slow" ? Severity::kMinor : Severity::kMajor;
  finding.verdict =
      trouble.kind == "search_list"
          ? fmt::format("{} wastes most of its DNS queries on names that do not exist.", Title(finding.subject))
          : fmt::format("{} has trouble with names: {}", Title(finding.subject), trouble.sentence);
  finding.advice = finding.kind == "link_local" ? "Cache DNS on the node (NodeLocal DNSCache)." : trouble.advice;
  if (trouble.kind == "timeout")
    finding.not_excluded.emplace_back("Whether the query or its answer was lost cannot be seen here.");
  if (const Finding* load = context.book.FindAny(Detector::model_load, finding.subject.key);
      load != nullptr && load->state == FindingState::kOpen) {
    finding.related.push_back(load->id);
    Add(finding, {"load_waits", "A model load of this pod is under way and may wait for a name.", 1, "", 0, {}});
  }
  (void)sum;
  context.book.Report(std::move(finding), context.now);
}

void DnsDetector::Tick(const Context& context) {
  const int64_t now = context.second();
  for (auto& [client, watch] : watches_) {
    const bool fresh = static_cast<double>(now - watch.latest_s) <= context.thresholds.clear_after_s;
    const Counts sum = Sum(watch);
    const bool enough = static_cast<double>(sum.queries) >= context.thresholds.dns_least_queries;
    const Trouble trouble = fresh && enough ? TroubleOf(context, watch, sum) : Trouble{};
    if (trouble.kind.empty()) {
      watch.since_s = 0;
      continue;
    }
    if (watch.since_s == 0) watch.since_s = FirstTrouble(watch);
    Report(context, client, watch, sum, trouble);
  }
  std::erase_if(watches_, [&](const auto& entry) { return now - entry.second.latest_s > 120; });
}

}  // namespace weir::diagnose

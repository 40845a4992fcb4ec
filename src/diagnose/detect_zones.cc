#include "diagnose/detect_zones.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir::diagnose {
namespace {

constexpr double kShare = 60;
constexpr double kSlower = 25;  // a measured difference of round trips
constexpr double kSlowerUs = 200;
constexpr double kSecondsPerDay = 86'400;
constexpr double kGiga = 1e9;
constexpr size_t kMaxWorkloads = 20'000;

double Part(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

int64_t ZoneDetector::Length(const Context& context) {
  return std::max<int64_t>(1, static_cast<int64_t>(context.thresholds.zone_window_s) / static_cast<int64_t>(kSlots));
}

void ZoneDetector::Observe(const Context& context, const RequestSample& sample, const FlowEnds& ends) {
  const PartyBrief& client = context.names.Brief(ends.client);
  const PartyBrief& server = context.names.Brief(ends.server);
  if (client.zone == 0 || server.zone == 0 || server.workload == 0) return;
  if (watches_.size() >= kMaxWorkloads && !watches_.contains(server.workload)) return;
  Watch& watch = watches_[server.workload];
  if (tracked_.size() <= server.workload) tracked_.resize(server.workload + 1, false);
  tracked_[server.workload] = true;
  const int64_t number = ends.second / Length(context);
  Counts& slot = watch.slots[static_cast<size_t>(number) % kSlots];
  if (slot.slot > number) return;
  if (slot.slot != number) {
    slot = {};
    slot.slot = number;
  }
  slot.requests += sample.requests;
  slot.streamed += sample.requests_streamed;
  if (client.zone != server.zone) slot.across += sample.requests;
  watch.example = ends.server;
  if (watch.first_s == 0) watch.first_s = ends.second;
  watch.latest_s = std::max(watch.latest_s, ends.second);
}

void ZoneDetector::Observe(const Context& context, const FlowSample& sample, const FlowEnds& ends) {
  const PartyBrief& client = context.names.Brief(ends.client);
  const PartyBrief& server = context.names.Brief(ends.server);
  const auto found = watches_.find(server.workload);
  if (found == watches_.end() || client.zone == 0) return;
  Watch& watch = found->second;
  const bool across = client.zone != server.zone;
  Path& path = across ? watch.across : watch.inside;
  path.Note(sample.client_rtt.min_us);
  path.Note(sample.server_rtt.min_us);
  const int64_t number = ends.second / Length(context);
  Counts& slot = watch.slots[static_cast<size_t>(number) % kSlots];
  if (across && slot.slot == number) slot.bytes_across += sample.to_server.bytes + sample.to_client.bytes;
}

ZoneDetector::Counts ZoneDetector::Sum(const Watch& watch, int64_t slots, int64_t length) {
  Counts sum;
  const int64_t latest = watch.latest_s / length;
  int64_t first = latest;
  for (const Counts& slot : watch.slots) {
    if (slot.slot < 0 || slot.slot <= latest - slots) continue;
    first = std::min(first, slot.slot);
    sum.requests += slot.requests;
    sum.across += slot.across;
    sum.streamed += slot.streamed;
    sum.bytes_across += slot.bytes_across;
  }
  sum.from_s = first * length;
  sum.to_s = watch.latest_s + 1;
  return sum;
}

Finding ZoneDetector::Begin(const Context& context, NameNumber workload, const Watch& watch) {
  Finding finding;
  finding.detector = Detector::cross_zone;
  finding.kind = "requests";
  finding.subject = context.names[watch.example].subject;
  if (!finding.subject.workload.empty()) {
    finding.subject.kind = SubjectKind::kWorkload;
    finding.subject.pod.clear();
    finding.subject.node.clear();
    finding.subject.zone.clear();
    finding.subject.key = HashText(context.names.Text(workload), 4);
  }
  finding.start = watch.since_s * 1'000;
  finding.end = (watch.latest_s + 1) * 1'000;
  return finding;
}

void ZoneDetector::Report(const Context& context, NameNumber workload, Watch& watch, const Counts& sum) {
  const Names::ServiceZones service = context.names.ServiceOf(watch.example);
  if (watch.since_s == 0) watch.since_s = std::max(sum.from_s, watch.first_s);
  Finding finding = Begin(context, workload, watch);
  const double share = Part(sum.across, sum.requests);
  const double per_day = static_cast<double>(sum.bytes_across) * kSecondsPerDay /
                         std::max<double>(1, static_cast<double>(sum.to_s - sum.from_s));
  const double usd = per_day / kGiga * context.thresholds.zone_usd_per_gb;
  watch.before_share = std::max(watch.before_share, share);
  watch.before_bytes_per_day = std::max(watch.before_bytes_per_day, per_day);
  Reference reference =
      FlowReference("requests,bytes,rtt_min_us", {}, finding.subject, sum.from_s * 1'000, sum.to_s * 1'000);
  Add(finding,
      {"requests_across",
       fmt::format("{} of {} requests ({}) came from another zone.", sum.across, sum.requests, PercentText(share)),
       share, "", kShare, reference});
  const double slower = watch.across.rtt_us - watch.inside.rtt_us;
  if (watch.inside.rtt_us > 0 && slower >= kSlowerUs) {
    Add(finding, {"round_trip",
                  fmt::format("A round trip across takes {}, {} more than within a zone.",
                              MicrosText(watch.across.rtt_us), MicrosText(slower)),
                  slower, "us", kSlower, reference});
  }
  std::string zones;
  for (const auto& [zone, ready] : service.ready_by_zone)
    zones += fmt::format("{}{}: {}", zones.empty() ? "" : ", ", zone, ready);
  Add(finding, {"endpoints",
                fmt::format("Ready endpoints by zone: {}.", zones),
                static_cast<double>(service.ready_by_zone.size()),
                "zones",
                0,
                {}});
  Add(finding, {"saving",
                fmt::format("Kept in their zones they would save {} a day ({:.2f} USD).", BytesText(per_day), usd),
                usd,
                "USD/day",
                0,
                {}});
  finding.verdict =
      fmt::format("{} of the requests to {} cross zones although each of their zones has ready endpoints.",
                  PercentText(share), Title(finding.subject));
  finding.advice =
      "Set trafficDistribution: PreferClose on the service (or topology-aware routing), with endpoints in every zone.";
  finding.not_excluded.emplace_back("Clients in one zone only may need the endpoints of another for capacity.");
  finding.severity = Severity::kMinor;
  context.book.Report(std::move(finding), context.now);
  watch.firing = true;
}

// It fired, and now hardly anything crosses: what changed, in numbers.
void ZoneDetector::Prove(const Context& context, NameNumber workload, Watch& watch, const Counts& now) {
  Finding finding = Begin(context, workload, watch);
  if (const Finding* open = context.book.Find(Detector::cross_zone, finding.subject.key); open != nullptr)
    finding = *open;
  const double share = Part(now.across, now.requests);
  const double per_day = static_cast<double>(now.bytes_across) * kSecondsPerDay /
                         std::max<double>(1, static_cast<double>(now.to_s - now.from_s));
  // The proof outweighs what was said before, so that the book keeps it.
  Add(finding,
      {"before_and_after",
       fmt::format("Before, {} of requests and {} a day crossed zones; now {} and {}.", PercentText(watch.before_share),
                   BytesText(watch.before_bytes_per_day), PercentText(share), BytesText(per_day)),
       share,
       "",
       1,
       {}});
  finding.verdict = fmt::format("Requests to {} stay in their zones now: {} cross, {} did before.",
                                Title(finding.subject), PercentText(share), PercentText(watch.before_share));
  context.book.Close(std::move(finding), "clean", context.now);
  watch.firing = false;
  watch.since_s = 0;
  watch.before_share = watch.before_bytes_per_day = 0;
}

void ZoneDetector::Tick(const Context& context) {
  const Thresholds& thresholds = context.thresholds;
  const int64_t length = Length(context);
  for (auto& [workload, watch] : watches_) {
    if (static_cast<double>(context.second() - watch.latest_s) > thresholds.late_after_s) continue;
    const Counts sum = Sum(watch, kSlots, length);
    const Counts recent = Sum(watch, 2, length);
    const double recent_share = Part(recent.across, recent.requests);
    if (watch.firing && static_cast<double>(recent.requests) * kSlots >= thresholds.zone_least_requests &&
        recent_share < thresholds.zone_share / 2) {
      Prove(context, workload, watch, recent);
      continue;
    }
    if (sum.streamed == 0 || static_cast<double>(sum.requests) < thresholds.zone_least_requests) continue;
    if (Part(sum.across, sum.requests) < thresholds.zone_share || recent_share < thresholds.zone_share / 2) continue;
    // Without ready endpoints in several zones nothing could stay at home.
    if (context.names.ServiceOf(watch.example).ready_by_zone.size() < 2) continue;
    Report(context, workload, watch, sum);
  }
  std::erase_if(watches_, [&](const auto& entry) {
    const bool old = static_cast<double>(context.second() - entry.second.latest_s) > 2 * thresholds.zone_window_s;
    if (old) tracked_[entry.first] = false;
    return old;
  });
}

}  // namespace weir::diagnose

#include "agent/metrics/flow_totals.h"

#include <algorithm>
#include <utility>

#include "base/metrics.h"

namespace weir::agent::metrics {
namespace {

using model::AgentFamily;

constexpr Nanos kMinute = 60'000'000'000;
constexpr Nanos kForgetAfter = 10 * kMinute;
constexpr size_t kMaxResults = 16;  // response codes there are, and timeout
constexpr size_t kShortContainerId = 12;
constexpr std::string_view kHostInterface = "host";  // of pods that have none of their own

}  // namespace

FlowTotals::Totals* FlowTotals::Find(const model::LocalIdentity& identity, Nanos now) {
  const std::string& key = identity.pod_uid.empty() ? identity.container : identity.pod_uid;
  if (key.empty()) return nullptr;
  auto found = pods_.find(key);
  if (found == pods_.end()) {
    if (pods_.size() >= kMaxPods) {
      Count(Metric::agent_metrics_pods_full);
      return nullptr;
    }
    found = pods_.emplace(key, Item{identity.pod_uid, identity.container, {}}).first;
    found->second.totals.created = clock_.WallMillis();
  }
  found->second.totals.heard = now;
  return &found->second.totals;
}

void FlowTotals::AddTransport(const model::SideReport& report, Totals& totals) const {
  const model::SideCounters& counters = report.counters;
  const std::array<uint64_t, kFailures.size()> failed{counters.failed_refused,     counters.failed_timed_out,
                                                      counters.failed_unreachable, counters.failed_abandoned,
                                                      counters.failed_no_port,     counters.failed_other};
  if (report.ends.side == model::Side::kClient) {
    for (size_t i = 0; i < failed.size(); ++i) totals.failed[i] += failed[i];
  }
  totals.late_segments += counters.late_segments;
  if (report.ends.netns != host_netns_) return;
  totals.on_host = true;
  totals.bytes_received += counters.bytes_received;
  totals.bytes_sent += counters.bytes_sent;
  totals.packets_received += counters.segments_received;
  totals.packets_sent += counters.segments_sent;
  if (report.ends.protocol != model::Protocol::kTcp) return;
  (report.ends.side == model::Side::kServer ? totals.accepted : totals.tried) += counters.opened;
}

void FlowTotals::AddDns(const model::SideReport& report, Totals& totals) {
  const auto found = std::find_if(totals.dns.begin(), totals.dns.end(),
                                  [&](const auto& item) { return item.first == report.request.result; });
  if (found != totals.dns.end()) {
    found->second += report.counters.requests;
  } else if (totals.dns.size() < kMaxResults) {
    totals.dns.emplace_back(report.request.result, report.counters.requests);
  }
  totals.dns_duration.Add(report.counters.request_latency_histogram, report.counters.request_latency_sum_us);
}

void FlowTotals::Add(const std::vector<model::SideReport>& reports) {
  const Nanos now = clock_.MonotonicNanos();
  const std::lock_guard lock(mutex_);
  for (const model::SideReport& report : reports) {
    const bool dns = report.request.application == "dns";
    if (!report.request.empty() && !dns) continue;
    Totals* totals = Find(report.identity, now);
    if (totals == nullptr) continue;
    dns ? AddDns(report, *totals) : AddTransport(report, *totals);
  }
  if (now < next_sweep_) return;
  next_sweep_ = now + kMinute;
  std::erase_if(pods_, [now](const auto& item) { return now - item.second.totals.heard > kForgetAfter; });
}

std::vector<FlowTotals::Item> FlowTotals::Take() const {
  std::vector<Item> items;
  const std::lock_guard lock(mutex_);
  items.reserve(pods_.size());
  for (const auto& [key, item] : pods_) items.push_back(item);
  return items;
}

FlowSamples::FlowSamples(const std::vector<FlowTotals::Item>& items, const std::vector<PodLabels>& pods,
                         const LabelContext& common, const NamePod& name_pod) {
  static const FlowTotals::Totals kNothing;
  std::vector<const FlowTotals::Totals*> totals;
  for (const FlowTotals::Item& item : items) {
    PodLabels labels = name_pod(item.uid, item.container);
    if (!labels.known()) {
      labels.uid = item.uid;
      labels.pod = item.uid.empty() ? item.container.substr(0, kShortContainerId) : item.uid;
    }
    labels_.push_back(std::move(labels));
    totals.push_back(&item.totals);
  }
  const auto same = [](const PodLabels& a, const PodLabels& b) {
    return a.pod == b.pod && a.name_space == b.name_space;
  };
  const size_t heard = labels_.size();
  for (const PodLabels& pod : pods) {
    const auto end = labels_.begin() + static_cast<std::ptrdiff_t>(heard);
    if (std::any_of(labels_.begin(), end, [&](const PodLabels& labels) { return same(labels, pod); })) continue;
    labels_.push_back(pod);
    totals.push_back(&kNothing);
  }
  for (size_t i = 0; i < labels_.size(); ++i) {
    LabelContext context = common;
    context.name_space = labels_[i].name_space;
    context.pod = labels_[i].pod;
    context.iface = kHostInterface;
    rows_.push_back({context, totals[i]});
  }
}

void FlowSamples::AddHostTraffic(AgentFamily family, const Row& row, FamilyOut& out) {
  const FlowTotals::Totals& totals = *row.totals;
  const auto add = [&](uint64_t value, std::string_view own = "") {
    out.Add(row.context, own, static_cast<double>(value), totals.created);
  };
  switch (family) {
    case AgentFamily::ingress_bytes: return add(totals.bytes_received);
    case AgentFamily::egress_bytes: return add(totals.bytes_sent);
    case AgentFamily::ingress_packets: return add(totals.packets_received);
    case AgentFamily::egress_packets: return add(totals.packets_sent);
    case AgentFamily::ingress_flow: return add(totals.accepted);
    case AgentFamily::egress_flow: return add(totals.tried);
    case AgentFamily::host_pod_io: add(totals.bytes_received, "receive"); return add(totals.bytes_sent, "transmit");
    default: return;
  }
}

void FlowSamples::AddCounts(AgentFamily family, const Row& row, FamilyOut& out) {
  const FlowTotals::Totals& totals = *row.totals;
  switch (family) {
    case AgentFamily::tcp_failed:
      for (size_t i = 0; i < totals.failed.size(); ++i) {
        out.Add(row.context, FlowTotals::kFailures[i], static_cast<double>(totals.failed[i]), totals.created);
      }
      return;
    case AgentFamily::tcp_late:
      return out.Add(row.context, "", static_cast<double>(totals.late_segments), totals.created);
    case AgentFamily::dns_lookups:
      for (const auto& [result, count] : totals.dns) {
        out.Add(row.context, result, static_cast<double>(count), totals.created);
      }
      return;
    case AgentFamily::dns_duration: {
      if (totals.dns_duration.empty()) return;
      static const std::vector<double> kBounds = model::kLookupBounds.InSeconds();
      std::vector<uint64_t> buckets;
      return out.AddHistogram(row.context, totals.dns_duration.Show(model::kLookupBounds, kBounds, buckets),
                              totals.created);
    }
    default: return;
  }
}

void FlowSamples::AddTo(AgentFamily family, FamilyOut& out) const {
  for (const Row& row : rows_) {
    if (row.totals->on_host) AddHostTraffic(family, row, out);
    AddCounts(family, row, out);
  }
}

}  // namespace weir::agent::metrics

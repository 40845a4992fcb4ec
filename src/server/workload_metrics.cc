#include "server/workload_metrics.h"

#include <algorithm>
#include <span>

#include "base/metrics.h"
#include "model/metric_families.h"

namespace weir::server {
namespace {

using model::FlowRow;
using model::ServerFamily;

constexpr int64_t kSweepPeriodMs = 60'000;
// A failed attempt or a lost segment is worth this many bytes when pairs compete for a series.
constexpr double kTroubleWeight = 100'000;
constexpr double kConnectionWeight = 1'000;
constexpr char kSeparator = '\n';  // names have no control characters
constexpr std::string_view kOther = "(other)";
constexpr auto kDirections = std::to_array<std::string_view>({"to_server", "to_client"});
constexpr auto kResults = std::to_array<std::string_view>({"2xx", "3xx", "4xx", "5xx", "other"});
constexpr size_t kMaxResults = 24;
constexpr size_t kMaxLabels = 8;

void AppendPart(std::string& key, std::string_view part) {
  if (!key.empty()) key += kSeparator;
  key += part;
}

std::string PairKey(const FlowRow& row) {
  const model::Entity& client = model::Of(row.client);
  const model::Entity& server = model::Of(row.server);
  std::string key = client.namespace_;
  key.reserve(128);
  key += kSeparator;
  key += WorkloadNameOf(client, row.client_address);
  AppendPart(key, server.namespace_);
  AppendPart(key, WorkloadNameOf(server, row.server_address));
  return key;
}

size_t ResultClass(std::string_view result) {
  if (result.size() != 3 || result[0] < '2' || result[0] > '5') return kResults.size() - 1;
  return static_cast<size_t>(result[0] - '2');
}

// The parts of a key as label values, then what the family adds.
class Labels {
 public:
  explicit Labels(std::string_view key) {
    while (true) {
      const size_t end = key.find(kSeparator);
      values_[count_++] = key.substr(0, end);
      if (end == std::string_view::npos || count_ == kMaxLabels) return;
      key = key.substr(end + 1);
    }
  }
  static Labels Other(size_t count) {
    Labels labels("");
    for (size_t i = 0; i < count; ++i) labels.values_[i] = kOther;
    labels.count_ = count;
    return labels;
  }
  std::span<const std::string_view> With(std::initializer_list<std::string_view> more = {}) {
    std::copy(more.begin(), more.end(), values_.begin() + static_cast<std::ptrdiff_t>(count_));
    return {values_.data(), count_ + more.size()};
  }

 private:
  std::array<std::string_view, 2 * kMaxLabels> values_;
  size_t count_ = 0;
};

// Visits a family over a table: show(totals, labels, created) for each entry and for the others together.
template <typename Totals, typename Show>
void VisitFamily(ServerFamily family, const TopTable<Totals>& table, size_t key_parts, MetricVisitor& visitor,
                 Show show) {
  if (table.size() == 0 && !table.has_other()) return;
  visitor.Begin(model::Describe(family).family);
  table.ForEach([&](const std::string& key, const auto& entry) {
    Labels labels(key);
    show(entry.totals, labels, entry.created);
  });
  if (!table.has_other()) return;
  Labels labels = Labels::Other(key_parts);
  show(table.other().totals, labels, table.other().created);
}

// The same for a histogram of each entry; those without samples are left out.
template <typename Totals, typename Member>
void VisitHistogram(ServerFamily family, const TopTable<Totals>& table, size_t key_parts,
                    const model::ShownBounds& shown, Member member, MetricVisitor& visitor) {
  const std::vector<double> bounds = shown.InSeconds();
  std::vector<uint64_t> buckets;
  VisitFamily(family, table, key_parts, visitor, [&](const Totals& totals, Labels& labels, UnixMillis created) {
    const model::HistogramTotal& histogram = totals.*member;
    if (!histogram.empty()) visitor.AddHistogram(labels.With(), histogram.Show(shown, bounds, buckets), created);
  });
}

}  // namespace

std::string WorkloadNameOf(const model::Entity& end, const model::Address& address) {
  if (!end.workload.empty()) return end.workload;
  if (!end.pod.empty()) return end.pod;
  if (!end.external_name.empty()) return end.external_name;
  if (!end.cloud_service.empty()) return end.cloud_service;
  if (!end.container_name.empty()) return end.container_name;
  if (!end.netns_name.empty()) return end.netns_name;
  if (!end.unit.empty()) return end.unit;
  if (!end.process.empty()) return end.process;
  if (!end.node.empty()) return end.node;
  if (address.is_unspecified()) return "unknown";
  return address.is_public() ? "internet" : "private";
}

WorkloadMetrics::WorkloadMetrics(WorkloadMetricsOptions options, const Clock& clock)
    : options_(options),
      clock_(clock),
      pairs_(options.max_pairs),
      zones_(options.max_pairs),
      served_(2 * options.max_workloads),
      asked_(options.max_workloads) {}

void WorkloadMetrics::Take(const LiveBlockRef& block) {
  if (block->late) {
    Count(Metric::server_pair_rows_late, block->rows.size());
  } else {
    Add(block->rows);
  }
}

void WorkloadMetrics::Lost(size_t items) { Count(Metric::server_pair_rows_lost, items); }

void WorkloadMetrics::Add(const std::vector<FlowRow>& rows) {
  const UnixMillis now = clock_.WallMillis();
  const std::lock_guard lock(mutex_);
  for (const FlowRow& row : rows) {
    if (row.application == "dns" && !row.operation.empty()) {
      AddDns(row, now);
    } else if (row.requests + row.requests_unusable > 0) {
      AddHttp(row, now);
    } else {
      AddTransport(row, now);
    }
  }
  if (now < next_sweep_) return;
  next_sweep_ = now + kSweepPeriodMs;
  pairs_.Sweep(now, options_.time_to_live_ms);
  zones_.Sweep(now, options_.time_to_live_ms);
  served_.Sweep(now, options_.time_to_live_ms);
  asked_.Sweep(now, options_.time_to_live_ms);
  SetGauge(Metric::server_pairs, pairs_.size());
  SetGauge(Metric::server_pairs_folded, pairs_.candidates());
}

void WorkloadMetrics::AddTransport(const FlowRow& row, UnixMillis now) {
  const std::string key = PairKey(row);
  const uint64_t bytes = row.bytes_to_server + row.bytes_to_client;
  const double trouble =
      static_cast<double>(row.connections_failed + model::Retransmits(row) + model::LateSegments(row));
  const double weight = static_cast<double>(bytes) + kTroubleWeight * trouble +
                        kConnectionWeight * static_cast<double>(row.connections_opened);
  bool folded = false;
  Pair& pair = pairs_.At(key, weight, now, &folded);
  if (folded) Count(Metric::server_pair_rows_folded);
  pair.bytes[0] += row.bytes_to_server;
  pair.bytes[1] += row.bytes_to_client;
  pair.segments[0] += row.segments_to_server;
  pair.segments[1] += row.segments_to_client;
  pair.retransmitted[0] += row.retransmits_to_server;
  pair.retransmitted[1] += row.retransmits_to_client;
  pair.timeouts[0] += row.timeouts_to_server;
  pair.timeouts[1] += row.timeouts_to_client;
  pair.late[0] += row.late_segments_to_server;
  pair.late[1] += row.late_segments_to_client;
  pair.opened += row.connections_opened;
  pair.connects += row.connect_count;
  pair.connect_sum_us += row.connect_sum_us;
  pair.cost_nano_usd += row.cost_nano_usd;
  pair.overflows += row.accept_overflows;
  const std::array<uint64_t, kFailures.size()> failed{row.failed_refused,     row.failed_timed_out,
                                                      row.failed_unreachable, row.failed_abandoned,
                                                      row.failed_no_port,     row.failed_other};
  for (size_t i = 0; i < failed.size(); ++i) pair.failed[i] += failed[i];
  pair.reset[0] += row.closed_reset_by_client;
  pair.reset[1] += row.closed_reset_by_server;
  const bool by_client = row.client_rtt_count > 0;
  pair.rtt.Add(by_client ? row.client_rtt_histogram : row.server_rtt_histogram,
               by_client ? row.client_rtt_sum_us : row.server_rtt_sum_us);
  const std::string& client_zone = model::Of(row.client).zone;
  const std::string& server_zone = model::Of(row.server).zone;
  if (client_zone.empty() || server_zone.empty() || client_zone == server_zone) return;
  std::string zone_key = key;
  AppendPart(zone_key, client_zone);
  AppendPart(zone_key, server_zone);
  Ways& ways = zones_.At(zone_key, static_cast<double>(bytes), now);
  ways[0] += row.bytes_to_server;
  ways[1] += row.bytes_to_client;
}

void WorkloadMetrics::AddHttp(const FlowRow& row, UnixMillis now) {
  const model::Entity& server = model::Of(row.server);
  std::string key = server.namespace_;
  key += kSeparator;
  key += WorkloadNameOf(server, row.server_address);
  AppendPart(key, 2 * row.requests_streamed > row.requests ? "true" : "false");
  Served& served = served_.At(key, static_cast<double>(row.requests), now);
  served.results[ResultClass(row.result)] += row.requests;
  served.latency.Add(row.request_latency_histogram, row.request_latency_sum_us);
  served.first_chunk.Add(row.first_chunk_histogram, row.first_chunk_sum_us);
  served.chunk_gap.Add(row.chunk_gap_histogram, row.chunk_gap_sum_us);
  served.duration.Add(row.request_duration_histogram, row.request_duration_sum_us);
}

void WorkloadMetrics::AddDns(const FlowRow& row, UnixMillis now) {
  const model::Entity& client = model::Of(row.client);
  std::string key = client.namespace_;
  key += kSeparator;
  key += WorkloadNameOf(client, row.client_address);
  Asked& asked = asked_.At(key, static_cast<double>(row.requests), now);
  const auto found = std::find_if(asked.results.begin(), asked.results.end(),
                                  [&](const auto& item) { return item.first == row.result; });
  if (found != asked.results.end()) {
    found->second += row.requests;
  } else if (asked.results.size() < kMaxResults) {
    asked.results.emplace_back(row.result, row.requests);
  }
  asked.duration.Add(row.request_latency_histogram, row.request_latency_sum_us);
}

void WorkloadMetrics::VisitPairs(MetricVisitor& visitor) const {
  constexpr size_t kParts = 4;
  const auto ways = [&](ServerFamily family, Ways Pair::*member) {
    VisitFamily(family, pairs_, kParts, visitor, [&](const Pair& pair, Labels& labels, UnixMillis created) {
      for (size_t i = 0; i < kDirections.size(); ++i) {
        visitor.Add(labels.With({kDirections[i]}), static_cast<double>((pair.*member)[i]), created);
      }
    });
  };
  const auto count = [&](ServerFamily family, uint64_t Pair::*member) {
    VisitFamily(family, pairs_, kParts, visitor, [&](const Pair& pair, Labels& labels, UnixMillis created) {
      visitor.Add(labels.With(), static_cast<double>(pair.*member), created);
    });
  };
  ways(ServerFamily::workload_io, &Pair::bytes);
  ways(ServerFamily::workload_segments, &Pair::segments);
  count(ServerFamily::workload_opened, &Pair::opened);
  VisitFamily(ServerFamily::workload_failed, pairs_, kParts, visitor,
              [&](const Pair& pair, Labels& labels, UnixMillis created) {
                for (size_t i = 0; i < kFailures.size(); ++i) {
                  visitor.Add(labels.With({kFailures[i]}), static_cast<double>(pair.failed[i]), created);
                }
              });
  VisitFamily(ServerFamily::workload_reset, pairs_, kParts, visitor,
              [&](const Pair& pair, Labels& labels, UnixMillis created) {
                visitor.Add(labels.With({"client"}), static_cast<double>(pair.reset[0]), created);
                visitor.Add(labels.With({"server"}), static_cast<double>(pair.reset[1]), created);
              });
  ways(ServerFamily::workload_retransmitted, &Pair::retransmitted);
  ways(ServerFamily::workload_timeouts, &Pair::timeouts);
  ways(ServerFamily::workload_late, &Pair::late);
  count(ServerFamily::workload_overflows, &Pair::overflows);
  VisitPairSums(visitor);
}

void WorkloadMetrics::VisitPairSums(MetricVisitor& visitor) const {
  constexpr size_t kParts = 4;
  VisitHistogram(ServerFamily::workload_rtt, pairs_, kParts, model::kRoundTripBounds, &Pair::rtt, visitor);
  VisitFamily(ServerFamily::workload_connect, pairs_, kParts, visitor,
              [&](const Pair& pair, Labels& labels, UnixMillis created) {
                if (pair.connects == 0) return;
                visitor.AddHistogram(
                    labels.With(), {{}, {&pair.connects, 1}, static_cast<double>(pair.connect_sum_us) / 1e6}, created);
              });
  // Nothing was priced where all are 0: the family is absent rather than 0.
  bool priced = pairs_.other().totals.cost_nano_usd != 0;
  pairs_.ForEach([&](const std::string&, const auto& entry) { priced |= entry.totals.cost_nano_usd != 0; });
  if (!priced) return;
  VisitFamily(ServerFamily::workload_cost, pairs_, kParts, visitor,
              [&](const Pair& pair, Labels& labels, UnixMillis created) {
                if (pair.cost_nano_usd == 0) return;
                visitor.Add(labels.With(), static_cast<double>(pair.cost_nano_usd) / 1e9, created);
              });
}

void WorkloadMetrics::VisitZones(MetricVisitor& visitor) const {
  VisitFamily(ServerFamily::zone_io, zones_, 6, visitor, [&](const Ways& ways, Labels& labels, UnixMillis created) {
    for (size_t i = 0; i < kDirections.size(); ++i) {
      visitor.Add(labels.With({kDirections[i]}), static_cast<double>(ways[i]), created);
    }
  });
}

void WorkloadMetrics::VisitServed(MetricVisitor& visitor) const {
  constexpr size_t kParts = 3;
  VisitFamily(ServerFamily::http_requests, served_, kParts, visitor,
              [&](const Served& served, Labels& labels, UnixMillis created) {
                for (size_t i = 0; i < kResults.size(); ++i) {
                  visitor.Add(labels.With({kResults[i]}), static_cast<double>(served.results[i]), created);
                }
              });
  const auto histogram = [&](ServerFamily family, const model::ShownBounds& shown,
                             model::HistogramTotal Served::*member) {
    VisitHistogram(family, served_, kParts, shown, member, visitor);
  };
  histogram(ServerFamily::http_latency, model::kResponseBounds, &Served::latency);
  histogram(ServerFamily::http_first_chunk, model::kResponseBounds, &Served::first_chunk);
  histogram(ServerFamily::http_chunk_gap, model::kChunkGapBounds, &Served::chunk_gap);
  histogram(ServerFamily::http_duration, model::kResponseBounds, &Served::duration);
}

void WorkloadMetrics::VisitAsked(MetricVisitor& visitor) const {
  constexpr size_t kParts = 2;
  VisitFamily(ServerFamily::dns_requests, asked_, kParts, visitor,
              [&](const Asked& asked, Labels& labels, UnixMillis created) {
                for (const auto& [result, number] : asked.results) {
                  visitor.Add(labels.With({result}), static_cast<double>(number), created);
                }
              });
  VisitHistogram(ServerFamily::dns_request_duration, asked_, kParts, model::kLookupBounds, &Asked::duration, visitor);
}

void WorkloadMetrics::Visit(MetricVisitor& visitor) const {
  const std::lock_guard lock(mutex_);
  VisitPairs(visitor);
  VisitZones(visitor);
  VisitAsked(visitor);
  VisitServed(visitor);
}

}  // namespace weir::server

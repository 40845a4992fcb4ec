// WorkloadMetrics: what workloads do with each other, as counters for /metrics, in bounded cardinality.
//
// Rows are added up as they are published, on the thread that delivers live blocks, so that the writer never waits for
// them; rows that come so late that they are history are counted (server_pair_rows_late) and left out. The busiest
// pairs have series of their own, the rest is added up under "(other)"; how many rows and pairs that are is counted
// (server_pairs_folded and others). Thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/metric_family.h"
#include "model/flow_row.h"
#include "model/histogram_total.h"
#include "server/live_hub.h"
#include "server/top_table.h"

namespace weir::server {

struct WorkloadMetricsOptions {
  size_t max_pairs = 1'000;                   // with series of their own; some 30 series each
  size_t max_workloads = 500;                 // with request and DNS series of their own
  int64_t time_to_live_ms = 15 * 60 * 1'000;  // of a pair nothing is heard of
};

class WorkloadMetrics final : public LiveSink {
 public:
  // `clock` outlives this.
  WorkloadMetrics(WorkloadMetricsOptions options, const Clock& clock);

  void Take(const LiveBlockRef& block) override;
  void Lost(size_t items) override;
  void Add(const std::vector<model::FlowRow>& rows);
  void Visit(MetricVisitor& visitor) const;

  static constexpr auto kFailures =
      std::to_array<std::string_view>({"refused", "timed_out", "unreachable", "abandoned", "no_port", "other"});

 private:
  // Both directions: to the server, to the client.
  using Ways = std::array<uint64_t, 2>;
  struct Pair {
    Ways bytes{}, segments{}, retransmitted{}, timeouts{}, late{};
    uint64_t opened = 0, overflows = 0, cost_nano_usd = 0;
    uint64_t connects = 0, connect_sum_us = 0;
    std::array<uint64_t, kFailures.size()> failed{};
    std::array<uint64_t, 2> reset{};  // by client, by server
    model::HistogramTotal rtt;
  };
  struct Served {
    std::array<uint64_t, 5> results{};  // see kResults
    model::HistogramTotal latency, first_chunk, chunk_gap, duration;
  };
  struct Asked {
    std::vector<std::pair<std::string, uint64_t>> results;
    model::HistogramTotal duration;
  };

  void AddTransport(const model::FlowRow& row, UnixMillis now);
  void AddHttp(const model::FlowRow& row, UnixMillis now);
  void AddDns(const model::FlowRow& row, UnixMillis now);
  void VisitPairs(MetricVisitor& visitor) const;
  void VisitPairSums(MetricVisitor& visitor) const;
  void VisitZones(MetricVisitor& visitor) const;
  void VisitServed(MetricVisitor& visitor) const;
  void VisitAsked(MetricVisitor& visitor) const;

  const WorkloadMetricsOptions options_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  UnixMillis next_sweep_ = 0;  // these: guarded by mutex_
  TopTable<Pair> pairs_;
  TopTable<Ways> zones_;
  TopTable<Served> served_;
  TopTable<Asked> asked_;
};

// What an end is called beside its Kubernetes namespace: its workload, or the best there is.
std::string WorkloadNameOf(const model::Entity& end, const model::Address& address);

}  // namespace weir::server

// FlowTotals: what the sockets of each pod did since the agent began, where the kernel counts nothing per pod: traffic
// of pods in the node's network, connections that failed, segments lost on the way in, DNS.
//
// A pod that nothing was heard of for ten minutes leaves; when it comes back, its counters begin at 0 again, as after a
// restart. Bounded by kMaxPods; beyond, reports are counted and left out (agent_metrics_pods_full). Thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "agent/metrics/family_out.h"
#include "agent/metrics/pod_labels.h"
#include "base/clock.h"
#include "model/histogram_total.h"
#include "model/side_report.h"

namespace weir::agent::metrics {

class FlowTotals {
 public:
  static constexpr size_t kMaxPods = 4'096;

  // `host_netns`: inode of the network namespace that pods of the node's network share. `clock` outlives this.
  FlowTotals(uint32_t host_netns, const Clock& clock) : host_netns_(host_netns), clock_(clock) {}

  // The reports of an interval.
  void Add(const std::vector<model::SideReport>& reports);

  static constexpr auto kFailures =
      std::to_array<std::string_view>({"refused", "timed_out", "unreachable", "abandoned", "no_port", "other"});

  // Of one pod.
  struct Totals {
    UnixMillis created = 0;
    bool on_host = false;  // has sockets in the node's own network namespace
    uint64_t bytes_received = 0, bytes_sent = 0, packets_received = 0, packets_sent = 0, accepted = 0, tried = 0;
    std::array<uint64_t, kFailures.size()> failed{};
    uint64_t late_segments = 0;
    std::vector<std::pair<std::string, uint64_t>> dns;  // by result
    model::HistogramTotal dns_duration;
    Nanos heard = 0;
  };
  struct Item {
    std::string uid;        // of the pod; "" = not known
    std::string container;  // id of one of its containers; "" = in none
    Totals totals;
  };
  // A copy, in no order.
  std::vector<Item> Take() const;

 private:
  void AddTransport(const model::SideReport& report, Totals& totals) const;
  static void AddDns(const model::SideReport& report, Totals& totals);
  Totals* Find(const model::LocalIdentity& identity, Nanos now);

  const uint32_t host_netns_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Item> pods_;  // by uid or container; guarded by mutex_
  Nanos next_sweep_ = 0;
};

// Adds the samples of one family, where it is one of those. A pod that is not among the items but has a network
// namespace of its own is shown with zeros: a counter that begins with its first event hides it from rate().
class FlowSamples {
 public:
  // All borrowed.
  FlowSamples(const std::vector<FlowTotals::Item>& items, const std::vector<PodLabels>& pods,
              const LabelContext& common, const NamePod& name_pod);
  void AddTo(model::AgentFamily family, FamilyOut& out) const;

 private:
  struct Row {
    LabelContext context;
    const FlowTotals::Totals* totals;
  };
  static void AddHostTraffic(model::AgentFamily family, const Row& row, FamilyOut& out);
  static void AddCounts(model::AgentFamily family, const Row& row, FamilyOut& out);

  std::vector<PodLabels> labels_;
  std::vector<Row> rows_;
};

}  // namespace weir::agent::metrics

#include "agent/export/batch_split.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "wire/batch_codec.h"

namespace weir::agent {

std::vector<model::AgentBatch> SplitInterval(model::AgentBatch interval, size_t max_reports) {
  // Nobody has that many; beyond it, locality is guessed from the address ranges as for unknown nodes.
  if (interval.local_addresses.size() > wire::kMaxLocalAddresses) {
    interval.local_addresses.resize(wire::kMaxLocalAddresses);
  }
  if (interval.namespaces.size() > model::kMaxBatchNamespaces) interval.namespaces.resize(model::kMaxBatchNamespaces);
  if (interval.resolved.size() > model::kMaxResolvedNames) interval.resolved.resize(model::kMaxResolvedNames);
  // What names flows goes first.
  std::vector<model::NetNamespace> namespaces = std::exchange(interval.namespaces, {});
  std::vector<model::ResolvedName> resolved = std::exchange(interval.resolved, {});
  std::vector<model::AgentBatch> parts;
  if (interval.reports.size() > max_reports) {
    std::vector<model::SideReport> all = std::move(interval.reports);
    std::vector<model::ProbeReport> probes = std::move(interval.probes);
    std::vector<model::AgentCounter> counters = std::move(interval.counters);
    std::vector<model::NodeSample> samples = std::exchange(interval.node_samples, {});
    std::vector<model::RateWindow> windows = std::exchange(interval.rate_windows, {});
    interval.reports.clear();
    interval.probes.clear();
    interval.counters.clear();
    size_t done = 0;
    for (; all.size() - done > max_reports; done += max_reports) {
      model::AgentBatch& part = parts.emplace_back(interval);
      const auto from = std::make_move_iterator(all.begin() + static_cast<std::ptrdiff_t>(done));
      part.reports.assign(from, from + static_cast<std::ptrdiff_t>(max_reports));
    }
    interval.reports.assign(std::make_move_iterator(all.begin() + static_cast<std::ptrdiff_t>(done)),
                            std::make_move_iterator(all.end()));
    interval.probes = std::move(probes);
    interval.counters = std::move(counters);
    interval.node_samples = std::move(samples);
    interval.rate_windows = std::move(windows);
  }
  parts.push_back(std::move(interval));
  parts.front().namespaces = std::move(namespaces);
  parts.front().resolved = std::move(resolved);
  return parts;
}

}  // namespace weir::agent

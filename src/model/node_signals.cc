#include "model/node_signals.h"

#include <unordered_map>

namespace weir::model {

std::optional<NodeSignal> FindNodeSignal(std::string_view name) {
  static const auto* const by_name = [] {
    auto* names = new std::unordered_map<std::string_view, NodeSignal>();
    for (size_t i = 0; i < kNodeSignalCount; ++i) names->emplace(kNodeSignals[i].name, static_cast<NodeSignal>(i));
    return names;
  }();
  const auto found = by_name->find(name);
  return found == by_name->end() ? std::nullopt : std::optional(found->second);
}

std::string_view ScopeName(SignalScope scope) {
  switch (scope) {
    case SignalScope::kNode: return "node";
    case SignalScope::kInterface: return "interface";
    case SignalScope::kQueue: return "queue";
    case SignalScope::kQdisc: return "qdisc";
    case SignalScope::kNetns: return "netns";
    case SignalScope::kCgroup: return "cgroup";
    case SignalScope::kRdmaPort: return "rdma_port";
    case SignalScope::kDrop: return "drop";
  }
  return "node";
}

std::string_view SignalKindName(SignalKind kind) { return kind == SignalKind::kCounter ? "counter" : "gauge"; }

}  // namespace weir::model

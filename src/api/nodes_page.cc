#include "api/nodes_page.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "api/time_text.h"
#include "diagnose/problems.h"
#include "model/node_subject.h"

namespace weir::api {
namespace {

using model::NodeSignal;
using store::NodeTotal;

constexpr std::string_view kProbePrefix = "node_";

// Everything about one subject, by signal.
using Signals = std::map<NodeSignal, const NodeTotal*>;

struct Node {
  std::map<std::string, Signals> interfaces;  // by subject; so are the rest
  std::map<std::string, Signals> recent;
  std::map<std::string, Signals> cgroups;
  std::vector<const NodeTotal*> limits;
  std::vector<const NodeTotal*> levels;
  const NodeTotal* heartbeat = nullptr;
  const NodeTotal* recent_heartbeat = nullptr;
  const server::AgentStatus* agent = nullptr;
};

Json RangeJson(const store::TimeRange& range) {
  return {{"since", FormatTime(range.from)}, {"until", FormatTime(range.to)}};
}

uint64_t SumOf(const Signals& signals, NodeSignal signal) {
  const auto found = signals.find(signal);
  return found == signals.end() ? 0 : found->second->sum;
}

// The time the recent readings stand for; 0 = too few to say.
double SecondsCovered(const NodeTotal* heartbeat) {
  if (heartbeat == nullptr || heartbeat->samples < 2) return 0;
  const auto between = static_cast<double>(heartbeat->last_time - heartbeat->first_time) / 1'000;
  return between * static_cast<double>(heartbeat->samples) / static_cast<double>(heartbeat->samples - 1);
}

Json Rate(uint64_t sum, double seconds) {
  if (seconds <= 0) return nullptr;
  return static_cast<double>(sum) / seconds;
}

bool IsOwn(const std::string& interface) {
  return model::ParseNodeSubject(model::SignalScope::kInterface, interface).is_own();
}

// The text, and its parts for programs.
void AddSubject(const NodeTotal& total, model::SignalScope scope, Json& json) {
  const model::NodeSubject subject = model::ParseNodeSubject(scope, total.subject);
  json["subject"] = total.subject;
  json["netns_name"] = subject.netns_name;
  json["interface"] = subject.interface;
  json["detail"] = subject.detail;
}

bool IsHardware(const Signals& signals) {
  const auto found = signals.find(NodeSignal::interface_hardware);
  return found != signals.end() && found->second->last == 1;
}

Json InterfaceJson(const std::string& name, const Signals& signals, const Signals& recent, double seconds) {
  Json json{{"name", name}, {"hardware", IsHardware(signals)}, {"own", IsOwn(name)}};
  for (const NodeSignal signal : RateSignals()) {
    if (signal == NodeSignal::node_pass_us) continue;
    const std::string_view full = model::Describe(signal).name;
    const std::string measure(full.substr(full.find('.') + 1));
    json[measure] = SumOf(signals, signal);
    json[measure + "_per_second"] = Rate(SumOf(recent, signal), seconds);
  }
  return json;
}

Json LimitJson(const NodeTotal& total) {
  const model::NodeSignalDescription& signal = model::Describe(total.signal);
  Json json{{"signal", signal.name}};
  AddSubject(total, signal.scope, json);
  json["scope"] = model::ScopeName(signal.scope);
  json["limit"] = signal.limit;
  json["count"] = total.sum;
  json["unit"] = signal.unit;
  json["highest"] = total.highest;
  json["first"] = FormatTime(total.first_time);
  json["last"] = FormatTime(total.last_time);
  json["meaning"] = signal.help;
  return json;
}

Json LevelJson(const NodeTotal& total) {
  const model::NodeSignalDescription& signal = model::Describe(total.signal);
  const bool counter = signal.kind == model::SignalKind::kCounter;
  Json json{{"signal", signal.name}};
  AddSubject(total, signal.scope, json);
  json["kind"] = model::SignalKindName(signal.kind);
  json["value"] = counter ? total.sum : total.last;
  json["unit"] = signal.unit;
  json["meaning"] = signal.help;
  return json;
}

// What the node sends and receives: by its hardware, for virtual interfaces carry the same bytes again; on a node
// without hardware, such as a network namespace, by all its own.
std::pair<uint64_t, uint64_t> NodeBytes(const Node& node) {
  const bool has_hardware = std::any_of(node.interfaces.begin(), node.interfaces.end(), [](const auto& entry) {
    return IsOwn(entry.first) && IsHardware(entry.second);
  });
  std::pair<uint64_t, uint64_t> bytes{0, 0};
  for (const auto& [name, signals] : node.recent) {
    const auto known = node.interfaces.find(name);
    if (!IsOwn(name) || known == node.interfaces.end() || (has_hardware && !IsHardware(known->second))) continue;
    bytes.first += SumOf(signals, NodeSignal::interface_rx_bytes);
    bytes.second += SumOf(signals, NodeSignal::interface_tx_bytes);
  }
  return bytes;
}

Json ProbesJson(const server::AgentStatus* agent) {
  Json probes = Json::array();
  if (agent == nullptr) return probes;
  for (const model::ProbeReport& probe : agent->probes) {
    if (!probe.name.starts_with(kProbePrefix)) continue;
    probes.push_back({{"name", probe.name}, {"state", probe.state}, {"reason", probe.reason}, {"hint", probe.hint}});
  }
  return probes;
}

// What the node may always carry and what for a while, bits per second; null where nobody says it.
Json CapacityJson(const std::map<std::string, diagnose::Capacity>& capacities, const std::string& node) {
  const auto found = capacities.find(node);
  if (found == capacities.end() || !found->second.known()) return nullptr;
  const auto& [baseline, peak, source] = found->second;
  return {{"baseline_bits", baseline}, {"peak_bits", peak}, {"source", source}};
}

Json NodeJson(const std::string& name, const Node& node, UnixMillis now) {
  static const Signals kNothing;
  const double seconds = SecondsCovered(node.recent_heartbeat);
  const auto [rx, tx] = NodeBytes(node);
  Json json{{"node", name}};
  json["last_seen"] = node.agent == nullptr ? Json(nullptr) : Json(FormatTime(node.agent->last_seen));
  json["stale"] = node.agent == nullptr || diagnose::IsStale(now - node.agent->last_seen);
  json["mode"] = node.agent == nullptr ? "" : node.agent->mode;
  json["read_since"] = node.heartbeat == nullptr ? Json(nullptr) : Json(FormatTime(node.heartbeat->first_time));
  json["read_until"] = node.heartbeat == nullptr ? Json(nullptr) : Json(FormatTime(node.heartbeat->last_time));
  json["pass_us"] = node.heartbeat == nullptr ? Json(nullptr) : Json(node.heartbeat->last);
  json["rx_bytes_per_second"] = Rate(rx, seconds);
  json["tx_bytes_per_second"] = Rate(tx, seconds);
  json["interfaces"] = Json::array();
  for (const auto& [interface, signals] : node.interfaces) {
    const auto recent = node.recent.find(interface);
    json["interfaces"].push_back(
        InterfaceJson(interface, signals, recent == node.recent.end() ? kNothing : recent->second, seconds));
  }
  json["limits"] = Json::array();
  for (const NodeTotal* total : node.limits) json["limits"].push_back(LimitJson(*total));
  json["throttled"] = Json::array();
  for (const auto& [group, signals] : node.cgroups) {
    if (SumOf(signals, NodeSignal::cgroup_throttled_us) + SumOf(signals, NodeSignal::cgroup_throttled) == 0) continue;
    json["throttled"].push_back({{"cgroup", group},
                                 {"periods", SumOf(signals, NodeSignal::cgroup_throttled)},
                                 {"microseconds", SumOf(signals, NodeSignal::cgroup_throttled_us)}});
  }
  json["others"] = Json::array();
  for (const NodeTotal* total : node.levels) json["others"].push_back(LevelJson(*total));
  json["probes"] = ProbesJson(node.agent);
  return json;
}

void Sort(const NodeTotal& total, Node& node) {
  const model::NodeSignalDescription& signal = model::Describe(total.signal);
  if (total.signal == NodeSignal::node_pass_us) {
    node.heartbeat = &total;
  } else if (total.signal == NodeSignal::netns_inode) {
    return;  // a heartbeat too, for accounts
  } else if (total.signal == NodeSignal::interface_hardware ||
             std::count(RateSignals().begin(), RateSignals().end(), total.signal) != 0) {
    node.interfaces[total.subject][total.signal] = &total;
  } else if (!signal.limit.empty()) {
    node.limits.push_back(&total);
    if (signal.scope == model::SignalScope::kCgroup) node.cgroups[total.subject][total.signal] = &total;
  } else {
    node.levels.push_back(&total);
  }
}

std::map<std::string, Node> NodesOf(const NodesFacts& facts) {
  std::map<std::string, Node> nodes;
  for (const server::AgentStatus& agent : facts.agents) {
    if (!facts.node.empty() && agent.node != facts.node) continue;
    Node& node = nodes[agent.node];
    // Of agents that had the name one after the other, the one that has it now.
    if (node.agent == nullptr || node.agent->last_seen < agent.last_seen) node.agent = &agent;
  }
  for (const NodeTotal& total : facts.totals.totals) Sort(total, nodes[total.node]);
  for (const NodeTotal& total : facts.recent.totals) {
    Node& node = nodes[total.node];
    if (total.signal == NodeSignal::node_pass_us) {
      node.recent_heartbeat = &total;
    } else {
      node.recent[total.subject][total.signal] = &total;
    }
  }
  return nodes;
}

}  // namespace

const std::vector<NodeSignal>& RateSignals() {
  static const std::vector<NodeSignal> kSignals{NodeSignal::node_pass_us, NodeSignal::interface_rx_bytes,
                                                NodeSignal::interface_tx_bytes, NodeSignal::interface_rx_packets,
                                                NodeSignal::interface_tx_packets};
  return kSignals;
}

Json NodesJson(const NodesFacts& facts) {
  Json json{{"range", RangeJson(facts.range)}, {"nodes", Json::array()}};
  for (auto& [name, node] : NodesOf(facts)) {
    // What was hit last comes first: that is what one looks for.
    std::vector<const NodeTotal*> limits = node.limits;
    std::stable_sort(limits.begin(), limits.end(),
                     [](const NodeTotal* a, const NodeTotal* b) { return a->last_time > b->last_time; });
    Node sorted = node;
    sorted.limits = std::move(limits);
    json["nodes"].push_back(NodeJson(name, sorted, facts.now));
    json["nodes"].back()["capacity"] = CapacityJson(facts.capacities, name);
  }
  json["complete"] = facts.totals.complete;
  return json;
}

Json NodeSeriesJson(const store::NodeSeriesQuery& query, const store::NodeSeries& series,
                    const store::NodeSeries& heartbeats) {
  const model::NodeSignalDescription& signal = model::Describe(query.signal);
  const bool counter = signal.kind == model::SignalKind::kCounter;
  std::set<UnixMillis> read;
  for (const store::NodePoint& point : heartbeats.points) read.insert(point.time);
  std::map<UnixMillis, uint64_t> values;
  for (const store::NodePoint& point : series.points) values[point.time] = point.value;
  Json json{{"range", RangeJson(query.range)},
            {"node", query.node},
            {"signal",
             {{"name", signal.name},
              {"scope", model::ScopeName(signal.scope)},
              {"kind", model::SignalKindName(signal.kind)},
              {"unit", signal.unit},
              {"limit", signal.limit},
              {"help", signal.help}}},
            {"subject", query.any_subject ? "*" : query.subject},
            {"step_ms", series.step_ms},
            {"times", Json::array()},
            {"values", Json::array()}};
  const int64_t step = std::max<int64_t>(series.step_ms, 1);
  for (UnixMillis time = query.range.from / step * step; time < query.range.to; time += step) {
    json["times"].push_back(FormatTime(time));
    const auto value = values.find(time);
    if (value != values.end()) {
      json["values"].push_back(value->second);
    } else {
      json["values"].push_back(counter && read.contains(time) ? Json(0) : Json(nullptr));
    }
  }
  return json;
}

Json RateWindowsJson(const store::TimeRange& range, const std::vector<store::StoredRateWindow>& windows) {
  Json json{{"range", RangeJson(range)}, {"windows", Json::array()}};
  for (const store::StoredRateWindow& stored : windows) {
    const model::RateWindow& window = stored.window;
    const model::NodeSignalDescription& cause = model::Describe(window.cause);
    json["windows"].push_back({{"node", stored.node},
                               {"interface", window.subject},
                               {"cause", cause.name},
                               {"cause_subject", window.cause_subject},
                               {"limit", cause.limit},
                               {"meaning", cause.help},
                               {"event", FormatTime(window.event)},
                               {"start", FormatTime(window.start)},
                               {"step_us", window.step_us},
                               {"rx_bytes", window.rx_bytes},
                               {"tx_bytes", window.tx_bytes},
                               {"rx_packets", window.rx_packets},
                               {"tx_packets", window.tx_packets}});
  }
  return json;
}

}  // namespace weir::api

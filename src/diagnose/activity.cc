#include "diagnose/activity.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "model/node_subject.h"

namespace weir::diagnose {
namespace {

using model::NodeSignal;

constexpr double kBitsPerByte = 8;
constexpr uint64_t kNonsense = model::kMaxNodeValue;
constexpr int64_t kMaxApartMs = 30'000;
constexpr size_t kMaxInterfaces = 4'096;  // of a node
constexpr int64_t kUnjudged = 5;          // seconds
constexpr size_t kMaxThrottled = 4'096;

constexpr int64_t kMostLate = 3;  // seconds of a late reading; longer gaps are readings that were lost

// The second most of a period lies in.
int64_t SecondOf(const model::NodeSample& sample) {
  return (sample.time - static_cast<int64_t>(std::min(sample.period_ms, 1'000U)) / 2) / 1'000;
}

model::NodeSubject SubjectOf(const model::NodeSample& sample) {
  return model::ParseNodeSubject(model::Describe(sample.signal).scope, sample.subject);
}

uint32_t Narrow(uint64_t value) { return static_cast<uint32_t>(std::min<uint64_t>(value, UINT32_MAX)); }

std::optional<Resource> ResourceOf(NodeSignal signal) {
  switch (signal) {
    case NodeSignal::allowance_bandwidth_in:
    case NodeSignal::queue_rx_rate_limited: return Resource::kBandwidthIn;
    case NodeSignal::allowance_bandwidth_out:
    case NodeSignal::queue_tx_rate_limited: return Resource::kBandwidthOut;
    case NodeSignal::allowance_packets: return Resource::kPackets;
    case NodeSignal::allowance_connections: return Resource::kConnections;
    case NodeSignal::allowance_link_local: return Resource::kLinkLocal;
    case NodeSignal::qdisc_overlimits: return Resource::kQueue;
    default: return std::nullopt;
  }
}

// Where a second keeps what a signal counts of drops; nullptr for other signals.
uint32_t* DropsOf(NodeSecond& second, NodeSignal signal) {
  switch (signal) {
    case NodeSignal::qdisc_drops: return &second.queue_drops;
    case NodeSignal::softnet_dropped:
    case NodeSignal::interface_rx_missed:
    case NodeSignal::interface_rx_over:
    case NodeSignal::interface_tx_dropped:
    case NodeSignal::device_rx_no_buffer:
    case NodeSignal::device_rx_dropped:
    case NodeSignal::device_tx_dropped:
    case NodeSignal::queue_rx_drops:
    case NodeSignal::queue_tx_drops: return &second.node_drops;
    case NodeSignal::drop_rule: return &second.rule_drops;
    case NodeSignal::tcp_receive_queue_drops:
    case NodeSignal::tcp_zero_window_drops:
    // Not tcp_pruned: room is looked for, mostly by merging what is there, and nothing need be dropped.
    case NodeSignal::tcp_backlog_drops: return &second.socket_drops;
    case NodeSignal::tcp_listen_overflows:
    case NodeSignal::tcp_listen_drops: return &second.listen_drops;
    case NodeSignal::conntrack_insert_failed:
    case NodeSignal::conntrack_dropped: return &second.conntrack_drops;
    default: return nullptr;
  }
}

}  // namespace

NodeSecond& NodeActivity::At(int64_t second) {
  NodeSecond& slot = seconds[static_cast<size_t>(second) % kNodeSeconds];
  if (slot.second != second) {
    slot = {};
    slot.second = second;
  }
  return slot;
}

NodeSecond NodeActivity::In(int64_t second) const {
  const NodeSecond& slot = seconds[static_cast<size_t>(second) % kNodeSeconds];
  return slot.second == second ? slot : NodeSecond{};
}

double NodeActivity::RxBits(int64_t second) const {
  return kBitsPerByte * static_cast<double>(In(second).rx_bytes[has_uplink ? 1 : 0]);
}
double NodeActivity::TxBits(int64_t second) const {
  return kBitsPerByte * static_cast<double>(In(second).tx_bytes[has_uplink ? 1 : 0]);
}
double NodeActivity::Packets(int64_t second) const {
  return static_cast<double>(In(second).packets[has_uplink ? 1 : 0]);
}

double NodeActivity::Peak10ms(int64_t second, bool inbound) const {
  double peak = 0;
  for (const RatePeak& found : peaks) {
    if (std::abs(found.second - second) <= 1) peak = std::max(peak, inbound ? found.rx_bits : found.tx_bits);
  }
  return peak;
}

bool NodeActivity::Blind(UnixMillis now, const Thresholds& thresholds) const {
  return static_cast<double>(now - heard) > 1'000 * thresholds.blind_after_s;
}

bool NodeActivity::Gap(int64_t from, int64_t to) const { return gap_until_s >= from && gap_until_s <= to + 1; }

bool NodeActivity::BreachedIn(int64_t from, int64_t to, bool inbound) const {
  const auto held = [&](Resource resource) {
    const auto place = static_cast<size_t>(resource);
    if (breached[place].Count(to, static_cast<int>(std::clamp<int64_t>(to - from + 1, 1, 64))) > 0) return true;
    // The last seconds are read and not judged yet.
    for (int64_t second = std::max(from, to - kUnjudged); second <= to; ++second) {
      if (In(second).exceeded[place] != 0) return true;
    }
    return false;
  };
  const bool queue = held(Resource::kQueue) && queue_is_virtual == inbound;
  return queue || held(Resource::kPackets) || held(inbound ? Resource::kBandwidthIn : Resource::kBandwidthOut);
}

NodeActivity& Activity::Node(NodeNumber node) {
  NodeActivity& activity = nodes_[node];
  activity.node = node;
  return activity;
}

const NodeActivity* Activity::FindNode(NodeNumber node) const {
  const auto found = nodes_.find(node);
  return found == nodes_.end() ? nullptr : &found->second;
}

void Activity::Add(const NodeReadings& readings, UnixMillis now) {
  const NodeNumber number = names_.Node(readings.node);
  if (number == 0) return;
  NodeActivity& node = Node(number);
  node.heard = now;
  LearnUplinks(node, readings.samples);
  for (const model::NodeSample& sample : readings.samples) {
    const bool apart = std::abs(sample.time - now) > kMaxApartMs;  // a spool that empties, or a clock that jumped
    if (sample.value <= kNonsense && !apart) AddSample(node, sample);
  }
  for (const model::RateWindow& window : readings.windows) AddWindow(node, window);
}

// Which interfaces the node's traffic leaves by must be known before their bytes are added. Agents that do not tell say
// which are hardware.
void Activity::LearnUplinks(NodeActivity& node, std::span<const model::NodeSample> samples) {
  for (const NodeSignal signal : {NodeSignal::interface_hardware, NodeSignal::interface_uplink}) {
    for (const model::NodeSample& sample : samples) {
      if (sample.signal != signal || !SubjectOf(sample).is_own()) continue;
      node.tells_uplinks = node.tells_uplinks || signal == NodeSignal::interface_uplink;
      if (signal == NodeSignal::interface_hardware && node.tells_uplinks && node.uplinks.contains(sample.subject)) {
        continue;
      }
      if (node.uplinks.size() < kMaxInterfaces) node.uplinks[sample.subject] = sample.value == 1;
      node.has_uplink = node.has_uplink || sample.value == 1;
    }
  }
}

void Activity::AddSample(NodeActivity& node, const model::NodeSample& sample) {
  const int64_t second = SecondOf(sample);
  if (second < node.latest_s - static_cast<int64_t>(kNodeSeconds) + 1) return;  // history
  if (node.latest_s >= 0 && second > node.latest_s + 2) node.gap_until_s = second;
  node.latest_s = std::max(node.latest_s, second);
  if (sample.period_ms <= 1'000 && sample.time > node.read_ms) {
    node.elapsed_ms = node.read_ms == 0 ? 0 : sample.time - node.read_ms;
    node.read_ms = sample.time;
  }
  NodeSecond& slot = node.At(second);
  if (const std::optional<Resource> resource = ResourceOf(sample.signal)) {
    slot.exceeded[static_cast<size_t>(*resource)] += sample.value;
    if (*resource == Resource::kQueue) {
      node.queue_subject = sample.subject;
      const model::NodeSubject queue = SubjectOf(sample);
      // Disciplines of other namespaces are no queues of this node's uplinks.
      const auto known = queue.is_own() ? node.uplinks.find(std::string(queue.interface)) : node.uplinks.end();
      node.queue_is_virtual = known != node.uplinks.end() && !known->second && node.has_uplink;
    } else {
      node.has_allowance = true;
    }
    return;
  }
  // What rules drop of other protocols loses no segment and answers no SYN.
  if (sample.signal == NodeSignal::drop_rule && sample.subject.find("(tcp") == std::string::npos) return;
  if (uint32_t* drops = DropsOf(slot, sample.signal); drops != nullptr) {
    *drops += Narrow(sample.value);
    if (sample.signal == NodeSignal::drop_rule) node.rule_place = sample.subject;
    return;
  }
  switch (sample.signal) {
    case NodeSignal::interface_rx_bytes:
    case NodeSignal::interface_tx_bytes:
    case NodeSignal::interface_rx_packets:
    case NodeSignal::interface_tx_packets: AddInterface(node, sample, second); break;
    case NodeSignal::allowance_connections_left:
      node.has_allowance = true;
      node.connections_left = sample.value;
      node.connections_left_most = std::max(node.connections_left_most, sample.value);
      node.connections_left_s = second;
      break;
    case NodeSignal::cgroup_throttled_us:
      if (node.throttled_us.size() >= kMaxThrottled) break;
      node.throttled_us[sample.subject] = sample.value * 1'000 / std::max(sample.period_ms, 1U);
      node.throttled[sample.subject].Note(second, true);
      break;
    default: break;
  }
}

// An agent that is short of processor time reads late: what was added in two seconds is no rate of one.
void Activity::AddInterface(NodeActivity& node, const model::NodeSample& sample, int64_t second) {
  if (!SubjectOf(sample).is_own()) return;
  const auto known = node.uplinks.find(sample.subject);
  const size_t kind = known != node.uplinks.end() && known->second ? 1 : 0;
  const int64_t whole = sample.time == node.read_ms ? (node.elapsed_ms + 500) / 1'000 : 1;
  const int64_t parts = whole >= 1 && whole <= kMostLate ? whole : 1;
  for (int64_t at = std::max<int64_t>(0, second - parts + 1); at <= second; ++at) {
    NodeSecond& slot = node.At(at);
    const uint64_t value = sample.value / static_cast<uint64_t>(parts);
    if (sample.signal == NodeSignal::interface_rx_bytes) {
      slot.rx_bytes[kind] += value;
    } else if (sample.signal == NodeSignal::interface_tx_bytes) {
      slot.tx_bytes[kind] += value;
    } else {
      slot.packets[kind] += value;
    }
  }
}

void Activity::AddWindow(NodeActivity& node, const model::RateWindow& window) {
  if (!model::ParseNodeSubject(model::SignalScope::kInterface, window.subject).is_own()) return;
  const size_t steps = std::min({window.step_us.size(), window.rx_bytes.size(), window.tx_bytes.size()});
  double at_us = 0;
  for (size_t step = 0; step < steps; ++step) {
    const double length_us = std::max(window.step_us[step], 1'000U);  // shorter steps are no rate
    const int64_t second = (window.start + static_cast<int64_t>(at_us / 1'000)) / 1'000;
    at_us += window.step_us[step];
    RatePeak& peak = node.peaks[static_cast<size_t>(second) % node.peaks.size()];
    if (peak.second > second) continue;
    if (peak.second != second) peak = {second, 0, 0};
    const double per_bit = kBitsPerByte * 1e6 / length_us;
    peak.rx_bits = std::max(peak.rx_bits, per_bit * static_cast<double>(window.rx_bytes[step]));
    peak.tx_bits = std::max(peak.tx_bits, per_bit * static_cast<double>(window.tx_bytes[step]));
  }
}

std::vector<Activity::Share> Activity::Ranked(NodeNumber node, const std::vector<int64_t>& seconds, bool rx, bool tx) {
  if (by_node_.empty()) {
    for (PartyNumber number = 1; number < parties_.size(); ++number) {
      if (names_.Resolve(number) == number) by_node_[names_.Brief(number).node].push_back(number);
    }
  }
  std::vector<Share> shares;
  const auto local = by_node_.find(node);
  if (local == by_node_.end()) return shares;
  for (const PartyNumber number : local->second) {
    uint64_t bytes = 0;
    for (const int64_t second : seconds) {
      const PartySecond moved = parties_[number].In(second);
      bytes += (rx ? moved.rx_bytes : 0) + (tx ? moved.tx_bytes : 0);
    }
    if (bytes != 0) shares.push_back({number, bytes});
  }
  std::sort(shares.begin(), shares.end(), [](const Share& a, const Share& b) { return a.bytes > b.bytes; });
  return shares;
}

void Activity::Forget(int64_t before_s) {
  std::erase_if(nodes_, [&](const auto& entry) { return entry.second.heard < before_s * 1'000; });
  for (auto& entry : nodes_) {
    auto& node = entry.second;
    std::erase_if(node.throttled, [&](const auto& pod) { return pod.second.last() < node.latest_s - 60; });
    std::erase_if(node.throttled_us, [&](const auto& pod) { return !node.throttled.contains(pod.first); });
  }
}

}  // namespace weir::diagnose

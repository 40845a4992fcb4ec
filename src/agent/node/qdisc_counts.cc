#include "agent/node/qdisc_counts.h"

#include <linux/pkt_sched.h>

#include <algorithm>
#include <unordered_map>

#include "model/node_signals.h"

namespace weir::agent::node {
namespace {

using model::NodeSignal;

struct Counter {
  NodeSignal signal;
  uint64_t (*read)(const Qdisc&);
  Width width;
  bool of_shapers;       // only
  bool of_every_parent;  // a parent counts its children's, too; else only one that merely adds them up
};
constexpr Counter kCounters[] = {
    {NodeSignal::qdisc_drops, [](const Qdisc& qdisc) -> uint64_t { return qdisc.drops; }, Width::k32, false, true},
    {NodeSignal::qdisc_overlimits, [](const Qdisc& qdisc) -> uint64_t { return qdisc.overlimits; }, Width::k32, false,
     false},
    {NodeSignal::qdisc_requeues, [](const Qdisc& qdisc) -> uint64_t { return qdisc.requeues; }, Width::k32, false,
     false},
    {NodeSignal::qdisc_bytes, [](const Qdisc& qdisc) { return qdisc.bytes; }, Width::k64, true, true},
    {NodeSignal::qdisc_packets, [](const Qdisc& qdisc) { return qdisc.packets; }, Width::k64, true, true},
};

// One per transmit queue, which do all the work: what they say of themselves is the sum (mq_dump() in the kernel).
bool OnlyAddsUp(const Qdisc& qdisc) { return qdisc.kind == "mq" || qdisc.kind == "mqprio"; }

// Within its namespace. Those a multi-queue device makes by itself share handle 0.
uint64_t NumberOf(const Qdisc& qdisc) {
  return uint64_t{qdisc.ifindex} << 32 ^ (qdisc.handle != 0 ? qdisc.handle : qdisc.parent);
}

uint64_t Less(uint64_t value, uint64_t by) { return value > by ? value - by : 0; }

}  // namespace

std::vector<int> ParentsOf(const std::vector<NamedQdisc>& qdiscs) {
  std::unordered_map<uint64_t, int> by_handle;
  const auto key = [](uint32_t ifindex, uint32_t handle) { return uint64_t{ifindex} << 32 | handle; };
  for (size_t i = 0; i < qdiscs.size(); ++i) {
    const Qdisc& qdisc = qdiscs[i].qdisc;
    // Of those that share handle 0 only the root can have children.
    if (qdisc.handle != 0 || qdisc.parent == TC_H_ROOT) {
      by_handle.emplace(key(qdisc.ifindex, qdisc.handle), static_cast<int>(i));
    }
  }
  std::vector<int> parents;
  for (const auto& [qdisc, subject] : qdiscs) {
    const bool is_child = qdisc.parent != TC_H_ROOT && qdisc.parent != TC_H_INGRESS && qdisc.parent != 0;
    const auto parent = by_handle.find(key(qdisc.ifindex, TC_H_MAJ(qdisc.parent)));
    parents.push_back(is_child && parent != by_handle.end() ? parent->second : -1);
  }
  return parents;
}

void AddQdiscs(const std::vector<NamedQdisc>& qdiscs, uint32_t netns, bool is_new, SampleTable& table,
               const std::function<void(const NamedQdisc&, NodeSignal)>& on_rise) {
  const std::vector<int> parents = ParentsOf(qdiscs);
  const auto object = [&](const NamedQdisc& named) {
    return Object{netns, NumberOf(named.qdisc), named.subject, is_new};
  };
  std::vector<uint64_t> added(qdiscs.size());
  std::vector<uint64_t> of_children(qdiscs.size());
  for (const Counter& counter : kCounters) {
    const auto counts = [&](size_t i) { return !counter.of_shapers || Shapes(qdiscs[i].qdisc); };
    std::fill(of_children.begin(), of_children.end(), 0);
    for (size_t i = 0; i < qdiscs.size(); ++i) {
      if (!counts(i)) continue;
      const Qdisc& qdisc = qdiscs[i].qdisc;
      added[i] = table.Advance(object(qdiscs[i]), counter.signal, counter.read(qdisc), counter.width);
      if (parents[i] < 0) continue;
      const auto parent = static_cast<size_t>(parents[i]);
      if (counter.of_every_parent || OnlyAddsUp(qdiscs[parent].qdisc)) of_children[parent] += added[i];
    }
    for (size_t i = 0; i < qdiscs.size(); ++i) {
      if (!counts(i)) continue;
      const uint64_t own = Less(added[i], of_children[i]);
      table.SayAdded(object(qdiscs[i]), counter.signal, own);
      if (own == 0) continue;
      if (!model::Describe(counter.signal).limit.empty()) on_rise(qdiscs[i], counter.signal);
    }
  }
  std::fill(of_children.begin(), of_children.end(), 0);
  for (size_t i = 0; i < qdiscs.size(); ++i) {
    if (parents[i] >= 0 && Shapes(qdiscs[i].qdisc)) {
      of_children[static_cast<size_t>(parents[i])] += qdiscs[i].qdisc.backlog_bytes;
    }
  }
  for (size_t i = 0; i < qdiscs.size(); ++i) {
    if (!Shapes(qdiscs[i].qdisc)) continue;
    table.Add(object(qdiscs[i]), NodeSignal::qdisc_backlog, Less(qdiscs[i].qdisc.backlog_bytes, of_children[i]));
  }
}

}  // namespace weir::agent::node

#include "agent/node/node_reader.h"

#include <algorithm>
#include <optional>

#include "agent/kernel/group_tree.h"
#include "agent/kernel/own_namespaces.h"
#include "base/metrics.h"

namespace weir::agent::node {
namespace {

constexpr Nanos kSecondNanos = 1'000'000'000;
constexpr Nanos kDevicePeriod = kSecondNanos;    // never faster: some drivers send a command to the device
constexpr Nanos kSlowPeriod = 5 * kSecondNanos;  // other namespaces, control groups, per-CPU counters

}  // namespace

NodeReader::NodeReader(std::chrono::milliseconds interval, const Clock& clock)
    : interval_(std::chrono::nanoseconds(interval).count()),
      clock_(clock),
      table_(&board_),
      network_(table_, probes_, clock),
      host_(table_, probes_),
      drops_(table_, probes_) {}

Status NodeReader::Open(bool drops) {
  drops ? drops_.Open() : drops_.Off("switched off by an option");
  auto tree = kernel::OpenGroupTree();
  host_.Use(tree.ok() ? *std::move(tree) : kernel::GroupTree{}, kernel::SharesNetworkNamespace());
  return network_.Open();
}

bool NodeReader::IsDue(Nanos now, Nanos period, Nanos& last) {
  if (last != 0 && now - last < period - period / 20) return false;
  last = now;
  return true;
}

void NodeReader::Pass() {
  const Nanos begin = clock_.MonotonicNanos();
  table_.BeginPass(clock_.WallMillis(), begin);
  SetPeriod(interval_);
  network_.ReadOwn();
  host_.ReadConntrack();
  host_.ReadPressure();
  host_.ReadRdma();
  if (IsDue(begin, kDevicePeriod, devices_read_)) {
    SetPeriod(std::max(interval_, kDevicePeriod));
    network_.ReadDevices();
  }
  if (IsDue(begin, kSlowPeriod, slow_read_)) {
    SetPeriod(std::max(interval_, kSlowPeriod));
    host_.ReadSoftnet();
    host_.ReadCgroups();
    network_.ReadOthers();
    drops_.Read(begin, [this](uint32_t inode) -> std::optional<std::string> {
      if (!network_.IsOurs(inode)) return std::nullopt;
      return network_.SpaceName(inode);
    });
  }
  const auto cost_us = static_cast<uint64_t>((clock_.MonotonicNanos() - begin) / 1'000);
  SetPeriod(interval_);
  table_.Say({}, model::NodeSignal::node_pass_us, cost_us);
  Count(Metric::agent_node_passes);
  Count(Metric::agent_node_pass_microseconds, cost_us);
}

void NodeReader::Look() {
  table_.BeginLook(clock_.WallMillis(), clock_.MonotonicNanos());
  network_.Look();
}

NodeSnapshot NodeReader::Show() {
  board_.Forget([this](uint32_t netns) { return network_.IsThere(netns); });
  NodeSnapshot snapshot;
  network_.Show(board_, snapshot);
  snapshot.efa = host_.efa_ports();
  return snapshot;
}

}  // namespace weir::agent::node

#include "agent/metrics/node_samples.h"

#include <algorithm>
#include <array>
#include <utility>

namespace weir::agent::metrics {
namespace {

using model::AgentFamily;
using model::NodeSignal;
using model::ShownSignal;
using model::SignalPlace;
using model::SignalScope;
using node::NodeSnapshot;

constexpr size_t kContainerIdDigits = 64;
constexpr size_t kShortContainerId = 12;

// The rows of kShownSignals by family.
const std::vector<ShownSignal>& RowsOf(AgentFamily family) {
  static const auto kRows = [] {
    std::array<std::vector<ShownSignal>, model::kAgentFamilyCount> rows;
    for (const ShownSignal& shown : model::kShownSignals) rows[static_cast<size_t>(shown.family)].push_back(shown);
    return rows;
  }();
  return kRows[static_cast<size_t>(family)];
}

const uint64_t* ValueOf(const NodeSnapshot::Values& values, NodeSignal signal) {
  const auto found =
      std::find_if(values.begin(), values.end(), [&](const auto& value) { return value.first == signal; });
  return found == values.end() ? nullptr : &found->second;
}

// Whether rows for `wanted` take their values from an item of `place`. Every namespace is one of kSpaces.
bool Fits(SignalPlace wanted, SignalPlace place) {
  return wanted == place || (wanted == SignalPlace::kSpaces && place == SignalPlace::kPods);
}

PodLabels LabelsFor(const NodeSnapshot::Space& space, const NamePod& name_pod) {
  PodLabels labels = name_pod(space.pod_uid, space.container);
  if (labels.known()) return labels;
  labels.uid = space.pod_uid;
  labels.pod = !space.pod_uid.empty()     ? space.pod_uid
               : !space.container.empty() ? space.container.substr(0, kShortContainerId)
                                          : space.name;
  return labels;
}

}  // namespace

NodeSamples::NodeSamples(const NodeSnapshot& snapshot, const LabelContext& common, const NamePod& name_pod)
    : snapshot_(snapshot), common_(common) {
  for (const NodeSnapshot::Space& space : snapshot.spaces) AddSpace(space, name_pod);
  for (const NodeSnapshot::Object& object : snapshot.objects) AddObject(object, name_pod);
}

void NodeSamples::AddSpace(const NodeSnapshot::Space& space, const NamePod& name_pod) {
  const bool own = space.netns == 0;
  // A namespace with nothing but loopback talks to nobody: sandboxes have such.
  if (!own && space.interfaces.empty()) return;
  LabelContext context = common_;
  if (!own) {
    owners_.push_back(std::make_unique<PodLabels>(LabelsFor(space, name_pod)));
    const PodLabels& labels = *owners_.back();
    pods_.push_back(labels);
    by_space_.emplace_back(space.netns, &labels);
    context.name_space = labels.name_space;
    context.pod = labels.pod;
  }
  bool first = true;
  for (const NodeSnapshot::Interface& interface : space.interfaces) {
    context.interface = interface.name;
    context.iface = interface.host_name.empty() ? interface.name : interface.host_name;
    items_.push_back({own ? SignalPlace::kDevices : SignalPlace::kPods, context, interface.created, &interface.values});
    if (std::exchange(first, false)) {
      // Connections are counted by namespace; the first interface stands for it where a family wants one.
      LabelContext of_space = context;
      of_space.interface = {};
      items_.push_back({own ? SignalPlace::kSpaces : SignalPlace::kPods, of_space, space.created, &space.values});
    }
  }
  if (first) items_.push_back({SignalPlace::kSpaces, context, space.created, &space.values});
}

const PodLabels* NodeSamples::LabelsOf(uint32_t netns) const {
  const auto found =
      std::find_if(by_space_.begin(), by_space_.end(), [&](const auto& item) { return item.first == netns; });
  return found == by_space_.end() ? nullptr : found->second;
}

void NodeSamples::AddObject(const NodeSnapshot::Object& object, const NamePod& name_pod) {
  LabelContext context = common_;
  std::string_view name = object.name;
  SignalPlace place = SignalPlace::kNode;
  if (object.netns != 0) {
    const PodLabels* labels = LabelsOf(object.netns);
    if (labels == nullptr) return;  // nothing but loopback
    context.name_space = labels->name_space;
    context.pod = labels->pod;
  }
  switch (object.scope) {
    case SignalScope::kQdisc: {
      place = SignalPlace::kSpaces;
      const size_t blank = name.find(' ');
      context.interface = name.substr(0, blank);
      context.qdisc = blank == std::string_view::npos ? name : name.substr(blank + 1);
      break;
    }
    case SignalScope::kDrop:
      place = SignalPlace::kSpaces;
      if (const size_t slash = name.find('/'); slash != std::string_view::npos) {
        context.pod = name.substr(0, slash);  // "unknown"
        name.remove_prefix(slash + 1);
      }
      context.reason = name;
      break;
    case SignalScope::kCgroup: {
      // Pods' own folders would count their containers once more.
      if (name.size() != kContainerIdDigits) return;
      place = SignalPlace::kContainers;
      owners_.push_back(std::make_unique<PodLabels>(name_pod("", object.name)));
      const PodLabels& labels = *owners_.back();
      context.name_space = labels.name_space;
      context.pod = labels.pod;
      context.container = labels.container.empty() ? name.substr(0, kShortContainerId) : labels.container;
      break;
    }
    case SignalScope::kRdmaPort: {
      const size_t slash = name.find('/');
      context.device = name.substr(0, slash);
      context.port = slash == std::string_view::npos ? "" : name.substr(slash + 1);
      break;
    }
    default: context.cpu = name.starts_with("cpu") ? name.substr(3) : name;
  }
  items_.push_back({place, context, object.created, &object.values});
}

void NodeSamples::AddTo(AgentFamily family, FamilyOut& out) const {
  const std::vector<ShownSignal>& rows = RowsOf(family);
  if (rows.empty()) return;
  for (const Item& item : items_) {
    for (const ShownSignal& row : rows) {
      if (!Fits(row.place, item.place)) continue;
      const uint64_t* value = ValueOf(*item.values, row.signal);
      if (value != nullptr) out.Add(item.context, row.value, static_cast<double>(*value) / row.divisor, item.created);
    }
  }
}

void NodeSamples::VisitEfa(MetricVisitor& visitor) const {
  for (size_t i = 0; i < model::kEfaCounters.size(); ++i) {
    FamilyOut out(model::kEfaCounters[i].family, visitor);
    for (const NodeSnapshot::EfaPort& port : snapshot_.efa) {
      const auto found =
          std::find_if(port.values.begin(), port.values.end(), [&](const auto& v) { return v.first == i; });
      if (found == port.values.end()) continue;
      LabelContext context = common_;
      context.device = port.device;
      context.port = port.port;
      context.pod = context.name_space = "unknown";
      out.Add(context, "", static_cast<double>(found->second), 0);
    }
  }
}

}  // namespace weir::agent::metrics

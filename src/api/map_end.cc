#include "api/map_end.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "model/address.h"
#include "model/container_name.h"
#include "model/filter.h"

namespace weir::api {
namespace {

using model::Level;

bool IsCoarse(Level level) { return level == Level::kNamespace || level == Level::kZone || level == Level::kCluster; }

std::string Slash(std::string_view name_space, std::string_view name) { return fmt::format("{}/{}", name_space, name); }

MapNode Outside(const EndFacts& end, const MapOptions& options) {
  MapNode node;
  node.external = true;
  node.kind = end.cloud_service.empty() ? "external" : "cloud_service";
  node.cloud_service = end.cloud_service;
  node.external_service = end.external_service;
  node.region = end.region;
  node.name_source = end.name_source;
  if (IsCoarse(options.level) && !end.external_service.empty()) {
    node.name = end.external_service;
    if (!end.region.empty()) node.name += fmt::format(" {}", end.region);
    return node;
  }
  node.name = node.external_name = end.external_name;
  return node;
}

MapNode Unreported(const EndFacts& end, const MapOptions& options) {
  if (!end.external_name.empty() || !end.external_service.empty()) return Outside(end, options);
  MapNode node;
  node.external = true;
  const std::optional<model::Address> address = model::Address::Parse(end.address);
  const bool is_public = end.kind == "internet" || (address && address->is_public());
  if (options.fold_internet && end.node.empty() && end.cloud_service.empty() && is_public) {
    node.kind = "internet";
    node.name = "Internet";
    return node;
  }
  node.kind = "host";
  node.name = node.address = end.address;
  node.cloud_service = end.cloud_service;
  if (address && address->is_loopback() && !end.other_node.empty()) {
    // Loopback is the other end's own machine; one node per machine, or unrelated machines would meet in "127.0.0.1".
    node.node = end.other_node;
    if (options.level == Level::kNode) {
      node.name = end.other_node;
      node.address.clear();
      node.external = false;
    } else {
      node.group = end.other_node;
      node.group_kind = "host";
    }
  }
  return node;
}

// Units of systemd are named by people and mean something to them. Other control groups are a runtime's own folders,
// often made of random digits, and one more for every job.
bool IsUnit(std::string_view name) {
  static constexpr std::string_view kSuffixes[] = {".service", ".scope", ".slice", ".socket", ".mount"};
  return std::any_of(std::begin(kSuffixes), std::end(kSuffixes),
                     [name](std::string_view suffix) { return name.ends_with(suffix); });
}

void PutIntoCluster(const EndFacts& end, MapNode& node) {
  node.cluster = end.cluster;
  node.name_space = end.namespace_;
  node.name_source = "cluster";
}

void PutIntoWorkload(const EndFacts& end, MapNode& node) {
  PutIntoCluster(end, node);
  node.workload = end.workload;
  node.workload_kind = end.workload_kind;
}

void PutIntoPod(const EndFacts& end, MapNode& node) {
  PutIntoWorkload(end, node);
  node.pod = end.pod;
  node.node = end.node;
  node.zone = end.zone;
}

// What the end lives in: its pod, else its container, else the network namespace somebody set apart, else its unit,
// else the node.
struct Home {
  std::string_view kind;
  std::string name;
};

Home PutIntoHome(const EndFacts& end, MapNode& node) {
  if (!end.pod.empty()) {
    PutIntoPod(end, node);
    node.container_name = end.container_name;
    node.container = end.container;
    return {"pod", Slash(end.namespace_, end.pod)};
  }
  node.node = end.node;
  node.zone = end.zone;
  if (!end.container.empty()) {
    node.container = end.container;
    node.container_name = end.container_name;
    const std::string_view name = end.container_name;
    return {"container", std::string(name.empty() ? model::ShortContainer(end.container) : name)};
  }
  if (!end.netns_name.empty()) {
    node.netns_name = end.netns_name;
    return {"netns", node.netns_name};
  }
  if (end.netns != 0) {
    node.netns = end.netns;
    return {"netns", fmt::format("netns {}", end.netns)};
  }
  if (IsUnit(end.unit)) {
    node.unit = end.unit;
    return {"unit", node.unit};
  }
  return {"host", node.node};
}

MapNode PodNode(const EndFacts& end) {
  MapNode node;
  node.kind = "pod";
  node.name = end.pod;
  PutIntoPod(end, node);
  node.group = Slash(end.namespace_, end.workload.empty() ? end.pod : end.workload);
  node.group_kind = "workload";
  return node;
}

MapNode ContainerNode(const EndFacts& end) {
  MapNode node;
  Home home = PutIntoHome(end, node);
  if (home.kind == "pod") {
    if (end.container.empty() && end.container_name.empty()) return PodNode(end);
    node.kind = "container";
    node.name = end.container_name.empty() ? model::ShortContainer(end.container) : end.container_name;
    node.group = std::move(home.name);
    node.group_kind = "pod";
    return node;
  }
  node.kind = home.kind == "unit" ? "container" : home.kind;  // as good as one: what a service manager starts as one
  node.name = std::move(home.name);
  if (home.kind == "host") return node;
  node.group = end.node;
  node.group_kind = "host";
  return node;
}

MapNode ProcessNode(const EndFacts& end) {
  MapNode node;
  Home home = PutIntoHome(end, node);
  node.kind = "process";
  node.name = node.process = end.process;
  node.group_kind = home.kind;
  // The id of a container says little, its name much.
  const bool by_id = home.kind == "container" && end.container_name.empty();
  node.group = by_id ? "container " + home.name : std::move(home.name);
  return node;
}

MapNode WorkloadNode(const EndFacts& end) {
  MapNode node;
  node.kind = "workload";
  node.name = end.workload;
  PutIntoWorkload(end, node);
  node.group = end.namespace_;
  node.group_kind = "namespace";
  return node;
}

MapNode NamespaceNode(const EndFacts& end) {
  MapNode node;
  node.kind = "namespace";
  node.name = end.namespace_;
  PutIntoCluster(end, node);
  node.group = end.cluster;
  node.group_kind = end.cluster.empty() ? "" : "cluster";
  return node;
}

MapNode ServiceNode(const EndFacts& end) {
  MapNode node;
  node.kind = "service";
  node.name = node.service = end.service;
  node.workload = end.workload;
  node.cluster = end.cluster;
  node.name_space = end.service_namespace;
  node.name_source = "cluster";
  node.group = end.service_namespace;
  node.group_kind = "namespace";
  return node;
}

MapNode HostNode(const EndFacts& end) {
  MapNode node;
  node.kind = "host";
  node.name = node.node = end.node;
  node.zone = node.group = end.zone;
  node.group_kind = end.zone.empty() ? "" : "zone";
  return node;
}

MapNode ZoneNode(const EndFacts& end) {
  MapNode node;
  node.kind = "zone";
  node.name = node.zone = end.zone;
  node.region = node.group = end.region;
  node.group_kind = end.region.empty() ? "" : "region";
  return node;
}

MapNode ClusterNode(const EndFacts& end) {
  MapNode node;
  node.kind = "cluster";
  node.name = node.cluster = end.cluster;
  node.name_source = "cluster";
  return node;
}

bool IsKnown(const EndFacts& end, model::EntityField field) {
  using enum model::EntityField;
  switch (field) {
    case process: return !end.process.empty();
    case container: return !end.container.empty();
    case pod: return !end.pod.empty();
    case workload: return !end.workload.empty();
    case namespace_: return !end.namespace_.empty();
    case node: return !end.node.empty();
    case zone: return !end.zone.empty();
    case cluster: return !end.cluster.empty();
    case external_name: return !end.external_name.empty();
    case external_service: return !end.external_service.empty();
    default: return false;
  }
}

// What the end is on the level, by the table of levels. An address of a namespace that its node's agent knows is that
// namespace.
std::string_view KindOn(Level level, const EndFacts& end) {
  const bool stranger = end.kind == "address" && end.netns_name.empty();
  for (const model::LevelThing& thing : model::ThingsOf(level)) {
    if (thing.needs_service && end.service.empty()) continue;
    if (thing.needs_agent && stranger) continue;
    const bool applies = std::all_of(thing.needs.begin(), thing.needs.end(),
                                     [&](model::EntityField field) { return IsKnown(end, field); });
    if (applies) return thing.kind;
  }
  return "";
}

}  // namespace

void MainNetns::Add(const EndFacts& end, uint64_t flows) {
  if (end.node.empty() || end.netns == 0 || !end.container.empty() || !end.netns_name.empty()) return;
  auto node = flows_.find(end.node);
  if (node == flows_.end()) node = flows_.emplace(end.node, std::map<uint32_t, uint64_t>{}).first;
  node->second[end.netns] += flows;
}

uint32_t MainNetns::Of(std::string_view node) const {
  const auto found = flows_.find(node);
  if (found == flows_.end()) return 0;
  const auto most = std::max_element(found->second.begin(), found->second.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  return most->first;
}

std::string MapNode::Id() const {
  std::string key;
  const bool in_pod = !pod.empty();  // which may be restarted with a new container, or elsewhere
  const std::string none;
  for (const std::string* part : {&kind, &name, in_pod ? &none : &container, &unit, in_pod ? &none : &node}) {
    key += *part;
    key += '\0';
  }
  key += external ? 'x' : ' ';
  if (!netns_name.empty()) key += "netns " + netns_name;
  if (netns != 0) key += fmt::format("netns inode {}", netns);
  if (!name_space.empty() || !cluster.empty()) {
    for (const std::string* part : {&cluster, &name_space, &pod, &container_name}) {
      key += *part;
      key += '\0';
    }
    if (kind == "workload") key += workload_kind;
  }
  return fmt::format("n{:016x}", XXH3_64bits(key.data(), key.size()));
}

MapNode NodeOf(const EndFacts& end, const MapOptions& options) {
  const std::string_view kind = KindOn(options.level, end);
  if (kind == "process") return ProcessNode(end);
  if (kind == "container") return ContainerNode(end);
  if (kind == "pod") return PodNode(end);
  if (kind == "workload") return WorkloadNode(end);
  if (kind == "namespace") return NamespaceNode(end);
  if (kind == "node") return HostNode(end);
  if (kind == "zone") return ZoneNode(end);
  if (kind == "cluster") return ClusterNode(end);
  if (kind == "service") return ServiceNode(end);
  return Unreported(end, options);
}

// ---- Filters ----

namespace {

class FilterText {
 public:
  explicit FilterText(std::string_view side) : side_(side) {}

  // "" is a value like others: the end has no such attribute.
  FilterText& Is(std::string_view attribute, std::string_view value) {
    return Add(fmt::format("{}_{} = {}", side_, attribute, model::FilterValueText(value)));
  }
  FilterText& IsIfKnown(std::string_view attribute, std::string_view value) {
    return value.empty() ? *this : Is(attribute, value);
  }
  FilterText& Add(std::string condition) {
    text_ += (text_.empty() ? "" : " and ") + condition;
    return *this;
  }
  std::string Take() { return std::move(text_); }

 private:
  const std::string_view side_;
  std::string text_;
};

// What a machine stands for: all that is on it and is no thing of the level itself.
void AddHost(const MapNode& node, Level level, FilterText& filter) {
  filter.Is("node", node.node);
  switch (level) {
    case Level::kNode: break;
    case Level::kNamespace: filter.Is("namespace", ""); break;
    case Level::kZone: filter.Is("zone", ""); break;
    case Level::kCluster: filter.Is("cluster", "").Is("zone", ""); break;
    default: filter.Is("pod", "").Is("container", ""); break;
  }
}

void AddHome(const MapNode& node, Level level, FilterText& filter) {
  if (!node.pod.empty()) {
    filter.IsIfKnown("cluster", node.cluster).Is("namespace", node.name_space).Is("pod", node.pod);
    filter.IsIfKnown("container_name", node.container_name);
    if (node.container_name.empty()) filter.IsIfKnown("container", node.container);
    return;
  }
  if (!node.container.empty()) {
    filter.Is("node", node.node).Is("container", node.container);
  } else if (!node.netns_name.empty()) {
    filter.Is("node", node.node).Is("netns_name", node.netns_name);
  } else if (node.netns != 0) {
    filter.Is("node", node.node).Is("netns", fmt::format_int(node.netns).c_str());
  } else if (!node.unit.empty()) {
    filter.Is("node", node.node).Is("unit", node.unit);
  } else {
    AddHost(node, level, filter);
  }
}

// Flows of a service, and of the workload that is all it has: as a client, or reached past the service.
std::string ServiceFilter(const MapNode& node, std::string_view side) {
  FilterText workload(side);
  if (!node.workload.empty()) {
    workload.IsIfKnown("cluster", node.cluster).Is("namespace", node.name_space).Is("workload", node.workload);
  }
  if (side != "server") return workload.Take();
  FilterText service(side);
  service.Is("service", node.service).Is("service_namespace", node.name_space);
  if (node.workload.empty()) return service.Take();
  return fmt::format("({} or {})", service.Take(), workload.Is("service", "").Take());
}

}  // namespace

std::string FilterOf(const MapNode& node, std::string_view side, const MapOptions& options) {
  FilterText filter(side);
  const std::string_view kind = node.kind;
  if (kind == "internet") return filter.Is("node", "").Is("kind", "address").Add("locality = internet").Take();
  if (node.external && !node.external_name.empty()) return filter.Is("external_name", node.external_name).Take();
  if (node.external && !node.external_service.empty()) {
    return filter.Is("external_service", node.external_service).IsIfKnown("region", node.region).Take();
  }
  if (!node.address.empty()) return filter.Add(fmt::format("{}_address = {}", side, node.address)).Take();
  if (kind == "service") return ServiceFilter(node, side);
  if (kind == "workload") {
    filter.IsIfKnown("cluster", node.cluster).Is("namespace", node.name_space).Is("workload", node.workload);
    return filter.IsIfKnown("workload_kind", node.workload_kind).Take();
  }
  if (kind == "namespace") return filter.IsIfKnown("cluster", node.cluster).Is("namespace", node.name_space).Take();
  if (kind == "cluster") return filter.Is("cluster", node.cluster).Take();
  if (kind == "zone") {
    filter.Is("zone", node.zone);
    if (options.level == Level::kCluster) filter.Is("cluster", "");
    return filter.Take();
  }
  if (kind == "host" && options.level != Level::kProcess && options.level != Level::kContainer) {
    AddHost(node, options.level, filter);
    return filter.Take();
  }
  AddHome(node, options.level, filter);
  if (kind == "process") filter.Is("process", node.process);
  return filter.Take();
}

}  // namespace weir::api

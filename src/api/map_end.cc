#include "api/map_end.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "model/address.h"
#include "model/container_name.h"

namespace weir::api {
namespace {

MapNode Unreported(const EndFacts& end, const MapOptions& options) {
  MapNode node;
  node.external = true;
  const std::optional<model::Address> address = model::Address::Parse(end.address);
  if (options.fold_internet && end.node.empty() && address && address->is_public()) {
    node.kind = "internet";
    node.name = "Internet";
    return node;
  }
  node.kind = "host";
  node.name = end.address;
  if (address && address->is_loopback() && !end.other_node.empty()) {
    // Loopback is the other end's own machine; one node per machine, or unrelated machines would meet in "127.0.0.1".
    node.node = end.other_node;
    if (options.level == MapLevel::kHost) {
      node.name = end.other_node;
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

// What the end lives in: its container, else the network namespace somebody set apart, else its unit, else the node.
struct Home {
  std::string_view kind;
  std::string name;
};

Home PutIntoHome(const EndFacts& end, MapNode& node) {
  node.node = end.node;
  if (!end.container.empty()) {
    node.container = end.container;
    return {"container", std::string(model::ShortContainer(end.container))};
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

MapNode ContainerNode(const EndFacts& end) {
  MapNode node;
  Home home = PutIntoHome(end, node);
  node.kind = home.kind == "unit" ? "container" : home.kind;  // as good as one: what a service manager starts as one
  node.name = std::move(home.name);
  if (home.kind == "host") return node;
  node.group = end.node;
  node.group_kind = "host";
  return node;
}

MapNode ProcessNode(const EndFacts& end) {
  if (end.process.empty()) return ContainerNode(end);  // a kernel socket: shown as the thing it lives in
  MapNode node;
  Home home = PutIntoHome(end, node);
  node.kind = "process";
  node.name = end.process;
  node.group_kind = home.kind;
  node.group = home.kind == "container" ? "container " + home.name : std::move(home.name);
  return node;
}

}  // namespace

void MainNetns::Add(const EndFacts& end) {
  if (end.node.empty() || end.netns == 0 || !end.container.empty() || !end.netns_name.empty()) return;
  auto node = flows_.find(end.node);
  if (node == flows_.end()) node = flows_.emplace(end.node, std::map<uint32_t, uint64_t>{}).first;
  ++node->second[end.netns];
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
  for (const std::string* part : {&kind, &name, &container, &unit, &node}) {
    key += *part;
    key += '\0';
  }
  key += external ? 'x' : ' ';
  if (!netns_name.empty()) key += "netns " + netns_name;
  if (netns != 0) key += fmt::format("netns inode {}", netns);
  return fmt::format("n{:016x}", XXH3_64bits(key.data(), key.size()));
}

MapNode NodeOf(const EndFacts& end, const MapOptions& options) {
  // An address of a namespace that its node's agent knows is that namespace.
  const bool stranger = end.unreported && end.netns_name.empty();
  if (end.node.empty() || (stranger && options.level != MapLevel::kHost)) return Unreported(end, options);
  switch (options.level) {
    case MapLevel::kProcess: return ProcessNode(end);
    case MapLevel::kContainer: return ContainerNode(end);
    case MapLevel::kHost: break;
  }
  MapNode node;
  node.kind = "host";
  node.name = end.node;
  node.node = end.node;
  return node;
}

}  // namespace weir::api

#include "api/map_end.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <optional>

#include "model/address.h"

namespace weir::api {
namespace {

constexpr size_t kShortContainer = 12;  // characters of a container id people know it by

std::string ShortContainer(std::string_view id) { return std::string(id.substr(0, kShortContainer)); }

bool IsPublic(const model::Address& address) {
  return !address.is_private() && !address.is_loopback() && !address.is_link_local() && !address.is_multicast() &&
         !address.is_unspecified();
}

MapNode Unreported(const EndFacts& end, const MapOptions& options) {
  MapNode node;
  node.external = true;
  const std::optional<model::Address> address = model::Address::Parse(end.address);
  if (options.fold_internet && address && IsPublic(*address)) {
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

// A container, or outside containers the unit, or a bare process's host.
MapNode ContainerNode(const EndFacts& end) {
  MapNode node;
  node.node = end.node;
  node.container = end.container;
  node.unit = end.container.empty() ? end.unit : std::string_view{};
  if (node.container.empty() && node.unit.empty()) {
    node.kind = "host";
    node.name = end.node;
    return node;
  }
  node.kind = "container";
  node.name = node.container.empty() ? node.unit : ShortContainer(node.container);
  node.group = end.node;
  node.group_kind = "host";
  return node;
}

MapNode ProcessNode(const EndFacts& end) {
  MapNode node = ContainerNode(end);
  if (end.process.empty()) return node;  // a kernel socket: shown as the thing it lives in
  node.kind = "process";
  node.name = end.process;
  node.group = !node.container.empty() ? "container " + ShortContainer(node.container)
               : !node.unit.empty()    ? node.unit
                                       : node.node;
  node.group_kind = !node.container.empty() ? "container" : !node.unit.empty() ? "unit" : "host";
  return node;
}

}  // namespace

std::string MapNode::Id() const {
  std::string key;
  for (const std::string* part : {&kind, &name, &container, &unit, &node}) {
    key += *part;
    key += '\0';
  }
  key += external ? 'x' : ' ';
  return fmt::format("n{:016x}", XXH3_64bits(key.data(), key.size()));
}

MapNode NodeOf(const EndFacts& end, const MapOptions& options) {
  if (end.node.empty()) return Unreported(end, options);
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

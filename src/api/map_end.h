// One end of a flow as a node of the map.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "api/map.h"

namespace weir::api {

// X(field, attribute): the attributes of an end the map reads, by the entity's field and as columns name them behind
// client_ or server_.
#define WEIR_MAP_ENTITY_TEXTS(X)        \
  X(process, process)                   \
  X(container, container)               \
  X(unit, unit)                         \
  X(node, node)                         \
  X(netns_name, netns_name)             \
  X(kind, kind)                         \
  X(cluster, cluster)                   \
  X(namespace_, namespace)              \
  X(workload, workload)                 \
  X(workload_kind, workload_kind)       \
  X(pod, pod)                           \
  X(container_name, container_name)     \
  X(zone, zone)                         \
  X(region, region)                     \
  X(cloud_service, cloud_service)       \
  X(external_name, external_name)       \
  X(external_service, external_service) \
  X(on_behalf_of, on_behalf_of)         \
  X(name_source, name_source)
#define WEIR_MAP_END_TEXTS(X) X(address, address) WEIR_MAP_ENTITY_TEXTS(X)

// What is known of one end of a flow, as far as the level needs it.
struct EndFacts {
  std::string_view process = {}, container = {}, unit = {}, node = {}, address = {};
  std::string_view other_node = {};  // of the other end: whose loopback it is
  std::string_view netns_name = {};
  uint32_t netns = 0;  // inode; 0 = unknown, or the node's main one
  std::string_view kind = {};
  std::string_view cluster = {}, namespace_ = {}, workload = {}, workload_kind = {}, pod = {}, container_name = {};
  std::string_view zone = {}, region = {}, cloud_service = {}, external_name = {}, external_service = {};
  std::string_view on_behalf_of = {}, name_source = {};
  std::string_view service = {}, service_namespace = {};  // of a server: what its client asked for
  uint32_t shared = 0;
};

// The network namespace most ends on a node are in, by flows. The node's own, as far as flows tell: ends in containers
// and in named namespaces do not count, there can be any number of them.
class MainNetns {
 public:
  void Add(const EndFacts& end, uint64_t flows = 1);
  // 0 when nothing was added for the node. The lowest of equals, because a machine's first namespace has the lowest.
  uint32_t Of(std::string_view node) const;

 private:
  std::map<std::string, std::map<uint32_t, uint64_t>, std::less<>> flows_;  // by node and inode
};

// Fields that are not part of what the node is are empty or 0.
struct MapNode {
  // process | container | netns | host | internet | pod | workload | namespace | zone | cluster | service | external |
  // cloud_service
  std::string kind;
  std::string name;
  std::string group;  // "container 3f2a9c71d0be", "lab-a", "nginx.service", a node, "shop/web-1"; "" = alone
  std::string
      group_kind;  // container | netns | unit | host | pod | workload | namespace | cluster | zone | region | ""
  std::string process;
  // At most one of these four says what of the node it is in.
  std::string container;
  std::string netns_name;
  uint32_t netns = 0;  // of a namespace without a name
  std::string unit;
  std::string node, zone, region;
  std::string cluster, name_space, workload, workload_kind, pod, container_name, service;
  std::string cloud_service, external_name, external_service, name_source;
  std::string address;    // of what nobody reports from and nobody names
  bool external = false;  // nobody reports from there

  // A hash of what the node is, so that it keeps its place from one call to the next.
  std::string Id() const;
};

MapNode NodeOf(const EndFacts& end, const MapOptions& options);

// A filter that selects the flows whose client or server, as `side` says, is this node; "" where none can.
std::string FilterOf(const MapNode& node, std::string_view side, const MapOptions& options);

}  // namespace weir::api

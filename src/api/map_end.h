// One end of a flow as a node of the map.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "api/map.h"

namespace weir::api {

// What is known of one end of a flow.
struct EndFacts {
  std::string_view process, container, unit, node, address;
  std::string_view other_node;  // of the other end: whose loopback it is
  std::string_view netns_name = {};
  uint32_t netns = 0;       // inode; 0 = unknown, or the node's main one
  bool unreported = false;  // an address, though its node may be known
};

// The network namespace most ends on a node are in, by flows. The node's own, as far as flows tell: ends in containers
// and in named namespaces do not count, there can be any number of them.
class MainNetns {
 public:
  void Add(const EndFacts& end);
  // 0 when nothing was added for the node. The lowest of equals, because a machine's first namespace has the lowest.
  uint32_t Of(std::string_view node) const;

 private:
  std::map<std::string, std::map<uint32_t, uint64_t>, std::less<>> flows_;  // by node and inode
};

struct MapNode {
  std::string kind;  // process | container | netns | host | internet
  std::string name;
  std::string group;       // "container 3f2a9c71d0be", "lab-a", "netns 4026532201", "nginx.service", a node; "" = alone
  std::string group_kind;  // container | netns | unit | host | ""
  // At most one of these four says what of the node it is in.
  std::string container;
  std::string netns_name;
  uint32_t netns = 0;  // of a namespace without a name
  std::string unit;
  std::string node;
  bool external = false;  // nobody reports from there

  // A hash of what the node is, so that it keeps its place from one call to the next.
  std::string Id() const;
};

MapNode NodeOf(const EndFacts& end, const MapOptions& options);

}  // namespace weir::api

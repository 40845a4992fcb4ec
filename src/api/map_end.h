// One end of a flow as a node of the map.
#pragma once

#include <string>
#include <string_view>

#include "api/map.h"

namespace weir::api {

// What is known of one end of a flow.
struct EndFacts {
  std::string_view process, container, unit, node, address;
  std::string_view other_node;  // of the other end: whose loopback it is
};

struct MapNode {
  std::string kind;  // process | container | host | internet
  std::string name;
  std::string group;       // "container 3f2a9c71d0be", "nginx.service", a node; "" = stands alone
  std::string group_kind;  // container | unit | host | ""
  std::string container;
  std::string unit;
  std::string node;
  bool external = false;  // nobody reports from there

  // A hash of what the node is, so that it keeps its place from one call to the next.
  std::string Id() const;
};

MapNode NodeOf(const EndFacts& end, const MapOptions& options);

}  // namespace weir::api

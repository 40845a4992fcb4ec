// What /metrics shows of a node at one moment: absolute values by network namespace, interface and other objects.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "model/node_signals.h"

namespace weir::agent::node {

// `created` everywhere: when the counters were 0; 0 = not known.
struct NodeSnapshot {
  using Values = std::vector<std::pair<model::NodeSignal, uint64_t>>;

  struct Interface {
    std::string name;
    std::string host_name;  // of its other end in the node's namespace; "" = it has none there
    bool hardware = false;
    UnixMillis created = 0;
    Values values;
  };
  struct Space {
    uint32_t netns = 0;       // inode; 0 = the agent's own
    std::string name{};       // "" = the agent's own
    std::string pod_uid{};    // "" = of no pod, or not known
    std::string container{};  // id; "" = of none, or not known
    UnixMillis created = 0;
    Values values{};
    std::vector<Interface> interfaces{};  // up, ascending by number, without loopback
  };
  // A queueing discipline ("eth0 tbf 8001:"), a CPU ("cpu3"), a control group, an RDMA port ("efa_0/1"), a reason of
  // drops, the node itself ("").
  struct Object {
    uint32_t netns = 0;
    model::SignalScope scope = model::SignalScope::kNode;
    std::string name;
    UnixMillis created = 0;
    Values values;
  };
  struct EfaPort {
    std::string device;
    std::string port;
    std::vector<std::pair<size_t, uint64_t>> values;  // place in model::kEfaCounters
  };

  std::vector<Space> spaces;  // the agent's own first
  std::vector<Object> objects;
  std::vector<EfaPort> efa;
};

}  // namespace weir::agent::node

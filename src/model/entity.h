// Entity: one end of a flow as a thing of its own: a process in a container of a pod, a node, a service, an address.
//
// A flow names its ends by number. What a number stands for may become known late, or change: then the entity gets a
// new version and the flow stays the same flow. So an EntityId is made from what never changes about the thing, and a
// name, an owner or a label is never part of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "model/columns.h"

namespace weir::model {

// A hash of the thing's stable key; 0 = nobody knows this end. Stable keys, by what is known of the thing:
// * seen by an agent, in a pod:   cluster, pod uid, container id, process, network namespace
// * seen by an agent, elsewhere:  agent's node, container id or unit, process, network namespace
// * seen from the other end only: address, and which of its holders it was (see server/entity_index)
// * a service:                    cluster, service uid; where unknown, address and port
using EntityId = uint64_t;

// Attributes of an entity: X(name, C++ type, ColumnType, help). Each stands twice in the column table, as client_NAME
// and server_NAME, with `help` completed by the end. Empty text and 0 mean unknown or not applicable.
#define WEIR_ENTITY_FIELDS(X)                                                                                         \
  X(kind, std::string, kString,                                                                                       \
    "pod, container, process, node, service, cloud_service, external or address: what "                               \
    "the end is, as far as known")                                                                                    \
  X(cluster, std::string, kString, "Kubernetes cluster, by the name the server was given")                            \
  X(namespace_, std::string, kString, "Kubernetes namespace")                                                         \
  X(workload, std::string, kString, "Kubernetes workload: the pod's topmost controller, or the pod without one")      \
  X(workload_kind, std::string, kString, "kind of that controller: Deployment, StatefulSet, Job, or a custom one")    \
  X(pod, std::string, kString, "Kubernetes pod")                                                                      \
  X(container_name, std::string, kString, "name of the container, in its pod or by its runtime")                      \
  X(container, std::string, kString, "container id; empty on a bare host")                                            \
  X(image, std::string, kString, "image the container was started from")                                              \
  X(process, std::string, kString, "process; empty when no agent sees this end")                                      \
  X(unit, std::string, kString, "systemd unit or last control-group folder, outside containers")                      \
  X(node, std::string, kString, "node the end is on")                                                                 \
  X(zone, std::string, kString, "zone of that node")                                                                  \
  X(region, std::string, kString, "region of that node, or of the cloud service")                                     \
  X(netns, uint32_t, kUint, "network namespace inode; 0 = unknown")                                                   \
  X(netns_name, std::string, kString, "network namespace (ip netns); empty for the host's own and for nameless ones") \
  X(cloud_service, std::string, kString,                                                                              \
    "class of a service outside the cluster: object_store, registry, model_hub "                                      \
    "and so on")                                                                                                      \
  X(external_name, std::string, kString, "name of an end outside the cluster")                                        \
  X(name_source, std::string, kString, "how the name is known: agent, cluster, dns, sni, prefix, suffix, label, geo")

struct Entity {
  EntityId id = 0;
  uint64_t version = 0;       // grows with every change, over restarts too; 0 = never named
  UnixMillis valid_from = 0;  // 0 = since ever, as far as known
  UnixMillis valid_to = 0;    // 0 = still
#define WEIR_ENTITY_FIELD(name, cpp, type, help) cpp name{};
  WEIR_ENTITY_FIELDS(WEIR_ENTITY_FIELD)
#undef WEIR_ENTITY_FIELD
};

}  // namespace weir::model

// Entity: one end of a flow as a thing of its own: a process in a container of a pod, a node, a service, an address.
//
// A flow names its ends by number. What a number stands for may become known late, or change: then the entity gets a
// new version and the flow stays the same flow. So an EntityId is made from what never changes about the thing, and a
// name, an owner or a label is never part of it. See docs/adr/0011.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "model/address.h"
#include "model/column_type.h"

namespace weir::model {

// A hash of the thing's stable key; 0 = nobody knows this end. Stable keys, by what is known of the thing:
// * seen by an agent:             its node, container id or else unit, process, network namespace (AgentEndId)
// * seen from the other end only: address, and the node whose address it is, "" where unknown (AddressId)
// * a service:                    cluster, service uid; where unknown, address and port
using EntityId = uint64_t;

// Attributes of an entity: X(name, C++ type, ColumnType, help). Each stands twice in the column table, as client_NAME
// and server_NAME (without the `_` that a C++ keyword needs at its end), with `help` completed by the end. Empty text
// and 0 mean unknown or not applicable. On disk they are columns of the table of entities, by name.
#define WEIR_ENTITY_FIELDS(X)                                                                                         \
  X(kind, std::string, kString,                                                                                       \
    "pod, container, process, node, service, cloud_service, external or address: what "                               \
    "the end is, as far as known")                                                                                    \
  X(cluster, std::string, kString, "Kubernetes cluster, by the name the server was given")                            \
  X(namespace_, std::string, kString, "Kubernetes namespace")                                                         \
  X(workload, std::string, kString, "Kubernetes workload: the pod's topmost controller, or the pod without one")      \
  X(workload_kind, std::string, kString, "kind of that controller: Deployment, StatefulSet, Job, or a custom one")    \
  X(pod, std::string, kString, "Kubernetes pod")                                                                      \
  X(pod_uid, std::string, kString, "uid of the Kubernetes pod")                                                       \
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
  X(external_service, std::string, kString, "product an end outside belongs to, such as Amazon S3")                   \
  X(on_behalf_of, std::string, kString,                                                                               \
    "workloads a helper worked for, as namespace/workload: a Mountpoint pod, a container "                            \
    "runtime that pulls, a file system of the node")                                                                  \
  X(shared, uint32_t, kUint, "pods that share a helper's traffic; 0 = it is no helper, or for whom is unknown")       \
  X(name_source, std::string, kString, "how the name is known: agent, cluster, dns, sni, prefix, suffix, label, geo")

// What only the third entity of a flow has: the service its client asked for. Its columns stand in columns.h.
#define WEIR_SERVICE_FIELDS(X) X(service, std::string, kString, "Kubernetes service")

#define WEIR_ALL_ENTITY_FIELDS(X) WEIR_ENTITY_FIELDS(X) WEIR_SERVICE_FIELDS(X)

enum class EntityField : uint8_t {
#define WEIR_ENTITY_FIELD(name, cpp, type, help) name,
  WEIR_ALL_ENTITY_FIELDS(WEIR_ENTITY_FIELD)
#undef WEIR_ENTITY_FIELD
};

struct EntityFieldDescription {
  std::string_view name;  // as in columns, without the end
  ColumnType type;
};
// By EntityField.
inline constexpr auto kEntityFields = std::to_array<EntityFieldDescription>({
#define WEIR_ENTITY_FIELD(name, cpp, type, help) \
  {std::string_view(#name).substr(0, sizeof(#name) - 1 - (#name[sizeof(#name) - 2] == '_')), ColumnType::type},
    WEIR_ALL_ENTITY_FIELDS(WEIR_ENTITY_FIELD)
#undef WEIR_ENTITY_FIELD
});

struct Entity {
  EntityId id = 0;
  uint64_t version = 0;       // of several versions of one id the highest holds, see VersionAt
  UnixMillis valid_from = 0;  // 0 = since ever, as far as known
  UnixMillis valid_to = 0;    // 0 = still
  Address address;            // what an end that only its peer reports is known by; else unspecified
#define WEIR_ENTITY_FIELD(name, cpp, type, help) cpp name{};
  WEIR_ALL_ENTITY_FIELDS(WEIR_ENTITY_FIELD)
#undef WEIR_ENTITY_FIELD

  // In all but version and validity.
  bool SameAs(const Entity& other) const;
};

// Shared by all rows that name it; null = nobody knows this end.
using EntityRef = std::shared_ptr<const Entity>;

// Null stands for an entity without attributes.
const Entity& Of(const EntityRef& entity);

// A hash of all but version and validity: what SameAs() compares.
uint64_t ContentHash(const Entity& entity);
// An attribute as a number, 0 for a text; and as text, "" for a number. The text lives as long as the entity.
uint64_t UintOf(const Entity& entity, EntityField field);
const std::string& TextOf(const Entity& entity, EntityField field);

// Calls visit(field, value) for every attribute, in the order of EntityField. Any is Entity or const Entity.
template <typename Any, typename Visitor>
void VisitEntity(Any& entity, Visitor&& visit) {
#define WEIR_ENTITY_FIELD(name, cpp, type, help) visit(EntityField::name, entity.name);
  WEIR_ALL_ENTITY_FIELDS(WEIR_ENTITY_FIELD)
#undef WEIR_ENTITY_FIELD
}

// A version that is higher the later it is, and always higher where names beyond what an agent says are known: a server
// that has just started, and knows agents only, takes no name away.
constexpr uint64_t VersionAt(UnixMillis now, bool named) {
  constexpr uint64_t kNamed = uint64_t{1} << 62;
  return (named ? kNamed : 0) + static_cast<uint64_t>(now) * 1000;
}

// A hash of the parts, each with its length in front of it. Never 0. On disk, and made in SQL when older directories
// are converted: a change needs a new schema version.
EntityId HashOfKey(std::initializer_list<std::string_view> parts);

// An end that an agent reports from. `home`: container id, else unit.
EntityId AgentEndId(std::string_view node, std::string_view home, std::string_view process, uint32_t netns);
// An address nobody reports from. `holder`: the node it belongs to, "" where unknown: on many nodes 172.17.0.2 is
// something else on each.
EntityId AddressId(const Address& address, std::string_view holder);

}  // namespace weir::model

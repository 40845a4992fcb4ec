// Levels: how coarsely the ends of flows are seen. On every level an end is one thing: a pod, a workload, a namespace,
// a node and so on, or the next that tells something where it is none of these.
//
// THE table of levels: the API's parameter, the command line, the map and the store's SQL come from it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/columns.h"
#include "model/flow_row.h"

namespace weir::model {

// X(enumerator, name, help)
#define WEIR_LEVELS(X)                                                                                            \
  X(kProcess, "process", "Processes.")                                                                            \
  X(kContainer, "container", "Containers; outside of them network namespaces, systemd units and machines.")       \
  X(kPod, "pod", "Kubernetes pods; what is none as on level container.")                                          \
  X(kWorkload, "workload", "Kubernetes workloads, Deployments and the like; what is none as on level container.") \
  X(kNamespace, "namespace", "Kubernetes namespaces; what is in none by its node.")                               \
  X(kNode, "node", "Nodes: the machines.")                                                                        \
  X(kZone, "zone", "Zones; what is in none by its node.")                                                         \
  X(kCluster, "cluster", "Kubernetes clusters; what is in none by its zone or node.")                             \
  X(kService, "service", "Kubernetes services, as servers; clients, and servers of none, as on level workload.")

enum class Level : uint8_t {
#define WEIR_LEVEL(level, name, help) level,
  WEIR_LEVELS(WEIR_LEVEL)
#undef WEIR_LEVEL
};

struct LevelDescription {
  std::string_view name;
  std::string_view help;
};
// By Level.
inline constexpr auto kLevels = std::to_array<LevelDescription>({
#define WEIR_LEVEL(level, name, help) {name, help},
    WEIR_LEVELS(WEIR_LEVEL)
#undef WEIR_LEVEL
});

constexpr std::string_view NameOf(Level level) { return kLevels[static_cast<size_t>(level)].name; }
// "host" is another name of node.
std::optional<Level> LevelNamed(std::string_view name);

// What an end may be on a level.
struct LevelThing {
  std::string_view kind = {};  // what the end's kind becomes; "" = it stays what it is
  // An end is this thing where all of these are known.
  std::vector<EntityField> needs = {};
  bool needs_service = false;  // the service its client asked for; servers only
  bool needs_agent = false;    // more than an address on a machine: its network namespace, or what an agent sees
  std::vector<EntityField> keeps = {};
  bool keeps_address = false;
};
// The things of a level: an end is the first that applies. The last one always does.
const std::vector<LevelThing>& ThingsOf(Level level);

// The attributes of both ends that tell things of a level apart, and both addresses; client first.
const std::vector<const Column*>& ColumnsOf(Level level);

struct LevelFold {
  Level level = Level::kWorkload;
  bool fold_internet = true;  // public addresses of no name are one thing, of kind "internet"
  bool keeps_zones = false;   // zones and regions stay, whatever the thing
};

// An attribute of the thing an end is; of all others a fold takes the value away.
bool Keeps(const LevelFold& fold, const LevelThing& thing, EntityField field);

// The row with its ends reduced to things of the level. The same stands in store/level_sql.cc; a test holds the two
// against each other.
FlowRow Folded(const FlowRow& row, const LevelFold& fold);

}  // namespace weir::model

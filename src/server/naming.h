// The naming stage: between matcher and store the ends of rows get the names that others than agents know, such as
// pods, services, zones and names outside.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "model/entity.h"
#include "model/pod_names.h"
#include "model/side_report.h"
#include "server/server.h"
#include "store/store.h"

namespace weir::server {

// Thread: the writer's, all calls but NamesFor().
class Namer {
 public:
  virtual ~Namer() = default;

  // What an agent said, as soon as it came and before any of its reports is named; times are the server's.
  virtual void Observe(const model::AgentBatch& batch, UnixMillis now) = 0;

  // Puts entities with more attributes in the place of the rows' own, and services beside them. What the matcher made
  // stays: an entity's id tells flows apart and must be the same whatever is known of it by now, and entities are
  // shared, so that a changed one is a new one. Its version must be above the one it replaces, see model::VersionAt.
  virtual void Name(std::span<store::StoredRow> rows, UnixMillis now) = 0;

  // New versions of entities that rows had before, because a name came or changed since the last call; at most
  // kMaxChanges, the rest comes with the next call.
  virtual std::vector<model::EntityRef> TakeChanged(UnixMillis now) = 0;
  static constexpr size_t kMaxChanges = 20'000;

  // What names outside come from. Any thread.
  virtual std::vector<NameSource> Sources() const { return {}; }

  // What the agent on this node does not know of its pods. Any thread.
  virtual model::PodNames NamesFor(std::string_view agent_node, const model::NamesVersion& known) const = 0;
};

}  // namespace weir::server

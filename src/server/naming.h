// The naming stage: between matcher and store the ends of rows get the names that others than agents know, such as
// pods, services, zones and names outside.
#pragma once

#include <span>
#include <vector>

#include "base/clock.h"
#include "model/entity.h"
#include "store/store.h"

namespace weir::server {

// Thread: the writer's, all calls.
class Namer {
 public:
  virtual ~Namer() = default;

  // Puts entities with more attributes in the place of the rows' own, and services beside them. What the matcher made
  // stays: an entity's id tells flows apart and must be the same whatever is known of it by now, and entities are
  // shared, so that a changed one is a new one. Its version must be above the one it replaces, see model::VersionAt.
  virtual void Name(std::span<store::StoredRow> rows, UnixMillis now) = 0;
};

}  // namespace weir::server

// Which versions of entities the table of entities has: what an insert has to add to it.
//
// In every partition in which a flow that names an entity stands, or in a later one, stands the entity's highest
// version. So a question that reads the partitions of its flows finds it, and partitions may go with those of flows.
#pragma once

#include <tsl/robin_map.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "base/status.h"
#include "model/entity.h"

namespace weir::store {

// An entity as a partition has it.
struct StoredEntity {
  model::Entity entity;
  uint64_t received = 0;
};

// Remembers versions, not names. Starts with none, and asks for what it does not know. Bounded: forgets all when full.
// Thread: one.
class EntityCatalogue {
 public:
  using Lookup = std::function<Result<std::vector<StoredEntity>>(const std::vector<model::EntityId>& ids)>;

  // What the partition of `received` lacks of these entities (none null, several versions of one possible): for each
  // the version given, or the stored one where that is higher or says the same.
  Result<std::vector<model::EntityRef>> Missing(const std::vector<model::EntityRef>& entities, uint64_t received,
                                                const Lookup& lookup);
  // They are durably stored.
  void Add(const std::vector<model::EntityRef>& entities, uint64_t received);
  // Some were dropped: asks again.
  void Forget() { known_.clear(); }

 private:
  static constexpr size_t kMaxEntities = 500'000;  // 40 bytes each

  struct Known {
    uint64_t version = 0;
    uint64_t content = 0;
    uint64_t partition = 0;
  };
  using Highest = tsl::robin_map<model::EntityId, model::EntityRef>;

  // Those that cannot be decided about from memory alone.
  std::vector<model::EntityId> ToLookUp(const Highest& entities, uint64_t partition) const;

  tsl::robin_map<model::EntityId, Known> known_;
};

}  // namespace weir::store

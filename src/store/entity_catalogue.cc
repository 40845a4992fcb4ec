#include "store/entity_catalogue.h"

#include <memory>
#include <utility>

#include "store/schema.h"

namespace weir::store {
namespace {

uint64_t PartitionOf(uint64_t received) { return received / static_cast<uint64_t>(kFlowPartitionUs); }

}  // namespace

std::vector<model::EntityId> EntityCatalogue::ToLookUp(const Highest& entities, uint64_t partition) const {
  std::vector<model::EntityId> ids;
  for (const auto& [id, entity] : entities) {
    const auto known = known_.find(id);
    // A higher version that says something else stands in an older partition, and has to be copied.
    const bool copied = known != known_.end() && known->second.partition != partition &&
                        entity->version < known->second.version && known->second.content != ContentHash(*entity);
    if (known == known_.end() || copied) ids.push_back(id);
  }
  return ids;
}

Result<std::vector<model::EntityRef>> EntityCatalogue::Missing(const std::vector<model::EntityRef>& entities,
                                                               uint64_t received, const Lookup& lookup) {
  const uint64_t partition = PartitionOf(received);
  Highest highest;
  for (const model::EntityRef& entity : entities) {
    const auto [place, fresh] = highest.try_emplace(entity->id, entity);
    if (!fresh && place->second->version < entity->version) place.value() = entity;
  }
  if (known_.size() + highest.size() > kMaxEntities) known_.clear();
  tsl::robin_map<model::EntityId, model::EntityRef> stored;
  if (const std::vector<model::EntityId> ids = ToLookUp(highest, partition); !ids.empty()) {
    WEIR_ASSIGN_OR_RETURN(std::vector<StoredEntity> found, lookup(ids));
    for (StoredEntity& one : found) {
      const model::EntityId id = one.entity.id;
      known_.insert_or_assign(id, Known{one.entity.version, ContentHash(one.entity), PartitionOf(one.received)});
      stored.insert_or_assign(id, std::make_shared<const model::Entity>(std::move(one.entity)));
    }
  }
  std::vector<model::EntityRef> missing;
  for (const auto& [id, entity] : highest) {
    const auto known = known_.find(id);
    if (known == known_.end()) {
      missing.push_back(entity);
      continue;
    }
    const bool higher = entity->version > known->second.version;
    if (!higher && known->second.partition == partition) continue;
    const bool says_the_same = known->second.content == ContentHash(*entity);
    const bool news = higher && !says_the_same;
    if (!news && known->second.partition == partition) continue;
    if (news) {
      missing.push_back(entity);
    } else if (says_the_same) {
      auto copy = std::make_shared<model::Entity>(*entity);
      copy->version = known->second.version;
      missing.push_back(std::move(copy));
    } else if (const auto copy = stored.find(id); copy != stored.end()) {
      missing.push_back(copy->second);
    }
  }
  return missing;
}

void EntityCatalogue::Add(const std::vector<model::EntityRef>& entities, uint64_t received) {
  for (const model::EntityRef& entity : entities) {
    known_.insert_or_assign(entity->id, Known{entity->version, ContentHash(*entity), PartitionOf(received)});
  }
}

}  // namespace weir::store

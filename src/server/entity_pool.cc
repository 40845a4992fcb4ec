#include "server/entity_pool.h"

#include <algorithm>
#include <string>
#include <utility>

namespace weir::server {
namespace {

std::string_view KindOf(const model::LocalIdentity& identity) {
  if (!identity.container.empty()) return "container";
  return identity.process.empty() ? "node" : "process";
}

}  // namespace

bool ReportedEnd::Is(const model::Entity& entity) const {
  return entity.process == identity.process && entity.netns == netns && entity.container == identity.container &&
         entity.unit == identity.unit && entity.netns_name == identity.netns_name && entity.node == node &&
         entity.pod_uid == identity.pod_uid && entity.container_name == identity.container_name &&
         entity.image == identity.image;
}

model::EntityRef EntityPool::Reported(const ReportedEnd& end, UnixMillis now) {
  const model::LocalIdentity& identity = end.identity;
  const model::EntityId id = model::AgentEndId(
      end.node, identity.container.empty() ? identity.unit : identity.container, identity.process, end.netns);
  if (const auto known = entities_.find(id); known != entities_.end() && end.Is(*known->second)) return known->second;
  model::Entity entity;
  entity.id = id;
  entity.kind = KindOf(identity);
  entity.process = identity.process;
  entity.container = identity.container;
  entity.container_name = identity.container_name;
  entity.image = identity.image;
  entity.pod_uid = identity.pod_uid;
  entity.unit = identity.unit;
  entity.node = end.node;
  entity.netns = end.netns;
  entity.netns_name = identity.netns_name;
  entity.name_source = "agent";
  return Keep(std::move(entity), now);
}

model::EntityRef EntityPool::Unreported(const model::Address& address, std::string_view holder, UnixMillis now) {
  if (address.is_unspecified()) return nullptr;
  const model::EntityId id = model::AddressId(address, holder);
  if (const auto known = entities_.find(id); known != entities_.end()) return known->second;
  model::Entity entity;
  entity.id = id;
  entity.kind = "address";
  entity.address = address;
  if (!address.is_link_local()) entity.node = holder;  // else the holder is who sees it, and the other end next door
  return Keep(std::move(entity), now);
}

model::EntityRef EntityPool::Keep(model::Entity entity, UnixMillis now) {
  if (entities_.size() >= kMaxEntities) entities_.clear();
  const auto [place, fresh] = entities_.try_emplace(entity.id);
  entity.version = model::VersionAt(now, false);
  if (!fresh) {
    entity.version = std::max(entity.version, place->second->version + 1);
    entity.valid_from = now;
  }
  place.value() = std::make_shared<const model::Entity>(std::move(entity));
  return place->second;
}

}  // namespace weir::server

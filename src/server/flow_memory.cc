#include "server/flow_memory.h"

#include <utility>

namespace weir::server {
namespace {

constexpr size_t kMaxSharedIdentities = 65'536;

uint64_t HashOf(const EndIdentity& identity) {
  uint64_t hash = Of(identity.entity).id;
  for (const std::string* text : {&identity.server_name, &identity.alpn, &identity.application}) {
    hash = XXH3_64bits_withSeed(text->data(), text->size(), hash);
  }
  return hash;
}

}  // namespace

FlowMemory::FlowMemory(size_t max_flows) : max_flows_(max_flows) { slots_.emplace_back(); }

FlowSlot FlowMemory::Find(const FlowKey& key) const {
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? kNone : found->second;
}

FlowSlot FlowMemory::Add(const FlowKey& key, UnixMillis now) {
  FlowSlot slot = static_cast<FlowSlot>(slots_.size());
  if (free_.empty()) {
    slots_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  slots_[slot].key = key;
  slots_[slot].touched = now;
  by_key_.emplace(key, slot);
  LinkAsNewest(slot);
  return slot;
}

void FlowMemory::Touch(FlowSlot slot, UnixMillis now) {
  slots_[slot].touched = now;
  if (slots_[0].older == slot) return;
  Unlink(slot);
  LinkAsNewest(slot);
}

void FlowMemory::Rekey(FlowSlot slot, const FlowKey& key) {
  by_key_.erase(slots_[slot].key);
  slots_[slot].key = key;
  by_key_.emplace(key, slot);
}

void FlowMemory::Drop(FlowSlot slot) {
  by_key_.erase(slots_[slot].key);
  Unlink(slot);
  const uint32_t generation = slots_[slot].generation + 1;
  slots_[slot] = FlowState{};
  slots_[slot].generation = generation;
  free_.push_back(slot);
}

void FlowMemory::Unlink(FlowSlot slot) {
  const FlowState& state = slots_[slot];
  slots_[state.newer].older = state.older;
  slots_[state.older].newer = state.newer;
}

void FlowMemory::LinkAsNewest(FlowSlot slot) {
  const FlowSlot second = slots_[0].older;
  slots_[slot].newer = 0;
  slots_[slot].older = second;
  slots_[second].newer = slot;
  slots_[0].older = slot;
}

std::shared_ptr<const EndIdentity> FlowMemory::Share(EndIdentity identity) {
  if (identities_.size() >= kMaxSharedIdentities) identities_.clear();
  std::shared_ptr<const EndIdentity>& shared = identities_[HashOf(identity)];
  if (shared == nullptr || *shared != identity) shared = std::make_shared<const EndIdentity>(std::move(identity));
  return shared;
}

}  // namespace weir::server

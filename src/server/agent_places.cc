#include "server/agent_places.h"

#include <algorithm>

#include "base/metrics.h"

namespace weir::server {
namespace {

constexpr int64_t kForgetAgentMs = 3'600'000;

std::string KeyOf(const model::Address& address) {
  return {reinterpret_cast<const char*>(address.bytes.data()), address.bytes.size()};
}

}  // namespace

void AgentPlaces::Observe(const model::AgentBatch& batch, UnixMillis now) {
  Agent& agent = agents_[batch.node];
  agent.heard = now;
  if ((!batch.zone.empty() && batch.zone != agent.zone) || (!batch.region.empty() && batch.region != agent.region)) {
    agent.zone = batch.zone;
    agent.region = batch.region;
    ++version_;
  }
  for (const model::NetNamespace& told : batch.namespaces) Put(agent, told, now);
}

void AgentPlaces::Put(Agent& agent, const model::NetNamespace& told, UnixMillis now) {
  const auto known = agent.spaces.find(told.inode);
  if (known != agent.spaces.end() && known->second.told == told) {
    known->second.heard = now;
    return;
  }
  Remove(agent, told.inode);
  if (told.addresses.empty()) return;
  if (count_ >= kMaxSpaces) {
    Count(Metric::server_names_full);
    return;
  }
  ++count_;
  agent.spaces[told.inode] = {told, now};
  for (const model::Address& address : told.addresses) agent.homes[KeyOf(address)].push_back(told.inode);
}

void AgentPlaces::Remove(Agent& agent, uint32_t inode) {
  const auto known = agent.spaces.find(inode);
  if (known == agent.spaces.end()) return;
  for (const model::Address& address : known->second.told.addresses) {
    const auto home = agent.homes.find(KeyOf(address));
    if (home == agent.homes.end()) continue;
    std::erase(home->second, inode);
    if (home->second.empty()) agent.homes.erase(home);
  }
  agent.spaces.erase(known);
  --count_;
}

const AgentPlaces::Agent* AgentPlaces::Find(std::string_view node) const {
  const auto found = agents_.find(node);
  return found == agents_.end() ? nullptr : &found->second;
}

const model::NetNamespace* AgentPlaces::SpaceOf(std::string_view node, const model::Address& address) const {
  const Agent* const agent = Find(node);
  if (agent == nullptr) return nullptr;
  const auto home = agent->homes.find(KeyOf(address));
  if (home == agent->homes.end() || home->second.size() != 1) return nullptr;
  const auto space = agent->spaces.find(home->second.front());
  return space == agent->spaces.end() ? nullptr : &space->second.told;
}

bool AgentPlaces::IsHost(std::string_view node, uint32_t inode) const {
  const Agent* const agent = Find(node);
  if (agent == nullptr) return false;
  const auto space = agent->spaces.find(inode);
  return space != agent->spaces.end() && space->second.told.is_host;
}

void AgentPlaces::Expire(UnixMillis now) {
  for (auto agent = agents_.begin(); agent != agents_.end();) {
    std::vector<uint32_t> gone;
    // An agent that is silent may only be cut off: what it said last holds until it speaks again.
    const bool silent = now - agent->second.heard > kForgetMs;
    for (const auto& [inode, space] : agent->second.spaces) {
      if (!silent && now - space.heard > kForgetMs) gone.push_back(inode);
    }
    for (const uint32_t inode : gone) Remove(agent->second, inode);
    if (now - agent->second.heard <= kForgetAgentMs) {
      ++agent;
      continue;
    }
    count_ -= agent->second.spaces.size();
    agent = agents_.erase(agent);
  }
}

}  // namespace weir::server

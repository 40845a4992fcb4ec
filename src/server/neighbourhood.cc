#include "server/neighbourhood.h"

#include <algorithm>

namespace weir::server {
namespace {

constexpr int64_t kSweepMs = 60'000;
constexpr int64_t kMostAheadMs = 10'000;  // twice what the intake lets through

bool CanBelongToANode(const model::Address& address) {
  return !address.is_loopback() && !address.is_link_local() && !address.is_unspecified() && !address.is_multicast();
}

}  // namespace

void Neighbourhood::Observe(AgentNumber agent, const model::AgentBatch& batch, UnixMillis now) {
  if (agent >= agents_.size()) agents_.resize(agent + 1);
  AgentProgress& progress = agents_[agent];
  if (progress.id.empty()) {
    progress.id = batch.agent_id;
    progress.first_start = batch.start;
  }
  if (progress.node != batch.node) progress.node = batch.node;
  progress.first_start = std::min(progress.first_start, batch.start);
  // Both go back when the clock was set back; until then neither can lie ahead of it by so much.
  progress.last_seen = now;
  progress.newest_end = progress.newest_end > now + kMostAheadMs ? batch.end : std::max(progress.newest_end, batch.end);
  progress.interval_ms = batch.end - batch.start;
  for (const model::Address& address : batch.local_addresses) LearnAddress(address, agent, now);
  if (now - last_sweep_ >= kSweepMs || now < last_sweep_) ForgetLapsed(now);
}

void Neighbourhood::LearnAddress(const model::Address& address, AgentNumber agent, UnixMillis now) {
  if (!CanBelongToANode(address)) return;
  auto found = owners_.find(address);
  if (found == owners_.end()) {
    if (owners_.size() >= kMaxAddresses) return;
    found = owners_.try_emplace(address).first;
  }
  Claim* place = nullptr;
  for (Claim& claim : found.value()) {
    if (claim.agent == agent) {
      place = &claim;
      break;
    }
    if (place == nullptr || claim.seen < place->seen) place = &claim;
  }
  *place = {agent, now};
}

void Neighbourhood::ForgetLapsed(UnixMillis now) {
  last_sweep_ = now;
  for (auto it = owners_.begin(); it != owners_.end();) {
    const bool lapsed = std::all_of(it->second.begin(), it->second.end(), [&](const Claim& claim) {
      return claim.agent == 0 || now - claim.seen > kAddressMemoryMs;
    });
    it = lapsed ? owners_.erase(it) : std::next(it);
  }
}

AgentNumber Neighbourhood::LiveOwner(const model::Address& address, AgentNumber self, UnixMillis now) const {
  const auto found = owners_.find(address);
  if (found == owners_.end()) return 0;
  const Claim* newest = nullptr;
  for (const Claim& claim : found->second) {
    if (claim.agent == 0 || now - claim.seen > kAgentLiveMs) continue;
    if (claim.agent == self) return 0;
    if (newest == nullptr || claim.seen > newest->seen) newest = &claim;
  }
  return newest == nullptr ? 0 : newest->agent;
}

AgentNumber Neighbourhood::LastOwner(const model::Address& address, AgentNumber self) const {
  const auto found = owners_.find(address);
  if (found == owners_.end()) return 0;
  const Claim* newest = nullptr;
  for (const Claim& claim : found->second) {
    if (claim.agent == 0 || claim.agent == self) continue;
    if (newest == nullptr || claim.seen > newest->seen) newest = &claim;
  }
  return newest == nullptr ? 0 : newest->agent;
}

// Claims are renewed with every batch: those that lag behind the newest are of nodes the address has left.
AgentNumber Neighbourhood::Holder(const model::Address& address, AgentNumber self) const {
  const auto found = owners_.find(address);
  if (found == owners_.end()) return 0;
  UnixMillis newest = 0;
  for (const Claim& claim : found->second) newest = std::max(newest, claim.seen);
  AgentNumber holder = 0;
  size_t holders = 0;
  for (const Claim& claim : found->second) {
    if (claim.agent == 0 || newest - claim.seen > kAgentLiveMs) continue;
    if (claim.agent == self) return self;
    holder = claim.agent;
    ++holders;
  }
  return holders == 1 ? holder : 0;
}

bool Neighbourhood::IsLocal(const model::Address& address, AgentNumber agent) const {
  const auto found = owners_.find(address);
  return found != owners_.end() && std::any_of(found->second.begin(), found->second.end(),
                                               [&](const Claim& claim) { return claim.agent == agent; });
}

}  // namespace weir::server

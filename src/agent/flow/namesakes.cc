#define XXH_INLINE_ALL
#include <xxhash.h>

#include "agent/flow/namesakes.h"

#include <iterator>

#include "model/side_report.h"

namespace weir::agent::flow {
namespace {

// Every namespace has its own of these, and nobody takes them for one thing.
bool IsEverywhere(const model::Address& address) {
  return address.is_loopback() || address.is_unspecified() || address.is_multicast();
}

}  // namespace

size_t Namesakes::Hash::operator()(const model::Address& address) const {
  return XXH3_64bits(address.bytes.data(), address.bytes.size());
}

size_t Namesakes::Hash::operator()(const Place& place) const {
  return XXH3_64bits_withSeed(place.address.bytes.data(), place.address.bytes.size(), place.netns);
}

void Namesakes::Meet(const model::Address& local, uint32_t netns, Nanos now) {
  if (netns == 0 || IsEverywhere(local)) return;
  auto known = holders_.find(local);
  if (known == holders_.end()) {
    if (holders_.size() < kMaxAddresses) holders_.insert({local, Holders{AddressHolder{netns, now}, AddressHolder{}}});
    return;
  }
  Holders& holders = known.value();
  for (AddressHolder& holder : holders) {
    if (holder.netns != netns) continue;
    holder.met = now;
    return;
  }
  if (!IsShared(holders)) ++shared_;
  holders[1] = {netns, now};
}

void Namesakes::Pair(uint32_t netns, const model::Address& remote, uint32_t peer) {
  if (pairs_.size() >= kMaxPairs) pairs_.clear();  // they are seen again
  pairs_[Place{remote, netns}] = peer;
}

const Namesakes::Holders* Namesakes::HoldersOf(const model::Address& address) const {
  const auto known = holders_.find(address);
  return known == holders_.end() ? nullptr : &known->second;
}

uint32_t Namesakes::PeerOf(uint32_t netns, const model::Address& local, const model::Address& remote) const {
  if (!any()) return 0;
  const Holders* here = HoldersOf(local);
  const Holders* there = HoldersOf(remote);
  if ((here == nullptr || !IsShared(*here)) && (there == nullptr || !IsShared(*there))) return 0;
  if (const auto pair = pairs_.find(Place{remote, netns}); pair != pairs_.end()) return pair->second;
  return here == nullptr || (*here)[0].netns == netns ? 0 : model::kUnknownNetns;
}

void Namesakes::Expire(Nanos now) {
  shared_ = 0;
  for (auto item = holders_.begin(); item != holders_.end();) {
    Holders& holders = item.value();
    for (AddressHolder& holder : holders) {
      if (now - holder.met > kMemory) holder = {};
    }
    if (holders[0].netns == 0) std::swap(holders[0], holders[1]);
    shared_ += IsShared(holders) ? 1 : 0;
    item = holders[0].netns == 0 ? holders_.erase(item) : std::next(item);
  }
  if (shared_ == 0) pairs_.clear();
}

}  // namespace weir::agent::flow

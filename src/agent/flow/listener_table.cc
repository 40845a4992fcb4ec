#define XXH_INLINE_ALL
#include <xxhash.h>

#include "agent/flow/listener_table.h"

#include <algorithm>

#include "agent/flow/record_address.h"

namespace weir::agent::flow {
namespace {

constexpr uint32_t kSnapshotsKept = 2;
const model::Address kAnyV4 = model::Address::FromV4(0);
const model::Address kAnyV6{};

bool SameProgram(const Listener& a, const Listener& b) { return a.comm == b.comm && a.owner == b.owner; }

}  // namespace

size_t ListenerTable::Hash::operator()(const Key& key) const {
  static_assert(sizeof(Key) == 24, "hashed as bytes: no padding allowed");
  return XXH3_64bits(&key, sizeof(key));
}

uint32_t ListenerTable::Put(const weir_record& record, uint64_t owner) {
  Place& place = places_[Key{LocalAddress(record), record.netns, record.local_port, 0}];
  auto known = std::find_if(place.begin(), place.end(),
                            [&record](const Listener& listener) { return listener.socket == record.socket; });
  const bool is_new = known == place.end();
  const bool is_older = (record.flags & WEIR_SOCKET_EXISTING) != 0;
  if (is_new) {
    known = place.insert(place.end(), Listener{});
    known->socket = record.socket;
    known->since_ns = is_older ? 0 : record.time_ns;
    if (is_older) known->drops = record.drops;
  }
  std::copy(std::begin(record.comm), std::end(record.comm), known->comm.begin());
  known->pid = record.pid;
  known->seen = snapshot_;
  known->cgroup_id = record.cgroup_id;
  known->holder_cgroup_id = record.holder_cgroup_id;
  known->owner = owner;
  known->until_ns = record.kind == WEIR_RECORD_FINAL ? record.time_ns : 0;
  // Less than before: the kernel gave the memory of a listener that ended to the next one.
  const uint32_t before = record.drops < known->drops ? 0 : known->drops;
  known->drops = record.drops;
  if (is_new && IsShared(place)) shared_ports_.insert(record.local_port);
  return record.drops - before;
}

ListenerTable::Found ListenerTable::Find(const Accepted& accepted) const {
  const auto at = [&](const model::Address& address) {
    return places_.find(Key{address, accepted.netns, accepted.port, 0});
  };
  auto place = at(accepted.local);
  if (place == places_.end() && accepted.local.is_v4()) place = at(kAnyV4);
  if (place == places_.end()) place = at(kAnyV6);
  return place == places_.end() ? Found{} : Choose(place->second, accepted);
}

bool ListenerTable::AreAlike(const Place& place) {
  return std::all_of(place.begin(), place.end(),
                     [&place](const Listener& listener) { return SameProgram(listener, place.front()); });
}

ListenerTable::Found ListenerTable::Choose(const Place& place, const Accepted& accepted) {
  if (AreAlike(place)) return {Answer::kOne, &place.front(), true};
  // What narrows the choice, the surest last; a condition that none of them meets says nothing.
  const auto listened = [&accepted](const Listener& listener) {
    const uint64_t born = accepted.established_ns;
    return born == 0 ? listener.until_ns == 0
                     : listener.since_ns <= born && (listener.until_ns == 0 || born <= listener.until_ns);
  };
  const auto same_group = [&accepted](const Listener& listener) { return listener.cgroup_id == accepted.cgroup_id; };
  const bool by_time = std::any_of(place.begin(), place.end(), listened);
  const bool by_group = std::any_of(place.begin(), place.end(), [&](const Listener& listener) {
    return same_group(listener) && (!by_time || listened(listener));
  });
  Found found{Answer::kNone, nullptr, false};
  for (const Listener& listener : place) {
    if ((by_time && !listened(listener)) || (by_group && !same_group(listener))) continue;
    if (found.listener != nullptr && !SameProgram(*found.listener, listener)) {
      return {Answer::kSeveral, nullptr, false};
    }
    found = {Answer::kOne, &listener, false};
  }
  return found;
}

// Those in different control groups are told apart without anybody's help.
bool ListenerTable::IsShared(const Place& place) {
  if (AreAlike(place)) return false;
  return std::any_of(place.begin(), place.end(), [&](const Listener& one) {
    return std::any_of(place.begin(), place.end(), [&](const Listener& other) {
      return one.cgroup_id == other.cgroup_id && !SameProgram(one, other);
    });
  });
}

void ListenerTable::Age() {
  ++snapshot_;
  shared_ports_.clear();
  for (auto item = places_.begin(); item != places_.end();) {
    Place& place = item.value();
    std::erase_if(place, [this](const Listener& listener) { return snapshot_ - listener.seen > kSnapshotsKept; });
    if (place.size() > 1 && IsShared(place)) shared_ports_.insert(item->first.port);
    item = place.empty() ? places_.erase(item) : std::next(item);
  }
}

}  // namespace weir::agent::flow

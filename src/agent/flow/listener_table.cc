#define XXH_INLINE_ALL
#include <xxhash.h>

#include "agent/flow/listener_table.h"
#include "agent/flow/record_address.h"

namespace weir::agent::flow {
namespace {

constexpr uint32_t kSnapshotsKept = 2;
const model::Address kAnyV4 = model::Address::FromV4(0);
const model::Address kAnyV6{};

}  // namespace

size_t ListenerTable::Hash::operator()(const Key& key) const {
  static_assert(sizeof(Key) == 24, "hashed as bytes: no padding allowed");
  return XXH3_64bits(&key, sizeof(key));
}

uint32_t ListenerTable::Put(const weir_record& record) {
  Listener listener;
  std::copy(std::begin(record.comm), std::end(record.comm), listener.comm.begin());
  listener.pid = record.pid;
  listener.seen = snapshot_;
  listener.drops = record.drops;
  const auto [known, is_new] =
      listeners_.try_emplace(Key{LocalAddress(record), record.netns, record.local_port, 0}, listener);
  // SO_REUSEPORT: several sockets listen at one place and take turns here; theirs are counted when the count grows.
  const uint32_t before =
      is_new ? ((record.flags & WEIR_SOCKET_EXISTING) != 0 ? record.drops : 0) : known->second.drops;
  if (!is_new) known.value() = listener;
  return record.drops > before ? record.drops - before : 0;
}

const Listener* ListenerTable::Find(uint32_t netns, const model::Address& local, uint16_t port) const {
  if (const auto exact = listeners_.find(Key{local, netns, port, 0}); exact != listeners_.end()) {
    return &exact->second;
  }
  if (local.is_v4()) {
    if (const auto any = listeners_.find(Key{kAnyV4, netns, port, 0}); any != listeners_.end()) return &any->second;
  }
  const auto any = listeners_.find(Key{kAnyV6, netns, port, 0});
  return any != listeners_.end() ? &any->second : nullptr;
}

void ListenerTable::Age() {
  ++snapshot_;
  for (auto item = listeners_.begin(); item != listeners_.end();) {
    item = snapshot_ - item->second.seen > kSnapshotsKept ? listeners_.erase(item) : std::next(item);
  }
}

}  // namespace weir::agent::flow

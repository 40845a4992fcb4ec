#define XXH_INLINE_ALL
#include <xxhash.h>

#include "agent/identity/end_owners.h"

#include <algorithm>
#include <type_traits>

namespace weir::agent::identity {

size_t EndOwners::Hash::operator()(const End& end) const {
  static_assert(std::has_unique_object_representations_v<End>, "hashed as bytes");
  return XXH3_64bits(&end, sizeof(end));
}

uint64_t EndOwners::Settle(uint64_t cgroup_id, uint32_t netns, std::string_view program, uint64_t owner) {
  End end;
  end.cgroup_id = cgroup_id;
  end.netns = netns;
  std::copy_n(program.begin(), std::min(program.size(), kNameBytes), end.program.begin());
  const auto known = ends_.find(end);
  const auto remembered = [this](uint32_t interval) { return interval != 0 && interval_ - interval < kMemory; };
  if (owner == cgroup_id) {
    if (known == ends_.end()) return cgroup_id;
    const EndOwner& last = known->second;
    return remembered(last.told) && !remembered(last.doubted) ? last.owner : cgroup_id;
  }
  if (known == ends_.end()) {
    if (ends_.size() >= kMaxEnds) ends_.clear();
    ends_.insert({end, EndOwner{owner, interval_, 0}});
    return owner;
  }
  EndOwner& last = known.value();
  if (last.owner != owner && remembered(last.told)) last.doubted = interval_;
  last.owner = owner;
  last.told = interval_;
  return owner;
}

}  // namespace weir::agent::identity

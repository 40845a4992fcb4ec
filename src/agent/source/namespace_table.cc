#include "agent/source/namespace_table.h"

#include <sys/stat.h>

#include <unordered_set>
#include <utility>

#include "base/metrics.h"

namespace weir::agent::source {
namespace {

constexpr Nanos kSecond = 1'000'000'000;
constexpr Nanos kAllPeriod = 10 * kSecond;
// Flows with open connections but without news are reported every 30 s.
constexpr Nanos kForgetAfter = 60 * kSecond;

bool IsWorthTelling(const model::Address& address) {
  return !address.is_loopback() && !address.is_link_local() && !address.is_unspecified() && !address.is_multicast();
}

}  // namespace

NamespaceTable::Space* NamespaceTable::Find(uint32_t inode, Nanos now) {
  auto found = spaces_.find(inode);
  if (found == spaces_.end()) {
    if (spaces_.size() >= model::kMaxBatchNamespaces) {
      Count(Metric::agent_namespaces_full);
      return nullptr;
    }
    found = spaces_.try_emplace(inode).first;
    found->second.is_host = inode == host_inode_;
  }
  found->second.heard = now;
  return &found->second;
}

// Pods that share the machine's namespace say nothing about whose it is.
void NamespaceTable::SetPod(Space& space, const std::string& pod_uid) {
  if (pod_uid.empty() || space.is_host || space.several_pods || space.pod_uid == pod_uid) return;
  space.changed = true;
  space.several_pods = !space.pod_uid.empty();
  space.pod_uid = space.several_pods ? "" : pod_uid;
}

void NamespaceTable::AddAddress(Space& space, const model::Address& address, Nanos now) {
  if (!IsWorthTelling(address)) return;
  const auto known = space.addresses.find(address);
  if (known != space.addresses.end()) {
    known->second = now;
    return;
  }
  if (space.addresses.size() >= model::kMaxNamespaceAddresses) {
    Count(Metric::agent_namespaces_full);
    return;
  }
  space.addresses.emplace(address, now);
  space.changed = true;
}

void NamespaceTable::DropOld(Space& space, Nanos oldest) {
  const size_t dropped = std::erase_if(space.addresses, [&](const auto& entry) { return entry.second < oldest; });
  space.changed |= dropped != 0;
}

void NamespaceTable::Read(Nanos now, const std::vector<model::NetNamespace>& found, bool complete) {
  if (found.empty()) return;
  std::unordered_set<uint32_t> listed;
  for (const model::NetNamespace& from : found) {
    listed.insert(from.inode);
    if (only_seen_ && !spaces_.contains(from.inode)) continue;
    Space* const space = Find(from.inode, now);
    if (space == nullptr) continue;
    if (space->name != from.name) {
      space->name = from.name;
      space->changed = true;
    }
    if (from.is_host && !space->is_host) space->is_host = space->changed = true;
    SetPod(*space, from.pod_uid);
    for (const model::Address& address : from.addresses) AddAddress(*space, address, now);
    // What a reading does not show is no address any more.
    if (!from.addresses.empty()) DropOld(*space, now);
  }
  if (!complete) return;
  for (auto space = spaces_.begin(); space != spaces_.end();) {
    if (listed.contains(space->first)) {
      ++space;
      continue;
    }
    gone_.push_back(space->first);
    space = spaces_.erase(space);
  }
}

void NamespaceTable::Learn(Nanos now, const std::vector<model::SideReport>& reports) {
  uint32_t last_inode = 0;
  model::Address last_address;
  for (const model::SideReport& report : reports) {
    const bool client = report.ends.side == model::Side::kClient;
    const model::Address& address = client ? report.ends.client_address : report.ends.server_address;
    const uint32_t inode = report.ends.netns;
    if (inode == 0 || (inode == last_inode && address == last_address)) continue;
    last_inode = inode;
    last_address = address;
    Space* const space = Find(inode, now);
    if (space == nullptr) continue;
    if (space->name.empty() && !report.identity.netns_name.empty()) {
      space->name = report.identity.netns_name;
      space->changed = true;
    }
    SetPod(*space, report.identity.pod_uid);
    AddAddress(*space, address, now);
  }
}

model::NetNamespace NamespaceTable::Describe(uint32_t inode, const Space& space) const {
  model::NetNamespace out{inode, space.name, space.is_host, space.pod_uid, {}};
  out.addresses.reserve(space.addresses.size());
  for (const auto& [address, heard] : space.addresses) out.addresses.push_back(address);
  return out;
}

std::vector<model::NetNamespace> NamespaceTable::Take(Nanos now) {
  const bool all = now >= next_all_;
  if (all) next_all_ = now + kAllPeriod;
  std::vector<model::NetNamespace> out;
  for (const uint32_t inode : std::exchange(gone_, {})) {
    // Its number may have gone to another one meanwhile.
    if (!spaces_.contains(inode)) out.push_back({inode, "", false, "", {}});
  }
  for (auto item = spaces_.begin(); item != spaces_.end();) {
    auto& [inode, space] = *item;
    if (all) DropOld(space, now - kForgetAfter);
    if (now - space.heard > kForgetAfter) {
      out.push_back({inode, "", false, "", {}});
      item = spaces_.erase(item);
      continue;
    }
    if (all || space.changed) out.push_back(Describe(inode, space));
    space.changed = false;
    ++item;
  }
  return out;
}

void NamespaceTable::Merge(Nanos now, const std::vector<model::SideReport>& reports,
                           std::vector<model::NetNamespace>& read_and_result) {
  Read(now, read_and_result, read_and_result.size() < model::kMaxListedNamespaces);
  Learn(now, reports);
  read_and_result = Take(now);
}

uint32_t HostNetNamespace() {
  struct stat info {};
  return ::stat("/proc/1/ns/net", &info) == 0 ? static_cast<uint32_t>(info.st_ino) : 0;
}

}  // namespace weir::agent::source

#include "agent/source/surroundings.h"

#include <ifaddrs.h>
#include <netinet/in.h>

#include <string_view>

#include "agent/identity/identity_index.h"
#include "agent/kernel/group_tree.h"
#include "agent/kernel/jiffies.h"
#include "agent/kernel/own_namespaces.h"

namespace weir::agent::source {
namespace {

std::vector<model::Address> InterfaceAddresses() {
  std::vector<model::Address> addresses;
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return addresses;  // the flows' ends remain
  for (const ifaddrs* item = first; item != nullptr; item = item->ifa_next) {
    // kube-proxy puts the addresses of every service on it, on every node (its IPVS mode).
    if (item->ifa_addr == nullptr || std::string_view(item->ifa_name) == "kube-ipvs0") continue;
    if (item->ifa_addr->sa_family == AF_INET) {
      const auto* v4 = reinterpret_cast<const sockaddr_in*>(item->ifa_addr);
      addresses.push_back(model::Address::FromV4(v4->sin_addr.s_addr));
    } else if (item->ifa_addr->sa_family == AF_INET6) {
      const auto* v6 = reinterpret_cast<const sockaddr_in6*>(item->ifa_addr);
      addresses.push_back(model::Address::FromV6(v6->sin6_addr.s6_addr));
    }
  }
  ::freeifaddrs(first);
  return addresses;
}

// Opened once: names are read below it as long as the agent lives.
const Result<kernel::GroupTree>& MachinesGroups() {
  static const Result<kernel::GroupTree> kTree = kernel::OpenGroupTree();
  return kTree;
}

identity::IdentityIndex::Paths SystemPaths(const Births& births) {
  identity::IdentityIndex::Paths paths;
  paths.machines_processes = kernel::ProcShowsMachine();
  if (const auto& tree = MachinesGroups(); tree.ok()) {
    paths.tree = tree->path;
    paths.whole_tree = tree->whole;
  }
  if (births.groups != nullptr) {
    paths.path_at_birth = [groups = births.groups](uint64_t id) { return groups->PathOf(id); };
  }
  paths.misses_births = births.lack;
  return paths;
}

}  // namespace

Surroundings SystemSurroundings(const Clock& clock, const Births& births) {
  return {.identities = std::make_unique<identity::IdentityIndex>(SystemPaths(births), clock),
          .interface_addresses = InterfaceAddresses,
          .jiffy_us = kernel::JiffyMicros()};
}

}  // namespace weir::agent::source

#include "server/service_index.h"

#include <algorithm>

#include "base/metrics.h"

namespace weir::server {
namespace {

uint16_t ProtocolNumber(const std::string& name) {
  if (name == "TCP" || name.empty()) return static_cast<uint16_t>(model::Protocol::kTcp);
  return name == "UDP" ? static_cast<uint16_t>(model::Protocol::kUdp) : 0;
}

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  while (out.ends_with('.')) out.pop_back();
  return out;
}

std::string ClusterKey(ClusterNumber cluster, std::string_view text) {
  return std::to_string(cluster) + '/' + std::string(text);
}

}  // namespace

std::string ServiceIndex::NameKey(ClusterNumber cluster, std::string_view name_space, std::string_view name) {
  return ClusterKey(cluster, name_space) + '/' + std::string(name);
}

// Enters the service under everything it is found by, or takes it out again.
void ServiceIndex::Link(uint32_t number, bool link) {
  const KnownService& service = services_[number];
  const auto set = [&](auto& map, const auto& key) {
    if (link) {
      map[key].push_back(number);
      return;
    }
    const auto found = map.find(key);
    if (found == map.end()) return;
    auto copy = found->second;
    std::erase(copy, number);
    if (copy.empty()) {
      map.erase(found);
    } else {
      map[key] = std::move(copy);
    }
  };
  for (const model::Address& address : service.addresses) {
    set(by_door_, Door{address, service.cluster, 0, 0, 0});
    for (const model::Service::Port& port : service.ports) {
      set(by_door_, Door{address, service.cluster, port.port, ProtocolNumber(port.protocol), 0});
    }
  }
  for (const model::Service::Port& port : service.ports) {
    if (port.node_port == 0) continue;
    set(by_node_port_, Door{{}, service.cluster, port.node_port, ProtocolNumber(port.protocol), 0});
  }
  if (!service.external_name.empty()) set(by_external_name_, ClusterKey(service.cluster, service.external_name));
}

void ServiceIndex::Put(ClusterNumber cluster, const model::Service& from) {
  auto known = by_uid_.find(from.uid);
  if (known == by_uid_.end()) {
    if (by_uid_.size() >= kMaxServices) {
      Count(Metric::server_names_full);
      return;
    }
    uint32_t number = static_cast<uint32_t>(services_.size());
    if (free_.empty()) {
      services_.emplace_back();
    } else {
      number = free_.back();
      free_.pop_back();
    }
    known = by_uid_.emplace(from.uid, number).first;
  } else {
    Link(known->second, false);
  }
  const uint32_t number = known->second;
  services_[number] = {from.uid,       from.name,  from.name_space, from.type, Lower(from.external_name),
                       from.addresses, from.ports, cluster,         0};
  by_name_[NameKey(cluster, from.name_space, from.name)] = number;
  Link(number, true);
}

void ServiceIndex::RemoveService(const std::string& uid, UnixMillis at) {
  const auto known = by_uid_.find(uid);
  if (known == by_uid_.end()) return;
  const uint32_t number = known->second;
  KnownService& service = services_[number];
  service.gone = std::max<UnixMillis>(at, 1);
  by_uid_.erase(known);
  const auto name = by_name_.find(NameKey(service.cluster, service.name_space, service.name));
  if (name != by_name_.end() && name->second == number) by_name_.erase(name);
  gone_.push_back(number);
  if (gone_.size() <= kMaxGone) return;
  const uint32_t oldest = gone_.front();
  gone_.pop_front();
  Link(oldest, false);
  services_[oldest] = {};
  free_.push_back(oldest);
}

void ServiceIndex::Put(ClusterNumber cluster, const model::Endpoints& from) {
  RemoveEndpoints(from.uid);
  if (from.service.empty()) return;
  if (slices_.size() >= kMaxServices) {
    Count(Metric::server_names_full);
    return;
  }
  Slice& slice = slices_[from.uid];
  slice.cluster = cluster;
  slice.service = NameKey(cluster, from.name_space, from.service);
  slice.ports = from.ports;
  for (const model::Endpoints::Endpoint& endpoint : from.endpoints) {
    if (endpoint.pod_uid.empty()) continue;
    slice.pod_uids.push_back(endpoint.pod_uid);
    slices_of_pod_[endpoint.pod_uid].push_back(from.uid);
  }
}

void ServiceIndex::RemoveEndpoints(const std::string& uid) {
  const auto known = slices_.find(uid);
  if (known == slices_.end()) return;
  for (const std::string& pod : known->second.pod_uids) {
    const auto of_pod = slices_of_pod_.find(pod);
    if (of_pod == slices_of_pod_.end()) continue;
    std::erase(of_pod->second, uid);
    if (of_pod->second.empty()) slices_of_pod_.erase(of_pod);
  }
  slices_.erase(known);
}

// Of those that were there at the time, the one that lasts; of those that do not, the last one.
const KnownService* ServiceIndex::Newest(const Doors& doors, const Door& door, UnixMillis time) const {
  const auto found = doors.find(door);
  if (found == doors.end()) return nullptr;
  const KnownService* best = nullptr;
  for (const uint32_t number : found->second) {
    const KnownService& service = services_[number];
    if (service.gone != 0 && service.gone <= time) continue;
    // Any port of an address that is several services' is nobody's.
    if (door.port == 0 && best != nullptr && best->gone == 0 && service.gone == 0) return nullptr;
    if (best == nullptr || (best->gone != 0 && (service.gone == 0 || service.gone > best->gone))) best = &service;
  }
  return best;
}

const KnownService* ServiceIndex::At(ClusterNumber viewer, const model::Address& address, uint16_t port,
                                     model::Protocol protocol, UnixMillis time) const {
  const auto in = [&](ClusterNumber cluster) {
    const auto number = static_cast<uint16_t>(protocol);
    const KnownService* const found = Newest(by_door_, Door{address, cluster, port, number, 0}, time);
    return found != nullptr ? found : Newest(by_door_, Door{address, cluster, 0, 0, 0}, time);
  };
  return in(viewer);
}

const KnownService* ServiceIndex::OfNodePort(ClusterNumber cluster, uint16_t port, model::Protocol protocol) const {
  return Newest(by_node_port_, Door{{}, cluster, port, static_cast<uint16_t>(protocol), 0}, INT64_MAX - 1);
}

const KnownService* ServiceIndex::OfPod(std::string_view pod_uid, uint16_t port) const {
  const auto of_pod = slices_of_pod_.find(std::string(pod_uid));
  if (of_pod == slices_of_pod_.end()) return nullptr;
  const KnownService* only = nullptr;
  const KnownService* headless = nullptr;
  size_t all = 0;
  size_t headless_ones = 0;
  for (const std::string& uid : of_pod->second) {
    const Slice& slice = slices_.at(uid);
    if (std::find(slice.ports.begin(), slice.ports.end(), port) == slice.ports.end()) continue;
    const auto number = by_name_.find(slice.service);
    if (number == by_name_.end()) continue;
    const KnownService* const service = &services_[number->second];
    if (service == only || service == headless) continue;  // addresses of both families have a slice each
    ++all;
    only = service;
    if (!service->headless()) continue;
    ++headless_ones;
    headless = service;
  }
  if (all == 1) return only;
  return headless_ones == 1 ? headless : nullptr;
}

const KnownService* ServiceIndex::OfName(ClusterNumber cluster, std::string_view name_space,
                                         std::string_view name) const {
  const auto found = by_name_.find(NameKey(cluster, name_space, name));
  return found == by_name_.end() ? nullptr : &services_[found->second];
}

const KnownService* ServiceIndex::OfExternalName(ClusterNumber cluster, std::string_view external_name) const {
  const auto found = by_external_name_.find(ClusterKey(cluster, external_name));
  if (found == by_external_name_.end()) return nullptr;
  const KnownService* only = nullptr;
  for (const uint32_t number : found->second) {
    if (services_[number].gone != 0) continue;
    if (only != nullptr) return nullptr;
    only = &services_[number];
  }
  return only;
}

}  // namespace weir::server

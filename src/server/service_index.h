// ServiceIndex: services of clusters by their addresses and ports, by node port, by name, and by the pods behind them.
// A service that is deleted is found for a while by flows of its time: the last kMaxGone of them.
//
// Pure; see entity_index.h, which owns it. What look-ups return is borrowed until the next change.
#pragma once

#include <tsl/robin_map.h>
#include <xxhash.h>

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "model/cluster.h"
#include "model/side_report.h"

namespace weir::server {

using ClusterNumber = uint16_t;  // 0 = no cluster

struct KnownService {
  std::string uid;
  std::string name;
  std::string name_space;
  std::string type;
  std::string external_name;
  std::vector<model::Address> addresses;
  std::vector<model::Service::Port> ports;
  ClusterNumber cluster = 0;
  UnixMillis gone = 0;

  bool headless() const { return addresses.empty() && type != "ExternalName"; }
};

class ServiceIndex {
 public:
  static constexpr size_t kMaxGone = 4'096;
  static constexpr size_t kMaxServices = 100'000;

  void Put(ClusterNumber cluster, const model::Service& service);
  void RemoveService(const std::string& uid, UnixMillis at);
  void Put(ClusterNumber cluster, const model::Endpoints& endpoints);
  void RemoveEndpoints(const std::string& uid);

  // The service whose address this is, for whoever is in `viewer`; with that port where one has it, else any port of
  // the address where they all are one service's. nullptr when there is none, or only in several other clusters.
  const KnownService* At(ClusterNumber viewer, const model::Address& address, uint16_t port, model::Protocol protocol,
                         UnixMillis time) const;
  const KnownService* OfNodePort(ClusterNumber cluster, uint16_t port, model::Protocol protocol) const;
  // The service a pod reached at its own address belongs to: the only one, or the only headless one, that leads to this
  // port of it; nullptr where that is not decided.
  const KnownService* OfPod(std::string_view pod_uid, uint16_t port) const;
  const KnownService* OfName(ClusterNumber cluster, std::string_view name_space, std::string_view name) const;
  // The service of an external name, lower case; nullptr when none or several have it.
  const KnownService* OfExternalName(ClusterNumber cluster, std::string_view external_name) const;

  size_t size() const { return by_uid_.size(); }

 private:
  struct Door {
    model::Address address;
    uint16_t cluster = 0;
    uint16_t port = 0;
    uint16_t protocol = 0;
    uint16_t zero = 0;
    bool operator==(const Door&) const = default;
  };
  struct DoorHash {
    size_t operator()(const Door& door) const { return XXH3_64bits(&door, sizeof(door)); }
  };
  using Doors = tsl::robin_map<Door, std::vector<uint32_t>, DoorHash>;
  struct Slice {
    ClusterNumber cluster = 0;
    std::string service;  // "namespace/name"
    std::vector<uint16_t> ports;
    std::vector<std::string> pod_uids;
  };

  void Link(uint32_t number, bool link);
  const KnownService* Newest(const Doors& doors, const Door& door, UnixMillis time) const;
  static std::string NameKey(ClusterNumber cluster, std::string_view name_space, std::string_view name);

  std::deque<KnownService> services_;
  std::vector<uint32_t> free_;
  std::deque<uint32_t> gone_;
  std::unordered_map<std::string, uint32_t> by_uid_;
  std::unordered_map<std::string, uint32_t> by_name_;
  std::unordered_map<std::string, std::vector<uint32_t>> by_external_name_;  // "cluster/name"
  Doors by_door_;                                                            // port 0: any
  Doors by_node_port_;                                                       // without address
  std::unordered_map<std::string, Slice> slices_;                            // by uid
  std::unordered_map<std::string, std::vector<std::string>> slices_of_pod_;
};

}  // namespace weir::server

// What a Kubernetes cluster says of itself, as far as flows need it, and who wants to hear it. kube/ reads it from an
// API server, the server's entity index turns it into names. Texts are as the API server gave them: bounded and valid
// UTF-8, but chosen by whoever may create objects.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "model/address.h"

namespace weir::model {

// Times are Unix milliseconds by the cluster's clock; 0 = not yet, or unknown.

struct OwnerReference {
  std::string kind;  // "ReplicaSet", "Job", "Rollout", ...
  std::string name;
  std::string uid;
};

struct PodContainer {
  std::string name;
  std::string id;  // without its runtime's prefix ("containerd://"); "" = not started
  std::string image;
  bool init = false;
  std::string state;  // "waiting" | "running" | "terminated"
  std::string reason;
  uint32_t restarts = 0;
  UnixMillis started = 0;
  UnixMillis finished = 0;
  std::vector<uint16_t> tcp_ports;  // as declared
  uint16_t metrics_port = 0;        // the one of them that is named metrics, or ends in -metrics
  uint64_t gpus = 0;                // sum of limits whose resource name ends in "/gpu"
};

struct Pod {
  std::string uid;
  std::string name;
  std::string name_space;
  std::string node;
  std::vector<Address> addresses;
  bool host_network = false;
  std::string phase;  // "Pending" | "Running" | "Succeeded" | "Failed" | "Unknown"
  bool ready = false;
  UnixMillis created = 0;
  UnixMillis scheduled = 0;
  UnixMillis started = 0;  // first seen by its kubelet
  UnixMillis ready_since = 0;
  UnixMillis deletion = 0;    // asked for at this time
  OwnerReference controller;  // the direct one
  OwnerReference workload;    // the topmost one that is known; the pod itself without any
  std::vector<PodContainer> containers;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;  // those of prometheus.io/ alone
  std::vector<std::string> volumes;                // persistent volume claims it mounts
};

struct Service {
  std::string uid;
  std::string name;
  std::string name_space;
  std::string type;                // "ClusterIP" | "NodePort" | "LoadBalancer" | "ExternalName"
  std::vector<Address> addresses;  // cluster addresses, external ones and those of load balancers; none: headless
  std::string external_name;
  struct Port {
    std::string name;
    std::string protocol;  // "TCP" | "UDP" | "SCTP"
    uint16_t port = 0;
    uint16_t node_port = 0;
  };
  std::vector<Port> ports;
  std::map<std::string, std::string> annotations;  // those about topology alone
};

// One EndpointSlice.
struct Endpoints {
  std::string uid;
  std::string name;
  std::string name_space;
  std::string service;  // by its label kubernetes.io/service-name
  struct Endpoint {
    std::vector<Address> addresses;
    bool ready = false;
    std::string node;
    std::string zone;
    std::string pod_uid;
    std::vector<std::string> hint_zones;  // zones it should serve
  };
  std::vector<Endpoint> endpoints;
  std::vector<uint16_t> ports;
};

struct Node {
  std::string uid;
  std::string name;
  std::vector<Address> addresses;
  std::string zone;    // topology.kubernetes.io/zone, or its older form
  std::string region;  // topology.kubernetes.io/region, or its older form
  std::string instance_type;
  std::string provider_id;
  uint64_t baseline_mbits = 0;  // karpenter.k8s.aws/instance-network-bandwidth; 0 = unlabelled
  uint64_t gpus = 0;
};

struct Namespace {
  std::string uid;
  std::string name;
  std::map<std::string, std::string> labels;
};

// A Mountpoint pod and the workload pods whose volumes it serves (s3.csi.aws.com, MountpointS3PodAttachment).
struct VolumeAttachment {
  std::string uid;
  std::string name;
  std::string node;
  std::string persistent_volume;
  std::map<std::string, std::vector<std::string>> served_pods;  // uids of workload pods, by name of the Mountpoint pod
};

// Hears of every object, its changes and its end. An object may come again unchanged. After a list, Synced() says that
// what was not in it is gone; Gone() has been called for each of those before.
class ClusterListener {
 public:
  virtual ~ClusterListener() = default;
  virtual void Changed(const Pod& pod) = 0;
  virtual void Changed(const Service& service) = 0;
  virtual void Changed(const Endpoints& endpoints) = 0;
  virtual void Changed(const Node& node) = 0;
  virtual void Changed(const Namespace& name_space) = 0;
  virtual void Changed(const VolumeAttachment& attachment) = 0;
  enum class Kind : uint8_t { kPod, kService, kEndpoints, kNode, kNamespace, kVolumeAttachment };
  // `at`: when it ended, by the cluster's clock where it says so, else by the server's.
  virtual void Gone(Kind kind, const std::string& uid, UnixMillis at) = 0;
  virtual void Synced(Kind kind) = 0;
};

}  // namespace weir::model

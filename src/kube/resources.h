// THE table of what Weir reads from a Kubernetes API server: nothing beyond it is asked for, besides which versions of
// the named API groups are served. deploy/kubernetes/rbac.yaml grants the same.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::kube {

// X(identifier, API group, versions that are understood, plural, metadata only, the price of its absence)
#define WEIR_KUBE_RESOURCES(X)                                                                                      \
  X(kReplicaSets, "apps", "v1", "replicasets", true, "Deployments are guessed from the labels of their pods")       \
  X(kJobs, "batch", "v1", "jobs", true, "the pods of a CronJob are shown under their Job")                          \
  X(kNamespaces, "", "v1", "namespaces", false, "labels of namespaces are unknown")                                 \
  X(kNodes, "", "v1", "nodes", false, "zones, regions and instance types are unknown")                              \
  X(kPods, "", "v1", "pods", false, "flows carry no names of pods and workloads")                                   \
  X(kServices, "", "v1", "services", false, "addresses of services have no names")                                  \
  X(kEndpointSlices, "discovery.k8s.io", "v1,v1beta1", "endpointslices", false, "backends of services are unknown") \
  X(kVolumeAttachments, "s3.csi.aws.com", "", "mountpoints3podattachments", false,                                  \
    "traffic of Mountpoint pods stays with them")

enum class Resource : uint8_t {
#define WEIR_KUBE_RESOURCE_ENUM(id, group, versions, plural, metadata_only, price) id,
  WEIR_KUBE_RESOURCES(WEIR_KUBE_RESOURCE_ENUM)
#undef WEIR_KUBE_RESOURCE_ENUM
      kCount
};
inline constexpr size_t kResourceCount = static_cast<size_t>(Resource::kCount);

struct ResourceDescription {
  Resource resource;
  std::string_view group;     // "" = the core API
  std::string_view versions;  // comma-separated, the best first; "" = the one the server prefers
  std::string_view plural;
  bool metadata_only;  // only names and owners are asked for
  std::string_view price;
};

inline constexpr std::array<ResourceDescription, kResourceCount> kResources{{
#define WEIR_KUBE_RESOURCE_ROW(id, group, versions, plural, metadata_only, price) \
  {Resource::id, group, versions, plural, metadata_only, price},
    WEIR_KUBE_RESOURCES(WEIR_KUBE_RESOURCE_ROW)
#undef WEIR_KUBE_RESOURCE_ROW
}};

constexpr const ResourceDescription& Describe(Resource resource) { return kResources[static_cast<size_t>(resource)]; }

// Only some clusters serve it: its absence is no problem.
constexpr bool IsOptional(Resource resource) { return resource == Resource::kVolumeAttachments; }

}  // namespace weir::kube

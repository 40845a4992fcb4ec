#include "server/helper_pods.h"

#include <algorithm>
#include <array>

#include "base/metrics.h"
#include "model/columns.h"
#include "server/known_services.h"

namespace weir::server {
namespace {

constexpr std::string_view kMountpointNamespace = "mount-s3";
constexpr std::string_view kMountpointProcess = "mount-s3";
// The kernel cuts names of processes after 15 bytes.
constexpr auto kRuntimes =
    std::to_array<std::string_view>({"containerd", "dockerd", "crio", "podman", "buildkitd", "soci-snapshotte",
                                     "nydusd", "stargz-snapshot", "containerd-star", "containerd-nydu"});

std::string KeyOf(ClusterNumber cluster, std::string_view pod) {
  return std::to_string(cluster) + '/' + std::string(pod);
}

Beneficiaries Sum(const std::vector<const KnownPod*>& pods) {
  std::vector<std::string> workloads;
  for (const KnownPod* pod : pods)
    workloads.push_back(pod->name_space + '/' + (pod->workload.empty() ? pod->name : pod->workload));
  std::sort(workloads.begin(), workloads.end());
  workloads.erase(std::unique(workloads.begin(), workloads.end()), workloads.end());
  Beneficiaries sum{"", static_cast<uint32_t>(pods.size())};
  for (const std::string& workload : workloads) {
    constexpr std::string_view kMore = ", ...";
    if (sum.workloads.size() + workload.size() + 2 + kMore.size() > model::kMaxStringBytes) {
      sum.workloads += sum.workloads.empty() ? "..." : kMore;
      break;
    }
    sum.workloads += (sum.workloads.empty() ? "" : ", ") + workload;
  }
  return sum;
}

template <typename Predicate>
std::vector<const KnownPod*> PodsThat(const EntityIndex& index, ClusterNumber cluster, std::string_view node,
                                      Predicate&& predicate) {
  std::vector<const KnownPod*> pods = index.PodsOn(cluster, node);
  std::erase_if(pods, [&](const KnownPod* pod) { return pod->finished != 0 || !predicate(*pod); });
  return pods;
}

bool IsRuntime(std::string_view process) {
  return std::find(kRuntimes.begin(), kRuntimes.end(), process) != kRuntimes.end();
}

bool FetchesImages(std::string_view server_class) {
  // Layers of many registries lie in object stores and behind delivery networks.
  return server_class == "registry" || server_class == "object_store" || server_class == "cdn";
}

}  // namespace

void HelperPods::Put(ClusterNumber cluster, const model::VolumeAttachment& attachment) {
  Remove(attachment.uid);
  if (attachments_.size() >= kMaxAttachments) {
    Count(Metric::server_names_full);
    return;
  }
  std::vector<Served>& all = attachments_[attachment.uid];
  for (const auto& [mountpoint, pods] : attachment.served_pods) {
    all.push_back({KeyOf(cluster, mountpoint), pods});
    attachments_of_mountpoint_[all.back().key].push_back(attachment.uid);
  }
}

void HelperPods::Remove(const std::string& uid) {
  const auto known = attachments_.find(uid);
  if (known == attachments_.end()) return;
  for (const Served& served : known->second) {
    const auto of = attachments_of_mountpoint_.find(served.key);
    if (of == attachments_of_mountpoint_.end()) continue;
    std::erase(of->second, uid);
    if (of->second.empty()) attachments_of_mountpoint_.erase(of);
  }
  attachments_.erase(known);
}

bool HelperPods::MayBeHelper(const model::Entity& client, uint16_t server_port) {
  if (client.kind == "address") return false;
  if (!client.pod.empty()) return client.namespace_ == kMountpointNamespace;
  if (!client.container.empty()) return false;
  return client.process == kMountpointProcess || !ClassOfPort(server_port).empty() || IsRuntime(client.process);
}

Beneficiaries HelperPods::Of(const model::Entity& client, ClusterNumber cluster, std::string_view node,
                             uint16_t server_port, std::string_view server_class, const EntityIndex& index) const {
  if (cluster == 0) return {};
  if (!client.pod.empty()) {
    if (client.namespace_ != kMountpointNamespace) return {};
    const std::string key = KeyOf(cluster, client.pod);
    const auto of = attachments_of_mountpoint_.find(key);
    if (of == attachments_of_mountpoint_.end()) return {};
    std::vector<const KnownPod*> pods;
    for (const std::string& uid : of->second) {
      for (const Served& served : attachments_.at(uid)) {
        if (served.key != key) continue;
        for (const std::string& pod_uid : served.pods) {
          const KnownPod* const pod = index.PodOfUid(pod_uid);
          if (pod != nullptr && pod->announced && std::find(pods.begin(), pods.end(), pod) == pods.end()) {
            pods.push_back(pod);
          }
        }
      }
    }
    return Sum(pods);
  }
  if (!client.container.empty()) return {};
  if (client.process == kMountpointProcess || !ClassOfPort(server_port).empty()) {
    return Sum(PodsThat(index, cluster, node, [](const KnownPod& pod) { return !pod.volumes.empty(); }));
  }
  if (IsRuntime(client.process) && FetchesImages(server_class)) {
    return Sum(PodsThat(index, cluster, node, [](const KnownPod& pod) { return pod.pulling; }));
  }
  return {};
}

}  // namespace weir::server

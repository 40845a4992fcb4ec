// Who really wanted the bytes: traffic of helpers that fetch for pods. Mountpoint pods serve the volumes of workloads,
// `mount-s3` processes of the host did so before them, container runtimes pull images, and the kernel itself speaks NFS
// and Lustre. The helper stays what it is; beside it stands for whom it worked.
//
// Pure; see naming_stage.h, which owns it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/cluster.h"
#include "model/entity.h"
#include "server/entity_index.h"

namespace weir::server {

struct Beneficiaries {
  std::string workloads;  // "namespace/workload", several joined by ", "; "" = the end works for itself
  uint32_t pods = 0;      // how many share the bytes
};

class HelperPods {
 public:
  static constexpr size_t kMaxAttachments = 100'000;

  void Put(ClusterNumber cluster, const model::VolumeAttachment& attachment);
  void Remove(const std::string& uid);

  // False is certain, and costs little.
  static bool MayBeHelper(const model::Entity& client, uint16_t server_port);
  // For whom `client` fetched from a server of this class at this port. `client` has been named; `node`: the cluster's
  // name of its node.
  Beneficiaries Of(const model::Entity& client, ClusterNumber cluster, std::string_view node, uint16_t server_port,
                   std::string_view server_class, const EntityIndex& index) const;

 private:
  struct Served {
    std::string key;  // "cluster/Mountpoint pod"
    std::vector<std::string> pods;
  };

  std::unordered_map<std::string, std::vector<Served>> attachments_;                     // by uid
  std::unordered_map<std::string, std::vector<std::string>> attachments_of_mountpoint_;  // their uids
};

}  // namespace weir::server

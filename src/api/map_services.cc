#include "api/map_services.h"

namespace weir::api {

void ServicePairs::Add(const EndFacts& server) {
  // An end that is known by its service alone has the service's name as that of its workload.
  if (server.service.empty() || server.workload.empty() || server.kind == "service") return;
  if (server.service_namespace != server.namespace_) return;
  const std::string cluster(server.cluster);
  const std::string name_space(server.namespace_);
  const Key workload{cluster, name_space, std::string(server.workload)};
  services_[workload].emplace(server.service);
  kinds_.try_emplace(workload, server.workload_kind);
  workloads_[{cluster, name_space, std::string(server.service)}].emplace(server.workload);
}

const std::string* ServicePairs::OnlyOne(const Key& key, const std::map<Key, Names>& here,
                                         const std::map<Key, Names>& there) {
  const auto found = here.find(key);
  if (found == here.end() || found->second.size() != 1) return nullptr;
  const std::string& name = *found->second.begin();
  const auto back = there.find({std::get<0>(key), std::get<1>(key), name});
  return back->second.size() == 1 ? &name : nullptr;
}

void ServicePairs::Lead(EndFacts& end) const {
  const std::string cluster(end.cluster);
  if (!end.service.empty()) {
    const std::string* workload =
        OnlyOne({cluster, std::string(end.service_namespace), std::string(end.service)}, workloads_, services_);
    end.workload = workload == nullptr ? std::string_view() : *workload;
    return;
  }
  if (end.workload.empty()) return;
  const Key key{cluster, std::string(end.namespace_), std::string(end.workload)};
  const std::string* service = OnlyOne(key, services_, workloads_);
  if (service == nullptr) return;
  end.service = *service;
  end.service_namespace = end.namespace_;
}

void ServicePairs::LeadToWorkload(EndFacts& end) const {
  if (end.kind != "service") return;
  const std::string cluster(end.cluster);
  const std::string name_space(end.service_namespace);
  const std::string* workload = OnlyOne({cluster, name_space, std::string(end.service)}, workloads_, services_);
  if (workload == nullptr) return;
  end.workload = *workload;
  end.workload_kind = kinds_.at({cluster, name_space, *workload});
}

}  // namespace weir::api

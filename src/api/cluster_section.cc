#include "api/cluster_section.h"

#include "api/time_text.h"

namespace weir::api {
namespace {

Json WatchJson(const kube::WatchStatus& watch, UnixMillis now) {
  Json json;
  json["resource"] = watch.resource;
  json["state"] = watch.state;
  json["problem"] = watch.problem;
  json["objects"] = watch.objects;
  json["events"] = watch.events;
  json["lists"] = watch.lists;
  json["failures"] = watch.failures;
  json["refused"] = watch.refused;
  json["last_heard"] = watch.last_heard == 0 ? Json(nullptr) : Json(FormatTime(watch.last_heard));
  json["silent_seconds"] =
      watch.last_heard == 0 ? Json(nullptr) : Json(static_cast<double>(now - watch.last_heard) / 1'000);
  return json;
}

Json ClusterJson(const kube::ClusterStatus& status, UnixMillis now) {
  Json watches = Json::array();
  for (const kube::WatchStatus& watch : status.watches) watches.push_back(WatchJson(watch, now));
  Json json;
  json["followed"] = status.off.empty();
  json["off_reason"] = status.off;
  json["cluster"] = status.cluster;
  json["server"] = status.server;
  json["credentials"] = status.source;
  json["watches"] = std::move(watches);
  return json;
}

}  // namespace

Json ClustersJson(const std::vector<kube::ClusterStatus>& clusters, UnixMillis now) {
  if (clusters.empty()) return nullptr;
  Json json = ClusterJson(clusters.front(), now);
  json["others"] = Json::array();
  for (size_t i = 1; i < clusters.size(); ++i) json["others"].push_back(ClusterJson(clusters[i], now));
  return json;
}

std::vector<std::string> ClusterProblems(const kube::ClusterStatus& status) {
  std::vector<std::string> problems;
  for (const kube::WatchStatus& watch : status.watches) {
    if (!watch.problem.empty()) problems.push_back(watch.problem);
  }
  return problems;
}

}  // namespace weir::api

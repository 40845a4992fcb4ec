#include "server/pod_names_log.h"

namespace weir::server {
namespace {

size_t BytesOf(const model::PodName& name) {
  size_t bytes = name.uid.size() + name.cluster.size() + name.name_space.size() + name.pod.size() +
                 name.workload_kind.size() + name.workload.size() + 16;
  for (const model::ContainerName& container : name.containers)
    bytes += container.id.size() + container.name.size() + 8;
  return bytes;
}

}  // namespace

void PodNamesLog::Changed(const std::string& node, uint32_t pod, uint64_t version) {
  if (node.empty()) return;
  Node& of_node = nodes_[node];
  const auto [known, is_new] = of_node.version.try_emplace(pod, version);
  if (!is_new) of_node.entries.erase(known->second);
  known->second = version;
  of_node.entries[version] = {pod, ""};
}

void PodNamesLog::Gone(const std::string& node, uint32_t pod, const std::string& uid, uint64_t version) {
  const auto found = nodes_.find(node);
  if (found == nodes_.end()) return;
  Node& of_node = found->second;
  const auto known = of_node.version.find(pod);
  if (known == of_node.version.end()) return;
  of_node.entries.erase(known->second);
  of_node.version.erase(known);
  of_node.entries[version] = {pod, uid};
  if (++of_node.gone <= kMaxGone) return;
  for (auto entry = of_node.entries.begin(); entry != of_node.entries.end(); ++entry) {
    if (entry->second.gone.empty()) continue;
    of_node.forgotten = entry->first;
    of_node.entries.erase(entry);
    --of_node.gone;
    return;
  }
}

model::PodNames PodNamesLog::Since(const std::string& node, const model::NamesVersion& known, uint64_t epoch,
                                   const std::function<model::PodName(uint32_t pod)>& name_of) const {
  model::PodNames names;
  const auto found = nodes_.find(node);
  if (found == nodes_.end()) return names;
  const Node& of_node = found->second;
  names.complete = known.epoch != epoch || known.version < of_node.forgotten;
  names.to = {epoch, names.complete ? 0 : known.version};
  size_t bytes = 0;
  bool all = true;
  for (auto entry = of_node.entries.upper_bound(names.to.version); entry != of_node.entries.end(); ++entry) {
    all = names.pods.size() + names.gone.size() < model::kMaxPodNames && bytes < kMaxBytes;
    if (!all) break;
    names.to.version = entry->first;
    if (!entry->second.gone.empty()) {
      if (!names.complete) names.gone.push_back(entry->second.gone);
      continue;
    }
    names.pods.push_back(name_of(entry->second.pod));
    bytes += BytesOf(names.pods.back());
  }
  // Else it would be told everything again.
  if (all && names.to.version < of_node.forgotten) names.to.version = of_node.forgotten;
  return names;
}

}  // namespace weir::server

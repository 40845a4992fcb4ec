// PodNamesLog: what changed about the pods of each node, by version, so that an agent can be told what it does not know
// yet. Of pods that are gone the last kMaxGone of a node are remembered; an agent that knows less is told everything.
//
// Pure; see entity_index.h, which owns it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>

#include "model/pod_names.h"

namespace weir::server {

class PodNamesLog {
 public:
  static constexpr size_t kMaxGone = 256;
  static constexpr size_t kMaxBytes = 256 * 1'024;  // of what is told at once, about

  // `node`: any key of it. Versions grow.
  void Changed(const std::string& node, uint32_t pod, uint64_t version);
  void Gone(const std::string& node, uint32_t pod, const std::string& uid, uint64_t version);

  // What leads from `known` on; `name_of` gives the names of a pod.
  model::PodNames Since(const std::string& node, const model::NamesVersion& known, uint64_t epoch,
                        const std::function<model::PodName(uint32_t pod)>& name_of) const;

  // Calls with each pod that is on the node.
  template <typename Visitor>
  void ForEach(const std::string& node, Visitor&& visit) const {
    const auto found = nodes_.find(node);
    if (found == nodes_.end()) return;
    for (const auto& [pod, version] : found->second.version) visit(pod);
  }

 private:
  struct Entry {
    uint32_t pod = 0;
    std::string gone;  // its uid; "" = it is there
  };
  struct Node {
    std::map<uint64_t, Entry> entries;               // by version
    std::unordered_map<uint32_t, uint64_t> version;  // of pods that are there
    uint64_t forgotten = 0;                          // an agent that knows less misses something
    size_t gone = 0;
  };

  std::unordered_map<std::string, Node> nodes_;
};

}  // namespace weir::server

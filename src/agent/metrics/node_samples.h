// NodeSamples: a snapshot of the node as samples of the families in model/metric_families.h.
//
// Pods are the network namespaces of Kubernetes pods and other containers. One that has no name yet is called by its
// uid, its container's id or its namespace's name, without a Kubernetes namespace.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/metrics/family_out.h"
#include "agent/metrics/pod_labels.h"
#include "agent/node/node_snapshot.h"

namespace weir::agent::metrics {

// Thread: one.
class NodeSamples {
 public:
  // `common`: instance_id and node; borrowed, as is the snapshot.
  NodeSamples(const node::NodeSnapshot& snapshot, const LabelContext& common, const NamePod& name_pod);

  void AddTo(model::AgentFamily family, FamilyOut& out) const;
  // Families outside the table: those of EFA ports.
  void VisitEfa(MetricVisitor& visitor) const;
  // The pods that have a network namespace of their own, each once.
  const std::vector<PodLabels>& pods() const { return pods_; }

 private:
  // Something with values, and its labels.
  struct Item {
    model::SignalPlace place;
    LabelContext context;
    UnixMillis created;
    const node::NodeSnapshot::Values* values;
  };

  void AddSpace(const node::NodeSnapshot::Space& space, const NamePod& name_pod);
  void AddObject(const node::NodeSnapshot::Object& object, const NamePod& name_pod);
  const PodLabels* LabelsOf(uint32_t netns) const;

  const node::NodeSnapshot& snapshot_;
  const LabelContext common_;
  std::vector<PodLabels> pods_;
  std::vector<std::unique_ptr<PodLabels>> owners_;  // what labels are borrowed from
  std::vector<std::pair<uint32_t, const PodLabels*>> by_space_;
  std::vector<Item> items_;
};

}  // namespace weir::agent::metrics

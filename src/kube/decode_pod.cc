#include <algorithm>

#include "base/metrics.h"
#include "kube/decode.h"
#include "kube/json_fields.h"

namespace weir::kube {
namespace {

using model::Pod;
using model::PodContainer;

void ReadPorts(JsonValue value, PodContainer& container) {
  const bool all = ForEachElement(value, kMaxPorts, [&](JsonValue element) {
    uint64_t port = 0;
    bool tcp = true;
    std::string name;
    ForEachField(element, [&](std::string_view key, JsonValue field) {
      if (key == "name") name = TextOf(field);
      if (key == "containerPort") port = NumberOf(field, UINT16_MAX);
      if (key == "protocol") tcp = TextOf(field) == "TCP";
    });
    if (!tcp || port == 0) return;
    container.tcp_ports.push_back(static_cast<uint16_t>(port));
    const bool metrics = name == "metrics" || name.ends_with("-metrics");
    if (metrics && container.metrics_port == 0) container.metrics_port = static_cast<uint16_t>(port);
  });
  if (!all) Count(Metric::kube_cut);
}

void ReadContainers(JsonValue value, bool init, std::vector<PodContainer>& containers) {
  const bool all = ForEachElement(value, kMaxContainers, [&](JsonValue element) {
    PodContainer container;
    container.init = init;
    ForEachField(element, [&](std::string_view key, JsonValue field) {
      if (key == "name") container.name = NameOf(field);
      if (key == "image") container.image = TextOf(field);
      if (key == "ports") ReadPorts(field, container);
      if (key != "resources") return;
      ForEachField(field, [&](std::string_view which, JsonValue amounts) {
        if (which != "limits") return;
        ForEachField(amounts, [&](std::string_view resource, JsonValue amount) {
          if (IsGpu(resource)) container.gpus += NumberOf(amount, 1'024);
        });
      });
    });
    containers.push_back(std::move(container));
  });
  if (!all) Count(Metric::kube_cut);
}

void ReadVolumes(JsonValue value, std::vector<std::string>& claims) {
  const bool all = ForEachElement(value, kMaxPorts, [&](JsonValue element) {
    ForEachField(element, [&](std::string_view key, JsonValue field) {
      if (key != "persistentVolumeClaim") return;
      ForEachField(field, [&](std::string_view name, JsonValue claim) {
        if (name == "claimName") claims.push_back(NameOf(claim));
      });
    });
  });
  if (!all) Count(Metric::kube_cut);
}

void ReadSpec(JsonValue value, Pod& pod) {
  ForEachField(value, [&](std::string_view key, JsonValue field) {
    if (key == "nodeName") pod.node = NameOf(field);
    if (key == "hostNetwork") pod.host_network = BoolOf(field, false);
    if (key == "containers" || key == "ephemeralContainers") ReadContainers(field, false, pod.containers);
    if (key == "initContainers") ReadContainers(field, true, pod.containers);
    if (key == "volumes") ReadVolumes(field, pod.volumes);
  });
}

std::string WithoutRuntime(std::string id) {
  const size_t scheme = id.find("://");
  return scheme == std::string::npos ? id : id.substr(scheme + 3);
}

void ReadState(JsonValue value, PodContainer& container) {
  ForEachField(value, [&](std::string_view state, JsonValue details) {
    if (state != "waiting" && state != "running" && state != "terminated") return;
    container.state = state;
    ForEachField(details, [&](std::string_view key, JsonValue field) {
      if (key == "reason") container.reason = TextOf(field);
      if (key == "startedAt") container.started = TimeOf(field);
      if (key == "finishedAt") container.finished = TimeOf(field);
      if (key == "containerID" && container.id.empty()) container.id = WithoutRuntime(TextOf(field));
    });
  });
}

void ReadStatuses(JsonValue value, std::vector<PodContainer>& statuses) {
  const bool all = ForEachElement(value, kMaxContainers, [&](JsonValue element) {
    PodContainer status;
    ForEachField(element, [&](std::string_view key, JsonValue field) {
      if (key == "name") status.name = NameOf(field);
      if (key == "restartCount") status.restarts = static_cast<uint32_t>(NumberOf(field, UINT32_MAX));
      if (key == "state") ReadState(field, status);
      if (key != "containerID") return;
      if (std::string id = WithoutRuntime(TextOf(field)); !id.empty()) status.id = std::move(id);
    });
    statuses.push_back(std::move(status));
  });
  if (!all) Count(Metric::kube_cut);
}

void ReadConditions(JsonValue value, Pod& pod) {
  ForEachElement(value, kMaxPorts, [&](JsonValue element) {
    std::string type;
    bool is_true = false;
    UnixMillis since = 0;
    ForEachField(element, [&](std::string_view key, JsonValue field) {
      if (key == "type") type = TextOf(field);
      if (key == "status") is_true = TextOf(field) == "True";
      if (key == "lastTransitionTime") since = TimeOf(field);
    });
    if (is_true && type == "PodScheduled") pod.scheduled = since;
    if (!is_true || type != "Ready") return;
    pod.ready = true;
    pod.ready_since = since;
  });
}

void ReadAddresses(JsonValue value, std::vector<model::Address>& addresses) {
  ForEachElement(value, kMaxAddresses, [&](JsonValue element) {
    ForEachField(element, [&](std::string_view key, JsonValue field) {
      if (key == "ip") AddAddress(TextOf(field), addresses);
    });
  });
}

void ReadStatus(JsonValue value, Pod& pod, std::vector<PodContainer>& statuses) {
  ForEachField(value, [&](std::string_view key, JsonValue field) {
    if (key == "phase") pod.phase = TextOf(field);
    if (key == "startTime") pod.started = TimeOf(field);
    if (key == "podIP") AddAddress(TextOf(field), pod.addresses);
    if (key == "podIPs") ReadAddresses(field, pod.addresses);
    if (key == "conditions") ReadConditions(field, pod);
    if (key == "containerStatuses" || key == "initContainerStatuses" || key == "ephemeralContainerStatuses")
      ReadStatuses(field, statuses);
  });
}

// Adds to each container what the kubelet says of it.
void Merge(std::vector<PodContainer>& containers, std::vector<PodContainer>& statuses) {
  for (PodContainer& status : statuses) {
    const auto found = std::find_if(containers.begin(), containers.end(),
                                    [&](const PodContainer& container) { return container.name == status.name; });
    if (found == containers.end()) continue;
    found->id = std::move(status.id);
    found->state = std::move(status.state);
    found->reason = std::move(status.reason);
    found->restarts = status.restarts;
    found->started = status.started;
    found->finished = status.finished;
  }
}

}  // namespace

Pod DecodePod(JsonObject value, Metadata& metadata) {
  Pod pod;
  std::vector<PodContainer> statuses;
  ForEachField(value, [&](std::string_view key, JsonValue field) {
    if (key == "metadata") metadata = MetadataOf(field);
    if (key == "spec") ReadSpec(field, pod);
    if (key == "status") ReadStatus(field, pod, statuses);
  });
  Merge(pod.containers, statuses);
  pod.uid = metadata.uid;
  pod.name = metadata.name;
  pod.name_space = metadata.name_space;
  pod.created = metadata.created;
  pod.deletion = metadata.deletion;
  pod.controller = metadata.controller;
  pod.labels = std::move(metadata.labels);
  for (auto& [name, text] : metadata.annotations) {
    if (name.starts_with("prometheus.io/")) pod.annotations[name] = std::move(text);
  }
  return pod;
}

}  // namespace weir::kube

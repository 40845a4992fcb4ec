#include "base/metrics.h"
#include "kube/decode.h"
#include "kube/json_fields.h"

namespace weir::kube {
namespace {

using model::Address;

// The first of the labels that is there: a name and its older forms.
std::string FirstOf(const Metadata& metadata, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (const auto found = metadata.labels.find(name); found != metadata.labels.end()) return found->second;
  }
  return {};
}

void ReadTexts(JsonValue value, std::vector<Address>& addresses) {
  const bool all =
      ForEachElement(value, kMaxAddresses, [&](JsonValue element) { AddAddress(TextOf(element), addresses); });
  if (!all) Count(Metric::kube_cut);
}

// The member `name` of each object of a list.
template <typename Take>
void ForEachMember(JsonValue value, std::string_view name, Take&& take) {
  const bool all = ForEachElement(value, kMaxAddresses, [&](JsonValue element) {
    ForEachField(element, [&](std::string_view key, JsonValue field) {
      if (key == name) take(field);
    });
  });
  if (!all) Count(Metric::kube_cut);
}

// --- services ---

void ReadServicePorts(JsonValue value, std::vector<model::Service::Port>& ports) {
  const bool all = ForEachElement(value, kMaxPorts, [&](JsonValue element) {
    model::Service::Port port;
    port.protocol = "TCP";
    ForEachField(element, [&](std::string_view key, JsonValue field) {
      if (key == "name") port.name = NameOf(field);
      if (key == "protocol") port.protocol = TextOf(field);
      if (key == "port") port.port = static_cast<uint16_t>(NumberOf(field, UINT16_MAX));
      if (key == "nodePort") port.node_port = static_cast<uint16_t>(NumberOf(field, UINT16_MAX));
    });
    ports.push_back(std::move(port));
  });
  if (!all) Count(Metric::kube_cut);
}

// Fields of the specification that say whom a service sends where stand beside the annotations that do.
void ReadServiceSpec(JsonValue value, model::Service& service) {
  ForEachField(value, [&](std::string_view key, JsonValue field) {
    if (key == "type") service.type = TextOf(field);
    if (key == "clusterIP") AddAddress(TextOf(field), service.addresses);  // "None" is no address
    if (key == "clusterIPs" || key == "externalIPs") ReadTexts(field, service.addresses);
    if (key == "loadBalancerIP") AddAddress(TextOf(field), service.addresses);
    if (key == "externalName") service.external_name = NameOf(field);
    if (key == "ports") ReadServicePorts(field, service.ports);
    if (key == "trafficDistribution") service.annotations["spec.trafficDistribution"] = TextOf(field);
    if (key == "internalTrafficPolicy") service.annotations["spec.internalTrafficPolicy"] = TextOf(field);
  });
}

void ReadServiceStatus(JsonValue value, model::Service& service) {
  ForEachField(value, [&](std::string_view key, JsonValue balancer) {
    if (key != "loadBalancer") return;
    ForEachField(balancer, [&](std::string_view name, JsonValue ingress) {
      if (name != "ingress") return;
      ForEachMember(ingress, "ip", [&](JsonValue text) { AddAddress(TextOf(text), service.addresses); });
    });
  });
}

// --- endpoint slices ---

void ReadTarget(JsonValue value, model::Endpoints::Endpoint& endpoint) {
  std::string kind;
  std::string uid;
  ForEachField(value, [&](std::string_view key, JsonValue field) {
    if (key == "kind") kind = TextOf(field);
    if (key == "uid") uid = NameOf(field);
  });
  if (kind == "Pod") endpoint.pod_uid = std::move(uid);
}

void ReadEndpoint(JsonValue value, model::Endpoints::Endpoint& endpoint) {
  endpoint.ready = true;  // "nil should be interpreted as true"
  ForEachField(value, [&](std::string_view key, JsonValue field) {
    if (key == "addresses") ReadTexts(field, endpoint.addresses);
    if (key == "nodeName") endpoint.node = NameOf(field);
    if (key == "zone") endpoint.zone = NameOf(field);
    if (key == "targetRef") ReadTarget(field, endpoint);
    if (key == "conditions") {
      ForEachField(field, [&](std::string_view name, JsonValue condition) {
        if (name == "ready") endpoint.ready = BoolOf(condition, true);
      });
    }
    if (key == "topology") {  // v1beta1
      ForEachField(field, [&](std::string_view name, JsonValue text) {
        if (name == "kubernetes.io/hostname" && endpoint.node.empty()) endpoint.node = NameOf(text);
        if (name == "topology.kubernetes.io/zone" && endpoint.zone.empty()) endpoint.zone = NameOf(text);
      });
    }
    if (key == "hints") {
      ForEachField(field, [&](std::string_view name, JsonValue zones) {
        if (name != "forZones") return;
        ForEachMember(zones, "name", [&](JsonValue zone) { endpoint.hint_zones.push_back(NameOf(zone)); });
      });
    }
  });
}

// --- nodes ---

void ReadNodeStatus(JsonValue value, model::Node& node) {
  uint64_t capacity = 0;
  ForEachField(value, [&](std::string_view key, JsonValue field) {
    if (key == "addresses") {
      // Names among them are no addresses and are left out.
      ForEachMember(field, "address", [&](JsonValue text) { AddAddress(TextOf(text), node.addresses); });
    }
    if (key == "capacity") {
      ForEachField(field, [&](std::string_view resource, JsonValue amount) {
        if (IsGpu(resource)) capacity += NumberOf(amount, 1'024);
      });
    }
  });
  node.gpus = capacity;
}

uint64_t NumberIn(const std::string& text) {
  if (text.empty() || text.size() > 12 || text.find_first_not_of("0123456789") != std::string::npos) return 0;
  return std::stoull(text);
}

// --- attachments ---

void ReadServedPods(JsonValue value, model::VolumeAttachment& attachment) {
  ForEachField(value, [&](std::string_view mountpoint_pod, JsonValue served) {
    if (mountpoint_pod.size() > kMaxNameBytes || attachment.served_pods.size() >= kMaxEndpoints)
      return Count(Metric::kube_cut);
    std::vector<std::string>& uids = attachment.served_pods[std::string(mountpoint_pod)];
    const bool all = ForEachElement(served, kMaxEndpoints, [&](JsonValue element) {
      ForEachField(element, [&](std::string_view key, JsonValue field) {
        if (key == "workloadPodUID") uids.push_back(NameOf(field));
      });
    });
    if (!all) Count(Metric::kube_cut);
  });
}

template <typename T>
void Identify(T& object, const Metadata& metadata) {
  object.uid = metadata.uid;
  object.name = metadata.name;
}

}  // namespace

model::Service DecodeService(JsonObject value, Metadata& metadata) {
  model::Service service;
  ForEachField(value, [&](std::string_view key, JsonValue field) {
    if (key == "metadata") metadata = MetadataOf(field);
    if (key == "spec") ReadServiceSpec(field, service);
    if (key == "status") ReadServiceStatus(field, service);
  });
  Identify(service, metadata);
  service.name_space = metadata.name_space;
  service.annotations.merge(metadata.annotations);
  return service;
}

model::Endpoints DecodeEndpoints(JsonObject value, Metadata& metadata) {
  model::Endpoints slice;
  bool all = true;
  ForEachField(value, [&](std::string_view key, JsonValue field) {
    if (key == "metadata") metadata = MetadataOf(field);
    if (key == "endpoints") {
      all = ForEachElement(field, kMaxEndpoints,
                           [&](JsonValue element) { ReadEndpoint(element, slice.endpoints.emplace_back()); });
    }
    if (key == "ports") {
      ForEachMember(field, "port", [&](JsonValue number) {
        if (const uint64_t port = NumberOf(number, UINT16_MAX); port != 0)
          slice.ports.push_back(static_cast<uint16_t>(port));
      });
    }
  });
  if (!all) Count(Metric::kube_cut);
  Identify(slice, metadata);
  slice.name_space = metadata.name_space;
  slice.service = FirstOf(metadata, {"kubernetes.io/service-name"});
  return slice;
}

model::Node DecodeNode(JsonObject value, Metadata& metadata) {
  model::Node node;
  ForEachField(value, [&](std::string_view key, JsonValue field) {
    if (key == "metadata") metadata = MetadataOf(field);
    if (key == "status") ReadNodeStatus(field, node);
    if (key != "spec") return;
    ForEachField(field, [&](std::string_view name, JsonValue text) {
      if (name == "providerID") node.provider_id = TextOf(text);
    });
  });
  Identify(node, metadata);
  node.zone = FirstOf(metadata, {"topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"});
  node.region = FirstOf(metadata, {"topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region"});
  node.instance_type = FirstOf(metadata, {"node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type"});
  node.baseline_mbits = NumberIn(FirstOf(metadata, {"karpenter.k8s.aws/instance-network-bandwidth"}));
  return node;
}

model::Namespace DecodeNamespace(JsonObject value, Metadata& metadata) {
  model::Namespace name_space;
  ForEachField(value, [&](std::string_view key, JsonValue field) {
    if (key == "metadata") metadata = MetadataOf(field);
  });
  Identify(name_space, metadata);
  name_space.labels = std::move(metadata.labels);
  return name_space;
}

model::VolumeAttachment DecodeAttachment(JsonObject value, Metadata& metadata) {
  model::VolumeAttachment attachment;
  ForEachField(value, [&](std::string_view key, JsonValue field) {
    if (key == "metadata") metadata = MetadataOf(field);
    if (key != "spec") return;
    ForEachField(field, [&](std::string_view name, JsonValue detail) {
      if (name == "nodeName") attachment.node = NameOf(detail);
      if (name == "persistentVolumeName") attachment.persistent_volume = NameOf(detail);
      if (name == "mountpointS3PodAttachments") ReadServedPods(detail, attachment);
    });
  });
  Identify(attachment, metadata);
  return attachment;
}

Owner DecodeOwner(JsonObject value, Metadata& metadata) {
  Owner owner;
  ForEachField(value, [&](std::string_view key, JsonValue field) {
    if (key == "metadata") metadata = MetadataOf(field);
  });
  Identify(owner, metadata);
  owner.name_space = metadata.name_space;
  owner.controller = metadata.controller;
  return owner;
}

}  // namespace weir::kube

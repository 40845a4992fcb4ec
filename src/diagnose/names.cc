#include "diagnose/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace weir::diagnose {
namespace {

constexpr std::array<std::pair<std::string_view, RemoteClass>, 4> kClasses{{{"object_store", RemoteClass::kObjectStore},
                                                                            {"model_hub", RemoteClass::kModelHub},
                                                                            {"registry", RemoteClass::kRegistry},
                                                                            {"file_store", RemoteClass::kFileStore}}};

std::string PodKey(std::string_view name_space, std::string_view pod) { return fmt::format("{}/{}", name_space, pod); }
std::string ClusterPodKey(std::string_view cluster, std::string_view pod_key) {
  return fmt::format("{}\n{}", cluster, pod_key);
}

RemoteClass ClassOf(std::string_view cloud_service) {
  for (const auto& [name, remote_class] : kClasses) {
    if (name == cloud_service) return remote_class;
  }
  return RemoteClass::kNone;
}

SubjectKind KindOf(const model::Entity& entity) {
  if (!entity.pod.empty()) return SubjectKind::kPod;
  if (entity.kind == "service") return SubjectKind::kService;
  if (entity.kind == "node") return SubjectKind::kNode;
  if (!entity.process.empty() || !entity.container.empty() || !entity.unit.empty()) return SubjectKind::kProcess;
  if (entity.kind == "cloud_service" || entity.kind == "external" || entity.kind == "address") {
    return SubjectKind::kExternal;
  }
  return SubjectKind::kUnknown;
}

Subject SubjectOf(const model::Entity& entity) {
  Subject subject;
  subject.kind = KindOf(entity);
  subject.cluster = entity.cluster;
  subject.name_space = entity.namespace_;
  subject.workload = entity.workload;
  subject.workload_kind = entity.workload_kind;
  subject.pod = entity.pod;
  subject.node = entity.node;
  subject.zone = entity.zone;
  subject.cloud_service = entity.cloud_service;
  subject.process = entity.process;
  subject.name = entity.external_name;
  if (subject.kind == SubjectKind::kPod) {
    subject.process.clear();  // the party is the pod, all its processes
  } else {
    subject.container = entity.container_name.empty() ? entity.container : entity.container_name;
    if (subject.container.empty()) subject.container = entity.unit;
  }
  return subject;
}

}  // namespace

std::string_view RemoteClassName(RemoteClass remote_class) {
  for (const auto& [name, value] : kClasses) {
    if (value == remote_class) return name;
  }
  return "";
}

Names::Names(Capacities capacities) : capacities_(std::move(capacities)) {
  parties_.emplace_back();
  briefs_.emplace_back();
  redirects_.push_back(kNobody);
}

PartyNumber Names::Create() {
  if (!free_.empty()) {
    const PartyNumber number = free_.back();
    free_.pop_back();
    redirects_[number] = number;
    return number;
  }
  if (parties_.size() >= kMaxParties) return kNobody;
  parties_.emplace_back();
  briefs_.emplace_back();
  redirects_.push_back(static_cast<PartyNumber>(redirects_.size()));
  return static_cast<PartyNumber>(parties_.size() - 1);
}

PartyNumber Names::Of(model::EntityId entity) {
  if (entity == 0) return kNobody;
  const auto [found, added] = by_entity_.try_emplace(entity, kNobody);
  if (added || found->second == kNobody) {
    found->second = Create();
    if (found->second != kNobody) parties_[found->second].subject.key = entity;
  }
  return Resolve(found->second);
}

bool Names::Knows(model::EntityId entity) const {
  const auto found = by_entity_.find(entity);
  return found != by_entity_.end() && parties_[Resolve(found->second)].subject.known();
}

void Names::Fill(Party& party, const model::Entity& entity) {
  const uint64_t key = party.subject.key;
  const bool was_pod = party.subject.kind == SubjectKind::kPod;
  Subject subject = SubjectOf(entity);
  if (was_pod && subject.kind != SubjectKind::kPod) return;  // an older version of one of the pod's entities
  party.subject = std::move(subject);
  party.subject.key = key;
  party.node = Node(entity.node);
  party.zone = Intern(entity.zone);
  party.workload = entity.workload.empty()
                       ? Intern(Title(party.subject))
                       : Intern(fmt::format("{}/{}/{}", entity.cluster, entity.namespace_, entity.workload));
  party.remote_class = ClassOf(entity.cloud_service);
  party.class_source = entity.name_source;
  if (!entity.image.empty()) party.image = entity.image;
  const bool listed =
      std::find(party.containers.begin(), party.containers.end(), entity.container) != party.containers.end();
  if (!entity.container.empty() && !listed && party.containers.size() < kMaxContainers) {
    party.containers.push_back(entity.container);
  }
  party.seen = party.seen || !entity.process.empty();
  party.pod_key = entity.pod.empty() ? "" : PodKey(entity.namespace_, entity.pod);
  briefs_[static_cast<size_t>(&party - parties_.data())] = {party.node, party.zone, party.workload, party.remote_class,
                                                            party.seen};
}

void Names::Learn(const model::Entity& entity) {
  const PartyNumber own = Of(entity.id);
  if (own == kNobody) return;
  if (entity.pod.empty()) {
    Fill(parties_[own], entity);
    return;
  }
  const std::string key = ClusterPodKey(entity.cluster, PodKey(entity.namespace_, entity.pod));
  const auto [pod, added] = by_pod_.try_emplace(key, own);
  const PartyNumber of_pod = Resolve(pod->second);
  if (of_pod != own) redirects_[own] = of_pod;  // another entity of a known pod
  Fill(parties_[of_pod], entity);
}

void Names::Learn(const model::Pod& pod) {
  const std::string key = PodKey(pod.name_space, pod.name);
  if (pods_.size() >= kMaxParties && !pods_.contains(pod.uid)) return;
  if (pod.deletion != 0) {
    ended_[key] = pod.deletion;
  } else if (const auto uid = pod_uids_.find(key); uid == pod_uids_.end() || uid->second != pod.uid) {
    ended_.erase(key);  // a new pod of that name
  }
  pod_uids_[key] = pod.uid;
  pods_[pod.uid] = pod;
}

void Names::Learn(const model::Node& node) { nodes_[node.name] = node; }
void Names::Learn(const model::Endpoints& endpoints) { endpoints_[endpoints.uid] = endpoints; }
void Names::Learn(const model::VolumeAttachment& attachment) { attachments_[attachment.uid] = attachment; }

void Names::LearnLinkSpeed(NodeNumber node, double bits_per_second) { link_bits_[node] = bits_per_second; }

void Names::Gone(model::ClusterListener::Kind kind, const std::string& uid, UnixMillis at) {
  using Kind = model::ClusterListener::Kind;
  switch (kind) {
    case Kind::kPod:
      if (const auto pod = pods_.find(uid); pod != pods_.end()) {
        pod->second.deletion = at;
        const std::string key = PodKey(pod->second.name_space, pod->second.name);
        if (pod_uids_[key] == uid) ended_[key] = at;
      }
      return;
    case Kind::kNode: std::erase_if(nodes_, [&](const auto& entry) { return entry.second.uid == uid; }); return;
    case Kind::kEndpoints: endpoints_.erase(uid); return;
    case Kind::kVolumeAttachment: attachments_.erase(uid); return;
    case Kind::kService:
    case Kind::kNamespace: return;
  }
}

NameNumber Names::Intern(std::string_view text) {
  const auto found = numbers_.find(std::string(text));
  if (found != numbers_.end()) return found->second;
  if (texts_.size() >= kMaxNames) return 0;
  texts_.emplace_back(text);
  const auto number = static_cast<NameNumber>(texts_.size() - 1);
  numbers_.emplace(text, number);
  return number;
}

NodeNumber Names::Node(std::string_view name) { return Intern(name); }

const model::Node* Names::NodeFacts(NodeNumber node) const {
  const auto found = nodes_.find(texts_[node]);
  return found == nodes_.end() ? nullptr : &found->second;
}

Subject Names::NodeSubjectOf(NodeNumber node) const {
  const model::Node* facts = NodeFacts(node);
  return NodeSubject("", texts_[node], facts == nullptr ? "" : facts->zone);
}

Capacity Names::CapacityOf(NodeNumber node) const {
  CapacityFacts facts;
  if (const model::Node* known = NodeFacts(node); known != nullptr) {
    facts.label_baseline_mbits = known->baseline_mbits;
    facts.instance_type = known->instance_type;
  }
  if (const auto link = link_bits_.find(node); link != link_bits_.end()) facts.link_bits = link->second;
  return capacities_.Of(texts_[node], facts);
}

const model::Pod* Names::PodByUid(const std::string& uid) const {
  const auto found = pods_.find(uid);
  return found == pods_.end() ? nullptr : &found->second;
}

const model::Pod* Names::PodOf(PartyNumber party) const {
  const Party& known = (*this)[party];
  if (known.pod_key.empty()) return nullptr;
  const auto uid = pod_uids_.find(known.pod_key);
  return uid == pod_uids_.end() ? nullptr : PodByUid(uid->second);
}

PartyNumber Names::PartyOfPod(const std::string& name_space, const std::string& pod) const {
  const std::string suffix = "\n" + PodKey(name_space, pod);
  // One cluster is the rule: its name is tried before all are looked through.
  if (const auto found = by_pod_.find(suffix); found != by_pod_.end()) return Resolve(found->second);
  for (const auto& [key, party] : by_pod_) {
    if (key.ends_with(suffix)) return Resolve(party);
  }
  return kNobody;
}

Subject Names::SubjectOfPod(const model::Pod& pod) const {
  if (const PartyNumber party = PartyOfPod(pod.name_space, pod.name); party != kNobody) return (*this)[party].subject;
  Subject subject;
  subject.kind = SubjectKind::kPod;
  subject.key = HashText(pod.uid, 5);
  subject.name_space = pod.name_space;
  subject.workload = pod.workload.name;
  subject.workload_kind = pod.workload.kind;
  subject.pod = pod.name;
  subject.node = pod.node;
  return subject;
}

UnixMillis Names::EndOf(PartyNumber party) const {
  const auto found = ended_.find((*this)[party].pod_key);
  return found == ended_.end() ? 0 : found->second;
}

std::vector<const model::Pod*> Names::ServedBy(PartyNumber helper) const {
  std::vector<const model::Pod*> served;
  const std::string& name = (*this)[helper].subject.pod;
  if (name.empty()) return served;
  for (const auto& [uid, attachment] : attachments_) {
    const auto pods = attachment.served_pods.find(name);
    if (pods == attachment.served_pods.end()) continue;
    for (const std::string& pod_uid : pods->second) {
      if (const model::Pod* pod = PodByUid(pod_uid); pod != nullptr) served.push_back(pod);
    }
  }
  std::sort(served.begin(), served.end(), [](const auto* a, const auto* b) { return a->uid < b->uid; });
  served.erase(std::unique(served.begin(), served.end()), served.end());
  return served;
}

Names::ServiceZones Names::ServiceOf(PartyNumber server) const {
  ServiceZones zones;
  const model::Pod* pod = PodOf(server);
  if (pod == nullptr) return zones;
  for (const auto& [uid, endpoints] : endpoints_) {
    const bool ours = std::any_of(endpoints.endpoints.begin(), endpoints.endpoints.end(),
                                  [&](const auto& endpoint) { return endpoint.pod_uid == pod->uid; });
    if (!ours || (!zones.service.empty() && zones.service != endpoints.service)) continue;
    zones.name_space = endpoints.name_space;
    zones.service = endpoints.service;
    for (const auto& endpoint : endpoints.endpoints) {
      if (endpoint.ready && !endpoint.zone.empty()) ++zones.ready_by_zone[endpoint.zone];
    }
  }
  return zones;
}

void Names::Forget(int64_t now_s, int64_t keep_s) {
  const int64_t before_s = now_s - keep_s;
  for (Party& party : parties_) {
    if (party.used_s == 0) party.used_s = now_s;  // learned since the last time
  }
  std::vector<bool> forgotten(parties_.size(), false);
  for (PartyNumber number = 1; number < parties_.size(); ++number) {
    const bool already_free = redirects_[number] == number && parties_[number].subject.key == 0;
    if (!already_free && parties_[Resolve(number)].used_s < before_s) forgotten[number] = true;
  }
  std::erase_if(by_entity_, [&](const auto& entry) { return forgotten[entry.second]; });
  std::erase_if(by_pod_, [&](const auto& entry) { return forgotten[entry.second]; });
  for (PartyNumber number = 1; number < parties_.size(); ++number) {
    if (!forgotten[number]) continue;
    parties_[number] = {};
    briefs_[number] = {};
    redirects_[number] = number;
    free_.push_back(number);
  }
  const UnixMillis before = before_s * 1000;
  std::erase_if(pods_, [&](const auto& entry) { return entry.second.deletion != 0 && entry.second.deletion < before; });
  std::erase_if(pod_uids_, [&](const auto& entry) { return !pods_.contains(entry.second); });
  std::erase_if(ended_, [&](const auto& entry) { return entry.second < before; });
}

}  // namespace weir::diagnose

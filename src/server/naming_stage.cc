#include "server/naming_stage.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <utility>

#include "base/metrics.h"
#include "model/locality.h"
#include "server/row_parts.h"

namespace weir::server {
namespace {

using model::Entity;
using model::EntityRef;
using model::Side;

constexpr int64_t kExpirePeriodMs = 10'000;
constexpr int64_t kForgetEntityMs = 3'600'000;
constexpr int64_t kForgetFlowMs = 600'000;
constexpr size_t kMaxOutsideFlows = 200'000;

bool IsByAddress(const Entity& entity) { return entity.kind == "address"; }

std::string KeyOf(const model::Address& address) {
  return {reinterpret_cast<const char*>(address.bytes.data()), address.bytes.size()};
}

const model::Address& AddressOf(const store::StoredRow& row, Side side) {
  return side == Side::kClient ? row.row.client_address : row.row.server_address;
}

bool Reported(const store::StoredRow& row, Side side) {
  return (side == Side::kClient ? row.row.client_reports : row.row.server_reports) != 0;
}

}  // namespace

// ---- Clusters ----

class NamingStage::Listener final : public model::ClusterListener {
 public:
  Listener(NamingStage& stage, ClusterNumber cluster) : stage_(stage), cluster_(cluster) {}

  void Changed(const model::Pod& pod) override {
    With([&](UnixMillis now) { stage_.index_.Changed(cluster_, pod, now); });
  }
  void Changed(const model::Service& service) override {
    With([&](UnixMillis) { stage_.index_.Changed(cluster_, service); });
  }
  void Changed(const model::Endpoints& endpoints) override {
    With([&](UnixMillis) { stage_.index_.Changed(cluster_, endpoints); });
  }
  void Changed(const model::Node& node) override {
    With([&](UnixMillis now) { stage_.index_.Changed(cluster_, node, now); });
  }
  void Changed(const model::Namespace&) override {}
  void Changed(const model::VolumeAttachment& attachment) override {
    With([&](UnixMillis) { stage_.helpers_.Put(cluster_, attachment); });
  }
  void Gone(Kind kind, const std::string& uid, UnixMillis at) override {
    With([&](UnixMillis now) {
      switch (kind) {
        case Kind::kPod: return stage_.index_.GonePod(uid, at, now);
        case Kind::kService: return stage_.index_.GoneService(uid, at);
        case Kind::kEndpoints: return stage_.index_.GoneEndpoints(uid);
        case Kind::kNode: return stage_.index_.GoneNode(uid, now);
        case Kind::kVolumeAttachment: return stage_.helpers_.Remove(uid);
        case Kind::kNamespace: return;
      }
    });
  }
  void Synced(Kind kind) override {
    if (kind == Kind::kPod) With([&](UnixMillis) { stage_.index_.PodsListed(cluster_); });
  }

 private:
  template <typename What>
  void With(What&& what) {
    const std::lock_guard lock(stage_.mutex_);
    what(stage_.clock_.WallMillis());
  }

  NamingStage& stage_;
  const ClusterNumber cluster_;
};

NamingStage::NamingStage(NamingOptions options, const Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      started_(clock.WallMillis()),
      outside_(options_.prefixes, options_.geo) {
  index_.SetEpoch(static_cast<uint64_t>(started_));
  CountPrefixes();
}

NamingStage::~NamingStage() = default;

model::ClusterListener& NamingStage::ListenerOf(const std::string& cluster) {
  const std::lock_guard lock(mutex_);
  listeners_.push_back(std::make_unique<Listener>(*this, index_.ClusterOf(cluster)));
  return *listeners_.back();
}

void NamingStage::CountPrefixes() const {
  SetGauge(Metric::server_names_prefixes, outside_.prefixes() == nullptr ? 0 : outside_.prefixes()->size());
}

void NamingStage::SetPrefixes(std::shared_ptr<const Prefixes> prefixes) {
  const std::lock_guard lock(mutex_);
  outside_.SetPrefixes(std::move(prefixes));
  CountPrefixes();
}

std::vector<NameSource> NamingStage::Sources() const {
  std::vector<NameSource> sources;
  {
    const std::lock_guard lock(mutex_);
    if (outside_.prefixes() != nullptr) {
      for (const PrefixFile& file : outside_.prefixes()->files()) {
        sources.push_back({file.kind, file.path, file.dated, file.prefixes});
      }
    }
  }
  if (options_.geo != nullptr) {
    for (const GeoFile& file : options_.geo->files())
      sources.push_back({"geoip", file.path, file.built_ms, file.entries});
  }
  if (options_.prices != nullptr) {
    sources.push_back({"prices", options_.prices->source(), options_.prices->dated_ms(), options_.prices->size()});
  }
  return sources;
}

model::PodNames NamingStage::NamesFor(std::string_view agent_node, const model::NamesVersion& known) const {
  const std::lock_guard lock(mutex_);
  return index_.NamesFor(agent_node, known);
}

// ---- Agents ----

void NamingStage::Observe(const model::AgentBatch& batch, UnixMillis now) {
  const std::lock_guard lock(mutex_);
  places_.Observe(batch, now);
  if (index_.clusters() != 0) {
    for (const model::NetNamespace& space : batch.namespaces) {
      if (space.pod_uid.empty() || space.is_host) continue;
      index_.PlaceAgent(batch.node, space.pod_uid);
      const KnownNode* const node = index_.NodeOfAgent(batch.node);
      const ClusterNumber cluster = node != nullptr ? node->cluster : index_.clusters() == 1 ? ClusterNumber{1} : 0;
      if (cluster == 0) continue;
      for (const model::Address& address : space.addresses) {
        index_.Prove(space.pod_uid, cluster, address, batch.start, batch.end, now);
      }
    }
  }
  for (const model::ResolvedName& resolved : batch.resolved) {
    outside_.resolved().Put(AskerOf(resolved.pod_uid, batch.node, resolved.netns), resolved, batch.start);
  }
  if (now - expired_ >= kExpirePeriodMs) Expire(now);
}

void NamingStage::Expire(UnixMillis now) {
  expired_ = now;
  index_.Expire(now);
  places_.Expire(now);
  outside_.resolved().Expire(now);
  Forget(now);
  SetGauge(Metric::server_names_pods, index_.pods());
  SetGauge(Metric::server_names_addresses, index_.addresses());
}

void NamingStage::Forget(UnixMillis now) {
  for (auto item = outside_flows_.begin(); item != outside_flows_.end();) {
    item = now - item->second.used > kForgetFlowMs ? outside_flows_.erase(item) : std::next(item);
  }
  // When full it starts again: what is still used comes back with its next row.
  const bool full = entities_.size() >= kMaxEntities;
  if (full) Count(Metric::server_names_full, entities_.size());
  for (auto item = entities_.begin(); item != entities_.end();) {
    const bool drop = full || now - item->second.used > kForgetEntityMs;
    item = drop ? entities_.erase(item) : std::next(item);
  }
  std::erase_if(by_thing_, [this](const auto& entry) { return !entities_.contains(entry.second); });
}

// ---- Rows ----

void NamingStage::Name(std::span<store::StoredRow> rows, UnixMillis now) {
  const std::lock_guard lock(mutex_);
  // What rows prove is learnt before any is named: the other end of a row may be known by the next one alone.
  if (index_.clusters() != 0) {
    for (const store::StoredRow& row : rows) Learn(row, now);
  }
  for (store::StoredRow& row : rows) NameRow(row, now);
}

void NamingStage::Learn(const store::StoredRow& row, UnixMillis now) {
  for (const Side side : {Side::kClient, Side::kServer}) {
    if (!Reported(row, side)) continue;
    const Entity& entity = Of(side == Side::kClient ? row.row.client : row.row.server);
    if (entity.pod_uid.empty() || places_.IsHost(entity.node, entity.netns)) continue;
    index_.PlaceAgent(entity.node, entity.pod_uid);
    const ClusterNumber cluster = ClusterOf(entity);
    if (cluster == 0) continue;
    index_.Prove(entity.pod_uid, cluster, AddressOf(row, side), row.row.start, row.row.end, now);
  }
}

ClusterNumber NamingStage::ClusterOf(const Entity& entity) const {
  if (index_.clusters() == 0) return 0;
  const KnownNode* const node = index_.NodeOfAgent(entity.node);
  if (node != nullptr) return node->cluster;
  // A pod whose node is not known yet is of the only cluster there is.
  return !entity.pod_uid.empty() && index_.clusters() == 1 ? ClusterNumber{1} : ClusterNumber{0};
}

void NamingStage::NameRow(store::StoredRow& row, UnixMillis now) {
  for (const Side side : {Side::kClient, Side::kServer}) NameEnd(row, side, now);
  NameService(row, now);
  NameHelper(row, now);
  Price(row);
}

struct NamingStage::End {
  const store::StoredRow& row;
  Side side = Side::kClient;
  EntityRef base;             // by address
  const Entity& viewer;       // the other end
  ClusterNumber cluster = 0;  // of the viewer
  AddressHolder holder{};

  const model::Address& address() const { return AddressOf(row, side); }
};

void NamingStage::NameEnd(store::StoredRow& row, Side side, UnixMillis now) {
  EntityRef& entity = EntityAt(row.row, side);
  if (entity == nullptr) return;
  if (!IsByAddress(*entity)) {
    if (Reported(row, side) || !StaleRecall(row, side, *entity, now)) {
      entity = NameReported(entity, now);
      return;
    }
    // Who had the address before is not who did not answer now.
    Entity base;
    base.id = model::AddressId(AddressOf(row, side), "");
    base.kind = "address";
    base.version = model::VersionAt(now, false);
    entity = std::make_shared<const Entity>(std::move(base));
  }
  const Entity& viewer = Of(EntityAt(row.row, OtherSide(side)));
  entity = NameByAddress({row, side, entity, viewer, ClusterOf(viewer), {}}, now);
}

// The matcher remembers who answered at an address. New attempts there may be another's, when that pod is over.
bool NamingStage::StaleRecall(const store::StoredRow& row, Side side, const Entity& entity, UnixMillis now) {
  if (row.row.connections_opened == 0 && row.row.connections_failed == 0) return false;
  const KnownPod::Container* container = nullptr;
  const KnownPod* const pod = PodOf(entity, &container);
  if (pod == nullptr || pod->host_network) return false;
  const AddressHolder holder = index_.HolderOf(AddressOf(row, side), pod->cluster, row.row.start, row.row.end, now);
  if (holder.pod == pod) return false;
  return holder.pod != nullptr || holder.contested || pod->ending();
}

// ---- Ends that agents see ----

const KnownPod* NamingStage::PodOf(const Entity& base, const KnownPod::Container** container) const {
  if (!base.container.empty()) {
    if (const KnownPod* const pod = index_.PodOfContainer(base.container, container); pod != nullptr) return pod;
  }
  if (base.pod_uid.empty()) return nullptr;
  const KnownPod* const pod = index_.PodOfUid(base.pod_uid);
  return pod != nullptr && pod->announced ? pod : nullptr;
}

void NamingStage::AddPod(const KnownPod& pod, const KnownPod::Container* container, Entity& to) const {
  to.kind = "pod";
  to.cluster = index_.ClusterName(pod.cluster);
  to.namespace_ = pod.name_space;
  to.workload = pod.workload;
  to.workload_kind = pod.workload_kind;
  to.pod = pod.name;
  to.pod_uid = pod.uid;
  if (container != nullptr) {
    to.container_name = container->name;
    to.image = container->image;
  }
  to.name_source = "cluster";
}

void NamingStage::AddPlace(ClusterNumber cluster, std::string_view node_name, Entity& to) const {
  const KnownNode* node = cluster == 0 ? nullptr : index_.NodeOf(cluster, node_name);
  if (node == nullptr && !to.node.empty()) node = index_.NodeOfAgent(to.node);
  if (node != nullptr) {
    to.cluster = index_.ClusterName(node->cluster);
    to.zone = node->zone;
    to.region = node->region;
    if (to.node.empty()) to.node = index_.AgentNameOf(*node);
  }
  const AgentPlaces::Agent* const agent = to.node.empty() ? nullptr : places_.Find(to.node);
  if (agent == nullptr) return;
  if (to.zone.empty()) to.zone = agent->zone;
  if (to.region.empty()) to.region = agent->region;
}

EntityRef NamingStage::NameReported(const EntityRef& base, UnixMillis now) {
  const auto seen = entities_.find(base->id);
  if (seen != entities_.end() && seen->second.base == base && seen->second.world == World()) {
    seen.value().used = now;
    return seen->second.named;
  }
  const KnownPod::Container* container = nullptr;
  const KnownPod* const pod = PodOf(*base, &container);
  const KnownNode* const node =
      pod != nullptr ? index_.NodeOf(pod->cluster, pod->node) : index_.NodeOfAgent(base->node);
  const uint64_t pod_version = pod == nullptr ? 0 : pod->version;
  const uint64_t node_version = node == nullptr ? 0 : node->version;
  if (seen != entities_.end()) {
    Named& named = seen.value();
    if (named.base == base && named.pod_version == pod_version && named.node_version == node_version &&
        named.place_version == places_.version()) {
      named.used = now;
      named.world = World();
      return named.named;
    }
  }
  Entity entity = *base;
  if (pod != nullptr) AddPod(*pod, container, entity);
  AddPlace(pod != nullptr ? pod->cluster : ClusterNumber{0}, pod != nullptr ? std::string_view(pod->node) : "", entity);
  Named from;
  from.base = base;
  from.pod_uid = base->pod_uid;
  from.pod_version = pod_version;
  from.node_version = node_version;
  from.place_version = places_.version();
  from.world = World();
  return Keep(std::move(entity), std::move(from), now);
}

EntityRef NamingStage::Keep(Entity entity, Named&& from, UnixMillis now) {
  if (entities_.size() >= kMaxEntities) Forget(now);
  const auto [place, is_new] = entities_.try_emplace(entity.id);
  Named& known = place.value();
  const bool named = !entity.SameAs(*from.base) || entity.id != from.base->id;
  entity.version = std::max(model::VersionAt(now, named), from.base->version);
  if (!is_new && known.named != nullptr) {
    if (known.named->SameAs(entity)) {
      from.named = known.named;
    } else {
      entity.version = std::max(entity.version, known.named->version + 1);
      // A name that comes late holds for what was before, one that changes does not.
      if (known.named->name_source == "cluster") entity.valid_from = now;
    }
  } else if (is_new) {
    if (!from.pod_uid.empty()) by_thing_.emplace(from.pod_uid, entity.id);
    if (!entity.container.empty()) by_thing_.emplace(entity.container, entity.id);
    if (from.by_address) by_thing_.emplace(KeyOf(from.address), entity.id);
  }
  if (from.named == nullptr) from.named = named ? std::make_shared<const Entity>(std::move(entity)) : from.base;
  from.used = now;
  known = std::move(from);
  return known.named;
}

// ---- Ends that only their peers report ----

// The id under which the address is stored from now on, whoever holds it: it must not depend on what is known by now.
model::EntityId NamingStage::IdByAddress(const End& end) const {
  const AddressHolder& holder = end.holder;
  const std::string address = KeyOf(end.address());
  const std::string& cluster = index_.ClusterName(holder.cluster);
  if (holder.pod != nullptr && !holder.used_unnamed) {
    return model::HashOfKey({"address", address, "pod", holder.pod->uid});
  }
  if (holder.node != nullptr && !holder.used_unnamed) {
    return model::HashOfKey({"address", address, "node", cluster, holder.node->name});
  }
  // Generations are counted anew when the server starts, and those of before have their names.
  return model::HashOfKey({"address", address, "of", cluster, fmt::format_int(started_).c_str(), "generation",
                           fmt::format_int(holder.generation).c_str()});
}

EntityRef NamingStage::NameByAddress(End end, UnixMillis now) {
  const Entity& base = *end.base;
  // A namespace of one machine, seen from there, or told of by the only agent that has it.
  const model::NetNamespace* const space = base.node.empty() ? nullptr : places_.SpaceOf(base.node, end.address());
  const bool of_machine = index_.clusters() == 0 || index_.NodeOfAgent(base.node) == nullptr;
  if (space != nullptr && space->pod_uid.empty() && of_machine) return NameLocal(end, *space, now);
  if (index_.clusters() == 0) return NameOutside(end, base, now);
  const model::FlowRow& row = end.row.row;
  end.holder = index_.HolderOf(end.address(), end.cluster, row.start, row.end, now);
  const AddressHolder& holder = end.holder;
  Entity entity = base;
  const bool held_once = holder.pod != nullptr || holder.node != nullptr || holder.contested || holder.generation != 0;
  if (held_once || !end.address().is_public()) entity.id = IdByAddress(end);
  if (held_once) return NameHolder(end, std::move(entity), now);
  if (!of_machine) entity.node.clear();
  return NameOutside(end, entity, now);
}

EntityRef NamingStage::NameLocal(const End& end, const model::NetNamespace& space, UnixMillis now) {
  Entity entity = *end.base;
  if (space.is_host) {
    entity.kind = "node";
  } else {
    entity.netns = space.inode;
    entity.netns_name = space.name;
  }
  entity.name_source = "agent";
  AddPlace(0, "", entity);
  Named from;
  from.base = end.base;
  return Keep(std::move(entity), std::move(from), now);
}

EntityRef NamingStage::NameHolder(const End& end, Entity entity, UnixMillis now) {
  const AddressHolder& holder = end.holder;
  Named from;
  from.base = end.base;
  from.by_address = true;
  from.address = end.address();
  from.generation = holder.generation;
  from.cluster = holder.cluster;
  entity.node.clear();
  if (holder.pod != nullptr) {
    from.pod_uid = holder.pod->uid;
    from.pod_version = holder.pod->version;
    if (holder.pod->announced) {
      AddPod(*holder.pod, nullptr, entity);
      AddPlace(holder.pod->cluster, holder.pod->node, entity);
    }
  } else if (holder.node != nullptr) {
    entity.kind = "node";
    entity.node = index_.AgentNameOf(*holder.node);
    entity.name_source = "cluster";
    from.node_version = holder.node->version;
    AddPlace(holder.node->cluster, holder.node->name, entity);
  }
  return Keep(std::move(entity), std::move(from), now);
}

// ---- Outside ----

EntityRef NamingStage::NameOutside(const End& end, const Entity& base, UnixMillis now) {
  const model::Address& address = end.address();
  const model::FlowRow& row = end.row.row;
  // `outside`: no cluster will tell of it later.
  const auto keep = [&](Entity entity, bool outside) {
    Named from;
    from.base = end.base;
    from.by_address = !outside;
    from.address = address;
    from.generation = end.holder.generation;
    from.cluster = end.holder.cluster;
    from.outside = outside;
    return Keep(std::move(entity), std::move(from), now);
  };
  if (address.is_loopback() || address.is_link_local() || address.is_multicast()) return keep(base, true);
  const bool server = end.side == Side::kServer;
  const bool asked = server && !IsByAddress(end.viewer);
  const uint64_t asker = asked ? AskerOf(end.viewer.pod_uid, end.viewer.node, end.viewer.netns) : 0;
  const uint16_t port = server ? row.server_port : uint16_t{0};
  OutsideName name = outside_.Of(address, port, asker, server ? row.server_name : std::string(), row.start, row.end);
  const std::string flow = fmt::format("{} {} {}", end.viewer.id, KeyOf(address), port);
  const uint64_t flow_key = XXH3_64bits(flow.data(), flow.size());
  if (!name.by_name && server) {
    // A connection lasts longer than the answer that led to it.
    const auto known = outside_flows_.find(flow_key);
    if (known != outside_flows_.end() && now - known->second.used <= kForgetFlowMs) {
      known.value().used = now;
      return known->second.named;
    }
  }
  if (name.empty()) return keep(base, address.is_public());
  Entity entity = base;
  entity.kind = name.service_class.empty() ? "external" : "cloud_service";
  entity.external_name = name.name;
  entity.external_service = name.service;
  entity.cloud_service = name.service_class;
  entity.region = name.region;
  entity.name_source = name.source;
  if (!name.by_name) return keep(std::move(entity), address.is_public());
  entity.id = model::HashOfKey({"external", KeyOf(address), name.name});
  EntityRef named = keep(std::move(entity), true);
  if (outside_flows_.size() >= kMaxOutsideFlows) outside_flows_.clear();
  outside_flows_[flow_key] = {named, now};
  return named;
}

// ---- Services ----

EntityRef NamingStage::ServiceEntity(const KnownService& service, UnixMillis now) {
  auto base = std::make_shared<Entity>();
  base->id = model::HashOfKey({"service", index_.ClusterName(service.cluster), service.uid});
  Entity entity = *base;
  entity.kind = "service";
  entity.cluster = index_.ClusterName(service.cluster);
  entity.namespace_ = service.name_space;
  entity.service = service.name;
  entity.name_source = "cluster";
  Named from;
  from.base = std::move(base);
  from.outside = true;  // nothing changes it later
  return Keep(std::move(entity), std::move(from), now);
}

const KnownService* NamingStage::ServiceAt(const store::StoredRow& row, ClusterNumber cluster,
                                           const model::Address& address, uint16_t port, UnixMillis now) {
  const model::Protocol protocol = row.row.protocol == "udp" ? model::Protocol::kUdp : model::Protocol::kTcp;
  if (const KnownService* const found = index_.services().At(cluster, address, port, protocol, row.row.start)) {
    return found;
  }
  const AddressHolder holder = index_.HolderOf(address, cluster, row.row.start, row.row.end, now);
  return holder.node == nullptr ? nullptr : index_.services().OfNodePort(holder.node->cluster, port, protocol);
}

// By the name the client asked for: "cart.shop.svc.cluster.local".
const KnownService* NamingStage::ServiceAskedFor(const store::StoredRow& row, ClusterNumber cluster) const {
  const Entity& client = Of(row.row.client);
  if (IsByAddress(client)) return nullptr;
  const std::string asked =
      outside_.AskedFor(AskerOf(client.pod_uid, client.node, client.netns),
                        row.row.service_address.is_unspecified() ? row.row.server_address : row.row.service_address,
                        row.row.start, row.row.end);
  const size_t svc = asked.find(".svc.");
  if (svc == std::string::npos) return nullptr;
  // A pod of a StatefulSet has a name in front of its service's.
  const size_t space = asked.rfind('.', svc - 1);
  if (space == std::string::npos || space == 0) return nullptr;
  const size_t name = asked.rfind('.', space - 1);
  const size_t begin = name == std::string::npos ? 0 : name + 1;
  return index_.services().OfName(cluster, std::string_view(asked).substr(space + 1, svc - space - 1),
                                  std::string_view(asked).substr(begin, space - begin));
}

void NamingStage::NameService(store::StoredRow& row, UnixMillis now) {
  if (index_.clusters() == 0) return;
  ClusterNumber cluster = ClusterOf(Of(row.row.client));
  if (cluster == 0) cluster = ClusterOf(Of(row.row.server));
  if (cluster == 0) return;
  const KnownService* service = nullptr;
  if (!row.row.service_address.is_unspecified()) {
    service = ServiceAt(row, cluster, row.row.service_address, row.row.service_port, now);
    // The backend it was led to has gone, and nobody answered: a pod that comes later never was meant.
    const bool in_vain =
        row.row.connections_opened == 0 && (row.row.connections_failed != 0 || row.row.segments_to_client == 0);
    if (service != nullptr && in_vain && row.row.server != nullptr && row.row.server->kind == "address") {
      NameServerByService(row, *service, now);
    }
  } else if (const Entity& server = Of(row.row.server); !server.pod_uid.empty()) {
    service = ServiceAskedFor(row, cluster);
    if (service == nullptr) service = index_.services().OfPod(server.pod_uid, row.row.server_port);
  } else {
    service = ServiceAt(row, cluster, row.row.server_address, row.row.server_port, now);
    if (service != nullptr && server.kind == "address") NameServerByService(row, *service, now);
    if (service == nullptr) service = ServiceAskedFor(row, cluster);
  }
  if (service != nullptr) row.row.service = ServiceEntity(*service, now);
}

// The service's backend is not known: the service itself answers, as far as can be told.
void NamingStage::NameServerByService(store::StoredRow& row, const KnownService& service, UnixMillis now) {
  Entity entity = *row.row.server;
  entity.kind = "service";
  entity.cluster = index_.ClusterName(service.cluster);
  entity.namespace_ = service.name_space;
  entity.workload = service.name;
  entity.workload_kind = "Service";
  entity.service = service.name;
  entity.name_source = "cluster";
  entity.id = model::HashOfKey(
      {"service address", index_.ClusterName(service.cluster), service.uid, KeyOf(row.row.server_address)});
  Named from;
  from.base = row.row.server;
  from.outside = true;
  row.row.server = Keep(std::move(entity), std::move(from), now);
}

// ---- Helpers and prices ----

void NamingStage::NameHelper(store::StoredRow& row, UnixMillis now) {
  const EntityRef& client = row.row.client;
  if (index_.clusters() == 0 || client == nullptr || !HelperPods::MayBeHelper(*client, row.row.server_port)) return;
  const ClusterNumber cluster = ClusterOf(*client);
  const KnownNode* const node = index_.NodeOfAgent(client->node);
  const Beneficiaries found = helpers_.Of(*client, cluster, node != nullptr ? node->name : client->node,
                                          row.row.server_port, Of(row.row.server).cloud_service, index_);
  if (found.workloads.empty()) return;
  Entity entity = *client;
  entity.on_behalf_of = found.workloads;
  entity.shared = found.pods;
  // For whom it worked then stays so: it is part of what the flow is.
  entity.id = model::HashOfKey({"for", fmt::format_int(client->id).c_str(), found.workloads});
  Named from;
  from.base = client;
  from.outside = true;
  row.row.client = Keep(std::move(entity), std::move(from), now);
}

void NamingStage::Price(store::StoredRow& row) const {
  if (options_.prices == nullptr) return;
  const Entity& client = Of(row.row.client);
  const Entity& server = Of(row.row.server);
  const bool client_pays = !client.node.empty();
  if (!client_pays && server.node.empty()) return;
  PricedTraffic traffic;
  traffic.locality = model::LocalityOf(client, server, row.row.client_address, row.row.server_address);
  traffic.region = client_pays ? client.region : server.region;
  traffic.cloud_service = client_pays ? server.cloud_service : client.cloud_service;
  traffic.bytes_out = client_pays ? row.row.bytes_to_server : row.row.bytes_to_client;
  traffic.bytes_in = client_pays ? row.row.bytes_to_client : row.row.bytes_to_server;
  row.row.cost_nano_usd = options_.prices->NanoDollars(traffic);
}

// ---- Names that come late ----

void NamingStage::CollectChanged() {
  const EntityIndex::Changes changes = index_.TakeChanges();
  const auto find = [&](const std::string& thing) {
    const auto [begin, end] = by_thing_.equal_range(thing);
    for (auto item = begin; item != end; ++item) to_rename_.push_back(item->second);
  };
  for (const uint32_t number : changes.pods) {
    const KnownPod& pod = index_.PodOf(number);
    find(pod.uid);
    for (const std::string& id : pod.container_ids) find(id);
  }
  for (const model::Address& address : changes.addresses) find(KeyOf(address));
  if (!changes.nodes.empty()) {
    for (const auto& [id, known] : entities_) to_rename_.push_back(id);
  }
  std::sort(to_rename_.begin(), to_rename_.end());
  to_rename_.erase(std::unique(to_rename_.begin(), to_rename_.end()), to_rename_.end());
}

std::vector<EntityRef> NamingStage::TakeChanged(UnixMillis now) {
  const std::lock_guard lock(mutex_);
  CollectChanged();
  std::vector<EntityRef> changed;
  while (!to_rename_.empty() && changed.size() < kMaxChanges) {
    const auto known = entities_.find(to_rename_.back());
    to_rename_.pop_back();
    if (known == entities_.end() || known->second.outside) continue;
    const EntityRef before = known->second.named;
    const EntityRef after = Rename(known->second, now);
    if (after != nullptr && after != before && !after->SameAs(*before)) changed.push_back(after);
  }
  Count(Metric::server_names_late, changed.size());
  return changed;
}

// `known` by value: the entry changes meanwhile.
EntityRef NamingStage::Rename(Named known, UnixMillis now) {
  EntityRef renamed;
  if (!known.by_address) {
    renamed = NameReported(known.base, now);
  } else {
    const AddressHolder holder = index_.HolderOfGeneration(known.address, known.cluster, known.generation);
    if (holder.pod == nullptr && holder.node == nullptr) return nullptr;
    store::StoredRow row;
    row.row.server_address = known.address;
    static const Entity nobody;
    Entity entity = *known.base;
    entity.id = known.named->id;
    renamed = NameHolder({row, Side::kServer, known.base, nobody, known.cluster, holder}, std::move(entity), now);
  }
  // Nobody used it: what is long unused is forgotten.
  if (const auto place = entities_.find(renamed->id); place != entities_.end()) place.value().used = known.used;
  return renamed;
}

}  // namespace weir::server

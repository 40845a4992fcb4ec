// NamingStage: gives the ends of rows the names that others than agents know: pods, workloads and services of clusters,
// nodes, zones and regions, names outside, and for whom helpers worked.
//
// What the matcher made of agents' reports keeps its id, so that a name which comes late makes no second flow. An end
// that only its peer reports is its address and which of the address's holders it was (entity_index.h); one outside
// that its client asked for by name is address and name.
//
// A name that comes or changes after flows were stored is told as a new version of the entity by TakeChanged(), though
// no flow moves.
//
// Thread-safe: rows and batches come by the writer's thread, clusters by their own, agents' questions by HTTP workers.
// One lock, held for a flush at most.
#pragma once

#include <tsl/robin_map.h>

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "model/cluster.h"
#include "model/entity.h"
#include "model/pod_names.h"
#include "server/agent_places.h"
#include "server/entity_index.h"
#include "server/helper_pods.h"
#include "server/naming.h"
#include "server/outside_names.h"
#include "server/price_table.h"

namespace weir::server {

struct NamingOptions {
  std::shared_ptr<const Prefixes> prefixes;  // null: none
  std::shared_ptr<const Geo> geo;            // null: none
  std::shared_ptr<const PriceTable> prices;  // null: nothing costs anything
};

class NamingStage final : public Namer {
 public:
  static constexpr size_t kMaxEntities = 200'000;  // about 1 KB each

  // `clock` outlives the stage.
  NamingStage(NamingOptions options, const Clock& clock);
  ~NamingStage() override;

  // Hears what a cluster says of itself. Lives as long as the stage.
  model::ClusterListener& ListenerOf(const std::string& cluster);
  // What the agent on this node does not know of its pods.
  model::PodNames NamesFor(std::string_view agent_node, const model::NamesVersion& known) const override;

  // Those of flows to come. Any thread.
  void SetPrefixes(std::shared_ptr<const Prefixes> prefixes);
  std::vector<NameSource> Sources() const override;

  void Observe(const model::AgentBatch& batch, UnixMillis now) override;
  void Name(std::span<store::StoredRow> rows, UnixMillis now) override;
  std::vector<model::EntityRef> TakeChanged(UnixMillis now) override;

 private:
  class Listener;
  struct End;  // one end of a row, and what is known around it

  // An entity as it was named last, and what it was named from.
  struct Named {
    model::EntityRef base;  // as the matcher made it
    model::EntityRef named;
    std::string pod_uid;
    uint64_t pod_version = 0;
    uint64_t node_version = 0;
    uint64_t place_version = 0;
    uint64_t world = 0;       // World() when all of this was looked up last
    uint32_t generation = 0;  // of an address's holder
    ClusterNumber cluster = 0;
    model::Address address;
    bool by_address = false;
    bool outside = false;
    UnixMillis used = 0;
  };

  void CountPrefixes() const;
  void Learn(const store::StoredRow& row, UnixMillis now);
  void NameRow(store::StoredRow& row, UnixMillis now);
  void NameEnd(store::StoredRow& row, model::Side side, UnixMillis now);
  model::EntityRef NameReported(const model::EntityRef& base, UnixMillis now);
  model::EntityId IdByAddress(const End& end) const;
  model::EntityRef NameByAddress(End end, UnixMillis now);
  model::EntityRef NameLocal(const End& end, const model::NetNamespace& space, UnixMillis now);
  model::EntityRef NameHolder(const End& end, model::Entity entity, UnixMillis now);
  model::EntityRef NameOutside(const End& end, const model::Entity& base, UnixMillis now);
  const KnownService* ServiceAt(const store::StoredRow& row, ClusterNumber cluster, const model::Address& address,
                                uint16_t port, UnixMillis now);
  const KnownService* ServiceAskedFor(const store::StoredRow& row, ClusterNumber cluster) const;
  void NameService(store::StoredRow& row, UnixMillis now);
  void NameServerByService(store::StoredRow& row, const KnownService& service, UnixMillis now);
  model::EntityRef ServiceEntity(const KnownService& service, UnixMillis now);
  void NameHelper(store::StoredRow& row, UnixMillis now);
  void Price(store::StoredRow& row) const;

  void AddPod(const KnownPod& pod, const KnownPod::Container* container, model::Entity& to) const;
  void AddPlace(ClusterNumber cluster, std::string_view node, model::Entity& to) const;
  const KnownPod* PodOf(const model::Entity& base, const KnownPod::Container** container) const;
  ClusterNumber ClusterOf(const model::Entity& entity) const;
  // Grows with every change of anything that names are made of.
  uint64_t World() const { return index_.version() + places_.version(); }
  bool StaleRecall(const store::StoredRow& row, model::Side side, const model::Entity& entity, UnixMillis now);
  // The entity as it is known by now, a new version where it changed; remembered under its id.
  model::EntityRef Keep(model::Entity entity, Named&& from, UnixMillis now);
  void CollectChanged();
  model::EntityRef Rename(Named known, UnixMillis now);
  void Forget(UnixMillis now);
  void Expire(UnixMillis now);

  const NamingOptions options_;
  const Clock& clock_;
  const UnixMillis started_;

  mutable std::mutex mutex_;
  EntityIndex index_;
  AgentPlaces places_;
  HelperPods helpers_;
  OutsideNames outside_;
  tsl::robin_map<model::EntityId, Named> entities_;
  std::unordered_multimap<std::string, model::EntityId>
      by_thing_;  // pod uids, container ids, and 16 bytes of addresses
  // What a flow was called outside: it goes on longer than the DNS answer holds.
  struct OutsideFlow {
    model::EntityRef named;
    UnixMillis used = 0;
  };
  tsl::robin_map<uint64_t, OutsideFlow> outside_flows_;
  std::list<std::unique_ptr<Listener>> listeners_;
  std::vector<model::EntityId> to_rename_;  // what TakeChanged() has not come to yet
  UnixMillis expired_ = 0;
};

}  // namespace weir::server

#include "model/levels.h"

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <type_traits>
#include <utility>

namespace weir::model {
namespace {

using Fields = std::vector<EntityField>;
using Things = std::vector<LevelThing>;
using enum EntityField;

// For whom a helper worked stays visible on every level.
Fields WithHelper(Fields fields) {
  fields.push_back(on_behalf_of);
  fields.push_back(shared);
  return fields;
}

LevelThing Pod() {
  return {.kind = "pod",
          .needs = {pod},
          .keeps = WithHelper({cluster, namespace_, workload, workload_kind, pod, node, zone})};
}
LevelThing Workload() {
  return {.kind = "workload", .needs = {workload}, .keeps = WithHelper({cluster, namespace_, workload, workload_kind})};
}
LevelThing Namespace() {
  return {.kind = "namespace", .needs = {namespace_}, .keeps = WithHelper({cluster, namespace_})};
}
LevelThing Container() {
  return {.kind = "container",
          .needs = {node},
          .needs_agent = true,
          .keeps = WithHelper({node, zone, container_name, container, unit, netns, netns_name})};
}
LevelThing Process() {
  return {.kind = "process",
          .needs = {node, process},
          .needs_agent = true,
          .keeps = WithHelper({cluster, namespace_, workload, workload_kind, pod, node, zone, container_name, container,
                               process, unit, netns, netns_name})};
}
LevelThing Node() { return {.kind = "node", .needs = {node}, .keeps = WithHelper({node, zone})}; }
LevelThing Zone() { return {.kind = "zone", .needs = {zone}, .keeps = WithHelper({zone, region})}; }
LevelThing Cluster() { return {.kind = "cluster", .needs = {cluster}, .keeps = WithHelper({cluster})}; }
LevelThing Service() { return {.kind = "service", .needs_service = true, .keeps = {cluster}}; }

// What lies outside, by name, else by address. Coarse levels tell products apart, the others names.
Things AndOutside(Things things, bool coarse) {
  const Fields outside{kind, cloud_service, external_service, region, name_source};
  if (coarse) things.push_back({.needs = {external_service}, .keeps = outside});
  Fields named = outside;
  named.push_back(external_name);
  things.push_back({.needs = {external_name}, .keeps = named});
  things.push_back({.keeps = {kind, cloud_service}, .keeps_address = true});
  return things;
}

// A container of a pod is more than its id.
LevelThing ContainerOfPod() {
  LevelThing thing = Pod();
  thing.kind = "container";
  thing.needs = {pod, container};
  thing.keeps.insert(thing.keeps.end(), {container_name, container});
  return thing;
}

Things MakeThings(Level level) {
  switch (level) {
    case Level::kProcess: return AndOutside({Process(), ContainerOfPod(), Pod(), Workload(), Container()}, false);
    case Level::kContainer: return AndOutside({ContainerOfPod(), Pod(), Workload(), Container()}, false);
    case Level::kPod: return AndOutside({Pod(), Workload(), Container()}, false);
    case Level::kWorkload: return AndOutside({Workload(), Pod(), Container()}, false);
    case Level::kService: return AndOutside({Service(), Workload(), Pod(), Container()}, false);
    case Level::kNamespace: return AndOutside({Namespace(), Node()}, true);
    case Level::kNode: return AndOutside({Node()}, false);
    case Level::kZone: return AndOutside({Zone(), Node()}, true);
    case Level::kCluster: return AndOutside({Cluster(), Zone(), Node()}, true);
  }
  return {};
}

std::vector<const Column*> MakeColumns(Level level) {
  std::vector<const Column*> columns;
  const auto kept = [&](EntityField field) {
    return std::any_of(ThingsOf(level).begin(), ThingsOf(level).end(), [&](const LevelThing& thing) {
      return std::find(thing.keeps.begin(), thing.keeps.end(), field) != thing.keeps.end();
    });
  };
  for (const ColumnSource end : {ColumnSource::kClient, ColumnSource::kServer}) {
    const bool server = end == ColumnSource::kServer;
    for (const Column& column : kColumns) {
      if (column.source == end && kept(column.field())) columns.push_back(&column);
    }
    if (server && level == Level::kService) {
      columns.push_back(FindColumn("server_service"));
      columns.push_back(FindColumn("server_service_namespace"));
    }
    columns.push_back(FindColumn(server ? "server_address" : "client_address"));
  }
  return columns;
}

template <typename Made, Made (*Make)(Level)>
const Made& ByLevel(Level level) {
  static const auto made = [] {
    std::array<Made, kLevels.size()> all;
    for (size_t i = 0; i < all.size(); ++i) all[i] = Make(static_cast<Level>(i));
    return all;
  }();
  return made[static_cast<size_t>(level)];
}

bool IsKnown(const Entity& entity, EntityField field) {
  return !TextOf(entity, field).empty() || UintOf(entity, field) != 0;
}

bool Applies(const LevelThing& thing, const Entity& entity, const Entity* asked) {
  if (thing.needs_service && (asked == nullptr || asked->service.empty())) return false;
  if (thing.needs_agent && entity.kind == "address" && entity.netns_name.empty()) return false;
  return std::all_of(thing.needs.begin(), thing.needs.end(), [&](EntityField field) { return IsKnown(entity, field); });
}

EntityRef FoldedEnd(const Entity& entity, const Entity* asked, const LevelFold& fold, Address& address) {
  const Things& things = ThingsOf(fold.level);
  const LevelThing& thing = *std::find_if(
      things.begin(), things.end(), [&](const LevelThing& candidate) { return Applies(candidate, entity, asked); });
  Entity folded = entity;
  VisitEntity(folded, [&](EntityField field, auto& value) {
    if (!Keeps(fold, thing, field)) value = {};
  });
  if (!thing.kind.empty()) folded.kind = thing.kind;
  const bool nameless = entity.node.empty() && (entity.kind.empty() || entity.kind == "address");
  const bool internet = thing.keeps_address && fold.fold_internet && nameless && address.is_public();
  if (internet) folded.kind = "internet";
  if (internet || !thing.keeps_address) address = {};
  return std::make_shared<const Entity>(std::move(folded));
}

}  // namespace

std::optional<Level> LevelNamed(std::string_view name) {
  if (name == "host") return Level::kNode;
  for (size_t i = 0; i < kLevels.size(); ++i) {
    if (kLevels[i].name == name) return static_cast<Level>(i);
  }
  return std::nullopt;
}

const std::vector<LevelThing>& ThingsOf(Level level) { return ByLevel<Things, MakeThings>(level); }

const std::vector<const Column*>& ColumnsOf(Level level) {
  return ByLevel<std::vector<const Column*>, MakeColumns>(level);
}

bool Keeps(const LevelFold& fold, const LevelThing& thing, EntityField field) {
  if (fold.keeps_zones && (field == zone || field == region)) return true;
  return std::find(thing.keeps.begin(), thing.keeps.end(), field) != thing.keeps.end();
}

FlowRow Folded(const FlowRow& row, const LevelFold& fold) {
  FlowRow folded = row;
  folded.client = FoldedEnd(Of(row.client), nullptr, fold, folded.client_address);
  folded.server = FoldedEnd(Of(row.server), &Of(row.service), fold, folded.server_address);
  return folded;
}

}  // namespace weir::model

#include "store/flow_names.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "model/locality.h"

namespace weir::store {
namespace {

using model::Column;
using model::ColumnSource;

bool IsText(const Column& column) {
  return column.type == model::ColumnType::kString || column.type == model::ColumnType::kAddress;
}

// In NamedFlow::entities. REQUIRES: an end's.
size_t IndexOf(ColumnSource end) { return end == ColumnSource::kClient ? 0 : end == ColumnSource::kServer ? 1 : 2; }

size_t ConnectionPlaceOf(const Column& column) {
  const auto& connection = ConnectionDimensions();
  return static_cast<size_t>(std::find(connection.begin(), connection.end(), &column) - connection.begin());
}

void SetAttribute(const model::Entity& entity, const Column& column, Cell& cell) {
  if (IsText(column)) {
    cell.text = model::TextOf(entity, column.field());
  } else {
    cell.exact = model::UintOf(entity, column.field());
    cell.number = static_cast<double>(cell.exact);
  }
}

}  // namespace

// The rows of one answer on their way to their dimensions.
class FlowNames::Filling {
 public:
  Filling(const std::vector<const Column*>& group_by, std::vector<std::vector<Cell>>& rows)
      : group_by_(group_by), rows_(rows), entities_(rows.size()) {
    for (size_t i = 0; i < group_by.size(); ++i) {
      const ColumnSource source = group_by[i]->source;
      if (source == ColumnSource::kFlow) connection_.push_back({i, ConnectionPlaceOf(*group_by[i])});
      computed_ = computed_ || source == ColumnSource::kComputed;
    }
    if (computed_) addresses_.resize(rows.size());
  }

  // `value` of a place among ConnectionDimensions().
  template <typename Value>
  void SetFlow(size_t row, const std::array<model::EntityId, 3>& entities, const Value& value) {
    entities_[row] = entities;
    for (const auto& [cell, place] : connection_) rows_[row][cell] = value(place);
    if (!computed_) return;
    static const size_t client = ConnectionPlaceOf(*model::FindColumn("client_address"));
    static const size_t server = ConnectionPlaceOf(*model::FindColumn("server_address"));
    for (const auto& [end, place] : {std::pair{0, client}, std::pair{1, server}}) {
      addresses_[row][end] = model::Address::Parse(value(place).text).value_or(model::Address{});
    }
  }

  // Each once, without 0.
  std::vector<model::EntityId> EntityIds() const {
    std::vector<model::EntityId> ids;
    for (const auto& row : entities_) ids.insert(ids.end(), row.begin(), row.end());
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    if (!ids.empty() && ids.front() == 0) ids.erase(ids.begin());
    return ids;
  }

  std::vector<FlowEnds> Ends(const Entities& known) const {
    const auto find = [&](model::EntityId id) {
      const auto found = known.find(id);
      return found == known.end() ? nullptr : found->second;
    };
    std::vector<FlowEnds> ends;
    ends.reserve(rows_.size());
    for (const auto& row : entities_) ends.push_back({find(row[0]), find(row[1]), find(row[2])});
    return ends;
  }

  void SetEntities(const Entities& known) {
    for (size_t row = 0; row < rows_.size(); ++row) {
      std::array<const model::Entity*, 3> ends{};
      for (size_t end = 0; end < ends.size(); ++end) {
        const auto found = known.find(entities_[row][end]);
        ends[end] = &model::Of(found == known.end() ? nullptr : found->second);
      }
      for (size_t i = 0; i < group_by_.size(); ++i) {
        const Column& column = *group_by_[i];
        if (column.of_entity()) SetAttribute(*ends[IndexOf(column.source)], column, rows_[row][i]);
        if (column.source != ColumnSource::kComputed) continue;
        rows_[row][i].text = model::LocalityOf(*ends[0], *ends[1], addresses_[row][0], addresses_[row][1]);
      }
    }
  }

 private:
  const std::vector<const Column*>& group_by_;
  std::vector<std::vector<Cell>>& rows_;
  std::vector<std::pair<size_t, size_t>> connection_;  // cell, place
  bool computed_ = false;
  std::vector<std::array<model::EntityId, 3>> entities_;
  std::vector<std::array<model::Address, 2>> addresses_;
};

const std::vector<const Column*>& ConnectionDimensions() {
  static const std::vector<const Column*> dimensions = [] {
    std::vector<const Column*> columns;
    model::VisitConnection({}, [&](const Column& column, const auto&) { columns.push_back(&column); });
    return columns;
  }();
  return dimensions;
}

void FlowNames::ClearFlows() {
  flows_.clear();
  text_numbers_.clear();
  texts_.clear();
  text_bytes_ = 0;
}

uint32_t FlowNames::TextNumber(const std::string& text) {
  const auto [found, fresh] = text_numbers_.try_emplace(text, static_cast<uint32_t>(texts_.size()));
  if (fresh) {
    texts_.push_back(text);
    text_bytes_ += 2 * text.size();
  }
  return found->second;
}

void FlowNames::Remember(const NamedFlow& flow) {
  Flow entry;
  entry.entities = flow.entities;
  for (size_t i = 0; i < entry.connection.size(); ++i) {
    const Cell& cell = flow.connection[i];
    entry.connection[i] = cell.is_text ? TextNumber(cell.text) : static_cast<uint32_t>(cell.exact);
  }
  flows_.insert_or_assign(flow.flow, entry);
}

Cell FlowNames::ValueOf(const Flow& flow, size_t place) const {
  Cell cell;
  cell.is_text = IsText(*ConnectionDimensions()[place]);
  if (cell.is_text) {
    cell.text = texts_[flow.connection[place]];
  } else {
    cell.exact = flow.connection[place];
    cell.number = flow.connection[place];
  }
  return cell;
}

Status FlowNames::FillConnections(const std::vector<uint64_t>& flows, const Tables& tables, Filling& filling) {
  std::vector<uint64_t> missing;
  std::vector<size_t> rows;  // a flow has several where they are asked for by bucket
  {
    const std::lock_guard lock(mutex_);
    for (size_t row = 0; row < flows.size(); ++row) {
      if (const auto known = flows_.find(flows[row]); known != flows_.end()) {
        filling.SetFlow(row, known->second.entities, [&](size_t place) { return ValueOf(known->second, place); });
      } else {
        missing.push_back(flows[row]);
        rows.push_back(row);
      }
    }
  }
  if (missing.empty()) return Status::Ok();
  WEIR_ASSIGN_OR_RETURN(const std::vector<NamedFlow> found, tables.flows(missing));
  tsl::robin_map<uint64_t, const NamedFlow*> by_number;
  for (const NamedFlow& flow : found) by_number.emplace(flow.flow, &flow);
  for (const size_t row : rows) {
    const auto flow = by_number.find(flows[row]);
    if (flow == by_number.end()) continue;
    filling.SetFlow(row, flow->second->entities, [&](size_t place) { return flow->second->connection[place]; });
  }
  const std::lock_guard lock(mutex_);
  if (flows_.size() + found.size() > kMaxFlows || text_bytes_ > kMaxTextBytes) ClearFlows();
  for (const NamedFlow& flow : found) Remember(flow);
  return Status::Ok();
}

Result<FlowNames::Entities> FlowNames::FindEntities(const std::vector<model::EntityId>& ids, const Tables& tables,
                                                    bool now) {
  Entities entities;
  std::vector<model::EntityId> missing;
  uint64_t puts = 0;
  {
    const std::lock_guard lock(mutex_);
    puts = puts_;
    for (const model::EntityId id : ids) {
      const auto known = now ? entities_.find(id) : entities_.end();
      if (known == entities_.end()) {
        missing.push_back(id);
      } else {
        entities.emplace(id, known->second);
      }
    }
  }
  if (missing.empty()) return entities;
  WEIR_ASSIGN_OR_RETURN(std::vector<StoredEntity> found, tables.entities(missing));
  const std::lock_guard lock(mutex_);
  if (entities_.size() + found.size() > kMaxEntities) entities_.clear();
  for (StoredEntity& one : found) {
    const auto entity = std::make_shared<const model::Entity>(std::move(one.entity));
    entities.insert_or_assign(entity->id, entity);
    if (now && puts == puts_) entities_.insert_or_assign(entity->id, entity);
  }
  return entities;
}

void FlowNames::Put(const std::vector<model::EntityRef>& entities) {
  if (entities.empty()) return;
  const std::lock_guard lock(mutex_);
  ++puts_;
  if (entities_.size() + entities.size() > kMaxEntities) entities_.clear();
  for (const model::EntityRef& entity : entities) entities_.insert_or_assign(entity->id, entity);
}

Status FlowNames::Fill(const std::vector<uint64_t>& flows, const std::vector<const Column*>& group_by,
                       const Tables& tables, bool now, std::vector<std::vector<Cell>>& rows,
                       std::vector<FlowEnds>* ends) {
  Filling filling(group_by, rows);
  WEIR_RETURN_IF_ERROR(FillConnections(flows, tables, filling));
  WEIR_ASSIGN_OR_RETURN(const Entities entities, FindEntities(filling.EntityIds(), tables, now));
  filling.SetEntities(entities);
  if (ends != nullptr) *ends = filling.Ends(entities);
  return Status::Ok();
}

}  // namespace weir::store

#include "store/entity_lookup.h"

#include <fmt/format.h>
#include <tsl/robin_set.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "store/native_block.h"
#include "store/result_binary.h"

namespace weir::store {

Result<std::vector<model::EntityRef>> EntitiesOf(const std::vector<StoredRow>& rows) {
  std::vector<model::EntityRef> entities;
  tsl::robin_set<const model::Entity*> seen;
  for (size_t i = 0; i < rows.size(); ++i) {
    const model::FlowRow& row = rows[i].row;
    const std::array ends{std::pair{&row.client, "client"}, std::pair{&row.server, "server"},
                          std::pair{&row.service, "server_service"}};
    for (const auto& [entity, end] : ends) {
      if (*entity == nullptr || !seen.insert(entity->get()).second) continue;
      WEIR_RETURN_IF_ERROR(CheckEntity(**entity, end).Annotate(fmt::format("row {}", i)));
      entities.push_back(*entity);
    }
  }
  return entities;
}

Result<std::vector<StoredEntity>> LookUpEntities(const NamesAsOf& as_of, const std::vector<model::EntityId>& ids,
                                                 const std::function<Result<std::string>(const std::string&)>& ask) {
  WEIR_ASSIGN_OR_RETURN(const MemoryFile file, MemoryFile::OfNumbers(ids));
  // As EntitiesByIdSql() selects them.
  std::vector<FieldKind> fields(5, FieldKind::kNumber);
  fields.push_back(FieldKind::kAddress);
  const size_t first = fields.size();
  model::VisitEntity(model::Of(nullptr), [&](model::EntityField, const auto& value) {
    constexpr bool kText = std::is_same_v<std::remove_cvref_t<decltype(value)>, std::string>;
    fields.push_back(kText ? FieldKind::kText : FieldKind::kNumber);
  });
  WEIR_ASSIGN_OR_RETURN(const std::string answer, ask(EntitiesByIdSql(file.path(), as_of)));
  std::vector<StoredEntity> found;
  WEIR_RETURN_IF_ERROR(ReadRowBinary(answer, fields, [&](AnswerRow& row, bool) {
    StoredEntity& one = found.emplace_back();
    one.received = row.cells[2].exact;
    one.entity.id = row.cells[0].exact;
    one.entity.version = row.cells[1].exact;
    one.entity.valid_from = static_cast<UnixMillis>(row.cells[3].exact);
    one.entity.valid_to = static_cast<UnixMillis>(row.cells[4].exact);
    one.entity.address = model::Address::Parse(row.cells[5].text).value_or(model::Address{});
    size_t at = first;
    model::VisitEntity(one.entity, [&](model::EntityField, auto& value) {
      Cell& cell = row.cells[at++];
      if constexpr (std::is_same_v<std::remove_cvref_t<decltype(value)>, std::string>) {
        value = std::move(cell.text);
      } else {
        value = static_cast<std::remove_cvref_t<decltype(value)>>(cell.exact);
      }
    });
  }));
  return found;
}

Result<std::vector<model::EntityRef>> LookUpEntitiesCalled(
    const NamesAsOf& as_of, const std::string& name, uint32_t limit,
    const std::function<Result<std::string>(const std::string&)>& ask) {
  if (name.empty()) return std::vector<model::EntityRef>{};
  WEIR_ASSIGN_OR_RETURN(const std::string answer, ask(EntitiesCalledSql(name, as_of, limit)));
  std::vector<model::EntityId> ids;
  WEIR_RETURN_IF_ERROR(ReadRowBinary(answer, {FieldKind::kNumber},
                                     [&](const AnswerRow& row, bool) { ids.push_back(row.cells[0].exact); }));
  std::vector<model::EntityRef> called;
  if (ids.empty()) return called;
  WEIR_ASSIGN_OR_RETURN(std::vector<StoredEntity> found, LookUpEntities(as_of, ids, ask));
  for (StoredEntity& stored : found) {
    const model::Entity& entity = stored.entity;
    const auto names = {&entity.pod, &entity.workload, &entity.node, &entity.process};
    const bool is = std::any_of(names.begin(), names.end(), [&](const std::string* one) { return *one == name; });
    if (is) called.push_back(std::make_shared<const model::Entity>(std::move(stored.entity)));
  }
  return called;
}

}  // namespace weir::store

// Rows made by hand, column by column: for tests and fuzzers.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "model/flow_row.h"

namespace weir::model {

// A number that is the same for entities of the same attributes, and hardly ever for others.
inline EntityId IdOfContent(const Entity& entity) {
  std::string all;
  VisitEntity(entity, [&](EntityField, const auto& value) {
    if constexpr (std::is_integral_v<std::remove_cvref_t<decltype(value)>>) {
      all += std::to_string(value) + ";";
    } else {
      all += std::to_string(value.size()) + ":" + value;
    }
  });
  return HashOfKey({"content", all});
}

inline EntityRef MakeEntity(Entity entity) {
  entity.id = IdOfContent(entity);
  entity.version = 1;
  return std::make_shared<const Entity>(std::move(entity));
}

// Sets "client_process" and the like, text or number, on an entity of the row's own. REQUIRES: the column is an
// attribute of an entity, of the value's type.
template <typename Value>
void SetAttribute(FlowRow& row, std::string_view name, const Value& value) {
  const Column& column = *FindColumn(name);
  EntityRef& end = column.source == ColumnSource::kClient   ? row.client
                   : column.source == ColumnSource::kServer ? row.server
                                                            : row.service;
  Entity changed = Of(end);
  VisitEntity(changed, [&](EntityField field, auto& place) {
    if (field != column.field()) return;
    if constexpr (std::is_assignable_v<decltype(place), const Value&> &&
                  std::is_integral_v<std::remove_cvref_t<decltype(place)>> == std::is_integral_v<Value>) {
      place = value;
    }
  });
  end = MakeEntity(std::move(changed));
}

}  // namespace weir::model

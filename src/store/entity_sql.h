// The table of entities in SQL: which attributes the ends of flows have.
//
// Flows name their ends and their service by number; `weir.entities` has a row for each version of each. A question is
// answered with the highest version, or with the highest that held at some time.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "model/columns.h"

namespace weir::store {

// Which versions a question is answered with.
struct NamesAsOf {
  uint64_t since = 0;  // received; the flows of the question are named in no partition that begins before
  UnixMillis at = 0;   // 0 = now
};

// The column of the table of flows that names this end. REQUIRES: kClient, kServer or kService.
std::string_view EntityColumn(model::ColumnSource end);

// A SELECT with EntityColumn(end) and these attributes of that end, by the names of their columns; one row per entity.
std::string EntitiesSql(model::ColumnSource end, const std::vector<const model::Column*>& attributes,
                        const NamesAsOf& as_of);

// A SELECT with `flow` and these dimensions, computed ones included, of the table of flows: at least one row per flow.
std::string NamedFlowsSql(const std::vector<const model::Column*>& dimensions, const NamesAsOf& as_of);
// The same for the flows of a FROM item that has `flow`, one row for each of its rows, with its other columns.
std::string WithNamesSql(std::string_view from_item, const std::vector<const model::Column*>& dimensions,
                         const NamesAsOf& as_of);

// Every attribute of the entities whose ids the file lists, 8 bytes each, in the order EntityFields() reads them.
std::string EntitiesByIdSql(std::string_view file, const NamesAsOf& as_of);

// The ids of entities with a version that has this name, 8 bytes each.
std::string EntitiesCalledSql(std::string_view name, const NamesAsOf& as_of, uint32_t limit);

// Answers with a row where any entity received since then is in a Kubernetes namespace, else with none.
std::string KnowsNamespacesSql(uint64_t since);

// Adds what WriteEntities() wrote into the file.
std::string InsertEntitiesSql(std::string_view file, uint64_t received);

}  // namespace weir::store

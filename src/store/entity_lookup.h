// Entities out of rows, and out of the table of entities.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "store/entity_catalogue.h"
#include "store/entity_sql.h"
#include "store/store.h"

namespace weir::store {

// The entities that rows name, each object once; one id may have several versions. kInvalid, naming row and column: a
// text longer than kMaxStringBytes.
Result<std::vector<model::EntityRef>> EntitiesOf(const std::vector<StoredRow>& rows);

// The versions that answer a question about these; what is not stored is left out. `ask` runs a statement and answers
// in RowBinary.
Result<std::vector<StoredEntity>> LookUpEntities(const NamesAsOf& as_of, const std::vector<model::EntityId>& ids,
                                                 const std::function<Result<std::string>(const std::string&)>& ask);

// As Store::EntitiesCalled().
Result<std::vector<model::EntityRef>> LookUpEntitiesCalled(
    const NamesAsOf& as_of, const std::string& name, uint32_t limit,
    const std::function<Result<std::string>(const std::string&)>& ask);

}  // namespace weir::store

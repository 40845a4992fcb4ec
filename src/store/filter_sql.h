// A filter as SQL.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "model/filter.h"
#include "store/entity_sql.h"
#include "store/packing.h"

namespace weir::store {

// A filter in two conditions, either of them "" for none.
struct FilterSql {
  std::string rows;  // over the table of flows, or, where `named` is not empty, over NamedFlowsSql(named): WHERE
  std::vector<const model::Column*> named;
  std::string groups;  // over aggregates and group-by columns: HAVING
};

// Parts of the filter that speak of dimensions only choose rows; all others choose groups. What is asked of attributes
// of an end is asked of the entities first, and then of the flows that name them. kInvalid: an or / not mixes a measure
// with a dimension the answer is not grouped by.
Result<FilterSql> TranslateFilter(const model::Filter& filter, const std::vector<const model::Column*>& group_by,
                                  const NamesAsOf& as_of, const Packing& packing);

// The statement that answers with the flows FilterSql::rows chooses. REQUIRES: there is such a condition.
std::string ChosenFlowsSql(const FilterSql& filter, const NamesAsOf& as_of);

}  // namespace weir::store

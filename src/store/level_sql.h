// The fold of model/levels.h in SQL, so that an answer by level has a row per pair of things, however many flows they
// have.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/levels.h"

namespace weir::store {

// The dimensions a fold looks at, beyond those it answers with.
std::vector<const model::Column*> ColumnsForFold(const model::LevelFold& fold);

// The rows of a SELECT that has ColumnsForFold() and `dimensions`, where the dimensions that are
// model::ColumnsOf(level) are those of the folded ends. With all its other columns.
std::string FoldedSql(std::string_view select, const std::vector<const model::Column*>& dimensions,
                      const model::LevelFold& fold);

}  // namespace weir::store

// Where a directory's packed measures stand: reads what it tells, and adds what the column table has anew.
#pragma once

#include <string>

#include "base/status.h"
#include "store/engine/engine.h"
#include "store/packing.h"

namespace weir::store {

// Before any row is written: a place must be told before it is used. kCorrupt: the directory's places have gaps.
Result<Packing> OpenPacking(Connection& connection);

// Adds places to the directory's; told again they stay as they are. `from` names per list are known already.
std::string InsertPlacesSql(const Packing::Names& names, const std::array<size_t, kPlaceLists>& from);

}  // namespace weir::store

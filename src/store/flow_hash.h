// What tells flows apart, as one number.
#pragma once

#include <cstddef>
#include <cstdint>

#include "model/flow_row.h"

namespace weir::store {

// A 64-bit hash of the numbers of a row's entities and of all that its connections have in common (protocol, addresses,
// port, application, ...), never of a name. Stored with the row as `flow`, so that rows are grouped by eight bytes. Two
// different flows get the same number, and are then shown as one, with a probability of n² / 2^65 among n flows: 3 in
// 100 million for a million flows.
// Never 0. Part of what is on disk: a change needs a new kSchemaVersion.
uint64_t FlowHash(const model::FlowRow& row);

}  // namespace weir::store

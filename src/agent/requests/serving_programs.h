// Programs that are known to serve inference, by what an agent sees of a server: a table, no heuristic.
#pragma once

#include "model/side_report.h"

namespace weir::agent::requests {

// By its process, or by its container's name or image. What it does not know is not told apart from anything else.
bool IsServingInference(const model::LocalIdentity& server);

}  // namespace weir::agent::requests

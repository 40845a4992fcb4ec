// A batch on its way through the server: decoded, validated, times by the server's clock, not yet stored.
#pragma once

#include <cstdint>

#include "model/side_report.h"
#include "server/neighbourhood.h"

namespace weir::server {

struct PendingBatch {
  AgentNumber agent = 0;
  model::AgentBatch batch;
};

}  // namespace weir::server

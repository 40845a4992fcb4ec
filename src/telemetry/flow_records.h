// Flows as OTLP log records: one event `weir.flow` for each row, with OpenTelemetry's attributes where it has some.
#pragma once

#include <vector>

#include "base/clock.h"
#include "model/flow_row.h"
#include "telemetry/otlp.h"
#include "telemetry/remote_write.h"

namespace weir::telemetry {

// Requests that are not packed yet. Measures of 0 and unknown names are left out.
std::vector<Encoded> FlowRecords(const std::vector<model::FlowRow>& rows, UnixMillis observed,
                                 const ResourceAttributes& resource);

}  // namespace weir::telemetry

// An interval of a busy node may hold more reports than a batch should: it travels as several.
#pragma once

#include <cstddef>
#include <vector>

#include "model/side_report.h"

namespace weir::agent {

// Well below wire::kMaxReports, and small enough that a batch of usual reports stays far below the bounds in
// bytes too.
inline constexpr size_t kReportsPerBatch = 50'000;

// At least one batch, each with at most `max_reports` (> 0) reports, in order. All have the interval, the
// identity and the local addresses; only the last has the probes and counters, which describe the whole
// interval. Sequences are the caller's to give.
std::vector<model::AgentBatch> SplitInterval(model::AgentBatch interval, size_t max_reports);

}  // namespace weir::agent

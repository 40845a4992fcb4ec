// What a decoded batch must satisfy before anything is done with it, and whose clock is right. Pure functions.
#pragma once

#include "base/status.h"
#include "model/side_report.h"

namespace weir::server {

inline constexpr int64_t kClockToleranceMs = 2'000;  // smaller offsets are left alone
inline constexpr int64_t kMaxIntervalMs = 3'600'000;
inline constexpr int64_t kMaxFutureMs = 5'000;
inline constexpr int64_t kMaxAgeMs = 7LL * 86'400'000;      // older raw rows would be dropped at once
inline constexpr uint64_t kMaxCounter = uint64_t{1} << 53;  // per report; beyond is nonsense and breaks sums

// Everything that does not depend on time.
Status CheckContent(const model::AgentBatch& batch);

// The node's part of it.
Status CheckNode(const model::AgentBatch& batch);

// The correction to subtract from the batch's times. `offset_ms` is the agent's clock minus the server's;
// `previous_ms` the correction of the agent's last batch, kept while it still fits so that intervals neither
// overlap nor leave gaps when the measured offset trembles. Whole intervals where intervals are short: both ends'
// intervals must stay aligned to meet.
int64_t ClockCorrection(int64_t offset_ms, int64_t interval_ms, int64_t previous_ms);

// Of the corrected interval.
Status CheckInterval(const model::AgentBatch& batch, UnixMillis now);

}  // namespace weir::server

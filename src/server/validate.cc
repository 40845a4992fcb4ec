#include "server/validate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/text.h"
#include "model/columns.h"

namespace weir::server {
namespace {

constexpr int64_t kMaxAlignedIntervalMs = 5'000;

bool IsSane(const model::SideCounters& c) {
  const uint64_t values[] = {
#define WEIR_VALUE(name) c.name,
      WEIR_SIDE_COUNTERS(WEIR_VALUE)
#undef WEIR_VALUE
  };
  return std::all_of(std::begin(values), std::end(values), [](uint64_t value) { return value <= kMaxCounter; });
}

}  // namespace

Status CheckContent(const model::AgentBatch& batch) {
  if (!IsAgentId(batch.agent_id)) {
    return Status::Invalid("the agent id is not 32 lower-case hex digits")
        .WithRemedy("remove the agent's id file to get a new one");
  }
  if (batch.node.empty() || batch.node.size() > model::kMaxStringBytes) {
    return Status::Invalid(fmt::format("the node name is empty or longer than {} bytes", model::kMaxStringBytes))
        .WithRemedy("set --node");
  }
  if (batch.start <= 0 || batch.end <= batch.start || batch.end - batch.start > kMaxIntervalMs) {
    return Status::Invalid(
        fmt::format("the interval {}..{} is not 1 to {} ms long", batch.start, batch.end, kMaxIntervalMs));
  }
  for (size_t i = 0; i < batch.reports.size(); ++i) {
    const model::SideReport& report = batch.reports[i];
    if (report.ends.side != model::Side::kClient && report.ends.side != model::Side::kServer) {
      return Status::Invalid(fmt::format("report {} is of neither end", i));
    }
    if (!IsSane(report.counters)) return Status::Invalid(fmt::format("report {} has a counter beyond 2^53", i));
  }
  return CheckNode(batch);
}

Status CheckNode(const model::AgentBatch& batch) {
  if (batch.node_samples.size() > model::kMaxNodeSamples || batch.rate_windows.size() > model::kMaxRateWindows) {
    return Status::Invalid("the batch has too many node samples or rate windows");
  }
  const auto is_near = [&](UnixMillis time) {
    return time > 0 && time >= batch.start - kMaxIntervalMs && time <= batch.end + kMaxIntervalMs;
  };
  for (size_t i = 0; i < batch.node_samples.size(); ++i) {
    const model::NodeSample& sample = batch.node_samples[i];
    const bool known = sample.signal < model::NodeSignal::kCount && sample.subject.size() <= model::kMaxStringBytes;
    if (!known || sample.value > kMaxCounter || !is_near(sample.time)) {
      return Status::Invalid(fmt::format("node sample {} has a value beyond 2^53, or a time far from its batch", i));
    }
  }
  for (size_t i = 0; i < batch.rate_windows.size(); ++i) {
    const model::RateWindow& window = batch.rate_windows[i];
    if (window.step_us.size() > model::kMaxRateSteps || !is_near(window.event) || !is_near(window.start)) {
      return Status::Invalid(fmt::format("rate window {} is too long, or far from its batch", i));
    }
  }
  return Status::Ok();
}

int64_t ClockCorrection(int64_t offset_ms, int64_t interval_ms, int64_t previous_ms) {
  const int64_t slack = std::max(kClockToleranceMs, std::min(interval_ms, kMaxAlignedIntervalMs));
  if (previous_ms != 0 && std::abs(offset_ms) > kClockToleranceMs && std::abs(offset_ms - previous_ms) <= slack) {
    return previous_ms;
  }
  if (std::abs(offset_ms) <= kClockToleranceMs) return 0;
  if (interval_ms > kMaxAlignedIntervalMs) return offset_ms;
  const int64_t half = offset_ms > 0 ? interval_ms / 2 : -(interval_ms / 2);
  return (offset_ms + half) / interval_ms * interval_ms;
}

Status CheckInterval(const model::AgentBatch& batch, UnixMillis now) {
  if (batch.end > now + kMaxFutureMs) {
    return Status::Invalid(fmt::format("the interval ends {} ms in the future", batch.end - now))
        .WithRemedy(fmt::format("check the clock of node '{}'", batch.node));
  }
  if (batch.start < now - kMaxAgeMs) {
    return Status::Invalid(fmt::format("the interval is {} hours old, more than the {} that are kept",
                                       (now - batch.start) / 3'600'000, kMaxAgeMs / 3'600'000));
  }
  return Status::Ok();
}

}  // namespace weir::server

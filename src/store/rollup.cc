#include "store/rollup.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/metrics.h"
#include "store/derived.h"
#include "store/sql.h"

namespace weir::store {
namespace {

// After an outage there may be hours to catch up with; retention and the caller get their turn in between.
constexpr int kMaxStepsPerRun = 20;

// What `to` covers and `from` does not.
std::string BetweenSql(const Watermark& from, const Watermark& to) {
  return fmt::format("received <= {} AND start < {} AND (received > {} OR start >= {})", to.received, to.start,
                     from.received, from.start);
}

}  // namespace

std::string RollupSql(size_t level, const Watermark& from, const Watermark& to) {
  const int64_t step = kLevelTable[level].step_ms;
  const std::string bucket = fmt::format("intDiv(start, {0}) * {0}", step);
  std::vector<std::string> values;
  for (const std::string& column : TableColumns()) {
    // start stays the earliest start itself, not the bucket's: an answer that reads the middle of its range
    // from roll-ups is then the same to the millisecond.
    values.push_back(column == "flow" ? column : AggregateOfTableColumn(column));
  }
  // Squashing everything into one block is what makes the insert one part, and so atomic. Ordered by time, so that the
  // index of a part rolled up late, after an outage, leaves out what a question does not ask for.
  return fmt::format(
      "INSERT INTO {0} (received, {1}) SELECT {2}, {3} FROM {4} WHERE {5} GROUP BY {6}, flow ORDER BY {6} "
      "SETTINGS max_threads = 2, compile_aggregate_expressions = 0, compile_expressions = 0, "
      "max_insert_threads = 1, min_insert_block_size_rows = 1000000000, "
      "min_insert_block_size_bytes = 0",
      kLevelTable[level].table, InsertColumns(level), to.received, Join(values), kLevelTable[level - 1].table,
      BetweenSql(from, to), bucket);
}

Status Rollup::Step(size_t level, const Watermark& limit, bool* more) {
  *more = false;
  const TableStates states = tables_.Snapshot();
  const Watermark from = states[level].watermark;
  Watermark to{std::min(states[level - 1].watermark.received, limit.received), std::max(from.start, limit.start)};
  // A block needs a number of its own: one that readers know already would show it before it is published.
  if (to.received <= from.received) return Status::Ok();

  WEIR_ASSIGN_OR_RETURN(
      const std::string answer,
      connection_.Execute(fmt::format("SELECT count(), minIf(received, received > {}), max(received) FROM {} WHERE {}",
                                      from.received, kLevelTable[level - 1].table, BetweenSql(from, to))));
  WEIR_ASSIGN_OR_RETURN(const auto rows, ParseNumbers(answer));
  if (rows.size() != 1 || rows[0].size() != 3) return Status::Internal("the store cannot read its own tables");
  if (rows[0][0] == 0) return Status::Ok();
  const uint64_t chunk_end = rows[0][1] + chunk_us_[level];
  *more = rows[0][2] > from.received && rows[0][2] > chunk_end;
  if (*more) to.received = chunk_end;

  const Status done = connection_.Execute(RollupSql(level, from, to)).status();
  const auto longest = static_cast<uint64_t>(kLevelTable[level].rollup_chunk_us);
  if (done.code() == Code::kExhausted) {
    // What was received before, and starts later than what has been rolled up, is one piece.
    const uint64_t span = rows[0][1] != 0 && rows[0][2] > rows[0][1] ? rows[0][2] - rows[0][1] : 0;
    *more = span > 0 && chunk_us_[level] > 0;
    chunk_us_[level] = std::min(chunk_us_[level], span) / 4;
  }
  WEIR_RETURN_IF_ERROR(done);
  chunk_us_[level] = std::min(longest, std::max<uint64_t>(chunk_us_[level], 1) * 2);
  WEIR_ASSIGN_OR_RETURN(TableState state, ReadTableState(connection_, level));
  state.watermark = to;
  tables_.Publish(level, state);
  Count(Metric::store_rollups);
  return Status::Ok();
}

Status Rollup::FillIn(size_t level) {
  const Watermark limit = tables_.Snapshot()[level + 1].watermark;
  for (bool more = true; more;) WEIR_RETURN_IF_ERROR(Step(level, limit, &more));
  return Status::Ok();
}

Status Rollup::RollUpAll(UnixMillis end) {
  const int64_t step = kLevelTable[1].step_ms;
  const Watermark limit{UINT64_MAX, (end / step + 1) * step};
  for (bool more = true; more;) {
    Status status = Step(1, limit, &more);
    const bool smaller = status.code() == Code::kExhausted && more;
    if (!status.ok() && !smaller) return status;
  }
  return Status::Ok();
}

Status Rollup::Run(UnixMillis now) {
  Status first_error;
  for (size_t level = 1; level < kLevels; ++level) {
    const int64_t period = kLevelTable[level].rollup_period_ms;
    // A clock that was set back must not postpone the next run by as much.
    if (now < next_[level] && now >= next_[level] - period) continue;
    const int64_t settled = now - kSettleMs;
    const Watermark limit{UINT64_MAX, settled / kLevelTable[level].step_ms * kLevelTable[level].step_ms};
    bool more = true;
    Status status;
    for (int steps = 0; more && status.ok() && steps < kMaxStepsPerRun; ++steps) status = Step(level, limit, &more);
    if (status.ok() && !more) next_[level] = (settled / period + 1) * period + kSettleMs;
    if (!status.ok() && first_error.ok()) {
      first_error = std::move(status).Annotate(fmt::format("roll-up into {}", kLevelTable[level].resolution));
    }
  }
  return first_error;
}

}  // namespace weir::store

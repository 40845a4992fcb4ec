#include "store/tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace weir::store {

TableStates Tables::Snapshot() const {
  const std::lock_guard lock(mutex_);
  return states_;
}

void Tables::Publish(size_t level, const TableState& state) {
  const std::lock_guard lock(mutex_);
  // A table emptied by retention keeps its place: what it has rolled up, or given out, stays so.
  const Watermark reached = states_[level].watermark;
  states_[level] = state;
  Watermark& now = states_[level].watermark;
  now = {std::max(reached.received, now.received), std::max(reached.start, now.start)};
}

void Tables::PublishInsert(uint64_t received, UnixMillis oldest, UnixMillis newest, uint64_t rows) {
  const std::lock_guard lock(mutex_);
  TableState& raw = states_[0];
  if (raw.min_received == 0) {
    raw.min_received = received;
    raw.oldest = oldest;
  }
  raw.watermark.received = received;
  raw.rows += rows;
  raw.oldest = std::min(raw.oldest, oldest);
  raw.newest = std::max(raw.newest, newest);
}

Result<std::vector<std::vector<uint64_t>>> ParseNumbers(std::string_view text) {
  std::vector<std::vector<uint64_t>> rows;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    rows.emplace_back();
    const char* at = line.data();
    const char* const end = at + line.size();
    while (at <= end) {
      uint64_t number = 0;
      const auto [stop, error] = std::from_chars(at, end, number);
      if (error != std::errc{} || (stop != end && *stop != '\t')) {
        return Status::Internal(fmt::format("unexpected answer of the store: {}", line));
      }
      rows.back().push_back(number);
      at = stop + 1;
    }
  }
  return rows;
}

Result<std::vector<std::pair<std::string, std::vector<uint64_t>>>> ParseNamed(std::string_view text) {
  std::vector<std::pair<std::string, std::vector<uint64_t>>> lines;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const size_t tab = line.find('\t');
    if (tab == std::string_view::npos) return Status::Internal(fmt::format("unexpected answer of the store: {}", line));
    WEIR_ASSIGN_OR_RETURN(auto numbers, ParseNumbers(line.substr(tab + 1)));
    if (numbers.size() != 1) return Status::Internal(fmt::format("unexpected answer of the store: {}", line));
    lines.emplace_back(line.substr(0, tab), std::move(numbers[0]));
  }
  return lines;
}

Result<TableState> ReadTableState(Connection& connection, size_t level) {
  const Level& description = kLevelTable[level];
  WEIR_ASSIGN_OR_RETURN(
      const std::string bounds,
      connection.Execute(fmt::format("SELECT count(), min(received), max(received) FROM {}", description.table)));
  WEIR_ASSIGN_OR_RETURN(const auto rows, ParseNumbers(bounds));
  if (rows.size() != 1 || rows[0].size() != 3) return Status::Internal("the store cannot read its own tables");
  if (rows[0][0] == 0) return TableState{};
  TableState state;
  state.min_received = rows[0][1];
  state.watermark.received = rows[0][2];
  state.rows = rows[0][0];

  const auto span = static_cast<uint64_t>(description.partition_us);
  WEIR_ASSIGN_OR_RETURN(const std::string times,
                        connection.Execute(fmt::format("SELECT (SELECT min(start) FROM {0} WHERE received < {1}), "
                                                       "(SELECT max(end) FROM {0} WHERE received >= {2})",
                                                       description.table, (state.min_received / span + 1) * span,
                                                       state.watermark.received / span * span)));
  WEIR_ASSIGN_OR_RETURN(const auto ends, ParseNumbers(times));
  if (ends.size() != 1 || ends[0].size() != 2) return Status::Internal("the store cannot read its own tables");
  state.oldest = static_cast<UnixMillis>(ends[0][0]);
  state.newest = static_cast<UnixMillis>(ends[0][1]);
  return state;
}

Result<UnixMillis> ReadRolledUpUntil(Connection& connection, size_t level, uint64_t received) {
  const auto span = static_cast<uint64_t>(kLevelTable[level].partition_us);
  WEIR_ASSIGN_OR_RETURN(const std::string answer,
                        connection.Execute(fmt::format("SELECT count(), max(start) FROM {0} WHERE start >= "
                                                       "(SELECT max(start) FROM {0} WHERE received >= {1})",
                                                       kLevelTable[level].table, received / span * span)));
  WEIR_ASSIGN_OR_RETURN(const auto rows, ParseNumbers(answer));
  if (rows.size() != 1 || rows[0].size() != 2) return Status::Internal("the store cannot read its own tables");
  const int64_t step = kLevelTable[level].step_ms;
  return rows[0][0] == 0 ? 0 : (static_cast<UnixMillis>(rows[0][1]) / step + 1) * step;
}

HeldSince HeldSinceOf(const TableStates& states) {
  HeldSince held{};
  for (size_t level = 0; level < kLevels; ++level) {
    const TableState& state = states[level];
    // A row is received by a finer table no later than by a coarser one; where the coarser one begins
    // earlier, the finer one has lost its beginning. What was received since its oldest row is still there.
    for (size_t coarser = level + 1; coarser < kLevels; ++coarser) {
      if (states[coarser].min_received == 0) continue;
      if (state.min_received == 0) {
        held[level] = std::max(held[level], static_cast<UnixMillis>(states[coarser].watermark.received / 1000) + 1);
      } else if (states[coarser].min_received < state.min_received) {
        held[level] = static_cast<UnixMillis>(state.min_received / 1000);
      }
    }
  }
  return held;
}

UnixMillis OldestAt(const TableStates& states, size_t level) {
  UnixMillis oldest = 0;
  for (size_t i = 0; i <= level; ++i) {
    if (states[i].oldest != 0 && (oldest == 0 || states[i].oldest < oldest)) oldest = states[i].oldest;
  }
  return oldest;
}

}  // namespace weir::store

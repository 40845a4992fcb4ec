// What can be asked of stored flows, and what comes back. One question type serves the table, the map, the
// series and the CLI.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "model/columns.h"
#include "model/entity.h"
#include "model/filter.h"
#include "model/histogram.h"
#include "model/levels.h"

namespace weir::store {

// Matched against a row's start. Widened to whole steps of the resolution an answer is read from.
struct TimeRange {
  UnixMillis from = 0;  // inclusive
  UnixMillis to = 0;    // exclusive
};

struct SortKey {
  const model::Column* column = nullptr;
  bool descending = true;
};

struct FlowQuery {
  TimeRange range;
  model::Filter filter;  // dimensions filter rows; measures and derived columns filter the groups
  // Dimension columns, in order. Empty = DefaultGroup(), or with bucket_ms one series over everything.
  std::vector<const model::Column*> group_by;
  // What conditions on measures choose among, where that is not the groups of the answer: groups by these, or flows
  // where it is empty. Rows of what was not chosen do not count.
  std::optional<std::vector<const model::Column*>> filter_group_by;
  // 0 = one row per group over the whole range; else one row per group and bucket of this many milliseconds,
  // `start` being the bucket's start.
  int64_t bucket_ms = 0;
  // One row per flow, that is per combination of all dimensions, whichever of them group_by names to be shown:
  // cheaper than grouping by their values, which is done all the same where the order or an or / not of the filter
  // needs the value of a dimension. Without group_by, and with all dimensions in it, rows are flows anyway.
  bool by_flow = false;
  // Where rows are flows: their ends as they are, in FlowResult::ends, in the place of the attributes that group_by
  // names. Far cheaper than a cell for each.
  bool whole_ends = false;
  // Rows by things of a level: the dimensions among model::ColumnsOf(level) are those of the ends reduced to such
  // things, all others stay. Empty group_by = model::ColumnsOf(level). Never by_flow.
  std::optional<model::LevelFold> fold;
  // Names as they are known now, 0, or as they were at this time: the last that held from then or before.
  UnixMillis names_at = 0;
  bool totals = true;  // false = FlowResult::totals stays empty, which is cheaper
  // The measures and derived columns to answer with. Empty = all of them but histograms; fewer are faster.
  std::vector<const model::Column*> columns;
  // Empty = bytes, descending; with bucket_ms: start ascending first. Equals come in a fixed order.
  std::vector<SortKey> sort;
  uint32_t limit = 1'000;  // 1 .. 100'000 groups (series: groups, not points)
};

// The columns that make a row of the flow table when nothing else is asked.
inline const std::vector<const model::Column*>& DefaultGroup() {
  static const std::vector<const model::Column*> columns = [] {
    std::vector<const model::Column*> dimensions;
    for (const model::Column& column : model::kColumns) {
      if (column.groupable()) dimensions.push_back(&column);
    }
    return dimensions;
  }();
  return columns;
}

// A cell: text for strings and addresses (already printable), number otherwise. Times are Unix ms.
struct Cell {
  bool is_text = false;
  std::string text;
  double number = 0;   // exact for integers up to 2^53; beyond, use `exact`
  uint64_t exact = 0;  // the integer itself, for kUint columns
};

// Shared with whoever else knows them; null = nobody knows this end, or the flow has no service.
struct FlowEnds {
  model::EntityRef client, server, service;
};

struct FlowResult {
  std::vector<const model::Column*> columns;  // of `rows` and `totals`, in order
  std::vector<std::vector<Cell>> rows;
  // Of each row, where they are not asked for by bucket: the number of the flow, or where they are folded, of the
  // group.
  std::vector<uint64_t> flows;
  std::vector<FlowEnds> ends;    // of each row, where FlowQuery::whole_ends was heeded; else none
  std::vector<Cell> totals;      // over all groups, shown or not; text cells are empty. None where not wanted
  uint64_t groups = 0;           // how many there are
  uint64_t groups_left_out = 0;  // groups beyond the limit
  std::string resolution;        // "raw" | "10s" | "1m" | "5m" | "1h": the table the answer was read from
  UnixMillis oldest = 0;         // earliest data held at that resolution; 0 = nothing stored
  double elapsed_ms = 0;
  uint64_t rows_read = 0;
};

// Flows, or groups of a folded answer, in groups the caller has made: flows[i] is in groups[i].
struct FlowGroups {
  std::vector<uint64_t> flows;  // as in FlowResult, each once
  std::vector<uint32_t> groups;
};

struct RttDistribution {
  model::Histogram client;
  model::Histogram server;
};

}  // namespace weir::store

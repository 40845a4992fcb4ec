#include "store/schema.h"

#include <fmt/format.h>

#include <functional>
#include <type_traits>

#include "model/flow_row.h"

namespace weir::store {
namespace {

using model::Column;
using model::ColumnKind;

enum class Purpose { kTable, kFile };

template <typename Value>
std::string_view TypeFor(Purpose purpose) {
  if (std::is_same_v<Value, std::string> && purpose == Purpose::kTable) return "LowCardinality(String)";
  return FileType<Value>();
}

// Calls visit(name, type) for every column of the table but `received`, in order.
void VisitTable(bool raw, Purpose purpose, const std::function<void(std::string_view, std::string_view)>& visit) {
  if (raw) {
    const std::string_view text = TypeFor<std::string>(purpose);
    visit("client_agent", text);
    visit("client_sequence", kMeasureType);
    visit("server_agent", text);
    visit("server_sequence", kMeasureType);
  }
  visit("flow", FileType<uint64_t>());
  const model::FlowRow row;
  model::VisitStored(row, [&](const Column& column, const auto& value) {
    using Value = std::remove_cvref_t<decltype(value)>;
    if constexpr (std::is_same_v<Value, model::Histogram>) {
      visit(fmt::format("{}_bucket", column.name), "Array(UInt8)");
      visit(fmt::format("{}_count", column.name), "Array(UInt64)");
    } else if (column.kind == ColumnKind::kTime || column.kind == ColumnKind::kDimension) {
      visit(column.name, TypeFor<Value>(purpose));
    } else {
      visit(column.name, kMeasureType);
    }
  });
}

}  // namespace

std::string CreateTableSql(size_t level) {
  const Level& description = kLevelTable[level];
  std::string columns = "received UInt64";
  VisitTable(level == 0, Purpose::kTable,
             [&](std::string_view name, std::string_view type) { columns += fmt::format(", {} {}", name, type); });
  // Within an insert rows are ordered by their server, which saves a quarter of the disk.
  // Every new part reaches the disk before its insert is answered, in the order of the inserts: the
  // watermarks of roll-ups rely on the order, agents on the answer. Merged parts replace their sources at
  // once here (libchdb keeps no old parts), so they are synced as well. A single damaged part must not keep
  // the rest from being read, hence no limit on suspicious parts.
  return fmt::format(
      "CREATE TABLE IF NOT EXISTS {} ({}, INDEX start_range start TYPE minmax GRANULARITY 1) "
      "ENGINE = MergeTree PARTITION BY intDiv(received, {}) "
      "ORDER BY (received, server_port, server_address, client_address) "
      "SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, "
      "max_suspicious_broken_parts = 1000000, max_suspicious_broken_parts_bytes = 1000000000000000",
      description.table, columns, description.partition_us);
}

std::string CreateSequenceTableSql() {
  return fmt::format(
      "CREATE TABLE IF NOT EXISTS {} (agent String, sequence UInt64) ENGINE = ReplacingMergeTree(sequence) "
      "ORDER BY agent SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, "
      "min_rows_to_fsync_after_merge = 1",
      kSequenceTable);
}

std::string InsertColumns(size_t level) {
  std::string columns;
  VisitTable(level == 0, Purpose::kTable, [&](std::string_view name, std::string_view) {
    columns += fmt::format("{}{}", columns.empty() ? "" : ", ", name);
  });
  return columns;
}

const std::vector<std::string>& TableColumns() {
  static const std::vector<std::string> columns = [] {
    std::vector<std::string> names;
    VisitTable(false, Purpose::kTable, [&](std::string_view name, std::string_view) { names.emplace_back(name); });
    return names;
  }();
  return columns;
}

std::string InsertStructure() {
  std::string structure;
  VisitTable(true, Purpose::kFile, [&](std::string_view name, std::string_view type) {
    structure += fmt::format("{}{} {}", structure.empty() ? "" : ", ", name, type);
  });
  return structure;
}

}  // namespace weir::store

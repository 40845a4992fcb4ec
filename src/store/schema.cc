#include "store/schema.h"

#include <fmt/format.h>

#include <cctype>
#include <functional>
#include <set>
#include <type_traits>

#include "base/clock.h"
#include "model/flow_row.h"
#include "store/entity_sql.h"
#include "store/packing.h"
#include "store/sql.h"

namespace weir::store {
namespace {

using model::Column;
using model::ColumnKind;
using model::ColumnSource;

enum class Purpose { kTable, kFile };

template <typename Value>
std::string_view TypeFor(Purpose purpose) {
  if (std::is_same_v<Value, std::string> && purpose == Purpose::kTable) return "LowCardinality(String)";
  return FileType<Value>();
}

using Visit = std::function<void(std::string_view name, std::string_view type)>;

// Calls visit() for every column of a table of rows but `received`, in order.
void VisitTable(bool raw, Purpose purpose, const Visit& visit) {
  if (raw) {
    const std::string_view text = TypeFor<std::string>(purpose);
    visit("client_agent", text);
    visit("client_sequence", kMeasureType);
    visit("server_agent", text);
    visit("server_sequence", kMeasureType);
  }
  visit("flow", FileType<uint64_t>());
  for (const Column& column : model::kColumns) {
    const Pack pack = PackOf(column);
    if (pack == Pack::kOwn) {
      visit(column.name, column.kind == ColumnKind::kTime ? FileType<UnixMillis>() : kMeasureType);
    } else if (pack == Pack::kHistogram) {
      visit(column.name, kCountsType);
    }
  }
  for (const std::string_view array : kArrayNames) visit(array, kArrayType);
  visit(kRequestHistogramsName, kCountsType);
}

// The same for the table of flows.
void VisitFlows(Purpose purpose, const Visit& visit) {
  visit("flow", FileType<uint64_t>());
  for (const ColumnSource end : {ColumnSource::kClient, ColumnSource::kServer, ColumnSource::kService}) {
    visit(EntityColumn(end), FileType<model::EntityId>());
  }
  model::VisitConnection({}, [&](const Column& column, const auto& value) {
    visit(column.name, TypeFor<std::remove_cvref_t<decltype(value)>>(purpose));
  });
}

// And for the table of entities.
void VisitEntities(Purpose purpose, const Visit& visit) {
  visit("id", FileType<model::EntityId>());
  visit("version", FileType<uint64_t>());
  visit("valid_from", FileType<UnixMillis>());
  visit("valid_to", FileType<UnixMillis>());
  visit("address", FileType<model::Address>());
  model::VisitEntity(model::Of(nullptr), [&](model::EntityField field, const auto& value) {
    visit(model::kEntityFields[static_cast<size_t>(field)].name,
          TypeFor<std::remove_cvref_t<decltype(value)>>(purpose));
  });
}

std::string Listed(const std::function<void(const Visit&)>& columns, bool types) {
  std::vector<std::string> items;
  columns([&](std::string_view name, std::string_view type) {
    items.push_back(types ? fmt::format("{} {}", name, type) : std::string(name));
  });
  return fmt::format("{}", fmt::join(items, ", "));
}

constexpr std::string_view kDurable =
    "fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, "
    "max_suspicious_broken_parts = 1000000, max_suspicious_broken_parts_bytes = 1000000000000000";

}  // namespace

std::string CreateTableSql(size_t level) {
  const Level& description = kLevelTable[level];
  const auto columns = [&](const Visit& visit) { VisitTable(level == 0, Purpose::kTable, visit); };
  // Every new part reaches the disk before its insert is answered, in the order of the inserts: the
  // watermarks of roll-ups rely on the order, agents on the answer. Merged parts replace their sources at
  // once here (libchdb keeps no old parts), so they are synced as well. A single damaged part must not keep
  // the rest from being read, hence no limit on suspicious parts.
  return fmt::format(
      "CREATE TABLE IF NOT EXISTS {} (received UInt64, {}, INDEX start_range start TYPE minmax GRANULARITY 1) "
      "ENGINE = MergeTree PARTITION BY intDiv(received, {}) ORDER BY received SETTINGS {}",
      description.table, Listed(columns, true), description.partition_us, kDurable);
}

std::string CreateFlowTableSql() {
  const auto columns = [](const Visit& visit) { VisitFlows(Purpose::kTable, visit); };
  // Merges leave one row of each flow in a partition.
  return fmt::format(
      "CREATE TABLE IF NOT EXISTS {} (received UInt64, {}) ENGINE = ReplacingMergeTree PARTITION BY "
      "intDiv(received, {}) ORDER BY flow SETTINGS {}",
      kFlowTable, Listed(columns, true), kFlowPartitionUs, kDurable);
}

std::string CreateEntityTableSql() {
  const auto columns = [](const Visit& visit) { VisitEntities(Purpose::kTable, visit); };
  // Merges leave one row of each version in a partition.
  return fmt::format(
      "CREATE TABLE IF NOT EXISTS {} (received UInt64, {}) ENGINE = ReplacingMergeTree PARTITION BY "
      "intDiv(received, {}) ORDER BY (id, version) SETTINGS {}",
      kEntityTable, Listed(columns, true), kFlowPartitionUs, kDurable);
}

std::string CreatePlaceTableSql() {
  return fmt::format(
      "CREATE TABLE IF NOT EXISTS {} (list LowCardinality(String), place UInt16, measure String) ENGINE = "
      "ReplacingMergeTree ORDER BY (list, place) SETTINGS {}",
      kPlaceTable, kDurable);
}

std::vector<std::string> ExtendTablesSql() {
  std::vector<std::string> statements;
  const auto extend = [&](std::string_view table, const auto& columns) {
    std::vector<std::string> additions;
    columns([&](std::string_view name, std::string_view type) {
      additions.push_back(fmt::format("ADD COLUMN IF NOT EXISTS {} {}", name, type));
    });
    statements.push_back(fmt::format("ALTER TABLE {} {}", table, Join(additions)));
  };
  extend(kFlowTable, [](const Visit& visit) { VisitFlows(Purpose::kTable, visit); });
  extend(kEntityTable, [](const Visit& visit) { VisitEntities(Purpose::kTable, visit); });
  for (size_t level = 0; level < kLevels; ++level) {
    extend(kLevelTable[level].table, [&](const Visit& visit) { VisitTable(level == 0, Purpose::kTable, visit); });
  }
  return statements;
}

std::string CreateSequenceTableSql() {
  return fmt::format(
      "CREATE TABLE IF NOT EXISTS {} (agent String, sequence UInt64) ENGINE = ReplacingMergeTree(sequence) "
      "ORDER BY agent SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, "
      "min_rows_to_fsync_after_merge = 1",
      kSequenceTable);
}

std::string InsertColumns(size_t level) {
  return Listed([&](const Visit& visit) { VisitTable(level == 0, Purpose::kTable, visit); }, false);
}

const std::vector<std::string>& TableColumns() {
  static const std::vector<std::string> columns = [] {
    std::vector<std::string> names;
    VisitTable(false, Purpose::kTable, [&](std::string_view name, std::string_view) { names.emplace_back(name); });
    return names;
  }();
  return columns;
}

std::vector<std::string> TableColumnsIn(std::string_view sql) {
  const auto is_name = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  std::set<std::string_view> words;
  for (size_t at = 0; at < sql.size();) {
    const size_t begin = at;
    while (at < sql.size() && is_name(sql[at])) ++at;
    words.insert(sql.substr(begin, at - begin));
    if (at == begin) ++at;
  }
  std::vector<std::string> named;
  for (const std::string& column : TableColumns()) {
    if (words.contains(column)) named.push_back(column);
  }
  return named;
}

std::string InsertStructure() {
  return Listed([](const Visit& visit) { VisitTable(true, Purpose::kFile, visit); }, true);
}

std::string FlowInsertColumns() {
  return Listed([](const Visit& visit) { VisitFlows(Purpose::kTable, visit); }, false);
}

std::string EntityInsertColumns() {
  return Listed([](const Visit& visit) { VisitEntities(Purpose::kTable, visit); }, false);
}

std::string EntityInsertStructure() {
  return Listed([](const Visit& visit) { VisitEntities(Purpose::kFile, visit); }, true);
}

std::string FlowInsertStructure() {
  return Listed([](const Visit& visit) { VisitFlows(Purpose::kFile, visit); }, true);
}

}  // namespace weir::store

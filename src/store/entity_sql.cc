#include "store/entity_sql.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "store/derived.h"
#include "store/schema.h"
#include "store/sql.h"

namespace weir::store {
namespace {

using model::Column;
using model::ColumnSource;
using Columns = std::vector<const Column*>;

constexpr std::array kEnds{ColumnSource::kClient, ColumnSource::kServer, ColumnSource::kService};

void AddOnce(Columns& columns, const Column* column) {
  if (std::find(columns.begin(), columns.end(), column) == columns.end()) columns.push_back(column);
}

// Dimensions by where they are found.
struct Sources {
  Columns connection;
  std::array<Columns, kEnds.size()> ends;
  Columns computed;

  explicit Sources(const Columns& dimensions) {
    for (const Column* column : dimensions) {
      Add(column);
      if (column->source != ColumnSource::kComputed) continue;
      for (const Column* part : PartsOf(*column)) Add(part);
    }
  }

 private:
  void Add(const Column* column) {
    if (column->source == ColumnSource::kComputed) return AddOnce(computed, column);
    if (column->source == ColumnSource::kFlow) return AddOnce(connection, column);
    AddOnce(ends[static_cast<size_t>(std::find(kEnds.begin(), kEnds.end(), column->source) - kEnds.begin())], column);
  }
};

std::string FlowsSql(const Sources& sources, const NamesAsOf& as_of) {
  std::vector<std::string> items{"flow"};
  for (size_t end = 0; end < kEnds.size(); ++end) {
    if (!sources.ends[end].empty()) items.emplace_back(EntityColumn(kEnds[end]));
  }
  for (const Column* column : sources.connection) items.emplace_back(column->name);
  return fmt::format("SELECT {} FROM {} WHERE received >= {}", Join(items), kFlowTable, as_of.since);
}

// Adds what FlowsSql() leaves open.
std::string NamedSql(std::string select, const Sources& sources, const NamesAsOf& as_of) {
  for (size_t end = 0; end < kEnds.size(); ++end) {
    if (sources.ends[end].empty()) continue;
    select = fmt::format("SELECT * FROM ({}) AS unnamed ANY LEFT JOIN ({}) AS entities USING {}", select,
                         EntitiesSql(kEnds[end], sources.ends[end], as_of), EntityColumn(kEnds[end]));
  }
  if (sources.computed.empty()) return select;
  std::vector<std::string> items{"*"};
  for (const Column* column : sources.computed) {
    items.push_back(fmt::format("{} AS {}", ComputedSql(*column), column->name));
  }
  return fmt::format("SELECT {} FROM ({})", Join(items), select);
}

}  // namespace

std::string_view EntityColumn(ColumnSource end) {
  return end == ColumnSource::kClient   ? "client_entity"
         : end == ColumnSource::kServer ? "server_entity"
                                        : "service_entity";
}

std::string EntitiesSql(ColumnSource end, const Columns& attributes, const NamesAsOf& as_of) {
  std::vector<std::string> items{fmt::format("id AS {}", EntityColumn(end))};
  for (const Column* column : attributes) {
    items.push_back(fmt::format("argMax({}, version) AS {}", model::kEntityFields[column->place].name, column->name));
  }
  const std::string at = as_of.at == 0 ? "" : fmt::format(" AND valid_from <= {}", as_of.at);
  return fmt::format("SELECT {} FROM {} WHERE received >= {}{} GROUP BY id", Join(items), kEntityTable, as_of.since,
                     at);
}

std::string NamedFlowsSql(const Columns& dimensions, const NamesAsOf& as_of) {
  const Sources sources(dimensions);
  return NamedSql(FlowsSql(sources, as_of), sources, as_of);
}

std::string WithNamesSql(std::string_view from_item, const Columns& dimensions, const NamesAsOf& as_of) {
  const Sources sources(dimensions);
  return NamedSql(
      fmt::format("SELECT * FROM {} ANY LEFT JOIN ({}) AS flows USING flow", from_item, FlowsSql(sources, as_of)),
      sources, as_of);
}

std::string EntitiesByIdSql(std::string_view file, const NamesAsOf& as_of) {
  std::vector<std::string> items{"id", "version", "received", "valid_from", "valid_to", "hex(address)"};
  model::VisitEntity(model::Of(nullptr), [&](model::EntityField field, const auto& value) {
    const std::string_view name = model::kEntityFields[static_cast<size_t>(field)].name;
    constexpr bool kText = std::is_same_v<std::remove_cvref_t<decltype(value)>, std::string>;
    items.push_back(kText ? std::string(name) : fmt::format("toUInt64({})", name));
  });
  const std::string at = as_of.at == 0 ? "" : fmt::format(" AND valid_from <= {}", as_of.at);
  return fmt::format(
      "SELECT {} FROM {} WHERE received >= {}{} AND id IN (SELECT id FROM file('{}', 'RowBinary', 'id UInt64')) "
      "ORDER BY id, version DESC, received DESC LIMIT 1 BY id SETTINGS max_threads = 2",
      Join(items), kEntityTable, as_of.since, at, file);
}

std::string EntitiesCalledSql(std::string_view name, const NamesAsOf& as_of, uint32_t limit) {
  return fmt::format(
      "SELECT DISTINCT id FROM {0} WHERE received >= {1} AND (pod = {2} OR workload = {2} OR node = {2} OR process = "
      "{2}) LIMIT {3} SETTINGS max_threads = 1",
      kEntityTable, as_of.since, QuoteText(name), limit);
}

std::string KnowsNamespacesSql(uint64_t since) {
  return fmt::format("SELECT 1 FROM {} WHERE received >= {} AND namespace != '' LIMIT 1 SETTINGS max_threads = 1",
                     kEntityTable, since);
}

std::string InsertEntitiesSql(std::string_view file, uint64_t received) {
  const std::string columns = EntityInsertColumns();
  return fmt::format(
      "INSERT INTO {} (received, {}) SELECT toUInt64({}), {} FROM file('{}', 'Native', '{}') "
      "SETTINGS max_threads = 1, max_insert_threads = 1",
      kEntityTable, columns, received, columns, file, EntityInsertStructure());
}

}  // namespace weir::store

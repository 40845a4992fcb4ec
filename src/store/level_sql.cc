#include "store/level_sql.h"

#include <fmt/format.h>

#include <algorithm>

#include "store/derived.h"
#include "store/sql.h"

namespace weir::store {
namespace {

using model::Column;
using model::ColumnSource;
using model::EntityField;
using model::LevelThing;

// One end of a flow: "client" or "server".
class End {
 public:
  End(ColumnSource source, const model::LevelFold& fold)
      : source_(source), name_(source == ColumnSource::kClient ? "client" : "server"), fold_(fold) {}

  // What the other expressions need of the end as it is before they replace its columns: the number of the thing it is
  // among ThingsOf(level), and whether it is of the internet.
  std::string ItemsSql() const {
    const std::string internet = fold_.fold_internet ? InternetSql() : "0";
    return fmt::format("{} AS {}, {} AS {}", NumberSql(), Number(), internet, Name("internet"));
  }
  std::string Name(std::string_view attribute) const { return fmt::format("{}_{}", name_, attribute); }

  // Over rows that have ItemsSql(), as AddressSql().
  std::string AttributeSql(const Column& column) const {
    if (column.field() == EntityField::kind) return KindSql();
    const auto& things = model::ThingsOf(fold_.level);
    std::vector<std::string> keeping;
    for (size_t i = 0; i < things.size(); ++i) {
      if (model::Keeps(fold_, things[i], column.field())) keeping.push_back(std::to_string(i));
    }
    if (keeping.size() == things.size()) return std::string(column.name);
    const std::string_view none = column.type == model::ColumnType::kString ? "''" : "0";
    return fmt::format("if({} IN ({}), {}, {})", Number(), Join(keeping), column.name, none);
  }

  std::string AddressSql() const {
    const std::string none = QuoteAddress(model::Address{});
    return fmt::format("if({} = {} AND NOT {}, {}, {})", Number(), Last(), Name("internet"), Name("address"), none);
  }

 private:
  std::string Number() const { return Name("thing"); }
  size_t Last() const { return model::ThingsOf(fold_.level).size() - 1; }

  std::string NumberSql() const {
    const auto& things = model::ThingsOf(fold_.level);
    std::string sql;
    for (size_t i = 0; i + 1 < things.size(); ++i) sql += fmt::format("{}, {}, ", AppliesSql(things[i]), i);
    return fmt::format("toUInt8(multiIf({}{}))", sql, things.size() - 1);
  }

  std::string AppliesSql(const LevelThing& thing) const {
    std::vector<std::string> conditions;
    for (const EntityField field : thing.needs) {
      conditions.push_back(fmt::format("{} != ''", Name(model::kEntityFields[static_cast<size_t>(field)].name)));
    }
    if (thing.needs_service) conditions.emplace_back(source_ == ColumnSource::kServer ? "server_service != ''" : "0");
    if (thing.needs_agent) {
      conditions.push_back(fmt::format("NOT ({} = 'address' AND {} = '')", Name("kind"), Name("netns_name")));
    }
    return Join(conditions, " AND ");
  }

  std::string InternetSql() const {
    return fmt::format("{} = '' AND {} IN ('', 'address') AND {}", Name("node"), Name("kind"),
                       IsPublicSql(Name("address")));
  }

  std::string KindSql() const {
    const auto& things = model::ThingsOf(fold_.level);
    std::string sql;
    for (size_t i = 0; i < things.size(); ++i) {
      if (!things[i].kind.empty()) sql += fmt::format("{} = {}, {}, ", Number(), i, QuoteText(things[i].kind));
    }
    return fmt::format("multiIf({}{} = {} AND {}, 'internet', {})", sql, Number(), Last(), Name("internet"),
                       Name("kind"));
  }

  const ColumnSource source_;
  const std::string_view name_;
  const model::LevelFold& fold_;
};

}  // namespace

std::vector<const Column*> ColumnsForFold(const model::LevelFold& fold) {
  std::vector<const Column*> columns;
  const auto add = [&](const std::string& name) {
    const Column* column = model::FindColumn(name);
    if (std::find(columns.begin(), columns.end(), column) == columns.end()) columns.push_back(column);
  };
  for (const ColumnSource source : {ColumnSource::kClient, ColumnSource::kServer}) {
    const End end(source, fold);
    for (const char* name : {"kind", "node", "address"}) add(end.Name(name));
    for (const LevelThing& thing : model::ThingsOf(fold.level)) {
      for (const EntityField field : thing.needs) add(end.Name(model::kEntityFields[static_cast<size_t>(field)].name));
      if (thing.needs_agent) add(end.Name("netns_name"));
      if (thing.needs_service) add("server_service");
    }
  }
  return columns;
}

std::string FoldedSql(std::string_view select, const std::vector<const Column*>& dimensions,
                      const model::LevelFold& fold) {
  const End client(ColumnSource::kClient, fold);
  const End server(ColumnSource::kServer, fold);
  const auto& of_level = model::ColumnsOf(fold.level);
  std::vector<std::string> replaced;
  for (const Column* column : dimensions) {
    if (std::find(of_level.begin(), of_level.end(), column) == of_level.end()) continue;
    if (column->source == ColumnSource::kService) continue;  // the server is what it belongs to, or there is none
    const bool of_client = column->name.starts_with("client_");
    const End& end = of_client ? client : server;
    const std::string sql = column->stored() ? end.AddressSql() : end.AttributeSql(*column);
    if (sql != column->name) replaced.push_back(fmt::format("{} AS {}", sql, column->name));
  }
  const std::string numbered = fmt::format("SELECT *, {}, {} FROM ({})", client.ItemsSql(), server.ItemsSql(), select);
  if (replaced.empty()) return numbered;
  return fmt::format("SELECT * REPLACE ({}) FROM ({})", Join(replaced), numbered);
}

}  // namespace weir::store

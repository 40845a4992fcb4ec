#include "store/filter_sql.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>
#include <optional>

#include "store/derived.h"
#include "store/schema.h"
#include "store/sql.h"

namespace weir::store {
namespace {

using model::Column;
using model::ColumnSource;
using model::CompareOp;
using model::Comparison;
using model::FilterNode;
using model::FilterValue;

bool IsNegative(CompareOp op) {
  return op == CompareOp::kNotEqual || op == CompareOp::kNotMatch || op == CompareOp::kNotIn;
}

std::string_view SymbolOf(CompareOp op) {
  switch (op) {
    case CompareOp::kLess: return "<";
    case CompareOp::kLessEqual: return "<=";
    case CompareOp::kGreater: return ">";
    case CompareOp::kGreaterEqual: return ">=";
    default: return "=";
  }
}

template <typename Visit>
void VisitColumns(const FilterNode& node, const Visit& visit) {
  for (const Column* column : node.comparison.columns) visit(*column);
  for (const auto& child : node.children) VisitColumns(*child, visit);
}

// Conditions over values that stand in columns, or in aggregates of them.
class Conditions {
 public:
  explicit Conditions(const Packing& packing) : packing_(packing) {}

  std::string Sql(const FilterNode& node) const {
    if (node.kind == FilterNode::Kind::kComparison) return ComparisonSql(node.comparison);
    if (node.kind == FilterNode::Kind::kNot) return fmt::format("NOT ({})", Sql(*node.children.front()));
    std::vector<std::string> children;
    for (const auto& child : node.children) children.push_back(Sql(*child));
    return fmt::format("({})", Join(children, node.kind == FilterNode::Kind::kAnd ? " AND " : " OR "));
  }

 private:
  std::string ComparisonSql(const Comparison& comparison) const {
    std::vector<std::string> columns;
    for (const Column* column : comparison.columns) columns.push_back(PositiveSql(*column, comparison));
    std::string sql = fmt::format("{}({})", IsNegative(comparison.op) ? "NOT " : "", Join(columns, " OR "));
    const std::string known = KnownSql(*comparison.columns.front());
    return known.empty() ? sql : fmt::format("(({}) AND {})", known, sql);
  }

  // Whether one column holds against any of the values; a negative operator is read as its positive counterpart.
  std::string PositiveSql(const Column& column, const Comparison& comparison) const {
    const std::string subject = ColumnSql(column, packing_);
    std::vector<std::string> alternatives;
    for (const FilterValue& value : comparison.values) {
      if (const auto* range = std::get_if<model::AddressRange>(&value)) {
        alternatives.push_back(
            fmt::format("({0} >= {1} AND {0} <= {2})", subject, QuoteAddress(range->first), QuoteAddress(range->last)));
      } else if (const auto* text = std::get_if<std::string>(&value)) {
        // In ClickHouse '.' matches a line feed unless told otherwise; in RE2, and so in Filter::Matches, it
        // does not.
        alternatives.push_back(comparison.pattern ? fmt::format("match({}, {})", subject, QuoteText("(?-s)" + *text))
                                                  : fmt::format("{} = {}", subject, QuoteText(*text)));
      } else {
        alternatives.push_back(
            fmt::format("{} {} {}", subject, SymbolOf(comparison.op), QuoteNumber(std::get<double>(value))));
      }
    }
    return Join(alternatives, " OR ");
  }

  // "" when the column always has a value.
  std::string KnownSql(const Column& column) const {
    std::vector<std::string> samples;
    for (const std::string_view name : model::SampleColumns(column)) {
      samples.push_back(fmt::format("{} != 0", ColumnSql(*model::FindColumn(name), packing_)));
    }
    return Join(samples, " OR ");
  }

  const Packing& packing_;
};

// Conditions on flows over their table, which has the numbers of entities only: what is asked of one end's attributes
// is one question to the table of entities, however many attributes it is about.
class FlowConditions {
 public:
  FlowConditions(const NamesAsOf& as_of, const Packing& packing) : as_of_(as_of), plain_(packing) {}

  std::string Sql(const FilterNode& node) {
    if (const auto end = EndOf(node)) return EndSql({&node}, *end, FilterNode::Kind::kAnd);
    if (node.kind == FilterNode::Kind::kNot) return fmt::format("NOT ({})", Sql(*node.children.front()));
    if (node.kind == FilterNode::Kind::kComparison) {
      return node.comparison.columns.size() == 1 ? plain_.Sql(node) : JoinedSql({&node}, PartsKind(node));
    }
    Parts children;
    for (const auto& child : node.children) children.push_back(child.get());
    return JoinedSql(children, node.kind);
  }

  using Parts = std::vector<const FilterNode*>;
  // All of them, or any, as `kind` says.
  std::string JoinedSql(const Parts& nodes, FilterNode::Kind kind) {
    Parts parts;
    for (const FilterNode* node : nodes) {
      if (HasSeveralColumns(*node) && PartsKind(*node) == kind) {
        Split(*node, parts);
      } else {
        parts.push_back(node);
      }
    }
    std::vector<std::string> conditions;
    for (const ColumnSource end : {ColumnSource::kClient, ColumnSource::kServer, ColumnSource::kService}) {
      Parts of_end;
      std::copy_if(parts.begin(), parts.end(), std::back_inserter(of_end),
                   [&](const FilterNode* part) { return EndOf(*part) == end; });
      if (!of_end.empty()) conditions.push_back(EndSql(of_end, end, kind));
    }
    for (const FilterNode* part : parts) {
      if (!EndOf(*part)) conditions.push_back(Sql(*part));
    }
    return fmt::format("({})", Join(conditions, kind == FilterNode::Kind::kAnd ? " AND " : " OR "));
  }

 private:
  // The end whose attributes are all the node is about.
  static std::optional<ColumnSource> EndOf(const FilterNode& node) {
    std::optional<ColumnSource> end;
    bool one = true;
    VisitColumns(node, [&](const Column& column) {
      one = one && column.of_entity() && (!end || *end == column.source);
      end = column.source;
    });
    return one ? end : std::nullopt;
  }

  static bool HasSeveralColumns(const FilterNode& node) {
    return node.kind == FilterNode::Kind::kComparison && node.comparison.columns.size() > 1 && !EndOf(node);
  }
  // Such a comparison holds where any of its columns does; a negative one where all do.
  static FilterNode::Kind PartsKind(const FilterNode& node) {
    return IsNegative(node.comparison.op) ? FilterNode::Kind::kAnd : FilterNode::Kind::kOr;
  }
  void Split(const FilterNode& node, Parts& parts) {
    for (const Column* column : node.comparison.columns) {
      FilterNode& part = split_.emplace_back();
      part.comparison = node.comparison;
      part.comparison.columns = {column};
      parts.push_back(&part);
    }
  }

  // An entity nobody knows has no row, and its attributes are empty: where that is enough, the others are named.
  std::string EndSql(const Parts& parts, ColumnSource end, FilterNode::Kind kind) const {
    std::vector<std::string> conditions;
    std::vector<const Column*> attributes;
    size_t hold_of_nobody = 0;
    for (const FilterNode* part : parts) {
      conditions.push_back(plain_.Sql(*part));
      hold_of_nobody += model::Holds({}, *part) ? 1 : 0;
      VisitColumns(*part, [&](const Column& column) {
        if (std::find(attributes.begin(), attributes.end(), &column) == attributes.end()) attributes.push_back(&column);
      });
    }
    const bool all = kind == FilterNode::Kind::kAnd;
    const bool nobody = all ? hold_of_nobody == parts.size() : hold_of_nobody != 0;
    return fmt::format("{0} {1}IN (SELECT {0} FROM ({2}) WHERE {3}({4}))", EntityColumn(end), nobody ? "NOT " : "",
                       EntitiesSql(end, attributes, as_of_), nobody ? "NOT " : "",
                       Join(conditions, all ? " AND " : " OR "));
  }

  const NamesAsOf as_of_;
  const Conditions plain_;
  std::deque<FilterNode> split_;
};

bool HasMeasure(const FilterNode& node) {
  bool found = false;
  VisitColumns(node, [&](const Column& column) { found = found || !column.groupable(); });
  return found;
}

Status CheckGrouped(const FilterNode& node, const std::vector<const Column*>& group_by) {
  const Column* missing = nullptr;
  const Column* measure = nullptr;
  VisitColumns(node, [&](const Column& column) {
    const bool grouped =
        std::any_of(group_by.begin(), group_by.end(), [&](const Column* other) { return other->name == column.name; });
    if (!column.groupable()) measure = &column;
    if (column.groupable() && !grouped) missing = &column;
  });
  if (missing == nullptr) return Status::Ok();
  return Status::Invalid(
             fmt::format(
                 "the filter joins {}, which is summed over a group, by or / not with {}, which is not grouped by",
                 measure->name, missing->name))
      .WithRemedy(fmt::format("add {} to group_by, or join them by and", missing->name));
}

void Append(std::string& condition, const std::string& another) {
  if (!condition.empty()) condition += " AND ";
  condition += another;
}

// The columns of the clauses, where one of them is computed from both ends; else none.
std::vector<const Column*> NamedFor(const std::vector<const FilterNode*>& clauses) {
  std::vector<const Column*> columns;
  bool computed = false;
  for (const FilterNode* clause : clauses) {
    VisitColumns(*clause, [&](const Column& column) {
      computed = computed || column.source == ColumnSource::kComputed;
      if (std::find(columns.begin(), columns.end(), &column) == columns.end()) columns.push_back(&column);
    });
  }
  return computed ? columns : std::vector<const Column*>{};
}

}  // namespace

Result<FilterSql> TranslateFilter(const model::Filter& filter, const std::vector<const Column*>& group_by,
                                  const NamesAsOf& as_of, const Packing& packing) {
  FilterSql sql;
  if (filter.empty()) return sql;
  const Conditions plain(packing);
  std::vector<const FilterNode*> clauses{filter.root()};
  std::vector<const FilterNode*> about_flows;
  // What is joined by "and", at any depth, can be told apart.
  for (size_t i = 0; i < clauses.size(); ++i) {
    const FilterNode& clause = *clauses[i];
    if (clause.kind == FilterNode::Kind::kAnd) {
      for (const auto& child : clause.children) clauses.push_back(child.get());
    } else if (HasMeasure(clause)) {
      WEIR_RETURN_IF_ERROR(CheckGrouped(clause, group_by));
      Append(sql.groups, plain.Sql(clause));
    } else {
      about_flows.push_back(&clause);
    }
  }
  sql.named = NamedFor(about_flows);
  if (!about_flows.empty() && sql.named.empty()) {
    sql.rows = FlowConditions(as_of, packing).JoinedSql(about_flows, FilterNode::Kind::kAnd);
  } else {
    for (const FilterNode* clause : about_flows) Append(sql.rows, plain.Sql(*clause));
  }
  return sql;
}

std::string ChosenFlowsSql(const FilterSql& filter, const NamesAsOf& as_of) {
  if (filter.named.empty()) {
    return fmt::format("SELECT flow FROM {} WHERE received >= {} AND ({})", kFlowTable, as_of.since, filter.rows);
  }
  return fmt::format("SELECT flow FROM ({}) WHERE {}", NamedFlowsSql(filter.named, as_of), filter.rows);
}

}  // namespace weir::store

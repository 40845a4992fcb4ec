#include "store/sql.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "store/derived.h"

namespace weir::store {
namespace {

using model::Column;
using model::ColumnKind;
using model::ColumnType;
using model::CompareOp;
using model::Comparison;
using model::FilterNode;
using model::FilterValue;

bool IsPlain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view(" _-.:/@+").find(c) != std::string_view::npos;
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

// What a condition is about: a flow as its table describes it, or a group of rows.
enum class Subject : uint8_t { kFlow, kGroup };

// Whether one column holds against any of the values; a negative operator is read as its positive
// counterpart.
std::string PositiveSql(const Column& column, const Comparison& comparison, Subject about) {
  const std::string subject = about == Subject::kFlow ? FlowDimensionSql(column) : ColumnSql(column);
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
std::string KnownSql(const Column& column) {
  std::vector<std::string> samples;
  for (const std::string_view name : model::SampleColumns(column)) {
    samples.push_back(fmt::format("{} != 0", ColumnSql(*model::FindColumn(name))));
  }
  return Join(samples, " OR ");
}

std::string ComparisonSql(const Comparison& comparison, Subject about) {
  const bool negative = comparison.op == CompareOp::kNotEqual || comparison.op == CompareOp::kNotMatch ||
                        comparison.op == CompareOp::kNotIn;
  std::vector<std::string> columns;
  for (const Column* column : comparison.columns) columns.push_back(PositiveSql(*column, comparison, about));
  std::string sql = fmt::format("{}({})", negative ? "NOT " : "", Join(columns, " OR "));
  const std::string known = KnownSql(*comparison.columns.front());
  return known.empty() ? sql : fmt::format("(({}) AND {})", known, sql);
}

std::string NodeSql(const FilterNode& node, Subject about) {
  if (node.kind == FilterNode::Kind::kComparison) return ComparisonSql(node.comparison, about);
  if (node.kind == FilterNode::Kind::kNot) return fmt::format("NOT ({})", NodeSql(*node.children.front(), about));
  std::vector<std::string> children;
  for (const auto& child : node.children) children.push_back(NodeSql(*child, about));
  return fmt::format("({})", Join(children, node.kind == FilterNode::Kind::kAnd ? " AND " : " OR "));
}

template <typename Visit>
void VisitColumns(const FilterNode& node, const Visit& visit) {
  for (const Column* column : node.comparison.columns) visit(*column);
  for (const auto& child : node.children) VisitColumns(*child, visit);
}

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

void Append(std::string& condition, const FilterNode& node, Subject about) {
  if (!condition.empty()) condition += " AND ";
  condition += NodeSql(node, about);
}

}  // namespace

std::string QuoteText(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (IsPlain(c)) {
      quoted += c;
    } else {
      quoted += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return quoted + "'";
}

std::string QuoteAddress(const model::Address& address) {
  std::string hex;
  for (const uint8_t byte : address.bytes) hex += fmt::format("{:02x}", byte);
  return fmt::format("toFixedString(unhex('{}'), 16)", hex);
}

std::string QuoteNumber(double number) {
  constexpr double kExact = 9007199254740992.0;  // 2^53
  if (std::floor(number) == number && std::fabs(number) <= kExact) {
    return fmt::format("{}", static_cast<int64_t>(number));
  }
  // Always with an exponent: a long row of digits would be read as an integer.
  return fmt::format("{:.16e}", number);
}

std::string Unhex(std::string_view digits) {
  std::string bytes;
  for (size_t i = 0; i + 1 < digits.size(); i += 2) {
    uint8_t byte = 0;
    std::from_chars(digits.data() + i, digits.data() + i + 2, byte, 16);
    bytes += static_cast<char>(byte);
  }
  return bytes;
}

std::string Join(const std::vector<std::string>& items, std::string_view separator) {
  return fmt::format("{}", fmt::join(items, separator));
}

Result<FilterSql> TranslateFilter(const model::Filter& filter, const std::vector<const Column*>& group_by) {
  FilterSql sql;
  if (filter.empty()) return sql;
  std::vector<const FilterNode*> clauses{filter.root()};
  // What is joined by "and", at any depth, can be told apart.
  for (size_t i = 0; i < clauses.size(); ++i) {
    const FilterNode& clause = *clauses[i];
    if (clause.kind == FilterNode::Kind::kAnd) {
      for (const auto& child : clause.children) clauses.push_back(child.get());
    } else if (HasMeasure(clause)) {
      WEIR_RETURN_IF_ERROR(CheckGrouped(clause, group_by));
      Append(sql.groups, clause, Subject::kGroup);
    } else {
      Append(sql.rows, clause, Subject::kFlow);
    }
  }
  return sql;
}

}  // namespace weir::store
